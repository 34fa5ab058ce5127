"""Signing in from a terminal: by a browser elsewhere that confirms, and by name and password on the terminal itself. The
program runs on alice's laptop, without a store; what it prints and reads is a pseudo-terminal's."""
import codecs
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

import qr
from client import THROUGH, Browser, form
from lab import BINARY, until
from test_browser import Chromium
from totp import code, secret_of

BOTH = re.compile(r"https://gate\.office\.example(/l/([0-9A-Z]{8}))\b")


class Terminal:
    """A program on a laptop, at a terminal of its own."""

    def __init__(self, laptop, *command: str, env: dict):
        self.text = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a read may end within a character
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            argv = laptop.ns.argv(*command)
            os.execvpe(argv[0], argv, env)
        laptop.office.at_end(self.close)

    def read(self, limit: float) -> bool:
        """Some of what it prints; False at its end."""
        ready = select.poll()  # not select(), which knows no descriptor above 1023
        ready.register(self.fd, select.POLLIN)
        if not ready.poll(limit * 1000):
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side is closed
            data = b""
        self.text += self.decoder.decode(data)
        return bool(data)

    def wait_for(self, pattern: str, limit: float = 20) -> re.Match:
        end = time.monotonic() + limit
        while not (found := re.search(pattern, self.text)):
            assert time.monotonic() < end and self.read(0.2), f"no {pattern!r} in:\n{self.text}"
        return found

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def status(self, limit: float = 20) -> int:
        end = time.monotonic() + limit
        while self.pid:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self.pid = 0
                while self.read(0.05) and select.select([self.fd], [], [], 0)[0]:
                    pass
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, f"it did not end:\n{self.text}"
            self.read(0.05)
        raise AssertionError("it has ended before")

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
        os.close(self.fd)


@pytest.fixture
def home(office):
    """What the program keeps, and what it is told by its environment: no store is to be had."""
    folder = office.folder / "home"
    folder.mkdir()
    (folder / "ca.pem").write_text("")
    return {**office.env, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "TERM": "xterm",
            "NIGHTLATCH_STORE": "/nonexistent/office.db"}


def ca_file(office, home) -> str:
    path = office.folder / "home" / "ca.pem"
    path.write_text(office.ca())
    return str(path)


def login(office, home, *arguments: str) -> Terminal:
    return Terminal(office.alice, BINARY, "login", *arguments, env=home)


def plain(office, home, *arguments: str, input: str = "") -> subprocess.CompletedProcess:
    """Without a terminal."""
    return office.alice.ns.run(BINARY, "login", *arguments, check=False, input=input, env=home)


def link_of(terminal: Terminal) -> str:
    return re.search(BOTH, terminal.wait_for(BOTH.pattern).group(0)).group(1)


def shown(laptop, path: str, user: str) -> tuple[Browser, "Reply"]:
    """A browser on this laptop that has signed in by the code's page, and the page that asks for the confirmation."""
    browser = laptop.browser()
    page = browser.get(path)
    assert "Sign in first" in page.body, page
    reply = browser.submit(page, user)
    assert (reply.status, reply.location) == (303, path), reply
    return browser, browser.get(path)


def answer(browser: Browser, path: str, page, what: str = "confirm"):
    return browser.post(path, {**form(page.body, path), "answer": what})


def test_confirmed_in_a_browser_elsewhere(office, home):
    office.start()
    assert office.alice.try_http(office.WIKI[4]) == "511"
    hold = re.search(r"https://\S+/k/\w+", office.alice.get(office.WIKI[4]).body).group(0)
    office.untouched("wiki")
    terminal = login(office, home, hold, "--ca", ca_file(office, home))
    path = link_of(terminal)
    shown_code = terminal.wait_for(r"type the code (\S{4}-\S{4})").group(1)
    terminal.wait_for("Waiting for it")
    assert qr.read(terminal.text) == f"https://{office.PORTAL}{path}", terminal.text
    browser, page = shown(office.bob, path, "alice")
    for fact in ("<dd>wiki</dd>", office.alice.mac, office.alice.address[4], shown_code, "Only confirm if you started this"):
        assert fact in page.body, (fact, page.body)
    office.untouched("wiki")
    assert "is signed in" in answer(browser, path, page).body
    assert terminal.status() == 0, terminal.text
    assert "Signed in as alice" in terminal.text and "wiki is open to you here" in terminal.text
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    assert office.logged(lambda row: row["event"] == "login.approved" and row["user"] == "alice")
    # As old as it is on bob's laptop, and it ends when that would.
    ages = office.query("SELECT signed_in_ms FROM presence")
    assert len(ages) == 2 and ages[0] == ages[1], ages
    office.let_expire("alice")
    assert office.alice.try_http(office.WIKI[4]) == "511"


def test_refused_in_a_browser_elsewhere(office, home):
    office.start()
    terminal = login(office, home, office.PORTAL, "--ca", ca_file(office, home))
    path = link_of(terminal)
    browser, page = shown(office.bob, path, "bob")
    assert "Refused" in answer(browser, path, page, "refuse").body
    assert terminal.status() == 4, terminal.text
    assert office.query("SELECT count(*) FROM sign_in") == [(1,)]


def test_only_where_it_was_shown(office, home):
    office.start()
    terminal = login(office, home, office.PORTAL, "--ca", ca_file(office, home))
    path = link_of(terminal)
    browser, page = shown(office.bob, path, "alice")
    elsewhere = office.alice.sign_in("alice")
    elsewhere.cookies.update({k: v for k, v in browser.cookies.items() if k == "__Host-nlf"})
    refused = answer(elsewhere, path, page)
    assert refused.status == 403, refused
    assert office.logged(lambda row: row.get("reason") == "not_shown_here")
    # The machine's own code is of no use to another device.
    asked = json.loads(office.alice.browser().post("/login/start", {}, headers={"Accept": "application/json"}).body)
    poll = {"device_code": asked["device_code"]}
    for laptop, error in ((office.bob, "invalid_grant"), (office.alice, "authorization_pending"), (office.bob, "invalid_grant")):
        assert json.loads(laptop.browser().post("/login/poll", poll).body)["error"] == error
    office.execute("DELETE FROM login WHERE code = ?", asked["user_code"].replace("-", ""))
    assert office.query("SELECT state FROM login") == [("open",)]
    terminal.type("\x03")
    assert terminal.status() == 1, terminal.text
    assert "cancelled" in terminal.text
    assert office.logged(lambda row: row["event"] == "login.withdrawn")
    assert "waits no longer" in answer(browser, path, page).body + browser.get(path).body


def test_the_portal_is_killed_between_start_and_approval(office, home):
    gate = office.start()
    terminal = login(office, home, office.PORTAL, "--ca", ca_file(office, home))
    path = link_of(terminal)
    before = gate.roles()["portal"]
    gate.kill("portal")
    until(lambda: gate.roles().get("portal", before) != before, 10, "another portal")

    def serves():
        try:
            return office.bob.browser().get("/healthz").status == 200
        except OSError:
            return False
    until(serves, 20, "the portal answers again")
    browser, page = shown(office.bob, path, "alice")
    assert "is signed in" in answer(browser, path, page).body
    # And again, before the machine has heard of it.
    before = gate.roles()["portal"]
    gate.kill("portal")
    until(lambda: gate.roles().get("portal", before) != before, 10, "another portal")
    assert terminal.status(60) == 0, terminal.text
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    for event in ("login.started", "login.approved"):
        assert office.logged(lambda row: row["event"] == event)
    office.integrity()


def test_curl_waits(office, home):
    office.start()
    terminal = Terminal(office.alice, "curl", "-sS", "--cacert", ca_file(office, home),
                        f"https://{office.PORTAL}/login?resource=wiki", env=home)
    path = link_of(terminal)
    terminal.wait_for("Waiting")
    assert qr.read(terminal.text) == f"https://{office.PORTAL}{path}", terminal.text
    browser, page = shown(office.bob, path, "alice")
    assert "is signed in" in answer(browser, path, page).body
    terminal.wait_for("Signed in as alice.* wiki is open to you here")
    assert terminal.status() == 0
    assert office.alice.try_http(office.WIKI[4]) == THROUGH


def test_typed_on_the_terminal(office, home):
    office.start()
    shown_print = subprocess.run(["openssl", "x509", "-noout", "-fingerprint", "-sha256"], input=office.ca(), text=True,
                                 capture_output=True, check=True).stdout.strip().partition("=")[2]
    terminal = login(office, home, "--ask", office.PORTAL)
    assert terminal.wait_for(r"fingerprint is\s+(\S+)").group(1) == shown_print
    terminal.wait_for(r"\[y/N\]")
    terminal.type("y\n")
    terminal.wait_for("Name: ")
    terminal.type("alicx\x7fe\n")
    terminal.wait_for("Password for alice: ")
    terminal.type(office.PASSWORD["alice"] + "\n")
    assert terminal.status() == 0, terminal.text
    assert "Signed in as alice" in terminal.text
    assert office.PASSWORD["alice"] not in terminal.text and "horse" not in terminal.text, "nothing is echoed"
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    # The portal and its authority are known from now on.
    again = login(office, home, "--user", "alice", "--resource", "payroll")
    again.wait_for("Password for alice: ")
    assert "fingerprint" not in again.text
    again.type("not the password\n")
    assert again.status() == 4, again.text
    assert "not right" in again.text


def test_a_code_is_asked_for_where_a_policy_wants_one(office, home):
    office.start()
    office.cli("policy", "add", "payroll-mfa", "--resource", "payroll", "--user", "alice", "--session", "12h", "--mfa", "1h",
               "--before", "payroll")
    secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    terminal = login(office, home, office.PORTAL, "--user", "alice", "--resource", "payroll", "--ca", ca_file(office, home))
    terminal.wait_for("Password for alice: ")
    terminal.type(office.PASSWORD["alice"] + "\n")
    terminal.wait_for("Code: ")
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    terminal.type("000000\n")
    terminal.wait_for("not right")
    terminal.wait_for("Code: .*Code: ".replace(".", "[\\s\\S]"))
    right = code(secret)
    terminal.type(right + "\n")
    assert terminal.status() == 0, terminal.text
    assert right not in terminal.text
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    # Without a terminal the password alone signs in, and the status says that it was not enough.
    office.cli("session", "end", "--user", "alice")
    done = plain(office, home, "--user", "alice", "--resource", "payroll", "--password-file", "-", "--json",
                 input=office.PASSWORD["alice"] + "\n")
    assert done.returncode == 4 and json.loads(done.stdout)["verdict"] == "step_up", done


def test_without_trust_nothing_is_sent(office, home):
    office.start()
    terminal = login(office, home, "--ask", office.PORTAL)
    terminal.wait_for(r"\[y/N\]")
    terminal.type("\n")
    assert terminal.status() == 1, terminal.text
    assert "Name" not in terminal.text
    # An authority that is not this portal's.
    other = office.folder / "other.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    "/dev/null", "-subj", "/CN=other", "-days", "2", "-out", str(other)], check=True, capture_output=True)
    done = plain(office, home, office.PORTAL, "--user", "alice", "--password-file", "-", "--ca", str(other),
                 input=office.PASSWORD["alice"] + "\n")
    assert done.returncode == 1 and "not to be trusted" in done.stderr, done
    (office.folder / "home/config/nightlatch/portals" / f"{office.PORTAL}.pem").unlink()
    done = plain(office, home, office.PORTAL, "--user", "alice", "--password-file", "-", "--fingerprint", "AB" * 32,
                 input=office.PASSWORD["alice"] + "\n")
    assert done.returncode == 1 and "not the one that was given" in done.stderr, done
    done = plain(office, home, office.PORTAL, "--user", "alice", "--password-file", "-",
                 input=office.PASSWORD["alice"] + "\n")
    assert done.returncode == 2 and "--fingerprint" in done.stderr, done
    done = plain(office, home, office.PORTAL, "--user", "alice", "--ca", ca_file(office, home))
    assert done.returncode == 2 and "--password-file" in done.stderr, done
    assert office.query("SELECT count(*) FROM sign_in") == [(0,)]


def test_for_scripts(office, home):
    office.start()
    given = ("--password-file", "-", "--json", office.PORTAL)
    first = plain(office, home, "--user", "bob", "--ca", ca_file(office, home), "--resource", "payroll", *given,
                  input=office.PASSWORD["bob"] + "\n")
    assert first.returncode == 4, first
    end = json.loads(first.stdout)
    assert end["signed_in"] is True and end["verdict"] == "deny", end
    wrong = plain(office, home, "--user", "alice", *given, input="wrong\n")
    assert wrong.returncode == 4 and json.loads(wrong.stdout)["signed_in"] is False, wrong
    right = plain(office, home, "--user", "alice", "--resource", "payroll", *given, input=office.PASSWORD["alice"] + "\n")
    assert right.returncode == 0, right
    end = json.loads(right.stdout)
    assert (end["user"], end["verdict"], end["resource"]) == ("alice", "allow", "payroll"), end
    assert "horse" not in right.stdout + right.stderr
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    assert plain(office, home, "http://a b/").returncode == 2


def test_a_telephones_browser_confirms(office, home):
    """Two browsers: the one that confirms, on bob's laptop, and alice's own, which then reaches what it could not."""
    office.start()
    terminal = login(office, home, office.PORTAL, "--ca", ca_file(office, home), "--resource", "wiki")
    shown_code = terminal.wait_for(r"type the code (\S{4}-\S{4})").group(1)
    resolve = f"--host-resolver-rules=MAP {office.PORTAL} {office.GATE[4]}"
    with Chromium(office.alice, resolve) as here, Chromium(office.bob, resolve) as phone:
        blocked = here.open(f"http://{office.WIKI[4]}/")
        assert blocked.get("heading") == "Sign in to reach wiki", blocked
        assert phone.open(f"https://{office.PORTAL}/login")["heading"] == "Sign in another device"
        page = phone.do(fill={"Code": shown_code.lower()})
        assert page["heading"] == "Sign in first", page
        page = phone.sign_in(office, "alice")
        assert page["heading"] == "Sign in this device as alice?", page
        assert shown_code in page["text"] and office.alice.mac in page["text"] and "wiki" in page["text"], page
        office.untouched("wiki")
        done = phone.do(press="Confirm")
        assert "is signed in" in done["heading"], done
        assert terminal.status() == 0, terminal.text
        assert here.open(f"http://{office.WIKI[4]}/")["text"].startswith("this is wiki")
