"""Resources by host name: where a flow's name comes from, that a false one opens nothing, and what outlives what.

Four more servers stand beside the lab's own, and only names protect them:
  10.88.0.4 handbook.lan   10.88.0.7 a.corp.lan, below a wildcard   10.88.0.5 y.corp.lan, which only one laptop was told of
  10.88.0.6 free.lan, which nobody protects
"""
import socket
import ssl
import struct

import pytest

from client import ALERT, RESET, THROUGH, ask, read_reply
from lab import Servers, until
from test_explicit import HTTP, SOCKS, connect_request

HANDBOOK, HIDDEN, FREE, CORP = ({4: f"10.88.0.{n}", 6: f"fd88::{n}"} for n in (4, 5, 6, 7))
WEB, TLS = 80, 443
EXAMPLE = "handbook.lan"


def client_hello(name: str | None) -> bytes:
    """What OpenSSL says first."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@pytest.fixture
def town_of_names(office):
    for host in (HANDBOOK, HIDDEN, FREE, CORP):
        office.server_ns.ip(f"addr add {host[4]}/24 dev eth0", f"addr add {host[6]}/64 dev eth0 nodad")
    specs = []
    for service, host in (("handbook", HANDBOOK), ("hidden", HIDDEN), ("free", FREE), ("corp", CORP)):
        for family in (4, 6):
            specs += [f"{service}=http@{host[family]},{WEB}", f"{service}=echo@{host[family]},{TLS}",
                      f"{service}=uecho@{host[family]},{TLS}"]
    office.more = Servers(office.server_ns, specs)
    office._close.callback(office.more.close)
    office.name_server({"handbook.lan": f"{HANDBOOK[4]},{HANDBOOK[6]}", "a.corp.lan": CORP[4],
                        "free.lan": f"{FREE[4]},{FREE[6]}", "inward.corp.lan": "127.0.0.1", "strangers.lan": HANDBOOK[4]})
    office.init()
    office.cli("resource", "add", "handbook", "--to", f"{EXAMPLE}:{WEB}", "--to", f"{EXAMPLE}:{TLS}", "--to",
               f"{EXAMPLE}:{TLS}/udp")
    office.cli("policy", "add", "handbook", "--resource", "handbook", "--user", "alice", "--session", "8h")
    return office


@pytest.fixture
def named(town_of_names):
    office = town_of_names
    office.serve()
    until(lambda: len(known(office, EXAMPLE)) == 2, 5, "the gate has looked the host up")
    return office


def known(office, host: str) -> list[str]:
    return [address for (address,) in office.query("SELECT address FROM host_address WHERE host = ? ORDER BY 1", host)]


def web(laptop, address: str, host: str, accept: str = "*/*") -> str:
    """A request that names this host, to this address: `through`, the status, or how it failed."""
    try:
        with laptop.open(address, WEB) as sock:
            reply = ask(sock, "GET", "/", {"Host": host, "Accept": accept})
    except ConnectionError:
        return RESET
    return THROUGH if reply.status == 200 and "this is" in reply.body else str(reply.status)


def tls(laptop, address: str, name: str | None, **more) -> str:
    return laptop.try_tcp(address, TLS, client_hello(name), **more)


def untouched(office, *services: str) -> None:
    counts = office.more.ask("counts")
    for service in services:
        assert sum(size for _, size in counts[service].values()) == 0, counts


@pytest.mark.parametrize("family", [4, 6])
def test_before_a_sign_in_after_it_and_after_its_end(named, family):
    office, host = named, HANDBOOK[family]
    assert web(office.alice, host, EXAMPLE) == "511"
    assert web(office.alice, host, EXAMPLE, "text/html") == "302"
    assert tls(office.alice, host, EXAMPLE) == ALERT
    assert tls(office.alice, host, "HandBook.LAN") == ALERT
    untouched(office, "handbook")
    for laptop in (office.alice, office.bob):
        assert web(laptop, FREE[family], "free.lan") == THROUGH
        assert tls(laptop, FREE[family], "free.lan") == THROUGH
    office.alice.sign_in("alice")
    assert web(office.alice, host, EXAMPLE) == THROUGH
    assert tls(office.alice, host, EXAMPLE) == THROUGH
    office.bob.sign_in("bob")
    office.more.ask("zero")
    assert web(office.bob, host, EXAMPLE) == "511" and tls(office.bob, host, EXAMPLE) == ALERT
    office.let_expire("alice")
    assert web(office.alice, host, EXAMPLE) == "511" and tls(office.alice, host, EXAMPLE) == ALERT
    untouched(office, "handbook")
    assert tls(office.alice, FREE[family], "free.lan") == THROUGH


def test_a_live_flow_ends_with_the_session(named):
    office = named
    office.alice.sign_in("alice")
    with office.alice.open(HANDBOOK[4], TLS) as sock:
        hello = client_hello(EXAMPLE)
        sock.sendall(hello)
        got = b""
        while len(got) < len(hello):
            got += sock.recv(4096)
        assert got == hello
        office.cli("session", "end", "--user", "alice")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_a_false_name_opens_nothing(named):
    """At the address of a protected host any name is judged as that host; and a protected name is judged anywhere."""
    office = named
    for family in (4, 6):
        for name in ("free.lan", "else.example", None):
            assert tls(office.alice, HANDBOOK[family], name) == ALERT, name
        assert tls(office.alice, FREE[family], EXAMPLE) == ALERT
        assert web(office.alice, HANDBOOK[family], "free.lan") == "511"
        assert web(office.alice, FREE[family], EXAMPLE) == "511"
        assert web(office.alice, FREE[family], EXAMPLE.upper() + ".:80") == "511"
    with office.alice.open(FREE[4], WEB) as sock:  # one server goes by the target, another by Host
        assert ask(sock, "GET", f"http://{EXAMPLE}/", {"Host": "free.lan"}).status == 511
    untouched(office, "handbook", "free")


def test_a_name_in_pieces_and_half_a_name(named):
    office = named
    hello = client_hello(EXAMPLE)
    for step in (1, 5, 100):
        with office.alice.open(FREE[4], TLS) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(hello), step):
                sock.sendall(hello[at:at + step])
            assert sock.recv(100) == bytes.fromhex("15030300020231"), step
    # Records of eleven bytes each: the hello is in many of them.
    body = hello[5:]
    cut = b"".join(hello[:3] + struct.pack("!H", len(body[at:at + 11])) + body[at:at + 11] for at in range(0, len(body), 11))
    assert office.alice.try_tcp(FREE[4], TLS, cut) == ALERT
    halves = [hello[:len(hello) // 2], f"GET / HTTP/1.1\r\nHost: {EXAMPLE}\r\n".encode()]
    for port, half in zip((TLS, WEB), halves):
        with office.alice.open(FREE[4], port, timeout=12) as sock:
            sock.sendall(half)
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
    untouched(office, "free")


UNREADABLE = [
    b"GET / HTTP/1.1\r\nHost: handbook.lan\r\nHost: free.lan\r\n\r\n", b"GET / HTTP/1.1\r\nHost: b\xc3\xbccher.lan\r\n\r\n",
    b"GET / HTTP/1.1\nHost: handbook.lan\n\n", b"GET / HTTP/1.1\r\nHost: handbook.lan/\r\n\r\n",
    b"GET / HTTP/1.1\r\n Host: handbook.lan\r\n\r\n", b"GET /\tHTTP/1.1 HTTP/1.1\r\nHost: handbook.lan\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : handbook.lan\r\n\r\n", b"GET / HTTP/1.1\r\nHost: hand\0book.lan\r\n\r\n",
]


@pytest.mark.parametrize("request_", UNREADABLE, ids=range(len(UNREADABLE)))
def test_whom_it_names_cannot_be_told(named, request_):
    office = named
    assert office.alice.try_tcp(FREE[4], WEB, request_) in (RESET, "answered b'HTTP/1.1 511'")
    untouched(office, "free")
    until(lambda: [r for r in office.log() if r.get("reason") == "unreadable_name"], 2, "the log says why")


def test_other_protocols_and_servers_that_speak_first(named):
    office = named
    assert office.alice.try_tcp(FREE[4], TLS, b"SSH-2.0-x\r\n") == THROUGH
    assert office.alice.try_tcp(FREE[4], TLS, b"EHLO me\r\n") == THROUGH
    with office.server_ns.inside():
        listener = socket.create_server((FREE[4], 8443))
    office.cli("resource", "set", "handbook", "--to", f"{EXAMPLE}:{TLS}", "--to", f"{EXAMPLE}:8443")
    with listener:
        listener.settimeout(5)
        with office.alice.open(FREE[4], 8443) as sock:
            there, _ = listener.accept()
            with there:
                there.sendall(b"220 hello\r\n")
                assert sock.recv(100) == b"220 hello\r\n"


def test_hosts_below_a_domain(named):
    office = named
    office.cli("resource", "add", "corp", "--to", f"*.corp.lan:{TLS}")
    office.cli("policy", "add", "corp", "--resource", "corp", "--user", "bob")
    until(lambda: tls(office.alice, FREE[4], "x.corp.lan") == ALERT, 2, "a name is judged wherever it goes")
    assert tls(office.alice, FREE[4], "x.y.corp.lan") == ALERT
    for name in ("corp.lan", "xcorp.lan", "corp.lan.example"):
        assert tls(office.alice, FREE[4], name) == THROUGH, name
    assert tls(office.alice, CORP[4], "free.lan") == THROUGH, "nobody knows yet whose address it is"
    assert tls(office.alice, CORP[4], "a.corp.lan") == ALERT
    until(lambda: known(office, "*.corp.lan") == [CORP[4]], 5, "the gate looks it up")
    assert tls(office.alice, CORP[4], "free.lan") == ALERT, "from then on the address is the host's"
    office.bob.sign_in("bob")
    assert tls(office.bob, CORP[4], "a.corp.lan") == THROUGH
    assert tls(office.alice, FREE[4], "inward.corp.lan") == ALERT
    assert known(office, "*.corp.lan") == [CORP[4]], "no name leads inward"
    refused = office.cli("resource", "add", "x", "--to", "*.co.uk:443", expect=2)
    assert "public suffix" in refused.stderr


def test_the_dns_answers_of_a_device(named):
    """A client that names nobody is judged by what its device was told; nobody else's flows are touched by it."""
    office = named
    office.cli("resource", "add", "corp", "--to", f"*.corp.lan:{TLS}", "--to", f"*.corp.lan:{TLS}/udp")
    office.cli("policy", "add", "corp", "--resource", "corp", "--user", "bob")
    until(lambda: tls(office.alice, FREE[4], "x.corp.lan") == ALERT, 2, "the resource is in force")
    # A name server that the gate does not ask, so that the gate itself cannot know.
    other = office.run_name_server(HIDDEN[4], {"y.corp.lan": f"{HIDDEN[4]},{HIDDEN[6]}"})
    assert tls(office.alice, HIDDEN[4], None) == THROUGH
    for record in ("A", "AAAA"):
        assert "5" in office.alice.ns.run("dig", "+short", f"@{HIDDEN[4]}", "Y.corp.LAN", record).stdout
    for family in (4, 6):
        assert tls(office.alice, HIDDEN[family], None) == ALERT, "the device was told, over whichever family"
        assert office.alice.try_udp(HIDDEN[family], TLS) == "port unreachable"
        assert tls(office.bob, HIDDEN[family], None) == THROUGH
    assert tls(office.alice, HIDDEN[4], "else.example") == THROUGH, "a name that was sent comes first"
    rows = office.logged(lambda r: r["event"] == "flow.refused" and r.get("named_by") == "dns")
    assert rows[0]["name"] == "y.corp.lan", rows
    # An answer that nobody asked for says nothing.
    with office.server_ns.inside():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sock:
        other.terminate()
        other.wait()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HIDDEN[4], 53))
        answer = (b"\1\2\x81\x80\0\1\0\1\0\0\0\0\1z\4corp\3lan\0\0\1\0\1\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4"
                  + socket.inet_aton(HIDDEN[4]))
        sock.sendto(answer, (office.bob.address[4], 4000))
    assert tls(office.bob, HIDDEN[4], None) == THROUGH
    office.cli("set", "dns", "off")
    until(lambda: tls(office.alice, HIDDEN[4], None) == THROUGH, 3, "and what was told is forgotten")


def test_by_the_proxies(named):
    office = named
    office.cli("set", "socks.listen", "lan")
    office.cli("set", "http.listen", "lan")
    office.gate.wait_line("the SOCKS proxy listens at 10.77.0.1:1080")
    office.gate.wait_line("the HTTP proxy listens at")

    def socks(host: str, first: bytes) -> tuple[int, bytes]:
        """The reply code, and what came back for the first bytes."""
        with office.alice.open(office.GATE[4], SOCKS) as sock:
            sock.sendall(b"\5\1\0" + connect_request(host, TLS))
            assert sock.recv(2) == b"\5\0"
            code = sock.recv(10)[1]
            if code != 0:
                return code, b""
            sock.sendall(first)
            got = b""
            while len(got) < len(first):
                more = sock.recv(4096)
                if not more:
                    break
                got += more
            return code, got

    def connect(host: str, first: bytes) -> tuple[int, bytes]:
        with office.alice.open(office.GATE[4], HTTP) as sock:
            sock.sendall(f"CONNECT {host}:{TLS} HTTP/1.1\r\nHost: {host}:{TLS}\r\n\r\n".encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += sock.recv(1)
            status = int(head.split()[1])
            if status != 200:
                return status, b""
            sock.sendall(first)
            return status, sock.recv(4096)

    hello, free = client_hello(EXAMPLE), client_hello("free.lan")
    alert = bytes.fromhex("15030300020231")
    assert socks(EXAMPLE, hello)[0] == 2 and connect(EXAMPLE, hello)[0] == 511
    assert socks("strangers.lan", free)[0] == 2 and connect("strangers.lan", free)[0] == 511, "a stranger's name for it"
    assert socks(HANDBOOK[4], hello)[0] == 2 and connect(HANDBOOK[4], hello)[0] == 511, "the address is the host's"
    # Asked for something free, and then another name inside: it is told in the tunnel, and nothing of it arrives.
    for way in (socks, connect):
        for host in (FREE[4], "free.lan"):
            code, got = way(host, hello)
            assert code in (0, 200) and got == alert, (way, host)
    untouched(office, "handbook", "free")
    assert socks("free.lan", free) == (0, free) and connect("free.lan", free) == (200, free)

    def forward(target: str, host: str) -> int:
        with office.alice.open(office.GATE[4], HTTP) as sock:
            sock.sendall(f"GET http://{target}/ HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            return read_reply(sock).status
    assert forward(EXAMPLE, EXAMPLE) == 511 and forward(EXAMPLE, "free.lan") == 511
    assert forward("free.lan", "free.lan") == 200
    office.alice.sign_in("alice")
    assert socks(EXAMPLE, hello) == (0, hello) and connect(EXAMPLE, hello) == (200, hello)
    assert socks(HANDBOOK[4], hello) == (0, hello)
    assert forward(EXAMPLE, EXAMPLE) == 200
    until(lambda: [r for r in office.log() if r["event"] == "flow.open" and r.get("name") == EXAMPLE], 2, "the log has the name")


def test_an_office_that_refuses_what_it_does_not_know(named):
    """A name that is only claimed opens nothing there; one that the gate looked up does."""
    office = named
    office.cli("set", "unprotected", "deny")
    office.cli("set", "http.listen", "lan")
    office.gate.wait_line("the HTTP proxy listens at")
    office.alice.sign_in("alice")
    until(lambda: tls(office.alice, FREE[4], "free.lan") != THROUGH, 2, "unprotected = deny")
    office.more.ask("zero")
    assert tls(office.alice, FREE[4], EXAMPLE) != THROUGH, "the host is not there"
    untouched(office, "free")
    assert tls(office.alice, HANDBOOK[4], EXAMPLE) == THROUGH
    assert tls(office.alice, HANDBOOK[4], None) == THROUGH
    office.cli("resource", "add", "corp", "--to", f"*.corp.lan:{WEB}")
    office.cli("policy", "add", "corp", "--resource", "corp", "--user", "alice")

    def by_proxy() -> int:
        with office.alice.open(office.GATE[4], HTTP) as sock:
            sock.sendall(b"GET http://a.corp.lan/ HTTP/1.1\r\nHost: a.corp.lan\r\n\r\n")
            return read_reply(sock).status
    until(lambda: by_proxy() == 200, 2, "asked for by name: the gate itself found the address")


def test_what_is_known_outlives_the_gate_and_its_resolver(named):
    office = named
    office.gate.stop()
    assert tls(office.alice, FREE[4], "free.lan", timeout=0.5) != THROUGH, "nothing passes those ports without a gate"
    untouched(office, "handbook", "free")
    office.gate_ns.resolver("10.88.0.99")
    office.serve()
    assert tls(office.alice, HANDBOOK[4], "free.lan") == ALERT
    office.alice.sign_in("alice")
    assert tls(office.alice, HANDBOOK[4], EXAMPLE) == THROUGH
    office.cli("resource", "add", "lost", "--to", "lost.lan:443")
    checks = {check["check"]: check for check in office.json("doctor", expect=None)}
    assert "lost.lan" in str(checks["hosts"]) and EXAMPLE not in str(checks["hosts"])
    office.cli("resource", "remove", "lost")
    office.cli("policy", "remove", "handbook")
    office.cli("resource", "remove", "handbook")
    office.cli("session", "end", "--user", "alice")
    until(lambda: tls(office.alice, HANDBOOK[4], EXAMPLE) == THROUGH, 3, "nobody protects it any more")


def test_unprotected_traffic_is_not_on_record(named):
    """Everything to port 443 passes the gate now: what is none of its business is not written down."""
    office = named
    for _ in range(3):
        assert tls(office.alice, FREE[4], "free.lan") == THROUGH
    assert tls(office.alice, FREE[4], None) == THROUGH
    until(lambda: [r for r in office.log() if r["event"] == "flow.unnamed"], 2, "but that a name was missing is")
    rows = [r for r in office.log() if FREE[4] in r.get("destination", "") and r["event"] != "flow.unnamed"]
    assert rows == []
