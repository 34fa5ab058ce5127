"""Real clients over UDP: iperf3, HTTP/3 and, through SOCKS, dig; before a sign-in, after it and after its end."""
import json
import os
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

import programs
from lab import until
from test_dns import Association

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
IPERF, HTTP3, LARGE = 5201, 4433, 3 << 20


# -- iperf3: a control connection over TCP, and a stream of datagrams ----------------------------------------------------
@pytest.fixture
def meter(office):
    office.init()
    programs.protect(office, "meter", f"{office.WIKI[4]}:{IPERF}/tcp", f"{office.WIKI[4]}:{IPERF}/udp")
    office.meter = programs.Program(office, "iperf3", "iperf3", "-s", "-B", office.WIKI[4], "-p", str(IPERF), "--forceflush")
    until(lambda: "Server listening" in office.meter.log, 10, "iperf3 listens")
    office.serve()
    return office


def iperf3(office, seconds: int, *more: str) -> list[str]:
    return ["iperf3", "-u", "-c", office.WIKI[4], "-p", str(IPERF), "-b", "10M", "-t", str(seconds), "-J", *more]


def test_iperf3(meter):
    office = meter
    arrivals = programs.Arrivals(office, IPERF), programs.Arrivals(office, IPERF, "udp")

    def refused():
        before = [counter.count() for counter in arrivals]
        done = office.alice.ns.run(*iperf3(office, 1), check=False)
        assert "reset by peer" in json.loads(done.stdout)["error"], done.stdout  # with --json it exits with 0 all the same
        assert [counter.count() for counter in arrivals] == before
    refused()
    office.alice.sign_in("alice")
    for direction in ((), ("-R",)):
        done = office.alice.ns.run(*iperf3(office, 1, *direction), check=False)
        total = json.loads(done.stdout)["end"]["sum"]
        assert done.returncode == 0 and total["packets"] > 500, done.stdout
        assert total["lost_packets"] <= total["packets"] * 0.02, total
    assert arrivals[1].count() > 500
    with programs.running(office.alice, *iperf3(office, 60), stdout=subprocess.PIPE, text=True) as client:
        before = arrivals[1].count()
        until(lambda: arrivals[1].count() > before + 100, 10, "a stream that runs")
        office.cli("session", "end", "--user", "alice")
        ended = time.time()
        client.wait(10)
        assert time.time() - ended <= 1 + SLACK
        assert "error" in json.loads(client.stdout.read())
    refused()


# -- UDP ASSOCIATE, for programs that do not know it -----------------------------------------------------------------------
class Bridge:
    """A port of the laptop whose datagrams go by SOCKS to one server, and the answers back to who asked last."""

    def __init__(self, office, host: str, port: int):
        self._association, self._server = Association(office, office.alice), (host, port)
        self._local = office.alice.ns.new_socket("127.0.0.1", socket.SOCK_DGRAM)
        self._local.bind(("127.0.0.1", 0))
        self.port = self._local.getsockname()[1]
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._carry)

    def __enter__(self) -> "Bridge":
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.close()
        self._thread.join(10)
        self._stopped.close()
        self._local.close()
        self._association.close()

    def _carry(self) -> None:
        asker, header = None, 10  # of an answer from an IPv4 address
        while True:
            ready, _, _ = select.select([self._local, self._association.sock, self._stopped], [], [])
            if self._stopped in ready:
                return
            if self._local in ready:
                data, asker = self._local.recvfrom(1 << 16)
                self._association.send(*self._server, data)
            if self._association.sock in ready:
                self._local.sendto(self._association.sock.recv(1 << 16)[header:], asker)


def test_dig_through_socks(office):
    office.name_server({"wiki.lan": office.WIKI[4]})
    office.init()
    programs.protect(office, "dns", f"{office.WIKI[4]}:53/udp")
    programs.serve_proxies(office)
    arrivals = programs.Arrivals(office, 53, "udp")

    def dig():
        with Bridge(office, office.WIKI[4], 53) as bridge:
            return office.alice.ns.run("dig", "+tries=1", "+timeout=2", "-p", str(bridge.port), "@127.0.0.1", "wiki.lan", "A",
                                       "+short", check=False)
    assert dig().returncode != 0 and arrivals.count() == 0
    office.alice.sign_in("alice")
    assert dig().stdout.strip() == office.WIKI[4] and arrivals.count() == 1
    (questions := office.folder / "questions").write_text("wiki.lan A\n" * 100)
    with Bridge(office, office.WIKI[4], 53) as bridge:
        done = office.alice.ns.run("dnsperf", "-s", "127.0.0.1", "-p", str(bridge.port), "-d", str(questions), "-n", "20",
                                   "-q", "20")
        assert "Queries completed:    2000 (100.00%)" in done.stdout, done.stdout
    assert arrivals.count() == 2001
    office.let_expire("alice")
    assert dig().returncode != 0 and arrivals.count() == 2001


# -- HTTP/3 --------------------------------------------------------------------------------------------------------------
@pytest.fixture
def pages(office):
    office.init()
    programs.protect(office, "pages", f"{office.WIKI[4]}:{HTTP3}/udp", f"[{office.WIKI[6]}]:{HTTP3}/udp")
    folder = programs.new_folder(office, "pages")
    (folder / "large").write_bytes(os.urandom(LARGE))
    with open(folder / "endless", "wb") as file:
        file.truncate(1 << 30)
    key, cert = str(folder / "key"), str(folder / "cert")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=pages.lan", "-keyout", key, "-out", cert], check=True, capture_output=True)
    for address in (*office.WIKI.values(), *office.NEWS.values()):
        programs.Program(office, f"http3-{address}", "gtlsserver", "-q", "-d", str(folder), address, str(HTTP3), key, cert,
                         stop_with=signal.SIGKILL)  # else it takes its time
    programs.serve_proxies(office)
    return office


def http3(office, address: str, port: int, page: str) -> list[str]:
    """The client gives up when it has heard nothing for a second. It asks for the host that it was given, or else for
    localhost."""
    return ["gtlsclient", "-q", f"--download={office.folder}", "--exit-on-all-streams-close", "--timeout=1s",
            "--initial-rtt=50ms", address, str(port), f"https://pages.lan/{page}"]


def fetch(office, address: str, port: int = HTTP3) -> bool:
    """Whether the page came, and whole."""
    (got := office.folder / "large").unlink(missing_ok=True)
    office.alice.ns.run(*http3(office, address, port, "large"), check=False)
    return got.exists() and got.read_bytes() == (office.folder / "pages" / "large").read_bytes()


def fetch_through_socks(office) -> bool:
    with Bridge(office, office.WIKI[4], HTTP3) as bridge:
        return fetch(office, "127.0.0.1", bridge.port)


def test_http3(pages):
    office = pages
    arrivals = programs.Arrivals(office, HTTP3, "udp")
    ways = {"IPv4": lambda: fetch(office, office.WIKI[4]), "IPv6": lambda: fetch(office, office.WIKI[6]),
            "socks": lambda: fetch_through_socks(office)}
    for name, way in ways.items():
        assert not way() and arrivals.count() == 0, name
    office.alice.sign_in("alice")
    for name, way in ways.items():
        before = arrivals.count()
        assert way() and arrivals.count() > before, (name, office.log()[-4:])
    office.let_expire("alice")
    before = arrivals.count()
    for name, way in ways.items():
        assert not way() and arrivals.count() == before, name


def test_a_download_by_http3_stops_at_the_sessions_end(pages):
    office = pages
    office.alice.sign_in("alice")
    arrivals = programs.Arrivals(office, HTTP3, "udp")
    got = office.folder / "endless"
    with programs.running(office.alice, *http3(office, office.WIKI[4], HTTP3, "endless"), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as client:
        until(lambda: got.exists() and got.stat().st_size > 1 << 20, 10, "a download that runs")
        office.cli("session", "end", "--user", "alice")
        until(lambda: office.json("status")["flows"] == 0, 1 + SLACK, "the flow is cut")
        before = arrivals.count()
        assert client.poll() is None, "it goes on asking"
        client.wait(10)
    assert arrivals.count() == before and got.stat().st_size < 1 << 30


def test_http3_to_a_host_by_its_name(pages):
    """The host is heard in the client's Initial packets, at an address that nobody protects."""
    office = pages
    office.cli("resource", "set", "pages", "--to", f"shop.lan:{HTTP3}/udp", "--to", f"*.corp.lan:{HTTP3}/udp")
    arrivals = programs.Arrivals(office, HTTP3, "udp")
    protected, free = ("shop.lan", "SHOP.lan", "a.b.corp.lan"), "blog.lan"

    def names_lead_to(address: str) -> None:
        office.alice.ns.hosts({office.PORTAL: office.GATE[4], **{name: address for name in (*protected, free)}})
    names_lead_to(office.NEWS[4])
    until(lambda: not fetch(office, "shop.lan"), 5, "the resource is in force")
    for family in (4, 6):
        names_lead_to(office.NEWS[family])
        before = arrivals.count()
        for name in protected:
            assert not fetch(office, name) and arrivals.count() == before, (name, family)
        assert fetch(office, free), "another host at the same port passes, and is only heard"
    rows = office.logged(lambda r: r["event"] == "flow.refused" and r.get("named_by") == "quic")
    assert rows[0]["name"] == "shop.lan" and rows[0]["reason"] == "no_sign_in", rows
    office.alice.sign_in("alice")
    assert fetch(office, "shop.lan") and fetch(office, "a.b.corp.lan")
    office.let_expire("alice")
    before = arrivals.count()
    assert not fetch(office, "shop.lan") and arrivals.count() == before
