"""Real clients of real servers, by every way in that they know: refused before a sign-in, whole after it, refused after
its end. That nothing of a refused flow arrived is counted by the kernel in front of the server."""
import os
import re
import subprocess
import time

import pytest

import programs
from lab import until
from test_explicit import HTTP, SOCKS

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
NC = {"socks": f"nc -X 5 -x 10.77.0.1:{SOCKS} %h %p", "connect": f"nc -X connect -x 10.77.0.1:{HTTP} %h %p"}


@pytest.fixture
def proxied(office):
    """An office whose names the gate can look up, and only the gate: a client that reached one used the proxy."""
    office.name_server({"build.lan": office.WIKI[4], "wiki.lan": office.WIKI[4]})
    office.init()
    return office


def in_every_state(office, arrivals, attempts: dict, right, refusals: dict) -> None:
    """Makes each attempt (name: a function that gives a finished process) before a sign-in, after it and after it
    has expired. `right(done)` says whether it did all that it should; `refusals[name]` is what it says when refused."""
    def all_refused(when: str) -> None:
        before = arrivals.count()
        for name, attempt in attempts.items():
            done = attempt()
            said = done.stdout + done.stderr
            assert done.returncode != 0 and re.search(refusals[name], said), f"{name} {when}: {done.returncode}\n{said}"
        assert arrivals.count() == before, f"something arrived {when}"

    all_refused("before a sign-in")
    office.alice.sign_in("alice")
    for name, attempt in attempts.items():
        before, done = arrivals.count(), attempt()
        assert done.returncode == 0 and right(done), f"{name}: {done.returncode}\n{done.stdout}{done.stderr}{office.log()[-4:]}"
        assert arrivals.count() > before, f"{name} went another way"
    office.let_expire("alice")
    all_refused("after it has expired")


def run(office, *command: str, input: str | None = None, **env: str) -> subprocess.CompletedProcess:
    return office.alice.ns.run(*command, check=False, env={**os.environ, **env}, input=input)


# -- SSH -----------------------------------------------------------------------------------------------------------------
def ssh_hosts(office) -> dict[str, list[str]]:
    """By way in: the options and the host."""
    return {"IPv4": [f"root@{office.WIKI[4]}"], "IPv6": [f"root@{office.WIKI[6]}"],
            **{way: ["-o", f"ProxyCommand={command}", "root@build.lan"] for way, command in NC.items()}}


SSH_REFUSALS = {"IPv4": "reset by peer|[Cc]onnection closed", "IPv6": "reset by peer|[Cc]onnection closed",
                "socks": "not allowed|connection failed", "connect": "511"}


def test_ssh(proxied):
    office = proxied
    sshd = programs.Sshd(office)
    programs.protect(office, "build", f"{office.WIKI[4]}:22/tcp", f"[{office.WIKI[6]}]:22/tcp")
    programs.serve_proxies(office)
    text = "".join(f"{n}\n" for n in range(100_000))
    mine = set(office.alice.address.values())

    def right(done) -> bool:
        first, _, rest = done.stdout.partition("\n")
        return first.split()[0] in mine and rest == text
    in_every_state(office, programs.Arrivals(office, 22),
                   {way: lambda w=words: run(office, *sshd.client, *w, "echo $SSH_CONNECTION; cat", input=text)
                    for way, words in ssh_hosts(office).items()}, right, SSH_REFUSALS)
    assert sshd.log.count("Accepted publickey for root from 10.77.0.11 ") == 3, sshd.log
    assert sshd.log.count("Accepted publickey for root from fd77::11 ") == 1, sshd.log


@pytest.mark.parametrize("way", ["IPv4", "socks", "connect"])
def test_a_login_ends_at_its_deadline(proxied, way):
    office = proxied
    sshd = programs.Sshd(office)
    programs.protect(office, "build", f"{office.WIKI[4]}:22/tcp", session="4s")
    programs.serve_proxies(office)
    command = [*sshd.client, *ssh_hosts(office)[way], "cat"]
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.WIKI[4], 22)
    with programs.running(office.alice, *command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as login:
        login.stdin.write(b"typed\n")
        login.stdin.flush()
        assert login.stdout.readline() == b"typed\n"
        assert login.wait(10) == 255, "the connection broke"
        assert -0.05 <= time.time() - deadline <= 1 + SLACK
    arrivals = programs.Arrivals(office, 22)
    assert run(office, *command).returncode == 255
    assert arrivals.count() == 0


# -- Git -----------------------------------------------------------------------------------------------------------------
def test_git(proxied):
    office = proxied
    sshd, repository = programs.Sshd(office), programs.Repository(office)
    programs.protect(office, "code", f"{office.WIKI[4]}:22/tcp", f"{office.WIKI[4]}:{repository.PORT}/tcp")
    programs.serve_proxies(office)
    made = iter(range(1000))

    def clone(url: str, *words: str, **env: str):
        target = str(office.folder / f"clone{next(made)}")
        done = run(office, "git", *words, "clone", "-q", url, target, **{**repository.env, **env})
        if done.returncode == 0:
            done.stdout += run(office, "git", "-C", target, "fsck", "--full", **repository.env).stderr
            done.stdout += run(office, "git", "-C", target, "rev-parse", "HEAD", **repository.env).stdout
        return done

    def right(done) -> bool:
        return done.stdout.strip() == repository.head
    proxies = {"intercepted": ("", office.WIKI[4]), "http proxy": (f"http://{office.GATE[4]}:{HTTP}", "build.lan"),
               "socks": (f"socks5h://{office.GATE[4]}:{SOCKS}", "build.lan")}
    in_every_state(office, programs.Arrivals(office, repository.PORT),
                   {way: lambda p=proxy, h=host: clone(f"http://{h}:{repository.PORT}/project.git", "-c", f"http.proxy={p}")
                    for way, (proxy, host) in proxies.items()},
                   right, {"intercepted": "511", "http proxy": "511", "socks": "SOCKS5"})
    assert repository.web.log.count("GET /project.git/info/refs") == 3, repository.web.log
    ways = {way: words for way, words in ssh_hosts(office).items() if way != "IPv6"}
    in_every_state(office, programs.Arrivals(office, 22),
                   {way: lambda w=words: clone(f"{w[-1]}:{repository.path}",
                                               GIT_SSH_COMMAND=subprocess.list2cmdline([*sshd.client, *w[:-1]]))
                    for way, words in ways.items()}, right, SSH_REFUSALS)
    assert sshd.log.count("Accepted publickey") == 3, sshd.log


# -- PostgreSQL ----------------------------------------------------------------------------------------------------------
def psql(office, family: int, sql: str) -> list[str]:
    return ["psql", "-X", "-At", "-h", office.WIKI[family], "-p", str(programs.Postgres.PORT), "-U", "alice", "-d", "postgres",
            "-c", sql]


@pytest.fixture
def books(proxied):
    office = proxied
    office.postgres = programs.Postgres(office)
    destinations = (f"{office.WIKI[4]}:{programs.Postgres.PORT}/tcp", f"[{office.WIKI[6]}]:{programs.Postgres.PORT}/tcp")
    programs.protect(office, "books", *destinations)
    office.serve()
    return office


def test_psql(books):
    office = books
    sums = "SELECT n, md5(n::text), host(inet_client_addr()) FROM generate_series(1, 20000) AS n"

    def right(done) -> bool:
        rows = done.stdout.splitlines()
        return len(rows) == 20_000 and rows[-1].split("|")[2] in office.alice.address.values()
    in_every_state(office, programs.Arrivals(office, programs.Postgres.PORT),
                   {f"IPv{family}": lambda f=family: run(office, *psql(office, f, sums)) for family in (4, 6)}, right,
                   dict.fromkeys(("IPv4", "IPv6"), "reset by peer|closed the connection|[Rr]efused"))
    assert office.postgres.log.count("connection authorized: user=alice") == 2, office.postgres.log


def test_a_query_that_runs_is_cut_at_the_sessions_end(books):
    office = books
    office.alice.sign_in("alice")
    with programs.running(office.alice, *psql(office, 4, "SELECT pg_sleep(60)"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as client:
        until(lambda: "connection authorized" in office.postgres.log, 10, "the query runs")
        assert client.poll() is None
        office.cli("session", "end", "--user", "alice")
        ended = time.time()
        assert client.wait(10) == 2 and time.time() - ended <= 1 + SLACK
        assert re.search("reset by peer|closed the connection", client.stderr.read())


# -- clients of the proxies only -------------------------------------------------------------------------------------------
def test_wget(proxied):
    office = proxied
    programs.serve_proxies(office)
    words = ["wget", "-q", "--tries=1", "--timeout=10", "-S", "-O", "-"]
    in_every_state(office, programs.Arrivals(office, office.HTTP),
                   {"http proxy": lambda: run(office, *words, "http://wiki.lan/", http_proxy=f"http://{office.GATE[4]}:{HTTP}"),
                    "intercepted": lambda: run(office, *words, f"http://{office.WIKI[4]}/", http_proxy="")},
                   lambda done: f"this is wiki; you are {office.alice.address[4]}" in done.stdout,
                   {"http proxy": "HTTP/1.1 511", "intercepted": "HTTP/1.1 511"})


def test_proxychains(proxied):
    office = proxied
    programs.serve_proxies(office)
    config = office.folder / "proxychains.conf"
    config.write_text(f"strict_chain\nproxy_dns\n[ProxyList]\nsocks5 {office.GATE[4]} {SOCKS}\n")
    chained = ["proxychains4", "-f", str(config)]
    in_every_state(office, programs.Arrivals(office, office.HTTP),
                   {"curl": lambda: run(office, *chained, "-q", "curl", "-sS", "-m", "15", "http://wiki.lan/")},
                   lambda done: f"this is wiki; you are {office.alice.address[4]}" in done.stdout, {"curl": "connect|resolve"})
    in_every_state(office, programs.Arrivals(office, office.ECHO),
                   {"nc": lambda: run(office, *chained, "nc", "-N", office.PAYROLL[4], str(office.ECHO), input="hello\n")},
                   lambda done: done.stdout == "hello\n", {"nc": "denied|socket error"})


def test_socks_for_node(proxied):
    office = proxied
    programs.serve_proxies(office)
    echo = programs.node("socks.cjs", office.GATE[4], str(SOCKS), "build.lan", str(office.ECHO))
    in_every_state(office, programs.Arrivals(office, office.ECHO), {"socks": lambda: run(office, *echo, "tcp")},
                   lambda done: done.stdout == "1048576 bytes came back\n", {"socks": "NotAllowed"})
    voice = programs.node("socks.cjs", office.GATE[4], str(SOCKS), "build.lan", str(office.UDP))
    in_every_state(office, programs.Arrivals(office, office.UDP, "udp"), {"datagrams": lambda: run(office, *voice, "udp")},
                   lambda done: done.stdout == "20 datagrams came back\n", {"datagrams": "no answer"})
