"""A real OpenID provider (npm's oidc-provider), and a real Chromium as the user."""
import contextlib
import json
import pathlib
import re
import ssl
import threading
import time

import pytest

import oidc
from client import Browser
from lab import until
from test_browser import Chromium
from test_oidc_rogue import begin, come_back

AT_PROVIDER = r"^https://id\.office\.example/interaction/"
ON_HOLD = r"/k/[A-Z0-9]+$"
RETURNED = r"^https://gate\.office\.example/(oidc/corp/callback\?.*|k/[A-Z0-9]+|me)$"


OPTIONS = ("--groups-claim", "groups", "--scope", "profile", "--scope", "email", "--scope", "groups", "--mfa-acr", "gold")


@pytest.fixture
def corp(office):
    oidc.install_node()
    provider = oidc.start(office, "real_provider.mjs", *OPTIONS)
    office.cli("provider", "link", "corp", "alice", "alice")
    return provider


@contextlib.contextmanager
def chromium(office, provider):
    leaf = pathlib.Path(provider.files[1]).read_text()
    with Chromium(office.alice, trusted=(leaf,)) as browser:
        yield browser


def hold(office, browser) -> dict:
    page = browser.open(f"http://{office.WIKI[4]}/")
    assert re.search(ON_HOLD, page["url"]), page
    return page


def press(browser, name: str, lands: str, **fields: str) -> dict:
    page = browser.do(press={"name": name, "lands": lands, "fields": fields})
    assert "error" not in page, page
    return page


def by_corp(browser, account: str, button: str = "Sign in with corp") -> dict:
    """To the provider, where one says who one is, and back."""
    press(browser, button, AT_PROVIDER)
    return press(browser, "Log in", RETURNED, Account=account)


def test_sign_in_and_silent_answers_by_their_age(office, corp):
    corp.order("lenient")  # the provider itself does not look at max_age: we do
    with chromium(office, corp) as browser:
        hold(office, browser)
        connected = by_corp(browser, "alice-1200")
        assert connected["heading"] == "Connected" and "told us so at" in connected["text"], connected
        (at, recorded, methods), = office.query("SELECT at_ms, recorded_ms, methods FROM sign_in")
        assert 1195_000 < recorded - at < 1230_000 and methods == "pwd", "it counts from when she authenticated there"
        assert office.alice.try_http(office.WIKI[4]) == "through"
        left = office.deadline(office.alice, office.WIKI[4], office.HTTP) - time.time()
        assert 2340 < left < 2405, left
        assert office.json("user", "show", "alice")["groups"] == ["staff@corp"], "a name with a blank can be no group"
        # Signed out here and not there: a silent answer, young enough.
        assert browser.open(f"https://{office.PORTAL}/me")["heading"] == "Your sessions"
        signed_out = press(browser, "Sign out", "/me/sign-out$")
        assert "still be signed in at corp" in signed_out["text"], signed_out
        assert office.alice.try_http(office.WIKI[4]) != "through"
        hold(office, browser)
        again = press(browser, "Sign in with corp", RETURNED)
        assert again["heading"] == "Connected", again
        # A silent answer that is too old is refused, with both times; nothing is stored.
        browser.open(f"https://{office.PORTAL}/me")
        press(browser, "Sign out", "/me/sign-out$")
        press(browser, "Sign out at corp too", r"^https://id\.office\.example/session/end")
        press(browser, "Yes, sign me out", rf"^https://{re.escape(office.PORTAL)}/")
        hold(office, browser)
        stored = office.query("SELECT count(*) FROM sign_in")
        old = by_corp(browser, "alice-7200")
        assert old["heading"] == "That sign-in is too old", old
        assert re.search(r"signed in there at 20\S+Z, 2 h ago.*less than 1 h old, and now it is 20\S+Z", old["text"], re.S), old
        assert office.query("SELECT count(*) FROM sign_in") == stored
        refused = office.logged(lambda row: row.get("reason") == "auth_time_too_old")
        assert len(refused) == 1 and "7200" not in json.dumps(refused)
        # The provider knows her now, and answers without a word to her: no better.
        hold(office, browser)
        silent = press(browser, "Sign in with corp", r"/oidc/corp/callback\?")
        assert silent["heading"] == "That sign-in is too old", silent
        assert office.query("SELECT count(*) FROM sign_in") == stored
        # And anew: the provider has to ask again.
        assert by_corp(browser, "alice", "Sign in anew with corp")["heading"] == "Connected"
        assert office.alice.try_http(office.WIKI[4]) == "through"


def test_step_up_by_acr_values(office, corp):
    office.cli("policy", "remove", "wiki")
    office.cli("policy", "add", "wiki", "--resource", "wiki", "--group", "staff@corp", "--session", "1h", "--mfa", "10m")
    with chromium(office, corp) as browser:
        hold(office, browser)
        asked = by_corp(browser, "alice")
        assert "more than a password" in asked["heading"] or "One more step" in asked["heading"], asked
        assert office.alice.try_http(office.WIKI[4]) != "through"
        assert by_corp(browser, "alice+mfa", "Confirm with corp")["heading"] == "Connected"
        assert office.alice.try_http(office.WIKI[4]) == "through"
        (methods,), = office.query("SELECT methods FROM sign_in ORDER BY id DESC LIMIT 1")
        assert "mfa" in methods.split()


def test_keys_change_in_mid_flight_and_every_time_is_every_time(office, corp):
    office.cli("policy", "remove", "wiki")
    office.cli("policy", "add", "wiki", "--resource", "wiki", "--anyone", "--session", "0")
    with chromium(office, corp) as browser:
        hold(office, browser)
        assert by_corp(browser, "alice")["heading"] == "Connected"
        browser.open(f"https://{office.PORTAL}/me")
        press(browser, "Sign out", "/me/sign-out$")
        hold(office, browser)
        press(browser, "Sign in with corp", AT_PROVIDER)  # although the provider knows her: prompt=login
        corp.order("rotate")
        assert press(browser, "Log in", RETURNED, Account="alice")["heading"] == "Connected"


def test_a_logout_at_the_provider_ends_sessions_here(office, corp):
    with chromium(office, corp) as browser:
        hold(office, browser)
        assert by_corp(browser, "alice")["heading"] == "Connected"
        flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
        browser.open("https://id.office.example/session/end")
        ended = []
        watch = threading.Thread(target=lambda: ended.append(flow.wait_end(20)))
        watch.start()
        press(browser, "Yes, sign me out", r"^https://id\.office\.example/")
        watch.join()
        (told,), = office.query("SELECT at_ms FROM logout_token")
        assert ended[0] - told / 1000 < 1, f"told at {told / 1000}, ended at {ended[0]}"
        assert office.json("session", "list") in ([], {"sessions": []})
        office.logged(lambda row: row.get("reason") == "provider_logout" and row.get("user") == "alice")
        assert hold(office, browser)["heading"] == "Sign in to reach wiki"


def test_users_are_made_and_never_taken_over(office, corp):
    with chromium(office, corp) as browser:
        page = browser.open(f"https://{office.PORTAL}/")
        assert page["heading"] == "Sign in"
        stranger = by_corp(browser, "bob")
        assert stranger["heading"] == "Nobody here goes by that account", stranger
        office.logged(lambda row: row.get("reason") == "unknown_subject" and "subject bob" in row.get("detail", ""))
        assert office.query("SELECT count(*) FROM sign_in") == [(0,)]


def test_who_is_new_becomes_a_user_and_the_secret_goes_in_the_form(office):
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs", *OPTIONS, "--create-users")
    corp.order("post")
    office.cli("policy", "add", "staff", "--resource", "wiki", "--group", "staff@corp", "--before", "wiki")
    with chromium(office, corp) as browser:
        hold(office, browser)
        assert by_corp(browser, "carol")["heading"] == "Connected"
        carol, = (u for u in office.json("user", "list") if u["name"] == "carol")
        assert "staff@corp" in carol["groups"]
        assert office.explain(office.alice, office.WIKI[4], office.HTTP)["policy"] == "staff"
        office.logged(lambda row: row.get("event") == "user.created" and row.get("user") == "carol")
        browser.open(f"https://{office.PORTAL}/me")
        press(browser, "Sign out", "/me/sign-out$")
        # Alice has an account here that no one has linked: whoever is called that there is not her.
        browser.open("https://id.office.example/session/end")
        press(browser, "Yes, sign me out", r"^https://id\.office\.example/")
        hold(office, browser)
        said = by_corp(browser, "alice")
        assert said["heading"] != "Connected", said
    assert office.query("SELECT u.name FROM presence p JOIN user u ON u.id = p.user_id") == []
    assert len(office.query("SELECT 1 FROM sign_in")) == 1
    office.logged(lambda row: row.get("event") == "sign_in.refused" and "subject alice" in row.get("detail", ""))


def test_who_has_an_address_alone_is_called_by_it_if_it_is_verified(office):
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs", *OPTIONS, "--create-users")
    with chromium(office, corp) as browser:
        hold(office, browser)
        assert by_corp(browser, "mailunproven")["heading"] != "Connected"
        office.logged(lambda row: row.get("reason") == "no_usable_name")
        browser.open("https://id.office.example/session/end")
        press(browser, "Yes, sign me out", r"^https://id\.office\.example/")
        hold(office, browser)
        assert by_corp(browser, "maildora")["heading"] == "Connected"
    assert {u["name"] for u in office.json("user", "list")} == {"alice", "bob", "maildora"}


def strict(office):
    office.cli("set", "unprotected", "deny")


def reaching(office, corp):
    """Whether a laptop on which nobody is signed in gets to the provider, whose certificate proves that it is that."""
    tls = ssl.create_default_context(cafile=corp.files[0])

    def reaches() -> bool:
        with contextlib.suppress(OSError), office.alice.open(corp.address, 443) as sock:
            with tls.wrap_socket(sock, server_hostname=oidc.HOST):
                return True
        return False
    return reaches


def test_its_hosts_are_reachable_before_anybody_is_signed_in(office):
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs", before=strict, address=oidc.beyond(office))
    reaches = reaching(office, corp)
    until(reaches, 15, "the provider, from a laptop that nobody is signed in on")
    verdict = office.explain(office.alice, corp.address, 443)
    assert (verdict["verdict"], verdict["reason"]) == ("allow", "identity_provider"), verdict
    assert office.explain(office.alice, corp.address, 80)["verdict"] == "deny", "its other ports are as they were"
    assert office.json("provider", "test", "corp")["closed_places"] == []
    # A resource that it is within counts; and so does taking the provider away.
    office.cli("resource", "add", "partners", "--to", "198.51.100.0/24:443/tcp")
    office.cli("policy", "add", "partners", "--resource", "partners", "--anyone")
    until(lambda: not reaches(), 5, "the resource counts")
    office.cli("policy", "remove", "partners")
    office.cli("resource", "remove", "partners")
    until(reaches, 5)
    office.cli("provider", "disable", "corp")
    until(lambda: not reaches(), 5, "a provider that is not offered is nobody special")
    assert corp.process.poll() is None


def test_a_provider_within_the_office_is_reached_when_an_admin_has_said_so(office):
    def intranet(office):
        office.cli("resource", "add", "intranet", "--to", "10.88.0.0/16:443/tcp")
        office.cli("policy", "add", "intranet", "--resource", "intranet", "--anyone")
    oidc.install_node()
    corp = oidc.start(office, "real_provider.mjs", before=intranet)
    reaches = reaching(office, corp)
    place = f"{oidc.HOST} ({corp.address}:443) is within the resource intranet: whoever is not signed in cannot reach it"
    until(lambda: office.json("provider", "test", "corp", expect=None)["closed_places"] == [place], 10)
    assert office.json("provider", "test", "corp", expect=1)["ok"] is False
    office.gates[-1].wait_line(re.escape(f"an OpenID provider: {place}; "))
    assert office.explain(office.alice, corp.address, 443)["verdict"] == "sign_in"
    assert not reaches()
    told = [check for check in office.json("doctor", expect=None) if check["check"] == "providers"]
    command = f"nightlatch provider inside corp --host {oidc.HOST}:443"
    assert (told[0]["state"], told[0]["fix"]) == ("warn", f"if it belongs there: {command}"), told
    office.cli(*command.split()[1:])
    until(reaches, 15, "from a laptop that nobody is signed in on")
    verdict = office.explain(office.alice, corp.address, 443)
    assert (verdict["verdict"], verdict["reason"]) == ("allow", "identity_provider"), verdict
    assert office.json("provider", "test", "corp")["closed_places"] == []
    assert office.explain(office.alice, office.WIKI[4], 443)["verdict"] == "sign_in", "what is beside it is as it was"
    # A resource that is about this very server still counts; and an admin can take it back.
    office.cli("resource", "add", "sso", "--to", f"{corp.address}:443/tcp")
    until(lambda: not reaches(), 5, "the resource names it")
    office.cli("resource", "remove", "sso")
    until(reaches, 5)
    office.cli("provider", "inside", "corp", "--none")
    until(lambda: not reaches(), 5)


def test_a_provider_that_is_killed_twenty_times(office, corp):
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    browser = Browser(office.bob)
    for _ in range(20):
        sent = begin(office, browser)
        corp.kill()
        reply = come_back(browser, state=sent["state"])
        assert reply.status == 503 and json.loads(reply.body)["reason"] == "cannot_verify_unreachable", reply
        assert Browser(office.alice).get("/healthz").status == 200
        corp.start()
    refused = [row["reason"] for row in office.logged(lambda row: row.get("event") == "sign_in.refused")]
    until(lambda: len(office.logged(lambda row: row.get("event") == "sign_in.refused")) == 20, 5, f"{refused}")
    assert set(refused) == {"cannot_verify_unreachable"}
    assert office.gate.process.poll() is None
    assert flow.alive(), "who is signed in already is none the worse for it"
    office.cli("session", "end", "--all")
    with chromium(office, corp) as user:
        hold(office, user)
        assert by_corp(user, "alice")["heading"] == "Connected"
