"""What the portal makes of input that no browser sends: a clean 4xx or a closed connection, and it still answers."""
import contextlib
import re
import select
import socket
import ssl
import time

import pytest

from client import Browser, ask, form, read_reply
from lab import until


def raw(office, data: bytes, limit: float = 10.0) -> bytes:
    """Sends bytes over TLS and returns all that comes back."""
    got = b""
    context = ssl.create_default_context(cadata=office.ca())
    with office.alice.open(office.GATE[4], 443, limit) as plain:
        with context.wrap_socket(plain, server_hostname=office.PORTAL) as sock, contextlib.suppress(OSError):
            try:
                sock.sendall(data)
            finally:
                while more := sock.recv(65536):
                    got += more
    return got


def healthy(office):
    reply = Browser(office.alice).get("/healthz")
    assert reply.status == 200, reply


@pytest.fixture
def portal(office):
    office.start()
    yield office
    healthy(office)
    assert office.gate.process.poll() is None


def status(answer: bytes) -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer)
    return int(found.group(1)) if found else 0


def test_requests_that_are_none(portal):
    host = f"Host: {portal.PORTAL}\r\n".encode()
    for data in (b"\0\1\2\3\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n" + host + b"\r\n",
                 b"GET / HTTP/1.1\r\nHost\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                 b"POST /sign-in HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                 b"POST /sign-in HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc"):
        answer = raw(portal, data)
        assert status(answer) in (0, 505) or 400 <= status(answer) < 500, (data, answer)
        healthy(portal)


def test_a_header_of_a_megabyte(portal):
    answer = raw(portal, b"GET / HTTP/1.1\r\nHost: " + portal.PORTAL.encode() + b"\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n")
    assert status(answer) in (0, 400, 413, 431), answer[:200]


def test_a_body_of_ten_megabytes(portal):
    answer = raw(portal, b"POST /sign-in HTTP/1.1\r\nHost: " + portal.PORTAL.encode()
                 + b"\r\nContent-Length: 10485760\r\n\r\n" + b"a" * 10485760)
    assert status(answer) in (0, 400, 403, 413), answer[:200]


def test_half_requests_do_not_keep_others_out(portal):
    context = ssl.create_default_context(cadata=portal.ca())
    waiting = []
    for number in range(60):
        plain = portal.alice.open(portal.GATE[4], 443 if number % 2 else 80)
        sock = context.wrap_socket(plain, server_hostname=portal.PORTAL) if number % 2 else plain
        sock.sendall(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Le")
        waiting.append(sock)
    began = time.monotonic()
    portal.bob.sign_in("bob")
    assert time.monotonic() - began < 10
    for sock in waiting:
        sock.close()


def test_a_half_request_is_given_up_after_a_while(portal):
    with portal.alice.open(portal.GATE[4], 80, 60) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while more := sock.recv(4096):
                data += more
        assert status(data) in (0, 400, 408)


def test_a_wrong_host(portal):
    browser = Browser(portal.alice)
    for host in ("evil.example", "10.88.0.2", "gate.office.example.evil.example", "a b", "x" * 300):
        reply = browser.get("/", headers={"Host": host})
        assert reply.status in (400, 421) or (300 <= reply.status < 400 and reply.location.startswith(
            f"https://{portal.PORTAL}/")), (host, reply)
        assert "evil" not in reply.location


def test_a_code_that_never_existed(portal):
    browser = Browser(portal.alice)
    for code in ("AAAA", "7QF4", "x" * 500, "..%2f..%2fetc", "%00", "%zz", "'; --"):
        reply = browser.get(f"/k/{code}".replace(" ", "%20"))
        assert 400 <= reply.status < 500, (code, reply)


def test_paths_and_methods_that_are_none(portal):
    browser = Browser(portal.alice)
    for method, path in (("GET", "/nothing"), ("GET", "//evil.example/"), ("GET", "/k/"), ("DELETE", "/me"),
                         ("PUT", "/sign-in"), ("TRACE", "/"), ("GET", "/sign-in/../me%2f"), ("POST", "/me/sign-out")):
        reply = browser.request(method, path)
        assert 400 <= reply.status < 500 or (300 <= reply.status < 400 and "evil" not in reply.location), (path, reply)


def test_a_form_without_its_token_or_cookie_signs_nobody_in(portal):
    browser = Browser(portal.alice)
    page = browser.follow_hold()
    fields = {**form(page.body, "/sign-in"), "name": "alice", "password": portal.PASSWORD["alice"]}
    assert 400 <= browser.post("/sign-in", {**fields, "token": "AAAA"}).status < 500
    assert 400 <= browser.post("/sign-in", {k: v for k, v in fields.items() if k != "token"}).status < 500
    stranger = Browser(portal.alice)  # the token of one browser, sent by another
    assert 400 <= stranger.post("/sign-in", fields).status < 500
    theirs = Browser(portal.bob)
    assert 400 <= theirs.post("/sign-in", fields).status < 500
    crossed = browser.post("/sign-in", fields, headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})
    assert 400 <= crossed.status < 500
    assert portal.json("session", "list") in ([], {"sessions": []})
    assert portal.alice.try_http(portal.WIKI[4]) == "511"


def test_a_replayed_form_after_sign_out_signs_nobody_in(portal):
    browser = Browser(portal.alice)
    page = browser.follow_hold()
    fields = {**form(page.body, "/sign-in"), "name": "alice", "password": portal.PASSWORD["alice"]}
    assert browser.post("/sign-in", fields).status in (200, 302, 303)
    assert browser.press("/me/sign-out").status in (200, 302, 303)
    assert portal.alice.try_http(portal.WIKI[4]) == "511"
    replayed = browser.post("/sign-in", fields)
    assert 400 <= replayed.status < 500, replayed
    assert portal.alice.try_http(portal.WIKI[4]) == "511"


def test_guessing_is_slowed_down_and_the_rest_still_signs_in(portal):
    browser = Browser(portal.alice)
    page = browser.follow_hold()
    seen = set()
    for _ in range(25):
        reply = browser.submit(page, "alice", "wrong guess")
        seen.add(reply.status)
        if reply.status == 429:
            break
        page = reply if 'action="/sign-in"' in reply.body else browser.get(f"/k/{browser.code}")
    assert 429 in seen, f"25 wrong guesses in a row were answered with {seen}"
    portal.bob.sign_in("bob")


def test_the_plain_port_only_redirects(portal):
    with portal.alice.open(portal.GATE[4], 80) as sock:
        reply = ask(sock, "GET", "/k/ABCD?x=1", {"Host": portal.PORTAL})
    assert reply.status in (301, 302, 307, 308) and reply.location.startswith(f"https://{portal.PORTAL}/")
    with portal.alice.open(portal.GATE[4], 80) as sock:
        reply = ask(sock, "POST", "/sign-in", {"Host": portal.PORTAL}, b"name=alice&password=x")
    assert reply.status >= 300 and reply.status < 500
    for path in ("/generate_204", "/hotspot-detect.html"):
        with portal.alice.open(portal.GATE[4], 80) as sock:
            assert ask(sock, "GET", path, {"Host": "captive.example"}).status < 500


def test_plain_text_and_headers(portal):
    browser = Browser(portal.alice)
    page = browser.follow_hold()
    text = browser.get(f"/k/{browser.code}", headers={"Accept": "*/*", "User-Agent": "curl/7.88.1"})
    assert "<" not in text.body and text.headers["content-type"].startswith("text/plain")
    for name in ("content-security-policy", "x-content-type-options", "referrer-policy", "cache-control"):
        assert name in page.headers, f"{name} is missing"
    assert "script-src" in page.headers["content-security-policy"] or "default-src 'none'" in \
        page.headers["content-security-policy"]
    assert "<script" not in page.body
    for line in page.headers.get("set-cookie", "").splitlines():
        low = line.lower()
        assert "secure" in low and "httponly" in low and "samesite" in low, line


def test_me_shows_the_session_and_signs_out(portal):
    browser = portal.alice.sign_in("alice")
    page = browser.get("/me")
    assert page.status == 200 and "wiki" in page.body and "payroll" in page.body
    assert browser.press("/me/sign-out", page).status in (200, 302, 303)
    until(lambda: portal.alice.try_http(portal.WIKI[4]) == "511", 1, "signed out")


def test_tls_input_that_is_none(portal):
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 1000, b"\x80" * 10):
        with portal.alice.open(portal.GATE[4], 443, 20) as sock:
            sock.sendall(data)
            sock.shutdown(1)
            with contextlib.suppress(ConnectionResetError):
                while sock.recv(4096):
                    pass
    with portal.alice.open(portal.GATE[4], 80) as sock:
        sock.sendall(b"\x16\x03\x01\0\5hello\r\n\r\n")
        assert read_reply(sock).status == 400


def test_one_device_holds_its_share_whatever_addresses_it_takes(portal):
    bob = portal.bob
    addresses = [f"fd77::b0b:{n:x}" for n in range(1, 10)]
    bob.ns.ip(*(f"addr add {address}/64 dev eth0 nodad" for address in addresses))
    held = []
    with contextlib.ExitStack() as all_of_them:
        for address in addresses * 20:
            with bob.ns.inside():
                sock = all_of_them.enter_context(socket.socket(socket.AF_INET6))
            sock.bind((address, 0))
            sock.connect((portal.GATE[6], 80))
            sock.sendall(b"GET / HTTP/1.1\r\n")  # and never the rest: nothing of it can be taken away as idle
            held.append(sock)

        def ended() -> int:
            return len(select.select(held, [], [], 0)[0])
        until(lambda: ended() == len(held) - 128, 5, "an eighth of all places, by its MAC")
        healthy(portal)
