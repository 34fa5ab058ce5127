"""Machines: service tokens in a connection and at the portal, what each setting of `enrol` makes of them, and policies
that ask for machines. Real requests; bob's laptop stands for the NAS. What ends with a token is also in
test_service_tokens_carried.py, client certificates are in test_certificates.py."""
import datetime
import json
import os
import time

import pytest

from client import RESET, THROUGH, form
from lab import until

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
SOCKS, HTTP = 1080, 3128


def machines(office, enrol: str = "open", *device: str, expiry: str = "close"):
    """An office with a NAS (known by bob's MAC unless `device` says otherwise), its token, and a resource for it."""
    office.init()
    office.cli("set", "enrol", enrol)
    office.cli("set", "socks.listen", "lan")
    office.cli("set", "http.listen", "lan")
    office.cli("device", "add", "nas", *(device or ("--mac", office.bob.mac)))
    office.cli("resource", "add", "backup", "--to", f"{office.NEWS[4]}:{office.ECHO}/tcp", "--to",
               f"{office.NEWS[4]}:{office.HTTP}/tcp", "--to", f"[{office.NEWS[6]}]:{office.ECHO}/tcp")
    added = office.json("token", "add", "--device", "nas", "--resource", "backup", "--for", "90d")
    assert added["device"] == "nas" and added["user"] is None and added["secret"].startswith("nlt_")
    office.cli("policy", "add", "backup", "--resource", "backup", "--token", added["name"], "--session", "8h",
               "--on-expiry", expiry)
    gate = office.serve()
    gate.wait_line("the SOCKS proxy listens at 10.77.0.1:1080")
    gate.wait_line("the HTTP proxy listens at")
    return added["secret"]


def enrol(office, laptop, secret: str, *more: str, by: str = "field") -> tuple[int, dict]:
    """POST /enrol with curl, as a script on the machine would."""
    file = office.folder / "ca.pem"
    file.write_text(office.ca())
    how = {"field": ("-H", f"Authorization: Bearer {secret}", "-X", "POST"), "form": ("-d", f"token={secret}")}[by]
    done = laptop.curl("--cacert", str(file), "-w", "\n%{http_code}", *how, *more, f"https://{office.PORTAL}/enrol")
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body) if body else {}


def backup(office, laptop, timeout: float = 5) -> str:
    return laptop.try_tcp(office.NEWS[4], office.ECHO, timeout=timeout)


def by_proxy(office, laptop, way: str, user: str, address: str) -> int:
    gate = office.GATE[4]
    words = {"socks": ("--socks5", f"{gate}:{SOCKS}"), "proxy": ("--proxy", f"http://{gate}:{HTTP}"),
             "tunnel": ("--proxytunnel", "--proxy", f"http://{gate}:{HTTP}")}[way]
    done = laptop.curl("-w", "\n%{http_code} %{http_connect}", *words, "--proxy-user", user, f"http://{address}/")
    status, connect = done.stdout.rpartition("\n")[2].split()
    return int(status) or int(connect)


@pytest.mark.parametrize("way", ["socks", "proxy", "tunnel"])
def test_a_token_in_the_connection(office, way):
    secret = machines(office)
    nas = f"nas:{secret}"
    assert backup(office, office.bob) == RESET, "its place alone proves nothing"
    assert by_proxy(office, office.bob, way, nas, office.NEWS[4]) == 200
    assert by_proxy(office, office.bob, way, f"NAS:{secret}", office.NEWS[4]) == 200, "names in any case"
    for wrong in (f"nas:{secret[:-1]}x", f"bob:{secret}", f"alice:{secret}", "nas:", f"nas-1:{secret}"):
        assert by_proxy(office, office.bob, way, wrong, office.NEWS[4]) in (0, 407), wrong
    # It stands for no person, whoever may reach the wiki; and it is good for its own resource alone.
    assert by_proxy(office, office.bob, way, nas, office.WIKI[4]) in (0, 403)
    office.bob.sign_in("bob")
    assert by_proxy(office, office.bob, way, nas, office.WIKI[4]) in (0, 403)
    office.logged(lambda r: r["event"] == "flow.refused" and r["reason"] == "token_not_for_resource")
    # Another machine that has got hold of it.
    assert by_proxy(office, office.alice, way, nas, office.NEWS[4]) in (0, 403, 511)
    alice = office.alice.sign_in("alice")
    assert by_proxy(office, office.alice, way, nas, office.NEWS[4]) in (0, 403)
    office.logged(lambda r: r["event"] == "flow.refused" and r["reason"] == "credential_elsewhere")
    opened = office.logged(lambda r: r["event"] == "flow.open" and r.get("machine"))[0]
    assert (opened["machine"], opened["device"], opened["policy"]) == ("token nas-1", "nas", "backup")
    assert "user" not in opened
    # When it was last used is told once the gate has written it: at the latest when it stops.
    assert alice and office.gate.stop() == 0
    assert office.json("token", "list")[0]["last_used"] is not None
    assert secret not in office.cli("log", "--json").stdout + office.gate.text


def test_the_last_use_is_told_while_the_gate_runs(office):
    """Whatever carries it, and whoever's it is: written by the housekeeper's next round."""
    secret = machines(office)
    office.bob.sign_in("alice")
    spare = office.json("token", "add", "--device", "nas", "--name", "spare")
    sent = {"nas-1": ("socks", f"nas:{secret}", office.NEWS[4]), "spare": ("tunnel", f"nas:{spare['secret']}", office.NEWS[4])}
    office.cli("policy", "add", "spare", "--resource", "backup", "--token", "spare")
    persons = office.json("token", "add", "--user", "alice")
    sent[persons["name"]] = ("proxy", f"alice:{persons['secret']}", office.WIKI[4])
    unused = office.json("token", "add", "--user", "bob")["name"]

    def last_used() -> dict[str, str | None]:
        return {row["name"]: row["last_used"] for row in office.json("token", "list")}
    assert set(last_used().values()) == {None}
    running, began = office.gate.roles(), time.time()
    for way in sent.values():
        assert by_proxy(office, office.bob, *way) == 200, way
    ended = time.time()
    told = until(lambda: (found := last_used()) and all(found[name] for name in sent) and found, 65, "a round of 30 s")
    assert told.pop(unused) is None
    for name, at in told.items():
        assert began - 1 <= datetime.datetime.fromisoformat(at).timestamp() <= ended, (name, at)
    assert office.gate.roles() == running, "nothing was stopped for it"


def test_an_unlimited_token_passes_no_policy_for_persons(office):
    machines(office)
    office.cli("policy", "add", "all", "--resource", "backup", "--anyone")
    secret = office.json("token", "add", "--device", "nas", "--name", "other")["secret"]
    for address in (office.WIKI[4], office.NEWS[4]):
        assert by_proxy(office, office.bob, "proxy", f"nas:{secret}", address) == 403
    assert enrol(office, office.bob, secret)[0] == 200
    assert office.bob.try_http(office.WIKI[4]) == "511", "a person is asked for"
    assert backup(office, office.bob) == RESET
    for arguments, words in ((("--token", "other", "--anyone"), "two policies"), (("--token", "other", "--mfa", "1h"), "--mfa"),
                             (("--cert", "other", "--user", "alice"), "two policies"), (("--token", "nothing"), "nothing")):
        said = office.cli("policy", "add", "both", "--resource", "wiki", *arguments, expect=None)
        assert said.returncode in (2, 3) and words in said.stderr, said.stderr
    persons = office.json("token", "add", "--user", "alice")["name"]
    said = office.cli("policy", "add", "both", "--resource", "wiki", "--token", persons, expect=2)
    assert "person's" in said.stderr


def test_knocks_without_a_certificate_are_no_attempts(office):
    secret = machines(office)
    mtls = (office.GATE[4], 8444)
    office.cli("set", "portal.mtls", f"{mtls[0]}:{mtls[1]}")
    until(lambda: office.bob.try_tcp(*mtls, first=b"") != RESET, 20, "the portal has begun anew, and listens there")
    file = office.folder / "office-ca.pem"
    file.write_text(office.ca())
    for _ in range(25):
        done = office.bob.curl("--cacert", str(file), f"https://{office.PORTAL}:{mtls[1]}/enrol", "-X", "POST", "-w", "%{http_code}")
        assert done.stdout == "000", "no handshake without one"
    rows = office.logged(lambda r: r["event"] == "proof.refused" and r["reason"] == "no_certificate")
    assert len(rows) == 20, "and the log is not filled"
    assert enrol(office, office.bob, secret)[0] == 200


@pytest.mark.parametrize("by", ["field", "form"])
def test_enrolling_opens_what_the_token_is_for(office, by):
    secret = machines(office, "closed")  # the setting is about devices that are not known; this one is
    status, said = enrol(office, office.bob, secret, by=by)
    assert (status, said["device"], said["state"], said["machine"]) == (200, "nas", "active", "nas-1"), said
    assert until(lambda: backup(office, office.bob) == THROUGH, 2)
    assert office.bob.try_tcp(office.NEWS[6], office.ECHO) == THROUGH, "by the MAC: all its addresses"
    assert office.bob.try_http(office.WIKI[4]) == "511", "no person has come with it"
    assert backup(office, office.alice) == RESET
    row = office.logged(lambda r: r["event"] == "proof")[0]
    assert (row["device"], row["machine"]) == ("nas", "token nas-1")
    listed = office.json("session", "list")
    assert [(r["machine"], r["device"], r["resource"], r["verdict"]) for r in listed] == [
        ("token nas-1", "nas", "backup", "allow")]
    assert office.explain(office.bob, office.NEWS[4], office.ECHO)["machine"] == "token nas-1"
    assert office.json("token", "list")[0]["last_used"] is not None


def test_where_a_token_is_refused(office):
    secret = machines(office)
    persons = office.json("token", "add", "--user", "alice")["secret"]
    answers = [enrol(office, office.alice, secret), enrol(office, office.bob, secret[:-1] + "_"),
               enrol(office, office.bob, persons), enrol(office, office.alice, "nlt_" + "x" * 22)]
    assert len({json.dumps(a) for a in answers}) == 1 and answers[0][0] == 403, "whoever is refused is told nothing"
    assert enrol(office, office.bob, "")[0] == 400
    assert enrol(office, office.bob, secret, "-H", "Origin: https://evil.example")[0] == 403
    assert enrol(office, office.bob, secret, "-H", "Sec-Fetch-Site: cross-site")[0] == 403
    assert office.bob.browser().get("/enrol").status == 405
    wanted = ["another_mac", "unknown_token", "persons_token", "unknown_token"]
    rows = office.logged(lambda r: r["event"] == "proof.refused")
    until(lambda: [r["reason"] for r in office.log() if r["event"] == "proof.refused"] == wanted, 3, rows)
    assert office.query("SELECT count(*) FROM device_proof") == [(0,)]
    assert backup(office, office.bob) == RESET
    assert secret not in office.cli("log", "--json").stdout + office.gate.text


ENDS = {
    "token revoke": lambda office: office.cli("token", "revoke", "nas-1"),
    "device revoke": lambda office: office.cli("device", "revoke", "nas"),
    "device remove": lambda office: office.cli("device", "remove", "nas"),
    "device share": lambda office: office.cli("device", "share", "nas"),
    "session end": lambda office: office.cli("session", "end", "--device", "nas"),
    "policy removed": lambda office: office.cli("policy", "remove", "backup"),
    "ceiling": lambda office: office.cli("set", "session.max", "1s"),
}


@pytest.mark.parametrize("how", list(ENDS))
def test_a_machines_flow_ends_within_a_second(office, how):
    secret = machines(office, expiry="keep=12h")
    assert enrol(office, office.bob, secret)[0] == 200
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    if how == "ceiling":
        time.sleep(1.2)  # the proof is to be older than that
    ENDS[how](office)
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert backup(office, office.bob) == RESET


def test_a_token_that_runs_out_ends_its_flows(office):
    secret = machines(office)
    assert enrol(office, office.bob, secret)[0] == 200
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    end = time.time() + 2
    office.execute("UPDATE token SET expires_ms = ?", int(end * 1000))  # as `--for` would have it, 90 days from now
    assert 0 <= flow.wait_end(6) - end <= 1.0 + SLACK
    assert backup(office, office.bob) == RESET
    assert enrol(office, office.bob, secret)[0] == 403
    assert office.logged(lambda r: r["event"] == "proof.refused")[0]["reason"] == "token_expired"
    assert by_proxy(office, office.bob, "proxy", f"nas:{secret}", office.NEWS[4]) == 407


def test_a_machine_without_a_place_is_enrolled_as_the_setting_says(office):
    secret = machines(office, "closed", "--unseen")
    assert enrol(office, office.bob, secret)[0] == 403
    office.logged(lambda r: r["event"] == "proof.refused" and r["reason"] == "not_enrolled")
    assert office.json("device", "show", "nas")["mac"] is None
    assert by_proxy(office, office.bob, "proxy", f"nas:{secret}", office.NEWS[4]) == 200, "known by what it sends"

    office.cli("set", "enrol", "approve")
    status, said = enrol(office, office.bob, secret)
    assert (status, said["state"]) == (200, "pending")
    assert office.json("device", "show", "nas")["mac"] == office.bob.mac
    assert backup(office, office.bob) == RESET
    assert office.explain(office.bob, office.NEWS[4], office.ECHO)["reason"] == "device_pending"
    office.cli("device", "approve", "nas")
    until(lambda: backup(office, office.bob) == THROUGH, 2, "and then it is in")
    assert by_proxy(office, office.alice, "proxy", f"nas:{secret}", office.NEWS[4]) in (403, 511), "it has a place now"
    assert enrol(office, office.alice, secret)[0] == 403


def test_open_takes_a_machine_in_at_once(office):
    secret = machines(office, "open", "--unseen")
    status, said = enrol(office, office.bob, secret)
    assert (status, said["state"]) == (200, "active")
    assert office.json("device", "show", "nas")["mac"] == office.bob.mac
    until(lambda: backup(office, office.bob) == THROUGH, 2)
    assert [r["device"] for r in office.logged(lambda r: r["event"] == "device.enrolled")] == ["nas"]


def test_the_place_of_another_device_is_not_taken(office):
    secret = machines(office, "open", "--unseen")
    office.bob.sign_in("bob")
    assert enrol(office, office.bob, secret)[0] == 403
    office.logged(lambda r: r["event"] == "proof.refused" and r["reason"] == "another_mac")
    assert office.json("device", "show", "nas")["mac"] is None


@pytest.mark.parametrize("setting", ["open", "approve", "closed"])
def test_what_a_sign_in_enrols(office, setting):
    office.init()
    office.cli("set", "enrol", setting)
    office.serve()
    browser = office.alice.browser()
    if setting == "closed":
        assert office.alice.try_http(office.WIKI[4]) != THROUGH
        page = browser.get("/")
        assert page.status == 403 and "not known here" in page.body
        assert office.json("device", "list") == []
        return
    reply = browser.submit(browser.follow_hold(), "alice")
    assert reply.status == 303
    device = office.json("device", "list")[0]
    assert (device["owner"], device["state"]) == ("alice", "active" if setting == "open" else "pending")
    if setting == "approve":
        assert office.alice.try_http(office.WIKI[4]) != THROUGH
        office.cli("device", "approve", device["name"])
    until(lambda: office.alice.try_http(office.WIKI[4]) == THROUGH, 2)


def test_two_hundred_wrong_tokens(office):
    secret = machines(office)
    file = office.folder / "ca.pem"
    file.write_text(office.ca())
    config = office.folder / "many"
    config.write_text("".join(
        ("next\n" if n else "") + f'url = "https://{office.PORTAL}/enrol"\ncacert = "{file}"\nsilent\n'
        f'header = "Authorization: Bearer nlt_{n:022d}"\nrequest = POST\noutput = /dev/null\nwrite-out = "%{{http_code}} "\n'
        for n in range(200)))
    codes = office.alice.ns.run("curl", "-K", str(config)).stdout.split()
    assert codes == ["403"] * 5 + ["429"] * 195, codes
    assert enrol(office, office.alice, secret)[0] == 429
    assert enrol(office, office.bob, secret)[0] == 200, "from elsewhere the right one works"
    rows = [r["event"] for r in office.log() if r["event"].startswith("proof.")]
    assert len(rows) <= 6 and "proof.throttled" in rows, rows


def test_a_person_is_told_that_only_machines_may(office):
    machines(office)
    page = office.alice.get(office.NEWS[4], accept="text/html,*/*")
    assert page.status == 302
    told = office.alice.browser().get("/" + page.location.split("/", 3)[3])
    assert told.status == 200 and "Only machines may use backup" in told.body and 'name="password"' not in told.body
    assert office.alice.get(office.NEWS[4]).status == 511
    assert office.explain(office.alice, office.NEWS[4], office.ECHO)["reason"] == "machines_only"
    browser = office.alice.sign_in("alice")
    told = browser.get("/" + page.location.split("/", 3)[3])
    assert "Only machines may use backup" in told.body and 'name="password"' not in told.body


def test_a_person_and_a_machine_on_one_device(office):
    """Each is judged by its own first policy; one that refuses the person who is there, and stands first, refuses."""
    secret = machines(office)
    assert enrol(office, office.bob, secret)[0] == 200
    bob = office.bob.sign_in("bob")
    assert until(lambda: backup(office, office.bob) == THROUGH, 2), "the machine's own policy"
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    office.cli("policy", "add", "not-bob", "--resource", "backup", "--user", "bob", "--deny", "--before", "backup")
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert office.explain(office.bob, office.NEWS[4], office.ECHO)["policy"] == "not-bob"
    bob.press("/me/sign-out")
    until(lambda: backup(office, office.bob) == THROUGH, 2, "nobody is there whom it refuses")
    bob = office.bob.sign_in("bob")
    until(lambda: backup(office, office.bob) == RESET, 2)
    office.cli("policy", "move", "not-bob")
    until(lambda: backup(office, office.bob) == THROUGH, 2, "the machine's policy stands first")
    flow = office.bob.flow(office.NEWS[4], office.ECHO)
    bob.press("/me/sign-out")
    time.sleep(0.5)
    assert flow.alive(), "the machine's flow is not bob's"
    flow.close()


# -- a user's own devices ----------------------------------------------------------------------------------------------

def devices_on_me(browser) -> list[dict]:
    return json.loads(browser.get("/me", headers={"Accept": "application/json"}).body)["devices"]


def test_a_user_sees_and_removes_their_own_devices(office):
    office.start()
    here, there = office.alice.sign_in("alice"), office.bob.sign_in("alice")
    office.cli("device", "add", "server", "--mac", "02:00:00:00:77:77", "--user", "bob")
    listed = devices_on_me(here)
    assert len(listed) == 2 and [d["here"] for d in listed].count(True) == 1
    mine = next(d for d in listed if d["here"])
    other = next(d for d in listed if not d["here"])
    assert mine["last_sign_in"] and mine["state"] == "active"
    page = here.get("/me")
    assert page.body.count('action="/me/devices/remove"') == 2 and "This device" in page.body
    assert mine["device"] in here.get("/me", headers={"Accept": "text/plain"}).body

    # Somebody else's device, with a token that is good for another form.
    server = office.query("SELECT id FROM device WHERE name = 'server'")[0][0]
    assert here.post("/me/devices/remove", {"device": server, "token": other["remove_token"]}).status == 403
    assert office.json("device", "show", "server")["owner"] == "bob"

    flow = office.bob.flow(office.PAYROLL[4], office.ECHO)
    other = next(d for d in devices_on_me(here) if not d["here"])
    reply = here.post("/me/devices/remove", {"device": other["id"], "token": other["remove_token"]})
    assert reply.status == 200 and "is removed" in reply.body
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert office.bob.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
    assert "Your sessions" not in there.get("/me").body
    assert [d["here"] for d in devices_on_me(here)] == [True]

    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    page = here.get("/me")
    reply = here.post("/me/devices/remove", form(page.body, "/me/devices/remove"))
    done = time.time()
    assert reply.status == 200 and "signed out" in reply.body and not any("nl" == c[-2:] for c in here.cookies)
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert here.get("/me").body.count('name="password"') == 1
    rows = office.logged(lambda r: r["event"] == "device.removed")
    assert {r["user"] for r in rows} == {"alice"}


def test_a_stolen_laptop_is_one_command_and_stays_out(office):
    office.start()
    browser, elsewhere = office.alice.sign_in("alice"), office.bob.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    stolen = next(d["device"] for d in devices_on_me(browser) if d["here"])
    office.cli("device", "revoke", stolen)
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    row = next(d for d in devices_on_me(elsewhere) if d["device"] == stolen)
    assert row["state"] == "revoked" and "remove_token" not in row, "or it could enrol again"
    page = office.alice.browser().get("/")
    assert page.status == 403 and "revoked" in page.body
