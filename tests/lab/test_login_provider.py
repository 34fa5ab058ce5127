"""A terminal on alice's laptop, and somebody on another one whom a provider signs in and who confirms it: what the terminal
is then allowed, and for how long."""
import datetime
import json
import time

import pytest

import oidc
from client import THROUGH, Browser
from lab import until
from test_login import answer
from test_oidc_rogue import begin, come_back, nothing_stored, refusals, stored, tell_of_logout

MINUTES = 60


@pytest.fixture
def corp(office):
    """A provider that tells lies when asked to; the wiki wants a sign-in of half an hour, the payroll one of ten minutes."""
    def strict(office):
        office.cli("policy", "remove", "payroll")
        office.cli("policy", "add", "payroll", "--resource", "payroll", "--user", "alice", "--session", "10m")
    rogue = oidc.start(office, "rogue_provider.cjs", "--mfa-acr", "gold", session="30m", before=strict)
    office.cli("provider", "link", "corp", "alice-1", "alice")
    return rogue


def asks(office, resource: str) -> tuple[dict, str]:
    """The terminal's: what it polls with, and the page that confirms."""
    reply = office.alice.browser().post("/login/start", {"resource": resource}, headers={"Accept": "application/json"})
    started = json.loads(reply.body)
    return {"device_code": started["device_code"]}, started["verification_uri_complete"].partition(office.PORTAL)[2]


def polls(office, fields: dict) -> dict:
    return json.loads(office.alice.browser().post("/login/poll", fields).body)


def by_corp(office, corp, phone: Browser, path: str, **claims):
    """From the code's page to the provider and back: what it was asked, and what came of it."""
    sent = begin(office, phone, path=path)
    corp.tell(nonce=sent["nonce"], claims=claims)
    return sent, come_back(phone, state=sent["state"])


def age(told: str) -> float:
    return time.time() - datetime.datetime.fromisoformat(told).timestamp()


def test_what_it_confirms_is_as_old_as_at_the_provider(office, corp):
    assert office.alice.try_http(office.WIKI[4]) == "511"
    terminal, path = asks(office, "wiki")
    phone = Browser(office.bob)
    page = phone.get(path)
    assert "Sign in first" in page.body and "Sign in with corp" in page.body, page
    sent, back = by_corp(office, corp, phone, path, auth_time=f"-{20 * MINUTES}")
    assert (sent["max_age"], back.status) == (str(30 * MINUTES), 200), (sent, back)
    assert json.loads(back.body)["login"]["code"].replace("-", "") in path, "it is on the confirming page again"
    page = phone.get(path)
    assert "Sign in this device as alice?" in page.body and office.alice.mac in page.body, page
    assert polls(office, terminal)["error"] == "authorization_pending"
    assert office.alice.try_http(office.WIKI[4]) == "511"
    office.untouched("wiki")

    assert "is signed in" in answer(phone, path, page).body
    end = polls(office, terminal)
    assert (end["signed_in"], end["user"], end["resource"], end["verdict"]) == (True, "alice", "wiki", "allow"), end
    assert abs(age(end["signed_in_at"]) - 20 * MINUTES) < 30, end
    assert office.query("SELECT provider, methods FROM sign_in") == [("corp", "pwd")] * 2
    ages = office.query("SELECT signed_in_ms FROM presence")
    assert len(ages) == 2 and ages[0] == ages[1], "neither older nor younger than on the telephone"
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    left = office.deadline(office.alice, office.WIKI[4], office.HTTP) - time.time()
    assert 9 * MINUTES < left <= 10 * MINUTES, left
    # Where ten minutes are asked for, it is asked again.
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    verdict = office.explain(office.alice, office.PAYROLL[4], office.ECHO)
    assert (verdict["verdict"], verdict["reason"]) == ("sign_in", "expired"), verdict


def test_too_old_a_sign_in_there_confirms_nothing(office, corp):
    before = stored(office)
    phone = Browser(office.bob)
    terminal, path = asks(office, "payroll")
    sent, back = by_corp(office, corp, phone, path, auth_time=f"-{20 * MINUTES}")
    assert (sent["max_age"], back.status) == (str(10 * MINUTES), 403), (sent, back)
    assert json.loads(back.body)["reason"] == "auth_time_too_old", back
    nothing_stored(office, before)
    # Who is signed in already, but too long ago for this, is asked again too.
    _, wiki = asks(office, "wiki")
    assert by_corp(office, corp, phone, wiki, auth_time=f"-{20 * MINUTES}")[1].status == 200
    page = phone.get(path)
    assert page.status == 403 and "payroll asks for a newer sign-in than yours of 20 min ago" in page.body, page
    assert polls(office, terminal)["error"] == "authorization_pending"

    sent, back = by_corp(office, corp, phone, path, auth_time=f"-{2 * MINUTES}")
    assert (sent["max_age"], back.status) == (str(10 * MINUTES), 200), (sent, back)
    assert "is signed in" in answer(phone, path, phone.get(path)).body
    end = polls(office, terminal)
    assert end["verdict"] == "allow" and abs(age(end["signed_in_at"]) - 2 * MINUTES) < 30, end
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    left = office.deadline(office.alice, office.PAYROLL[4], office.ECHO) - time.time()
    assert 7 * MINUTES < left <= 8 * MINUTES, left
    until(lambda: refusals(office) == ["auth_time_too_old"], 5, "it is in the log")
    # A logout at the provider ends what was confirmed as well.
    assert tell_of_logout(office, corp.tell(logout="j1")).status == 200
    flow.wait_end(3)
    assert office.query("SELECT count(*) FROM presence") == [(0,)]


def test_who_is_refused_is_led_back_to_the_code(office, corp):
    terminal, path = asks(office, "wiki")
    phone = Browser(office.bob)
    for told, status in (({"at": {"/token": 500}}, 503), ({"claims": {"sub": "nobody-1"}}, 403)):
        sent = begin(office, phone, path=path)
        corp.tell(nonce=sent["nonce"], **told)
        page = phone.get(f"/oidc/corp/callback?code=c1&iss={oidc.ISSUER}&state={sent['state']}")
        assert page.status == status and f'href="{path}"' in page.body, page
    assert polls(office, terminal)["error"] == "authorization_pending", "the terminal waits on"
    assert by_corp(office, corp, phone, path)[1].status == 200
    assert "is signed in" in answer(phone, path, phone.get(path)).body
    assert polls(office, terminal)["verdict"] == "allow"


def test_a_second_factor_that_the_provider_has_seen(office, corp):
    office.cli("policy", "remove", "payroll")
    office.cli("policy", "add", "payroll", "--resource", "payroll", "--user", "alice", "--session", "8h", "--mfa", "10m")
    phone = office.bob.sign_in("alice")
    terminal, path = asks(office, "payroll")
    page = phone.get(path)
    assert "payroll asks for more than a password" in page.body and "Confirm with corp" in page.body, page
    # One that says nothing of a second factor is none.
    for claims, heading in (({"amr": ["pwd"]}, "payroll asks for more than a password"),
                            ({"acr": "gold", "auth_time": f"-{4 * MINUTES}"}, "Sign in this device as alice?")):
        sent, back = by_corp(office, corp, phone, path, **claims)
        assert (sent["acr_values"], sent["max_age"]) == ("gold", str(10 * MINUTES)), sent
        page = phone.get(path)
        assert heading in page.body, page
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) != THROUGH
    assert "is signed in" in answer(phone, path, page).body
    assert polls(office, terminal)["verdict"] == "allow"
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    until_when = datetime.datetime.fromisoformat(office.explain(office.alice, office.PAYROLL[4], office.ECHO)["until"])
    assert 5 * MINUTES < until_when.timestamp() - time.time() <= 6 * MINUTES, "as old as it was there"
