"""Second factors with real flows: what a policy with --mfa lets through, for how long, and what ends it."""
import concurrent.futures
import re
import threading
import urllib.parse

import pytest

from client import THROUGH, form
from lab import until
from test_guessing import Elsewhere, behind_bob, guess
from totp import code, secret_of

MFA = ("policy", "add", "payroll-mfa", "--resource", "payroll", "--user", "alice", "--session", "12h", "--mfa", "1h",
       "--before", "payroll")


@pytest.fixture
def strict(office):
    """A gate where the payroll asks for a second factor, and alice has an authenticator: its secret."""
    office.start()
    office.cli(*MFA)
    office.secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    return office


def asked(office):
    """Alice's browser, signed in with the password, and the page that asks for a code."""
    browser = office.alice.browser()
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    hold = until(lambda: office.query("SELECT code FROM hold"), 2)[0][0]
    page = browser.get(f"/k/{hold}")
    browser.submit(page, "alice")
    browser.code = hold
    page = browser.get(f"/k/{hold}")
    assert "One more step to reach payroll" in page.body, page.body
    return browser, page


def send(browser, page, typed: str):
    return browser.post("/step-up", {**form(page.body, "/step-up"), "code": typed})


def test_only_the_missing_factor_opens_it(strict):
    office = strict
    browser, page = asked(office)
    assert office.alice.try_http(office.WIKI[4]) == THROUGH, "the wiki asks for a sign-in alone"
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    assert office.explain(office.alice, office.PAYROLL[4], office.ECHO)["verdict"] == "step_up"
    assert send(browser, page, "000000").status == 403
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    assert send(browser, browser.get(f"/k/{browser.code}"), code(office.secret)).status in (302, 303)
    for family in (4, 6):
        assert office.alice.try_tcp(office.PAYROLL[family], office.ECHO) == THROUGH
    # The factor runs out before the sign-in does, and ends the flow that is open.
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    office.execute("UPDATE presence SET second_factor_ms = second_factor_ms - 3600000")
    flow.wait_end(1.5)
    assert office.explain(office.alice, office.PAYROLL[4], office.ECHO)["reason"] == "second_factor_expired"
    assert office.alice.try_http(office.WIKI[4]) == THROUGH


def test_a_factor_that_is_taken_away_ends_what_it_opened(strict):
    office = strict
    browser, page = asked(office)
    assert send(browser, page, code(office.secret)).status in (302, 303)
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    office.cli("user", "factor", "alice", "--remove", "all")
    flow.wait_end(1.5)
    assert office.json("user", "factor", "alice")["otp"] is False
    assert office.cli("user", "factor", "alice", "--remove", "all", expect=3)
    assert office.alice.try_http(office.WIKI[4]) == THROUGH, "the sign-in is another matter"


def fifty(office) -> list:
    """Browsers of alice at thirteen places, no more than four at each (a fifth would be the last to be looked at), and a form in each."""
    behind_bob(office)

    def signed_in(number: int):
        browser = Elsewhere(office.bob, f"10.99.0.{number % 13 + 1}")
        assert guess(browser, "alice", office.PASSWORD["alice"]) in (302, 303)
        return browser, browser.get("/step-up")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return list(pool.map(signed_in, range(50)))


def test_fifty_browsers_with_one_code(strict):
    """They all send the same code at once: each is looked at, and it counts for one of them."""
    office = strict
    attempts = fifty(office)
    typed = code(office.secret)

    def attempt(a) -> str:
        while (reply := send(*a, typed)).status == 503:  # too much at the same moment: that one did not count
            a = (a[0], a[0].get("/step-up"))
        return "used" if "has been used" in reply.body else str(reply.status)
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(attempt, attempts))
    assert sorted(replies) == ["303"] + ["used"] * 49, replies
    assert office.query("SELECT count(*) FROM sign_in WHERE methods = 'otp'") == [(1,)]
    assert office.query("SELECT count(*) FROM presence WHERE second_factor_ms IS NOT NULL") == [(1,)]


def test_the_portal_is_killed_while_fifty_send_one_code(strict):
    office = strict
    attempts = fifty(office)
    typed = code(office.secret)
    first = threading.Event()

    def attempt(a):
        try:
            status = send(*a, typed).status
            first.set()
            return status
        except (OSError, AssertionError, ValueError):
            return None
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        replies = [pool.submit(attempt, a) for a in attempts]
        first.wait(10)
        office.gate.kill("portal")
        seen = [reply.result() for reply in replies]
    assert None in seen, "some were under way"
    # Whatever was told: it counted at most once, and whoever was told so has it.
    written = office.query("SELECT count(*) FROM sign_in WHERE methods = 'otp'")[0][0]
    assert seen.count(303) <= written <= 1, (seen, written)
    office.execute("UPDATE presence SET second_factor_ms = NULL")
    again = until(lambda: _form(attempts[0][0]), 10, "the portal is back")
    reply = send(attempts[0][0], again, typed)
    assert ("has been used" in reply.body) == (written == 1), reply.body


def _form(browser):
    try:
        page = browser.get("/step-up")
    except OSError:
        return None
    return page if page.status == 200 and "/step-up" in page.body else None


def test_a_used_code_stays_used_after_kill_nine(strict):
    office = strict
    browser, page = asked(office)
    typed = code(office.secret)
    assert send(browser, page, typed).status in (302, 303)
    office.gate.kill("portal")
    office.execute("UPDATE presence SET second_factor_ms = NULL")
    again = until(lambda: _page(browser, browser.code), 10, "the portal is back")
    reply = send(browser, again, typed)
    assert reply.status == 403 and "has been used" in reply.body, reply.body
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH


def _page(browser, hold: str):
    try:
        page = browser.get(f"/k/{hold}")
    except OSError:
        return None
    return page if page.status == 200 and "/step-up" in page.body else None


def test_the_key_is_rotated_while_codes_are_used(strict):
    office = strict
    browser, page = asked(office)
    key = office.store.with_name("office.db.key")
    before = key.read_text()
    office.cli("key", "rotate")
    assert key.read_text() != before and key.with_name("office.db.key.old").read_text() == before
    assert key.stat().st_mode & 0o007 == 0
    assert send(browser, page, code(office.secret)).status in (302, 303), "the running portal reads the new key"
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH


def test_nothing_secret_is_told(strict):
    office = strict
    typed = urllib.parse.quote(code(office.secret))
    browser, page = asked(office)
    send(browser, page, typed)
    codes = office.json("user", "factor", "alice", "--add", "recovery")["recovery_codes"]
    told = str(office.log()) + str(office.json("user", "factor", "alice")) + office.gate.text + str(
        office.query("SELECT * FROM otp")) + str(office.query("SELECT * FROM recovery_code"))
    for secret in [office.secret, *codes]:
        assert secret not in told and secret.replace("-", "") not in told
    assert not re.search(r"otpauth", told)


def test_a_lost_key_file_lets_nobody_in(strict):
    office = strict
    browser, page = asked(office)
    key = office.store.with_name("office.db.key")
    away = key.rename(key.with_name("away"))
    assert send(browser, page, code(office.secret)).status == 503
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    assert not key.exists(), "and none is made in its place"
    assert {c["check"]: c["state"] for c in office.json("doctor", expect=None)}["key"] == "fail"
    away.rename(key)
    assert send(browser, browser.get(f"/k/{browser.code}"), code(office.secret)).status in (302, 303)
