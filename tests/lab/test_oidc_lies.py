"""Every lie of a rogue OpenID provider is refused under its own name, and nothing is stored: no sign-in, no device although
anybody's is enrolled here, and neither user nor group although they are made of what the provider says."""
import json
import time

import pytest

import oidc
from client import Browser
from lab import until
from test_oidc_rogue import begin, come_back, nothing_stored, patient, refusals, stored

LIES = {
    "wrong_issuer": {"claims": {"iss": "https://evil.example"}},
    "wrong_audience": {"claims": {"aud": "another"}},
    "wrong_azp": {"claims": {"aud": ["gate", "another"], "azp": "another"}},
    "wrong_nonce": {"claims": {"nonce": "another"}},
    "token_expired": {"claims": {"exp": "-60"}},
    "not_yet_valid": {"claims": {"nbf": "+120"}},
    "missing_sub": {"claims": {"sub": None}},
    "missing_iat": {"claims": {"iat": None}},
    "missing_exp": {"claims": {"exp": None}},
    "missing_auth_time": {"claims": {"auth_time": None}},
    "future_auth_time": {"claims": {"auth_time": "+120"}},
    "auth_time_too_old": {"claims": {"auth_time": "-7200"}},
    "stale_token": {"claims": {"iat": "-300"}},
    "alg_none": {"alg": "none"},
    "alg_symmetric": {"alg": "HS256"},
    "alg_not_allowed": {"alg": "RS512"},
    "unknown_key": {"header": {"kid": "nobody's"}},
    "unknown_crit": {"header": {"crit": ["b64"], "b64": True}},
    "weak_key": {"key": "weak"},
    "unfit_key": {"alg": "RS256", "header": {"kid": "p256"}},
    "wrong_signature": {"sign": "other"},
    "wrong_signature PS256": {"alg": "PS256", "sign": "other"},
    "wrong_signature ES256": {"alg": "ES256", "key": "p256", "sign": "otherec"},
    "wrong_at_hash": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "wrong_userinfo_sub": {"userinfo": {"sub": "bob-1"}},
    "too_many_groups": {"claims": {"groups": ["g"] * 300}},
    "unknown_subject": {"claims": {"sub": "alice-2"}, "userinfo": {"sub": "alice-2"}},
    "malformed_answer": {"at": {"/token": "{}"}},
    "code_refused": {"at": {"/token": 400}},
    "cannot_verify_failed": {"at": {"/token": 302}},
    "cannot_verify_failed 500": {"at": {"/token": 500}},
    "cannot_verify_too_large": {"at": {"/token": "huge"}},
    "cannot_verify_too_slow": {"at": {"/token": "drip"}},
    "cannot_verify_too_large userinfo": {"at": {"/userinfo": "huge"}},
}

# Of somebody who would get an account here.
CAROL = {"sub": "carol-1", "preferred_username": "carol"}
NAMES = {
    "name_taken": {"claims": {"preferred_username": "alice"}},
    "name_taken in another case": {"claims": {"preferred_username": "ALICE"}},
    "no_usable_name": {"claims": {"preferred_username": None}},
}
SLOW = ("cannot_verify_too_slow",)  # whom it is about is never heard


def of_carol(lie: dict) -> dict:
    return {**lie, "claims": {**CAROL, **lie.get("claims", {})}, "userinfo": {"sub": "carol-1", **lie.get("userinfo", {})}}


@pytest.mark.parametrize("creates", [False, True], ids=["users who are known", "users who are made"])
def test_every_lie_has_its_name_and_is_refused(office, creates):
    rogue = oidc.start(office, "rogue_provider.cjs", "--groups-claim", "groups", *(["--create-users"] if creates else []))
    office.cli("provider", "link", "corp", "alice-1", "alice")
    lies = LIES
    if creates:
        lies = {name: of_carol(lie) for name, lie in (LIES | NAMES).items() if name not in ("unknown_subject", *SLOW)}
    # From two machines: a source of twenty of them has to wait.
    browsers = [Browser(patient(office.alice)), Browser(patient(office.bob))]
    expected = []
    before = stored(office)
    assert not before["device"]
    for i, (name, lie) in enumerate(lies.items()):
        browser = browsers[i % 2]
        sent = begin(office, browser)
        rogue.tell(nonce=sent["nonce"], **lie)
        began = time.monotonic()
        reply = come_back(browser, state=sent["state"])
        assert time.monotonic() - began < 15, name
        reason = name.split()[0]
        assert reply.status in (403, 503) and json.loads(reply.body)["reason"] == reason, (name, reply)
        assert (reply.status == 503) == reason.startswith("cannot_verify"), (name, reply)
        expected.append(reason)
        nothing_stored(office, before)
    until(lambda: refusals(office) == expected, 5, "each in the log")
    # The truth, by the same way.
    browser = browsers[0]
    sent = begin(office, browser)
    rogue.tell(nonce=sent["nonce"], **(of_carol({}) if creates else {}))
    assert come_back(browser, state=sent["state"]).status == 200
    assert office.query("SELECT provider, methods FROM sign_in") == [("corp", "pwd")]
    assert office.json("user", "show", "carol" if creates else "alice")["groups"] == ["staff@corp"]
    changed = {"sign_in", "presence", "membership", "user_group", "device", "browser"} | ({"user", "identity"} if creates else set())
    assert {table for table, rows in stored(office).items() if rows != before[table]} == changed
    log = office.cli("log", "--json").stdout
    assert oidc.SECRET not in log and oidc.ACCESS_TOKEN not in log and sent["state"] not in log
