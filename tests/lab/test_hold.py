"""What a flow that needs a sign-in says on the wire, and that fifty of them make one hold."""
import concurrent.futures
import re
import socket

from client import ACCESS_DENIED, CLIENT_HELLO, RESET, THROUGH


def url_of(text: str, office) -> str:
    found = re.search(rf"https://{re.escape(office.PORTAL)}/k/[A-Z0-9]+", text)
    assert found, f"no link to the portal in {text!r}"
    return found.group(0)


def test_a_browser_is_sent_to_the_portal(office):
    office.start()
    for family in (4, 6):
        reply = office.alice.get(office.WIKI[family], path="/page?q=1", accept="text/html,application/xhtml+xml")
        assert reply.status == 302
        assert reply.headers["cache-control"] == "no-store"
        url_of(reply.location, office)
    office.untouched("wiki")


def test_another_http_client_gets_511_with_one_line(office):
    office.start()
    reply = office.alice.get(office.WIKI[4])
    assert reply.status == 511
    assert reply.headers["content-type"].startswith("text/plain")
    line = f"Sign-in needed for wiki: open {url_of(reply.reason, office)}"
    assert reply.reason == line
    assert reply.body.strip() == line
    done = office.alice.curl("-i", "-g", f"http://[{office.WIKI[6]}]/")
    assert line in done.stdout
    done = office.alice.curl("-f", "-o", "/dev/null", f"http://{office.WIKI[4]}/")
    assert done.returncode == 22 and "511" in done.stderr
    office.untouched("wiki")


def test_tls_gets_alert_49_from_any_client(office):
    office.start()
    for family in (4, 6):
        with office.alice.open(office.VAULT[family], office.TLS) as sock:
            sock.sendall(CLIENT_HELLO)
            assert sock.recv(100) == ACCESS_DENIED
    done = office.alice.curl("-k", f"https://{office.VAULT[4]}:{office.TLS}/")
    assert done.returncode == 35 and "access denied" in done.stderr, done.stderr
    office.untouched("vault")


def test_anything_else_is_reset(office):
    office.start()
    for first in (b"\0\0\0\x08\x04\xd2\x16\x2f", b"EHLO x\r\n", b"x"):
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO, first) == RESET
    with office.alice.open(office.PAYROLL[4], office.ECHO) as sock:  # one that waits for the server to speak first
        try:
            assert sock.recv(10) == b"", "it must not be answered"
        except ConnectionResetError:
            pass
    office.untouched("payroll")


def test_nc_fails_at_once(office):
    office.start()
    done = office.alice.ns.run("nc", "-w", "5", office.PAYROLL[4], str(office.ECHO), check=False, input="hello\n")
    assert done.stdout == ""
    office.untouched("payroll")


def test_fifty_flows_make_one_hold(office):
    office.start()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda n: office.alice.get(office.WIKI[4 if n % 2 else 6], path=f"/{n}"), range(50)))
    assert {r.status for r in replies} == {511}
    assert len({url_of(r.body, office) for r in replies}) == 1, "one code for all of them"
    theirs = url_of(office.bob.get(office.WIKI[4]).body, office)
    assert theirs != url_of(replies[0].body, office), "and another laptop has another"
    office.untouched("wiki")


def test_the_page_says_what_and_why_and_leads_back(office):
    office.start("3s")
    browser = office.alice.browser()
    page = browser.follow_hold()
    assert "wiki" in page.body
    reply = browser.submit(page, "alice")
    if reply.status in (302, 303):
        reply = browser.get(reply.location.removeprefix(f"https://{office.PORTAL}"))
    assert "Connected" in reply.body
    assert f"http://{office.WIKI[4]}/" in reply.body, "the way back"
    assert office.alice.try_http(office.WIKI[4]) == THROUGH


def test_a_wrong_password_lets_nobody_in_and_names_nobody(office):
    office.start()
    browser = office.alice.browser()
    page = browser.follow_hold()
    wrong = browser.submit(page, "alice", "not the password")
    unknown = browser.submit(browser.get(f"/k/{browser.code}"), "mallory", "not the password")
    assert 400 <= wrong.status < 500 and wrong.status == unknown.status
    strip = [re.sub(r'value="[^"]*"|alice|mallory', "", r.body) for r in (wrong, unknown)]
    assert strip[0] == strip[1], "the answer does not tell which names exist"
    assert office.alice.try_http(office.WIKI[4]) == "511"
    office.untouched("wiki")


def test_slow_and_early_closing_clients_are_no_trouble(office):
    office.start()
    socks = [office.alice.open(office.WIKI[4], 80) for _ in range(20)]
    for sock in socks[:10]:
        sock.close()  # without a word
    for sock in socks[10:]:
        sock.sendall(b"GET / HT")
        sock.shutdown(socket.SHUT_WR)
    for sock in socks[10:]:
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
        sock.close()
    assert office.alice.try_http(office.WIKI[4]) == "511"
    office.untouched("wiki")
