"""A rogue OpenID provider: what comes back without it, twice or for another, what it is asked, and its documents and logouts.
Its lies are in test_oidc_lies.py."""
import concurrent.futures
import copy
import json
import re
import time
import urllib.parse

import pytest

import oidc
from client import Browser, form
from lab import sleep_until, until


@pytest.fixture
def rogue(office):
    provider = oidc.start(office, "rogue_provider.cjs", "--groups-claim", "groups")
    office.cli("provider", "link", "corp", "alice-1", "alice")
    return provider


def begin(office, browser: Browser, code: str = "", path: str = "/", at: str = "corp", issuer: str = oidc.ISSUER) -> dict:
    """Presses "Sign in with corp" and returns the parameters with which the browser is sent there."""
    page = browser.get(f"/k/{code}" if code else path)
    reply = browser.post(f"/oidc/{at}/start", form(page.body, f"/oidc/{at}/start"), headers={"Accept": "application/json"})
    assert reply.status == 200, reply
    url = json.loads(reply.body)["authorize_url"]
    assert url.startswith(f"{issuer}/auth?"), url
    return dict(urllib.parse.parse_qsl(url.partition("?")[2]))


def come_back(browser: Browser, at: str = "corp", **query: str):
    query = {"code": "c1", "iss": oidc.ISSUER, **query}
    return browser.get(f"/oidc/{at}/callback?" + urllib.parse.urlencode({k: v for k, v in query.items() if v is not None}),
                       headers={"Accept": "application/json"})


def patient(laptop):
    """The same laptop, whose browser waits for longer than the portal waits for a provider."""
    waits = copy.copy(laptop)
    waits.open = lambda address, port, timeout=0: laptop.open(address, port, 20)
    return waits


def refusals(office) -> list[str]:
    return [row["reason"] for row in office.log() if row.get("event") == "sign_in.refused"]


def stored(office) -> dict[str, list]:
    """What a sign-in may change."""
    return {table: office.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in
            ("sign_in", "presence", "provider_session", "user", "identity", "membership", "user_group", "device", "browser")}


def nothing_stored(office, before: dict[str, list]) -> None:
    assert stored(office) == before


def test_the_state_is_good_once_here_and_nowhere_else(office, rogue):
    before = stored(office)
    mine, stranger, theirs = Browser(office.alice), Browser(office.alice), Browser(office.bob)
    begin(office, stranger)
    begin(office, theirs)
    sent = begin(office, mine)
    rogue.tell(nonce=sent["nonce"])
    tries = [(mine, {"state": None}, "missing_state"), (mine, {"state": "made-up"}, "unknown_state"),
             (stranger, {}, "state_of_another_browser"), (theirs, {}, "state_of_another_browser")]
    for browser, changed, reason in tries:
        reply = come_back(browser, **{"state": sent["state"], **changed})
        assert reply.status == 403 and json.loads(reply.body)["reason"] == reason, reply
    theirs.cookies.update({k: v for k, v in mine.cookies.items() if "nlf" in k})
    moved = come_back(theirs, state=sent["state"])
    assert json.loads(moved.body)["reason"] == "state_of_another_device", moved
    nothing_stored(office, before)
    assert come_back(mine, state=sent["state"]).status == 200
    again = come_back(mine, state=sent["state"])
    assert json.loads(again.body)["reason"] == "used_state"
    assert office.query("SELECT count(*) FROM sign_in") == [(1,)]
    until(lambda: refusals(office) == ["missing_state", "unknown_state", "state_of_another_browser", "state_of_another_browser",
                                       "state_of_another_device", "used_state"], 5, "each in the log")


def test_the_issuer_of_the_answer(office, rogue):
    before = stored(office)
    browser = Browser(office.alice)
    for iss in ("https://evil.example", None, oidc.ISSUER + "/"):
        sent = begin(office, browser)
        rogue.tell(nonce=sent["nonce"])
        reply = come_back(browser, state=sent["state"], iss=iss)
        assert json.loads(reply.body)["reason"] == "wrong_iss_parameter", reply
    sent = begin(office, browser)
    reply = come_back(browser, state=sent["state"], code=None, error="access_denied")
    assert reply.status == 403 and json.loads(reply.body)["reason"] == "provider_refused", reply
    sent = begin(office, browser)
    assert json.loads(come_back(browser, state=sent["state"], code=None).body)["reason"] == "missing_code"
    nothing_stored(office, before)
    until(lambda: set(refusals(office)) == {"wrong_iss_parameter", "provider_refused", "missing_code"}, 5, "in the log")


def test_what_it_is_asked_is_what_the_policy_wants(office):
    def policies(office):
        office.cli("policy", "remove", "payroll")
        office.cli("policy", "add", "long", "--resource", "payroll", "--user", "bob", "--session", "12h")
    oidc.start(office, "rogue_provider.cjs", "--mfa-acr", "gold", "--mfa-acr", "silver", session="30m", before=policies)
    browser = Browser(office.alice)

    def asks(path: str, by: Browser = browser) -> tuple:
        sent = begin(office, by, path=path)
        return int(sent["max_age"]), sent.get("prompt"), sent.get("acr_values")
    assert asks("/") == (12 * 3600, None, None), "nothing in particular: as old as the longest policy takes"
    browser.follow_hold()
    hold = f"/k/{browser.code}"
    assert asks(hold) == (1800, None, None)
    # A terminal that waits to be confirmed asks the same of a browser elsewhere, signed in or not.
    waits = json.loads(office.bob.browser().post("/login/start", {"resource": "wiki"}, headers={"Accept": "application/json"}).body)
    link = waits["verification_uri_complete"].partition(office.PORTAL)[2]
    assert asks(link) == (1800, None, None)
    for terms, wanted in ((("--session", "0"), (60, "login", None)),
                          (("--session", "1h", "--mfa", "10m"), (600, None, "gold silver")),
                          (("--session", "5m", "--mfa", "10m"), (300, None, "gold silver"))):
        office.cli("policy", "remove", "wiki")
        office.cli("policy", "add", "wiki", "--resource", "wiki", "--anyone", *terms, "--before", "voice")
        until(lambda wanted=wanted: asks(hold) == wanted, 5, str(wanted))
        assert asks(link) == wanted
    office.cli("set", "session.max", "2m")
    until(lambda: asks(hold) == (120, None, "gold silver"), 5, "the office's own limit")
    assert asks("/") == (120, None, None)
    # Who is signed in, but not as the policy wants, is asked for what is missing.
    office.cli("unset", "session.max")
    signed_in = office.alice.sign_in("alice")
    page = signed_in.get(link)
    assert "wiki asks for more than a password" in page.body and "Confirm with corp" in page.body, page.body
    assert asks(link, signed_in) == (300, None, "gold silver")
    assert signed_in.get("/l/AAAAAAAA").status == 404


def test_who_comes_back_in_vain_costs_the_provider_little(office, rogue):
    guesser, other = Browser(office.alice), Browser(office.bob)

    def guess():
        sent = begin(office, guesser)
        rogue.tell(nonce=sent["nonce"], at={"/token": 400})
        return come_back(guesser, state=sent["state"])
    for _ in range(20):
        # Any page can lead a browser here: what was not awaited is refused, and stops nobody.
        assert json.loads(come_back(guesser, state="made-up").body)["reason"] == "unknown_state"
        assert json.loads(guess().body)["reason"] == "code_refused"
    rogue.tell(hits=1)
    stopped = guess()
    assert stopped.status == 429 and json.loads(stopped.body)["retry_after_s"] > 500, stopped
    assert "/token" not in rogue.tell(hits=1)
    office.logged(lambda row: row.get("event") == "sign_in.throttled")
    sent = begin(office, other)
    rogue.tell(nonce=sent["nonce"])
    assert come_back(other, state=sent["state"]).status == 200, "another machine is nobody's guesser"


def test_two_of_one_machine_come_back_at_once_and_a_third_waits(office, rogue):
    browsers = [Browser(office.alice) for _ in range(3)]
    sent = [begin(office, browser) for browser in browsers]
    rogue.tell(at={"/token": "silent"})
    asked = 0
    with concurrent.futures.ThreadPoolExecutor() as pool:
        slow = [pool.submit(come_back, browser, state=one["state"]) for browser, one in zip(browsers[:2], sent[:2])]

        def both_asked():
            nonlocal asked
            asked += rogue.tell(hits=1).get("/token", 0)
            return asked == 2
        until(both_asked, 5, "both are being asked about")
        third = come_back(browsers[2], state=sent[2]["state"])
        assert third.status == 429 and json.loads(third.body)["reason"] == "too_many_at_once", third
        rogue.tell(nonce=sent[2]["nonce"])
        assert all(json.loads(reply.result().body)["reason"] == "cannot_verify_failed" for reply in slow)
    assert come_back(browsers[2], state=sent[2]["state"]).status == 200, "its state was not used up"


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/userinfo"])
def test_documents_that_are_huge_or_never_end(office, rogue, path):
    before = stored(office)
    browser = Browser(patient(office.alice))

    def comes(how: str) -> str:
        rogue.tell(at={path: how})
        if path.startswith("/."):
            page = browser.get("/")
            reply = browser.post("/oidc/corp/start", form(page.body, "/oidc/corp/start"), headers={"Accept": "application/json"})
        else:
            sent = begin(office, browser)
            rogue.tell(at={path: how}, nonce=sent["nonce"])
            reply = come_back(browser, state=sent["state"])
        assert reply.status == 503, reply
        return json.loads(reply.body)["reason"]
    for how, reason in (("huge", "cannot_verify_too_large"), ("drip", "cannot_verify_too_slow")):
        assert comes(how) == reason
        sleep_until(time.time() + 1.05)  # what has just failed is left alone for a second
        assert Browser(office.bob).get("/").status == 200
        until(lambda reason=reason: refusals(office)[-1:] == [reason], 5, "it is in the log")
        nothing_stored(office, before)


def test_discovery_of_another_issuer_and_what_the_provider_is_asked(office, rogue):
    before = stored(office)
    browser = Browser(office.alice)

    def start():
        page = browser.get("/")
        return browser.post("/oidc/corp/start", form(page.body, "/oidc/corp/start"), headers={"Accept": "application/json"})
    for metadata, reason in (({"issuer": "https://evil.example"}, "discovery_wrong_issuer"),
                             ({"token_endpoint": "http://id.office.example/token"}, "discovery_bad_endpoint"),
                             ({"response_types_supported": ["id_token"]}, "discovery_no_code_flow")):
        rogue.tell(metadata=metadata)

        def refused():
            reply = start()
            return reply.status == 403 and json.loads(reply.body)["reason"] == reason
        until(refused, 5, reason)
        tested = office.cli("provider", "test", "corp", "--json", expect=1)
        assert json.loads(tested.stdout)["reason"] == reason
        until(lambda reason=reason: refusals(office)[-1:] == [reason], 5, "it is in the log")
        nothing_stored(office, before)
    rogue.tell()
    assert office.json("provider", "test", "corp")["ok"] is True
    shown = office.cli("provider", "show", "corp", "--json").stdout + office.cli("provider", "list").stdout
    assert oidc.SECRET not in shown and oidc.SECRET.encode() not in office.store.read_bytes()
    # However many begin, the document is asked for once.
    rogue.tell(hits=1)
    until(lambda: start().status == 200, 5, "all is well again")
    for _ in range(10):
        assert start().status == 200
    assert rogue.tell(hits=1).get("/.well-known/openid-configuration", 0) <= 1


def test_a_silent_or_dead_provider_is_not_an_expired_session(office, rogue):
    browser = office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    page = browser.follow_hold() if office.alice.try_http(office.WIKI[4]) != "through" else browser.get("/")
    assert page.status in (200, 303)
    other = Browser(office.bob)
    rogue.kill()
    page = other.get("/")
    reply = other.post("/oidc/corp/start", form(page.body, "/oidc/corp/start"))
    assert reply.status == 503 and "Cannot verify who you are" in reply.body and "expired" not in reply.body.lower(), reply
    assert "cannot_verify_unreachable" in [row["reason"] for row in office.logged(
        lambda row: row.get("event") == "sign_in.refused")]
    assert flow.alive(), "sessions run to their end"
    assert re.search("Password", other.get("/").body), "and passwords are still good"


def test_two_providers_are_two(office, rogue):
    """What is good of one is nothing to the other: a state, a subject, an algorithm, a logout."""
    before = stored(office)
    other = f"https://{oidc.OTHER_HOST}"
    second = oidc.Provider(office, "rogue_provider.cjs", rogue.files, oidc.beyond(office), other)
    office.cli("provider", "add", "sso", "--issuer", other, "--client-id", "gate", "--secret-file", "-", "--ca", rogue.files[0],
               "--algorithm", "ES256", input="another secret\n")
    browser = Browser(office.alice)

    def refused(reason: str, at: str, **query) -> None:
        reply = come_back(browser, at=at, **query)
        assert (reply.status, json.loads(reply.body)["reason"]) == (403, reason), reply
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"])
    refused("state_of_another_provider", "sso", state=sent["state"], iss=other)
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"])
    refused("wrong_iss_parameter", "corp", state=sent["state"], iss=other)
    # The very same subject, but of the other one: nobody here; and RS256 is good for corp alone.
    for order, reason in (({}, "alg_not_allowed"), ({"alg": "ES256", "key": "p256"}, "unknown_subject")):
        sent = begin(office, browser, at="sso", issuer=other)
        second.tell(nonce=sent["nonce"], **order)
        refused(reason, "sso", state=sent["state"], iss=other)
    nothing_stored(office, before)
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"])
    assert come_back(browser, state=sent["state"]).status == 200
    # The other's word for a logout of that subject ends nothing.
    body = urllib.parse.urlencode({"logout_token": second.tell(logout="j1", alg="ES256", key="p256")}).encode()
    told = browser.request("POST", "/oidc/sso/logout", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    assert told.status == 200, told
    assert office.alice.try_http(office.WIKI[4]) == "through"
    assert "another secret" not in office.cli("log", "--json").stdout


def test_a_provider_that_takes_no_code_challenge(office, rogue):
    rogue.tell(metadata={"code_challenge_methods_supported": ["plain"]})
    browser = Browser(office.alice)
    reply = browser.post("/oidc/corp/start", form(browser.get("/").body, "/oidc/corp/start"), headers={"Accept": "application/json"})
    assert (reply.status, json.loads(reply.body)["reason"]) == (403, "no_pkce"), reply
    assert json.loads(office.cli("provider", "test", "corp", "--json", expect=1).stdout)["reason"] == "no_pkce"
    until(lambda: refusals(office) == ["no_pkce"], 5, "it is in the log")


def test_a_provider_that_does_not_ask_again_although_it_should(office):
    rogue = oidc.start(office, "rogue_provider.cjs", session="0")
    office.cli("provider", "link", "corp", "alice-1", "alice")
    before = stored(office)
    browser = Browser(office.alice)
    browser.follow_hold()
    sent = begin(office, browser, browser.code)
    assert (sent["prompt"], sent["max_age"]) == ("login", "60")
    rogue.tell(nonce=sent["nonce"], claims={"auth_time": "-50"})
    reply = come_back(browser, state=sent["state"])
    assert (reply.status, json.loads(reply.body)["reason"]) == (403, "auth_time_too_old"), reply
    nothing_stored(office, before)
    sent = begin(office, browser, browser.code)
    rogue.tell(nonce=sent["nonce"])
    assert come_back(browser, state=sent["state"]).status == 200, "who did sign in anew"


def tell_of_logout(office, token: str):
    stranger = Browser(office.bob)
    stranger.cookies.clear()
    return stranger.request("POST", "/oidc/corp/logout", {"Content-Type": "application/x-www-form-urlencoded"},
                            urllib.parse.urlencode({"logout_token": token}).encode())


def test_who_signs_out_there_while_signing_in_here_is_not_let_in(office, rogue):
    before = stored(office)
    browser = Browser(office.alice)
    sent = begin(office, browser)
    assert tell_of_logout(office, rogue.tell(logout="j1")).status == 200
    rogue.tell(nonce=sent["nonce"])
    reply = come_back(browser, state=sent["state"])
    assert reply.status == 403 and json.loads(reply.body)["reason"] == "logged_out_meanwhile", reply
    nothing_stored(office, before)
    until(lambda: refusals(office) == ["logged_out_meanwhile"], 5, "it is in the log")
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"])
    assert come_back(browser, state=sent["state"]).status == 200, "what is begun after that counts"


def test_its_documents_open_nothing_that_is_protected(office):
    def strict(office):
        office.cli("set", "unprotected", "deny")
        office.cli("resource", "add", "servers", "--to", "10.88.0.0/24:443/tcp", "--to", "203.0.113.0/28:443/tcp")
        office.cli("policy", "add", "servers", "--resource", "servers", "--anyone")
    rogue = oidc.start(office, "rogue_provider.cjs", before=strict, address=oidc.beyond(office))

    def verdict(address: str, port: int = 443) -> tuple:
        told = office.explain(office.alice, address, port)
        return told["verdict"], told["reason"]
    opened = ("allow", "identity_provider")
    browser = Browser(office.alice)
    rogue.tell(metadata={"end_session_endpoint": "https://203.0.113.80:8443/out"})
    browser.post("/oidc/corp/start", form(browser.get("/").body, "/oidc/corp/start"))
    until(lambda: verdict("203.0.113.80", 8443) == opened, 5, "what its documents say is believed where nothing is")
    assert verdict("203.0.113.80") == ("deny", "unprotected")
    said = office.logged(lambda row: row.get("event") == "provider.hosts")
    assert said[-1]["detail"] == f"corp: everybody is sent to 203.0.113.80:8443 {oidc.HOST}:443", said
    for places in ({"10.88.0.9": ("sign_in", "no_sign_in"), "192.168.7.7": ("deny", "unprotected")},
                   {"203.0.113.9": ("sign_in", "no_sign_in"), "fd88::9": ("deny", "unprotected")}):
        office.gates[-1].stop()
        office.serve()  # it asks for the document again
        first, second = (f"[{place}]" if ":" in place else place for place in places)
        rogue.tell(metadata={"authorization_endpoint": f"https://{first}/auth", "end_session_endpoint": f"https://{second}/out"})
        browser = Browser(office.alice)
        browser.post("/oidc/corp/start", form(browser.get("/").body, "/oidc/corp/start"))
        until(lambda: {host for host, in office.query("SELECT host FROM provider_host")} == {oidc.HOST, *places}, 5, "read")
        until(lambda: verdict("203.0.113.80", 8443) == ("deny", "unprotected"), 5, "and no longer the other")
        assert {place: verdict(place) for place in places} == places
        assert verdict(oidc.BEYOND) == opened


def test_logout_tokens(office, rogue):
    browser = Browser(office.alice)

    def sign_in():
        sent = begin(office, browser)
        rogue.tell(nonce=sent["nonce"])
        assert come_back(browser, state=sent["state"]).status == 200

    def logout(token):
        return tell_of_logout(office, token)
    sign_in()
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    bad = {"wrong_audience": {"claims": {"aud": "another"}}, "has_nonce": {"claims": {"nonce": "n"}}, "missing_jti": {"claims": {
        "jti": None}}, "missing_event": {"claims": {"events": None}}, "missing_who": {"claims": {"sub": None}},
           "stale_token": {"claims": {"iat": "-600"}}, "wrong_signature": {"sign": "other"}, "alg_none": {"alg": "none"}}
    for reason, lie in bad.items():
        reply = logout(rogue.tell(logout="j0", **lie))
        assert reply.status == 400 and json.loads(reply.body)["error_description"] == reason, (reason, reply)
    for junk in ("", "a.b.c", "x" * 5000):
        assert logout(junk).status == 400
    assert flow.alive(), "nobody was signed out by any of these"
    good = rogue.tell(logout="j1")
    began = time.time()
    assert logout(good).status == 200
    assert flow.wait_end(3) - began < 1
    assert office.json("session", "list") in ([], {"sessions": []})
    sign_in()
    again = logout(good)
    assert again.status == 400 and json.loads(again.body)["error_description"] == "used_jti"
    assert office.alice.flow(office.PAYROLL[4], office.ECHO).alive()


def test_a_logout_token_that_names_only_a_session(office, rogue):
    browser = Browser(office.alice)
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"], claims={"sid": "s1"})
    assert come_back(browser, state=sent["state"]).status == 200
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)

    def ended(sid: str, jti: str) -> bool:
        assert tell_of_logout(office, rogue.tell(logout=jti, claims={"sub": None, "sid": sid})).status == 200
        return not office.json("session", "list")
    assert not ended("s2", "j1") and flow.alive(), "another session there"
    began = time.time()
    assert ended("s1", "j2"), "the same one"
    assert flow.wait_end(3) - began < 1
    office.logged(lambda row: row["event"] == "session.end" and (row["user"], row["reason"]) == ("alice", "provider_logout"))
    assert office.alice.try_http(office.WIKI[4]) != "through"
