"""`explain`, `status`, `session list` and `log` agree with what the wire did; observe mode; bad commands."""
import sqlite3
import subprocess
import threading

import pytest

import lab

from client import RESET, THROUGH
from lab import until


def test_explain_agrees_with_the_wire(office):
    office.start()
    before = office.explain(office.alice, office.WIKI[4], 80)
    assert before["verdict"] == "sign_in" and before["resource"] == "wiki"
    assert office.cli("explain", "--from", office.alice.address[4], "--to", f"{office.WIKI[4]}:80", expect=4).stdout
    office.alice.sign_in("alice")
    for family in (4, 6):
        assert office.alice.try_tcp(office.PAYROLL[family], office.ECHO) == THROUGH  # and the gate knows whose address it is
        verdict = office.explain(office.alice, office.PAYROLL[family], office.ECHO)
        assert (verdict["verdict"], verdict["policy"], verdict["user"]) == ("allow", "payroll", "alice")
        assert verdict["binding"] == "mac" and verdict["session_s"] == 8 * 3600 and verdict["age_s"] < 60
    office.cli("explain", "--from", office.alice.address[4], "--to", f"{office.WIKI[4]}:80", expect=0)
    office.bob.sign_in("bob")
    denied = office.explain(office.bob, office.PAYROLL[4], office.ECHO)
    assert denied["verdict"] == "deny"
    assert office.bob.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
    free = office.explain(office.bob, office.NEWS[4], 80)
    assert free["verdict"] == "allow" and free["reason"] == "unprotected"


def test_session_list_and_status_say_who_holds_what(office):
    office.start()
    assert office.json("status")["sessions"] == 0 if "sessions" in office.json("status") else True
    office.alice.sign_in("alice")
    rows = office.json("session", "list")
    mine = [row for row in rows if row["user"] == "alice"]
    assert mine and {row["resource"] for row in mine if "resource" in row} <= {"wiki", "payroll", "vault", "voice"}
    office.cli("session", "end", "--user", "alice")
    assert [row for row in office.json("session", "list") if row["user"] == "alice"] == []


def test_status_says_when_the_gate_is_not_running(office):
    office.init()
    office.cli("status", expect=6)
    gate = office.serve()
    office.cli("status")
    gate.stop()
    office.cli("status", expect=6)


def test_the_log_tells_what_happened(office):
    office.start()
    assert office.alice.try_http(office.WIKI[4]) == "511"
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    flow.close()
    office.cli("session", "end", "--user", "alice")

    def told():
        rows = office.log()
        ended = [r for r in rows if r.get("resource") == "payroll" and r.get("bytes_up") == 5 and r.get("bytes_down") == 5]
        asked = [r for r in rows if r.get("resource") == "wiki" and r.get("verdict") == "sign_in"]
        signed = [r for r in rows if r["event"] == "sign_in" and r.get("user") == "alice"]
        return rows if ended and asked and signed else None
    rows = until(told, 5, f"the log: {office.log()}")
    assert all(office.PASSWORD["alice"] not in str(row) for row in rows), "no secret in the log"
    assert {r.get("user") for r in office.log("--user", "alice")} == {"alice"}
    office.cli("doctor", expect=None)
    assert office.log("--since", "2099-01-01T00:00:00Z") == []


def test_the_log_can_be_followed(office):
    office.start()
    follower = subprocess.Popen(office.gate_ns.argv(lab.BINARY, "log", "--follow", "--user", "alice"), env=office.env,
                                stdout=subprocess.PIPE, text=True)
    try:
        office.alice.sign_in("alice")
        watchdog = threading.Timer(10, follower.kill)
        watchdog.start()
        assert any("sign_in" in line and "alice" in line for line in follower.stdout), "nothing came in 10 s"
        watchdog.cancel()
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()


def test_observe_mode_lets_through_and_says_what_it_would_have_asked(office):
    office.init()
    office.cli("set", "mode", "observe")
    office.serve()
    for family in (4, 6):
        assert office.alice.try_http(office.WIKI[family]) == THROUGH
        assert office.alice.try_tcp(office.PAYROLL[family], office.ECHO) == THROUGH
    until(lambda: [r for r in office.log() if r.get("verdict") == "sign_in" and r.get("resource") == "payroll"], 5,
          "the log says what would have been asked")
    office.cli("set", "mode", "enforce")
    until(lambda: office.alice.try_http(office.WIKI[4]) == "511", 1.5, "enforced again")


def test_settings_take_effect_without_a_restart(office):
    office.start()
    assert office.alice.try_http(office.NEWS[4]) == THROUGH
    office.cli("set", "unprotected", "deny")
    until(lambda: office.alice.try_http(office.NEWS[4]) != THROUGH, 2, "unprotected = deny")
    office.cli("set", "unprotected", "allow")
    until(lambda: office.alice.try_http(office.NEWS[4]) == THROUGH, 2, "unprotected = allow")


BAD = [
    (2, "frobnicate"), (2, "user", "ad", "x"), (2, "resource", "add", "r", "--to", "10.1.0.0/33:80/tcp"),
    (2, "resource", "add", "r", "--to", "10.1.0.0/24:0/tcp"), (2, "resource", "add", "r", "--to", "10.1.0.0/24:65536/tcp"),
    (2, "resource", "add", "r", "--to", "10.1.0/24:80/tcp"), (2, "resource", "add", "r", "--to", "10.1.0.1:80/sctp"),
    (2, "policy", "add", "p", "--resource", "wiki", "--anyone", "--session", "8"),
    (2, "policy", "add", "p", "--resource", "wiki", "--anyone", "--session", "-1h"),
    (3, "policy", "add", "p", "--resource", "absent", "--anyone"), (3, "policy", "add", "p", "--resource", "wiki", "--user", "zoe"),
    (2, "policy", "add", "p", "--resource", "wiki", "--anyone", "--on-expiry", "maybe"),
    (2, "policy", "add", "p", "--resource", "wiki", "--anyone", "--hours", "mon-someday"),
    (2, "resource", "add", "wiki", "--to", "10.1.0.1:80/tcp"), (2, "device", "add", "d", "--mac", "00-11-22-33-44"),
    (2, "user", "add", "a\nb", "--password-file", "-"), (2, "user", "add", "x" * 300, "--password-file", "-"),
    (2, "user", "add", "bell\a", "--password-file", "-"), (3, "user", "disable", "nobody-here"),
    (3, "device", "revoke", "nothing"), (3, "set", "no.such.setting", "1"), (2, "set", "enrol", "perhaps"),
    (2, "set", "session.max", "soon"), (2, "log", "--since", "yesterday-ish"), (2, "explain", "--to", "10.88.0.2:80"),
]


@pytest.mark.parametrize("words", BAD, ids=lambda w: " ".join(map(str, w))[:60].encode("unicode_escape").decode())
def test_bad_commands_change_nothing(prepared, words):
    office = prepared
    before = dump(office)
    done = office.cli(*words[1:], expect=None, input="a password here\n")
    assert done.returncode == words[0], f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.stderr.strip() and not done.stdout.strip(), "data on stdout, messages on stderr"
    assert dump(office) == before


def dump(office) -> list:
    with sqlite3.connect(f"file:{office.store}?mode=ro", uri=True) as db:
        return list(db.iterdump())


@pytest.fixture(scope="module")
def prepared():
    with lab.Office() as made:
        made.init()
        yield made
