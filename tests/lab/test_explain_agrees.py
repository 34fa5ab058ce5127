"""Whatever the office, `explain` says what the gate then does: random policies, people and flows, by every way in."""
import base64
import os
import random
import time

import pytest

import programs
from client import THROUGH, ask
from lab import sleep_until, until
from test_explicit import HTTP, SOCKS, connect_request
from test_names import CORP, EXAMPLE, FREE, HANDBOOK, TLS, WEB, client_hello, known, tls, town_of_names, web  # noqa: F401

HOSTS = {EXAMPLE: HANDBOOK, "a.corp.lan": CORP, "free.lan": FREE}
UDP = 4000
SEEDS = int(os.environ.get("LAB_EXPLAIN_SEEDS", "4"))


@pytest.fixture
def street(town_of_names):  # noqa: F811
    office = town_of_names
    office.cli("resource", "add", "corp", "--to", f"*.corp.lan:{WEB}", "--to", f"*.corp.lan:{TLS}")
    office.cli("resource", "add", "web", "--to", f"10.88.0.4/31:{WEB}", "--to", f"{FREE[4]}:{TLS}")
    office.cli("device", "add", "bobs", "--mac", office.bob.mac, "--shared")
    office.tokens = {user: office.json("token", "add", "--user", user)["secret"] for user in office.PASSWORD}
    programs.serve_proxies(office)
    office.alice.sign_in("alice")  # a device of its own
    tls(office.alice, CORP[4], "a.corp.lan")
    until(lambda: len(known(office, EXAMPLE)) == 2 and known(office, "*.corp.lan"), 10, "where the hosts are")
    for laptop in (office.alice, office.bob):  # and whose the addresses are: a neighbour is known once it was met
        for family, gate in office.GATE.items():
            laptop.open(gate, WEB).close()
    return office


def tunnel(office, laptop, host: str, port: int, first: bytes, by_http: bool, user: str | None) -> str:
    """By SOCKS or CONNECT to an echo or HTTP server: `through` when the server's own answer comes back."""
    with laptop.open(office.GATE[4], HTTP if by_http else SOCKS) as sock:
        if by_http:
            field = f"Proxy-Authorization: {basic(office, user)}\r\n" if user else ""
            sock.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{field}\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += sock.recv(1)
            if not head.startswith(b"HTTP/1.1 200"):
                return "refused"
        else:
            greeting = b"\5\1\0"
            if user:
                secret = office.tokens[user].encode()
                greeting = b"\5\1\2" + b"\1" + bytes([len(user)]) + user.encode() + bytes([len(secret)]) + secret
            sock.sendall(greeting + connect_request(host, port))
            assert sock.recv(2) == greeting[:1] + greeting[2:3]
            if user:
                assert sock.recv(2) == b"\1\0"
            if sock.recv(10)[1] != 0:
                return "refused"
        sock.sendall(first)
        got = b""
        try:
            while len(got) < (len(first) if port == TLS else 12):
                more = sock.recv(4096)
                if not more:
                    break
                got += more
        except ConnectionError:
            return "reset"
    return THROUGH if got == first or got.startswith(b"HTTP/1.1 200") else f"answered {got[:40]!r}"


class Flows:
    """One flow each: (what explain is asked, what happens)."""

    def __init__(self, office, dice: random.Random):
        self.office, self.dice = office, dice

    def any(self, laptop):
        return self.dice.choice([self.plain, self.named, self.udp, self.proxied, self.proxied, self.forwarded])(laptop)

    def address(self, family: int) -> str:
        return self.dice.choice([HANDBOOK, CORP, FREE])[family]

    def plain(self, laptop):
        address = self.address(self.dice.choice([4, 6]))
        return [to(address, TLS)], lambda: laptop.try_tcp(address, TLS, b"SSH-2.0-x\r\n")

    def named(self, laptop):
        address, name = self.address(self.dice.choice([4, 6])), self.dice.choice([*HOSTS, "x.corp.lan"])
        if self.dice.random() < 0.5:
            return [to(address, TLS), "--name", name], lambda: tls(laptop, address, name)
        return [to(address, WEB), "--name", name], lambda: web(laptop, address, name)

    def udp(self, laptop):
        family = self.dice.choice([4, 6])
        address = self.dice.choice([self.office.VOICE, self.office.NEWS])[family]
        return [to(address, UDP) + "/udp"], lambda: laptop.try_udp(address, UDP)

    def proxied(self, laptop):
        by_http, port = self.dice.random() < 0.5, self.dice.choice([WEB, TLS])
        inside = self.dice.choice(list(HOSTS))
        host = self.dice.choice([self.address(4), inside, self.dice.choice(list(HOSTS))])
        user = self.dice.choice([None, "alice", "bob"])
        first = client_hello(inside) if port == TLS else f"GET / HTTP/1.1\r\nHost: {inside}\r\n\r\n".encode()
        who = ["--credential", user] if user else []
        return ([to(host, port), "--name", inside, *who],
                lambda: tunnel(self.office, laptop, host, port, first, by_http, user))


    def forwarded(self, laptop):
        host, user = self.dice.choice([self.address(4), *HOSTS]), self.dice.choice([None, "alice", "bob"])

        def happens() -> str:
            with laptop.open(self.office.GATE[4], HTTP) as sock:
                fields = {"Host": host, **({"Proxy-Authorization": basic(self.office, user)} if user else {})}
                reply = ask(sock, "GET", f"http://{host}/", fields)
            return THROUGH if reply.status == 200 and "this is" in reply.body else str(reply.status)
        return [to(host, WEB), *(["--credential", user] if user else [])], happens


def basic(office, user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{office.tokens[user]}".encode()).decode()


def arrived(office) -> int:
    """Bytes that came to any server, of whatever flow."""
    return sum(size for servers in (office.servers, office.more) for peers in servers.ask("counts").values()
               for _, size in peers.values())


def to(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def new_policies(office, dice: random.Random) -> None:
    for policy in office.json("policy", "list"):
        office.cli("policy", "remove", policy["name"])
    for number in range(dice.randint(2, 6)):
        resources = dice.sample(["handbook", "corp", "web", "voice"], dice.randint(1, 3))
        who = dice.choice([["--user", "alice"], ["--user", "bob"], ["--anyone"]])
        terms = dice.choice([["--deny"], ["--session", "1s"], ["--session", "8h"], ["--session", "8h"], ["--session", "8h"]])
        if terms != ["--deny"] and dice.random() < 0.15:
            terms = [*terms, "--binding", dice.choice(["mac", "credential"])]
        words = [word for resource in resources for word in ("--resource", resource)]
        office.cli("policy", "add", f"p{number}", *words, *who, *terms)
    office.cli("set", "unprotected", (unprotected := dice.choice(["allow", "allow", "deny"])))
    # What no resource is about, the kernel itself forwards or refuses: its rules follow within a second.
    until(lambda: (office.alice.try_tcp(office.NEWS[4], office.ECHO) == THROUGH) == (unprotected == "allow")
          and (office.alice.try_tcp(office.NEWS[6], office.ECHO) == THROUGH) == (unprotected == "allow"), 5, "the rules stand")


@pytest.mark.parametrize("seed", range(SEEDS))
def test_explain_says_what_the_gate_does(street, seed):
    office, dice = street, random.Random(seed)
    flows, verdicts = Flows(office, dice), []
    for laptop, user in ((office.alice, dice.choice(["alice", "bob"])), (office.bob, "bob")):
        if dice.random() < 0.8:
            page = laptop.browser()
            page.submit(page.get("/"), user)
    signed_in = time.time()
    for _ in range(3):
        new_policies(office, dice)
        sleep_until(signed_in + 1.2)  # sessions of a second are over, and the others are not
        for _ in range(14):
            laptop = dice.choice([office.alice, office.bob])
            asked, happens = flows.any(laptop)
            said = office.json("explain", "--from", laptop.address[6 if "[" in asked[0] else 4], "--to", *asked, expect=None)
            before, outcome = arrived(office), happens()
            verdicts.append(said["verdict"])
            assert (said["verdict"] == "allow") == (outcome == THROUGH), (asked, outcome, said, office.log()[-3:])
            assert outcome == THROUGH or arrived(office) == before, f"something of {asked} arrived"
    assert len(set(verdicts)) >= 2, f"the offices are too much alike: {verdicts}"
