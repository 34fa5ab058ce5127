"""A provider that is killed while somebody signs in with it, at each moment of that: nobody is told that anything has
expired, nothing is stored, whoever is signed in stays so, and once it is back they sign in."""
import concurrent.futures
import contextlib
import json
import signal
import ssl
import time
import urllib.parse

import pytest

import oidc
from client import Browser, ask, form
from lab import until
from test_oidc_rogue import begin, come_back


class AtProvider:
    """What a browser does at the real provider: says who its user is."""

    def __init__(self, laptop, provider):
        self._laptop, self._provider, self._cookies = laptop, provider, {}
        self._tls = ssl.create_default_context(cafile=provider.files[0])

    def _request(self, method: str, url: str, body: bytes = b""):
        fields = {"Host": oidc.HOST, "Content-Type": "application/x-www-form-urlencoded",
                  "Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items())}
        with self._laptop.open(self._provider.address, 443, 10) as plain:
            with self._tls.wrap_socket(plain, server_hostname=oidc.HOST) as sock:
                reply = ask(sock, method, url.removeprefix(oidc.ISSUER), fields, body)
        for line in reply.headers.get("set-cookie", "").splitlines():
            name, _, value = line.split(";")[0].partition("=")
            self._cookies[name] = value
        return reply

    def sign_in(self, sent: dict, account: str) -> dict:
        """What the browser brings back from there."""
        asked = self._request("GET", "/auth?" + urllib.parse.urlencode(sent))
        answered = self._request("POST", asked.location, urllib.parse.urlencode({"account": account}).encode())
        back = self._request("GET", answered.location).location
        assert back.startswith(sent["redirect_uri"] + "?"), back
        return dict(urllib.parse.parse_qsl(back.partition("?")[2]))


class Bystander:
    """Alice, who signed in by password before: with a flow that nothing here may end."""

    def __init__(self, office):
        self._office = office
        office.alice.sign_in("alice")
        self._flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
        self._stored = self._store()

    def _store(self) -> list:
        return [self._office.query(f"SELECT * FROM {table} ORDER BY 1, 2")
                for table in ("sign_in", "presence", "provider_session")]

    def sees_nothing(self) -> None:
        assert self._store() == self._stored, "nothing is stored, and nobody's session has ended"
        assert self._flow.alive() and self._office.alice.try_http(self._office.WIKI[4]) == "through"

    def look_again(self) -> None:
        self._stored = self._store()


def last_row(office) -> int:
    """Of the log; all of it is there, for a sign-in that was recorded came last."""
    return office.log()[-1]["id"]


def cannot_verify(office, reply, since: int) -> None:
    """The page, and the one row of the log that is newer."""
    assert reply.status == 503 and "Cannot verify who you are" in reply.body, reply
    assert "Sessions that are open run to their end" in reply.body and "expired" not in reply.body.lower(), reply
    rows = office.logged(lambda row: row["event"] == "sign_in.refused" and row["id"] > since)
    assert [row["reason"] for row in rows] == ["cannot_verify_unreachable"], rows


def callback(browser: Browser, back: dict):
    return browser.get("/oidc/corp/callback?" + urllib.parse.urlencode(back))


def portal_afresh(office) -> None:
    """A portal that has never asked the provider."""
    before = office.gate.roles()["portal"]
    office.gate.kill("portal")
    until(lambda: office.gate.roles().get("portal", before) != before, 10, "another portal")

    def serves() -> bool:
        with contextlib.suppress(OSError):
            return Browser(office.bob).get("/healthz").status == 200
        return False
    until(serves, 20, "it answers")


def waits_unread(office) -> bool:
    """Bytes of the portal lie at the provider's port, and nobody reads them."""
    lines = office.server_ns.run("ss", "-Htn", "state", "established", "sport = :443").stdout.splitlines()
    return any(int(line.split()[0]) > 0 for line in lines)


def start(browser: Browser):
    return browser.post("/oidc/corp/start", form(browser.get("/").body, "/oidc/corp/start"))


def test_the_real_one_is_killed_at_each_moment(office):
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs")
    office.cli("provider", "link", "corp", "bob", "bob")
    bystander = Bystander(office)

    def before_anybody_is_sent_there(since: int) -> None:
        portal_afresh(office)
        corp.kill()
        cannot_verify(office, start(Browser(office.bob)), since)

    def while_the_browser_is_there(since: int) -> None:
        browser = Browser(office.bob)
        back = AtProvider(office.bob, corp).sign_in(begin(office, browser), "bob")
        corp.kill()
        cannot_verify(office, callback(browser, back), since)

    def while_it_is_asked_about_the_code(since: int) -> None:
        browser = Browser(office.bob)
        back = AtProvider(office.bob, corp).sign_in(begin(office, browser), "bob")
        corp.process.send_signal(signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            reply = pool.submit(callback, browser, back)
            until(lambda: waits_unread(office), 3, "the portal asks")
            assert not reply.done()
            killed = time.monotonic()
            corp.kill()
            told = reply.result()
            assert time.monotonic() - killed < 3, "it is not waited for"
        cannot_verify(office, told, since)

    moments = (before_anybody_is_sent_there, while_the_browser_is_there, while_it_is_asked_about_the_code)
    for moment in moments:
        moment(last_row(office))
        bystander.sees_nothing()
        corp.start()
        browser = Browser(office.bob)
        until(lambda browser=browser: start(browser).status == 200, 5, "what has just failed is left alone for a second")
        back = AtProvider(office.bob, corp).sign_in(begin(office, browser), "bob")
        assert come_back(browser, **back).status == 200, moment.__name__
        assert office.query("SELECT u.name, provider FROM sign_in JOIN user u ON u.id = user_id "
                            "ORDER BY sign_in.id DESC LIMIT 1") == [("bob", "corp")]
        until(lambda: office.bob.try_http(office.WIKI[4]) == "through", 2)
        office.cli("session", "end", "--user", "bob")
        bystander.look_again()


def test_who_was_sent_to_a_dead_one_goes_on_when_it_is_back(office):
    """The portal knows it from before, and so cannot know that it is dead."""
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs")
    office.cli("provider", "link", "corp", "bob", "bob")
    browser = Browser(office.bob)
    begin(office, browser)
    corp.kill()
    sent = begin(office, browser)
    with pytest.raises(ConnectionRefusedError):
        AtProvider(office.bob, corp).sign_in(sent, "bob")
    corp.start()
    back = AtProvider(office.bob, corp).sign_in(sent, "bob")
    assert come_back(browser, **back).status == 200
    assert office.bob.try_http(office.WIKI[4]) == "through"


def test_an_outage_counts_against_nobody(office):
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs")
    office.cli("provider", "link", "corp", "bob", "bob")
    browser = Browser(office.bob)
    begin(office, browser)
    corp.kill()
    for _ in range(25):
        reply = come_back(browser, state=begin(office, browser)["state"])
        assert (reply.status, json.loads(reply.body)["reason"]) == (503, "cannot_verify_unreachable"), reply
    corp.start()
    back = AtProvider(office.bob, corp).sign_in(begin(office, browser), "bob")
    assert come_back(browser, **back).status == 200


@pytest.mark.parametrize("asked", ["/token", "/jwks", "/userinfo"])
def test_one_that_has_read_the_question_is_killed_before_it_answers(office, asked):
    rogue = oidc.start(office, "rogue_provider.cjs", "--groups-claim", "groups")
    office.cli("provider", "link", "corp", "alice-1", "alice")
    bystander = Bystander(office)
    browser = Browser(office.bob)
    since = last_row(office)
    sent = begin(office, browser)
    rogue.tell(hits=1)
    rogue.tell(nonce=sent["nonce"], at={asked: "silent"})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        reply = pool.submit(callback, browser, {"code": "c1", "iss": oidc.ISSUER, "state": sent["state"]})
        until(lambda: rogue.tell(hits=1).get(asked), 5, "it is asked")
        assert not reply.done()
        rogue.kill()
        cannot_verify(office, reply.result(), since)
    bystander.sees_nothing()
    rogue.start()
    again = come_back(browser, state=sent["state"])
    assert json.loads(again.body)["reason"] == "used_state", again

    def signs_in() -> bool:
        sent = begin(office, browser)
        rogue.tell(nonce=sent["nonce"])
        return come_back(browser, state=sent["state"]).status == 200
    until(signs_in, 5, "what has just failed is left alone for a second")
