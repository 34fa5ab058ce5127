"""The explicit proxies: SOCKS and HTTP. Real clients, the same policies, and never a way inward."""
import base64
import hashlib
import os
import socket
import struct
import threading
import time

import pytest

from client import RESET, THROUGH, read_reply
from lab import sleep_until, until

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
SOCKS, HTTP = 1080, 3128
WAYS = ["socks5", "socks5-hostname", "proxy", "proxytunnel"]


@pytest.fixture
def proxied(office):
    office.gate_ns.hosts({office.PORTAL: office.GATE[4], "wiki.lan": office.WIKI[4], "wiki6.lan": office.WIKI[6],
                          "news.lan": office.NEWS[4], "trap.lan": "127.0.0.1", "trap6.lan": "::1"})
    office.name_server({"nowhere.lan": ""})
    office.init()
    office.cli("set", "socks.listen", "lan")
    office.cli("set", "http.listen", "lan")
    gate = office.serve()
    gate.wait_line("the SOCKS proxy listens at 10.77.0.1:1080")
    gate.wait_line("the HTTP proxy listens at")
    return office


def curl(office, laptop, way: str, url: str, *more: str, family: int = 4) -> tuple[int, str, str]:
    """(HTTP status of the last answer or 0, body, what curl said)"""
    gate = office.GATE[family] if family == 4 else f"[{office.GATE[6]}]"
    words = {"socks5": ["--socks5", f"{gate}:{SOCKS}"], "socks5-hostname": ["--socks5-hostname", f"{gate}:{SOCKS}"],
             "socks4": ["--socks4", f"{gate}:{SOCKS}"], "socks4a": ["--socks4a", f"{gate}:{SOCKS}"],
             "proxy": ["--proxy", f"http://{gate}:{HTTP}"],
             "proxytunnel": ["--proxytunnel", "--proxy", f"http://{gate}:{HTTP}"]}[way]
    done = laptop.curl("-w", "\n%{http_code} %{http_connect}", *words, *more, url)
    body, _, codes = done.stdout.rpartition("\n")
    status, connect = codes.split()
    return int(status) or int(connect), body, done.stderr


@pytest.mark.parametrize("way", WAYS + ["socks4", "socks4a"])
def test_before_a_sign_in_after_it_and_after_its_end(proxied, way):
    office = proxied
    host = office.WIKI[4] if way in ("socks5", "socks4") else "wiki.lan"
    office.servers.ask("zero")
    status, body, said = curl(office, office.alice, way, f"http://{host}/", "-v")
    if way.startswith("socks"):
        assert status == 0 and "SOCKS" in said.upper(), said
    else:
        assert status == 511, (status, body, said)
        assert f"https://{office.PORTAL}/k/" in body + said
    office.untouched("wiki")
    assert curl(office, office.alice, way, f"http://{office.NEWS[4]}/")[0] == 200, "not protected"
    office.alice.sign_in("alice")
    status, body, said = curl(office, office.alice, way, f"http://{host}/")
    assert status == 200 and f"you are {office.alice.address[4]}" in body, (status, body, said)
    assert curl(office, office.bob, way, f"http://{host}/")[0] != 200
    office.cli("session", "end", "--user", "alice")
    office.servers.ask("zero")
    assert curl(office, office.alice, way, f"http://{host}/")[0] != 200
    office.untouched("wiki")


@pytest.mark.parametrize("way", ["socks5-hostname", "proxy", "proxytunnel"])
def test_over_ipv6_and_to_it(proxied, way):
    office = proxied
    office.alice.sign_in("alice")
    for host in ("wiki6.lan", f"[{office.WIKI[6]}]"):
        status, body, said = curl(office, office.alice, way, f"http://{host}/", family=6)
        assert status == 200 and f"you are {office.alice.address[6]}" in body, (status, body, said)


def test_a_refusal_makes_one_hold_and_a_page(proxied):
    office = proxied
    for _ in range(5):
        for way in WAYS:
            curl(office, office.alice, way, f"http://{office.WIKI[4]}/")
    until(lambda: office.query("SELECT count(*) FROM hold") == [(1,)], 2, "one hold")
    status, _, _ = curl(office, office.alice, "proxy", f"http://{office.WIKI[4]}/", "-H", "Accept: text/html")
    assert status == 302, "a browser is sent to the page"
    until(lambda: office.query("SELECT url FROM hold") == [(f"http://{office.WIKI[4]}/",)], 2, "and can come back")
    office.logged(lambda r: r["event"] == "flow.refused" and r.get("resource") == "wiki")


def socks(laptop, office, request: bytes, greeting: bytes = b"\5\1\0") -> socket.socket:
    sock = laptop.open(office.GATE[4], SOCKS)
    sock.sendall(greeting + request)
    return sock


def connect_request(host: str, port: int) -> bytes:
    try:
        packed = b"\1" + socket.inet_pton(socket.AF_INET, host)
    except OSError:
        try:
            packed = b"\4" + socket.inet_pton(socket.AF_INET6, host)
        except OSError:
            name = host.encode("latin-1")
            packed = b"\3" + bytes([len(name)]) + name
    return b"\5\1\0" + packed + struct.pack("!H", port)


def socks_says(laptop, office, host: str, port: int) -> int:
    """The reply code."""
    with socks(laptop, office, connect_request(host, port)) as sock:
        assert sock.recv(2) == b"\5\0"
        return sock.recv(4)[1]


def test_reply_codes(proxied):
    office = proxied
    assert socks_says(office.alice, office, office.WIKI[4], 80) == 2
    assert socks_says(office.alice, office, office.NEWS[4], 80) == 0
    assert socks_says(office.alice, office, office.NEWS[4], 81) == 5, "refused"
    assert socks_says(office.alice, office, "nowhere.lan", 80) == 4, "no such host"
    with socks(office.alice, office, b"\5\2\0\1" + socket.inet_aton(office.NEWS[4]) + b"\0\x50") as bind:
        assert bind.recv(2) == b"\5\0" and bind.recv(4)[1] == 7
    with socks(office.alice, office, b"", greeting=b"\5\1\3") as nothing_fits:
        assert nothing_fits.recv(2) == b"\5\xff" and nothing_fits.recv(1) == b""


def test_everything_at_once_and_byte_by_byte(proxied):
    office = proxied
    office.alice.sign_in("alice")
    for pause in (False, True):
        with office.alice.open(office.GATE[4], SOCKS) as sock:
            words = b"\5\1\0" + connect_request(office.PAYROLL[4], office.ECHO) + b"hello\n"
            if pause:
                for n in range(len(words)):
                    sock.sendall(words[n:n + 1])
            else:
                sock.sendall(words)
            got = b""
            while len(got) < 2 + 10 + 6:
                more = sock.recv(100)
                assert more, got
                got += more
            assert got[:2] == b"\5\0" and got[2:4] == b"\5\0" and got[-6:] == b"hello\n"


INWARD = """127.0.0.1 127.0.0.2 127.255.255.254 0.0.0.0 0.1.2.3 ::1 :: ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1
2002:7f00:1:: 64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::127.0.0.1 2130706433 0x7f000001 017700000001 127.1 127.0.1
0177.0.0.1 0x7f.0.0.1 0x7f.1 0177.1 127.0.0.1. localhost. localhost LOCALHOST LocalHost trap.lan TRAP.LAN trap.lan. trap6.lan
169.254.1.1 169.254.169.254 2852039166 0xa9fea9fe ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe fe80::1 fe80::ffff fec0::1
224.0.0.1 239.255.255.250 ::ffff:224.0.0.1 ff02::1 ff02::fb ff05::2 255.255.255.255 ::ffff:255.255.255.255 4294967295
0xffffffff 240.0.0.1 10.77.0.1 10.77.0.255 10.88.0.1 10.88.0.255 fd77::1 fd88::1 ::ffff:10.77.0.1 172818433 0x0a4d0001
012.0115.0.1 10.77.1 64:ff9b::10.77.0.1 2002:0a4d:1:: 2002:0a58:1:: gate.office.example GATE.office.example.
::ffff:0:127.0.0.1 2001:0:7f00:1:: [::1] [::ffff:127.0.0.1]""".split()


def test_no_way_inward_by_any_spelling(proxied):
    office = proxied
    assert len(INWARD) >= 60
    with office.gate_ns.inside():  # somebody would answer there
        listener = socket.create_server(("", 8099), family=socket.AF_INET6, dualstack_ipv6=True)
    with listener:
        listener.settimeout(0)
        office.alice.sign_in("alice")
        let_in = []
        for host in INWARD:
            bare = host.strip("[]")
            if socks_says(office.alice, office, bare, 8099) in (0, 5):
                let_in.append(("socks", host))
            literal = f"[{bare}]" if ":" in bare else bare
            for request in (f"CONNECT {literal}:8099 HTTP/1.1\r\nHost: {literal}:8099\r\n\r\n",
                            f"GET http://{literal}:8099/ HTTP/1.1\r\nHost: {literal}:8099\r\n\r\n"):
                with office.alice.open(office.GATE[4], HTTP) as sock:
                    sock.sendall(request.encode())
                    reply = read_reply(sock)
                    if reply.status not in (400, 403, 502):
                        let_in.append((request.split("\r")[0], reply.status))
        assert not let_in
        with pytest.raises(BlockingIOError):
            listener.accept()
    office.logged(lambda r: r["event"] == "flow.refused" and r["reason"] == "special_address")


def test_a_resource_may_name_what_is_refused_otherwise(proxied):
    office = proxied
    office.cli("resource", "add", "console", "--to", f"{office.GATE[4]}:8098/tcp")
    office.cli("policy", "add", "console", "--resource", "console", "--user", "alice", "--session", "8h")
    with office.gate_ns.inside():
        listener = socket.create_server((office.GATE[4], 8098))
    with listener:
        assert socks_says(office.alice, office, office.GATE[4], 8098) == 2
        office.alice.sign_in("alice")
        until(lambda: socks_says(office.alice, office, office.GATE[4], 8098) == 0, 2, "the resource's policy decides")


def http(office, laptop, *lines: str, body: bytes = b"") -> bytes:
    with laptop.open(office.GATE[4], HTTP) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        got = b""
        while data := sock.recv(65536):
            got += data
        return got


WIKI = "10.88.0.2"
SMUGGLED = [
    (f"POST http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", "Content-Length: 5", "Transfer-Encoding: chunked"),
    (f"POST http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", "Content-Length: 5", "Content-Length: 6"),
    (f"POST http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", "Transfer-Encoding: chunked, identity"),
    (f"POST http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", "Transfer-Encoding : chunked"),
    (f"GET http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", f"Host: {WIKI}"),
    (f"GET http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", "X: a", " folded"),
    (f"GET http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}", ": empty"),
    (f"GET http://{WIKI}/ HTTP/1.1", f"Host: {WIKI}\nX: bare"),
    (f"GET http://u:p@{WIKI}/ HTTP/1.1", f"Host: {WIKI}"),
    (f"GET http://{WIKI}/\x00 HTTP/1.1", f"Host: {WIKI}"),
    ("GET / HTTP/1.1", f"Host: {WIKI}"),
    (f"GET https://{WIKI}/ HTTP/1.1", f"Host: {WIKI}"),
    (f"CONNECT {WIKI} HTTP/1.1", f"Host: {WIKI}"),
]


@pytest.mark.parametrize("lines", SMUGGLED, ids=range(len(SMUGGLED)))
def test_what_smugglers_send_gets_one_answer_and_a_close(proxied, lines):
    office = proxied
    office.alice.sign_in("alice")
    office.servers.ask("zero")
    got = http(office, office.alice, *lines)
    assert got.split()[1][:1] in (b"4", b"5") and got.count(b"HTTP/1.1") == 1, got
    office.untouched("wiki")


def test_one_connection_carries_many_requests(proxied):
    office = proxied
    office.alice.sign_in("alice")
    with office.alice.open(office.GATE[4], HTTP) as sock:
        for n in range(20):
            host = (office.WIKI[4], "news.lan")[n % 2]
            sock.sendall(f"GET http://{host}/{n} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            reply = read_reply(sock)
            assert reply.status == 200 and "this is " + ("wiki", "news")[n % 2] in reply.body
            assert "nightlatch" in reply.headers.get("via", ""), reply.headers
        pair = b"".join(f"GET http://{office.WIKI[4]}/{n} HTTP/1.1\r\nHost: {office.WIKI[4]}\r\n\r\n".encode() for n in (1, 2))
        sock.sendall(pair)
        assert read_reply(sock).status == 200
        office.cli("session", "end", "--user", "alice")
        sock.sendall(f"GET http://{office.WIKI[4]}/ HTTP/1.1\r\nHost: {office.WIKI[4]}\r\n\r\n".encode())
    until(lambda: sum(r["event"] == "flow.end" and r.get("resource") == "wiki" for r in office.log()) >= 10, 5,
          "each request is a flow in the log")


@pytest.mark.parametrize("way", ["socks5", "connect"])
def test_bulk_half_close_and_the_deadline(proxied, way):
    office = proxied
    office.alice.sign_in("alice")
    sock = tunnel(office, way)
    total = 32 << 20
    sent = hashlib.sha256()
    block = os.urandom(1 << 20)

    def send():
        for _ in range(total >> 20):
            sent.update(block)
            sock.sendall(block)
        sock.shutdown(socket.SHUT_WR)  # and still wants the rest
    writer = threading.Thread(target=send)
    writer.start()
    received, got = hashlib.sha256(), 0
    while data := sock.recv(1 << 18):
        received.update(data)
        got += len(data)
    writer.join(30)
    assert got == total and sent.hexdigest() == received.hexdigest()
    sock.close()
    live = tunnel(office, way)
    office.cli("session", "end", "--user", "alice")
    done = time.time()
    live.settimeout(5)
    try:
        assert live.recv(1) == b""
    except ConnectionResetError:
        pass
    assert time.time() - done <= 1 + SLACK
    live.close()


def tunnel(office, way: str) -> socket.socket:
    """To the echo server, opened and proved."""
    if way == "socks5":
        sock = socks(office.alice, office, connect_request(office.PAYROLL[4], office.ECHO))
        want = 12
    else:
        sock = office.alice.open(office.GATE[4], HTTP)
        sock.sendall(f"CONNECT {office.PAYROLL[4]}:{office.ECHO} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        want = len(b"HTTP/1.1 200 Connection established\r\n\r\n")
    got = b""
    while len(got) < want:
        got += sock.recv(want - len(got))
    sock.sendall(b"ping")
    assert sock.recv(4) == b"ping"
    return sock


def test_netcat_speaks_both(proxied):
    office = proxied
    office.alice.sign_in("alice")
    for form, port in (("5", SOCKS), ("connect", HTTP), ("4", SOCKS)):
        done = office.alice.ns.run("nc", "-N", "-X", form, "-x", f"{office.GATE[4]}:{port}", office.PAYROLL[4],
                                   str(office.ECHO), input="through the tunnel\n", check=False)
        assert done.stdout == "through the tunnel\n", (form, done.stderr)


def test_proxies_are_off_until_their_settings_say_otherwise(office):
    office.start()
    for port in (SOCKS, HTTP):
        assert office.alice.try_tcp(office.GATE[4], port) == RESET
    office.cli("set", "socks.listen", f"{office.GATE[4]}:1090")
    until(lambda: office.alice.try_tcp(office.GATE[4], 1090) != RESET, 3, "a setting is followed")
    office.cli("unset", "socks.listen")
    until(lambda: office.alice.try_tcp(office.GATE[4], 1090) == RESET, 3, "and taken back")
    office.cli("set", "http.listen", "everywhere", expect=2)


def test_a_slow_client_is_given_up(proxied):
    office = proxied
    for port, first in ((SOCKS, b"\5"), (HTTP, b"G")):
        began = time.monotonic()
        with office.alice.open(office.GATE[4], port, 15) as sock:
            sock.sendall(first)
            try:
                assert sock.recv(1) == b""
            except ConnectionResetError:
                pass
        assert 9 < time.monotonic() - began < 12


def test_on_a_shared_address_only_a_credential_says_who(proxied):
    office = proxied
    office.alice.sign_in("alice")
    device = office.json("device", "list")[0]["name"]
    office.cli("device", "share", device)
    added = office.json("token", "add", "--user", "alice")
    secret = added["secret"]
    until(lambda: socks_says(office.alice, office, office.WIKI[4], 80) == 2, 2, "the address says nobody now")
    assert curl(office, office.alice, "proxy", f"http://{office.WIKI[4]}/")[0] == 407
    assert curl(office, office.alice, "proxytunnel", f"http://{office.WIKI[4]}/")[0] == 407
    alice = ("--proxy-user", f"alice:{secret}")
    for way in WAYS:
        status, _, said = curl(office, office.alice, way, f"http://{office.WIKI[4]}/", *alice)
        assert status == 200, (way, status, said, office.log()[-3:])
        for wrong in ("alice:" + secret[::-1], f"bob:{secret}", f"alice:{office.PASSWORD['alice']}"):
            assert curl(office, office.alice, way, f"http://{office.WIKI[4]}/", "--proxy-user", wrong)[0] in (0, 407)
    office.cli("token", "revoke", str(added["id"]))
    until(lambda: curl(office, office.alice, "proxy", f"http://{office.WIKI[4]}/", *alice)[0] == 407, 2, "revoked at once")
    assert secret not in str(office.log())
