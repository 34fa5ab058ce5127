"""200 wrong guesses, from one place and from many: stopped where they come from, and nobody else is kept out."""
import concurrent.futures
import contextlib
import json
import os
import socket
import threading
import time

import pytest

from client import Browser, form
from lab import until
from test_service_tokens import by_proxy, enrol, machines
from totp import code, secret_of

GUESSES = 200
PAIR, SOURCE = 5, 20  # what one source may fail at: with one account, and altogether (auth/throttle.h)


class Elsewhere(Browser):
    """A browser behind bob's laptop, at an address of its own that is not on the gate's link."""

    def __init__(self, laptop, address: str):
        super().__init__(laptop)
        self._address = address

    @contextlib.contextmanager
    def _plain(self):
        with self.laptop.ns.inside():
            sock = socket.socket()
        with sock:
            sock.settimeout(30)
            sock.bind((self._address, 0))
            sock.connect((self.office.GATE[4], 443))
            yield sock

    def request(self, *arguments, **kwargs):
        with self._plain() as plain:
            self.laptop = _Once(plain, self.laptop)
            try:
                return super().request(*arguments, **kwargs)
            finally:
                self.laptop = self.laptop.real


class _Once:
    """Stands for a laptop whose next connection is there already."""

    def __init__(self, plain, real):
        self._plain, self.real = plain, real

    def open(self, *_):
        return self._plain


@pytest.fixture
def many(office):
    """A gate, and a hundred addresses behind bob's laptop."""
    office.start()
    return behind_bob(office)


def behind_bob(office):
    office.gate_ns.ip(f"route add 10.99.0.0/24 via {office.bob.address[4]}")
    office.bob.ns.ip(*(f"addr add 10.99.0.{n}/32 dev lo" for n in range(1, 102)))
    return office


def guess(browser, user: str, password: str) -> int:
    while True:
        status = browser.submit(browser.get("/"), user, password).status
        if status != 503:  # too many at the same moment: that one did not count
            return status


def test_passwords_from_one_address(many):
    office = many
    browser = office.alice.browser()
    seen = [guess(browser, "alice", f"wrong guess {n}") for n in range(GUESSES)]
    assert seen[:PAIR] == [403] * PAIR and set(seen[PAIR:]) == {429}, seen
    # Other accounts, and ones that are none, until the source has had enough.
    others = [guess(browser, f"nobody{n}", "wrong guess") for n in range(GUESSES)]
    assert others.count(403) == SOURCE - PAIR and others.index(429) == SOURCE - PAIR, others
    assert guess(browser, "alice", office.PASSWORD["alice"]) == 429, "the right one neither, from here"
    assert guess(office.bob.browser(), "alice", office.PASSWORD["alice"]) in (302, 303), "but from elsewhere"
    rows = office.logged(lambda r: r["event"] == "sign_in.throttled")
    assert 1 <= len(rows) <= 3, "a line for each window, not for each guess"


def test_passwords_from_many_addresses(many):
    office = many
    lock, seen = threading.Lock(), []

    def one(number: int):
        browser = Elsewhere(office.bob, f"10.99.0.{number % 100 + 1}")
        status = guess(browser, "alice", f"wrong guess {number}")
        with lock:
            seen.append(status)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(GUESSES)))
    assert set(seen) == {403}, "two from each address: nobody is stopped, and the account only gets slower"
    last = Elsewhere(office.bob, "10.99.0.101")
    assert guess(last, "alice", office.PASSWORD["alice"]) in (302, 303)


def codes(browser, typed: list[str]) -> list[int]:
    return [browser.post("/step-up", {**form(browser.get("/step-up").body, "/step-up"), "code": c}).status for c in typed]


def wrong_codes(secret: str) -> list[str]:
    return [f"{(int(code(secret)) + n) % 1_000_000:06}" for n in range(7, 7 + GUESSES)]


def at(office, number: int) -> Elsewhere:
    """A place where alice has not been, and whoever guesses at her codes has her password."""
    elsewhere = Elsewhere(office.bob, f"10.99.0.{number}")
    assert guess(elsewhere, "alice", office.PASSWORD["alice"]) in (302, 303), "the password is another matter"
    return elsewhere


def test_codes_from_one_address(many):
    office = many
    secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    guesser = at(office, 100)
    seen = codes(guesser, wrong_codes(secret))
    assert seen[:PAIR] == [403] * PAIR and set(seen[PAIR:]) == {429}, seen
    assert codes(guesser, [code(secret)]) == [429], "the right one neither, from here"
    assert office.query("SELECT count(*) FROM presence WHERE second_factor_ms IS NOT NULL") == [(0,)]
    assert codes(at(office, 101), [code(secret)])[0] in (302, 303), "but from elsewhere, where she has never been"
    assert office.query("SELECT count(*) FROM presence WHERE second_factor_ms IS NOT NULL") == [(1,)]
    office.logged(lambda r: r["event"] == "step_up" and r.get("user") == "alice" and "10.99.0.101" in json.dumps(r))


def test_codes_from_many_addresses(many):
    office = many
    secret = secret_of(office.json("user", "factor", "alice", "--add", "otp")["otp_uri"])
    home = office.alice.sign_in("alice")
    assert codes(home, [code(secret)])[0] in (302, 303)
    wrong = wrong_codes(secret)
    # Fifty in an hour count altogether, and then none is taken from a place that is new.
    for number in range(1, GUESSES // PAIR + 1):
        seen = codes(at(office, number), wrong[:PAIR])
        assert seen == ([403] if number <= 10 else [429]) * PAIR, (number, seen)
    assert codes(at(office, 101), [code(secret, 1)]) == [429]
    assert office.query("SELECT count(*) FROM presence WHERE second_factor_ms IS NOT NULL") == [(1,)], "her own, of before"
    # Where she was right before, she is still let in.
    office.execute("UPDATE presence SET second_factor_ms = NULL")
    assert codes(home, [code(secret, 1)])[0] in (302, 303), "the right one, from elsewhere"
    until(lambda: office.query("SELECT count(*) FROM presence WHERE second_factor_ms IS NOT NULL") == [(1,)], 2)


def test_codes_of_logins(many):
    office = many
    (file := office.folder / "ca.pem").write_text(office.ca())
    started = json.loads(office.alice.curl("--cacert", str(file), "-d", "resource=wiki", f"https://{office.PORTAL}/login/start").stdout)
    right = "/l/" + started["user_code"].replace("-", "")

    def tries(browser, count: int, first: int) -> list[int]:
        return [browser.get(f"/l/{first + n:08d}").status for n in range(count)]

    seen = tries(office.alice.browser(), GUESSES, 0)
    assert seen == [404] * 10 + [429] * (GUESSES - 10), seen
    assert office.alice.browser().get(right).status == 429, "the right one neither, from here"
    assert Elsewhere(office.bob, "10.99.0.101").get(right).status == 200, "but from elsewhere"
    seen = [tries(Elsewhere(office.bob, f"10.99.0.{n % 100 + 1}"), 1, 1000 + n)[0] for n in range(GUESSES)]
    assert set(seen) == {404}, "two from each address: nobody is stopped"
    browser = office.bob.sign_in("bob")
    page = browser.get(right)
    assert page.status == 200 and "Confirm" in page.body, "and it still is"
    assert len(office.logged(lambda r: r["event"] == "login.throttled")) == 1


def test_tokens_from_many_addresses(office):
    secret = machines(office)
    behind_bob(office)
    (file := office.folder / "ca.pem").write_text(office.ca())
    (config := office.folder / "many").write_text("next\n".join(
        f'url = "https://{office.PORTAL}/enrol"\ncacert = "{file}"\nsilent\ninterface = "10.99.0.{n % 100 + 1}"\n'
        f'header = "Authorization: Bearer nlt_{n:022d}"\nrequest = POST\noutput = /dev/null\nwrite-out = "%{{http_code}} "\n'
        "retry = 5\n"  # too many at the same moment: that one did not count
        for n in range(GUESSES)))
    codes = office.bob.ns.run("curl", "--parallel", "--parallel-max", "30", "-K", str(config)).stdout.split()
    assert codes == ["403"] * GUESSES, "two from each address: nobody is stopped, and all only get slower"
    assert office.query("SELECT count(*) FROM device_proof") == [(0,)]
    assert enrol(office, office.bob, secret)[0] == 200


def test_tokens_in_connections(office):
    """Wrong ones wait, after so many in each worker; the right one from the same place never does."""
    secret = machines(office)

    def wrong(number: int) -> tuple[int, float]:
        began = time.monotonic()
        way = ("socks", "tunnel", "proxy")[number % 3]
        return by_proxy(office, office.bob, way, f"nas:nlt_{number:022d}", office.NEWS[4]), time.monotonic() - began

    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        told = list(pool.map(wrong, range(SOURCE * os.cpu_count() + GUESSES)))
    assert {status for status, _ in told} <= {0, 407}
    assert sum(took >= 1 for _, took in told) >= GUESSES
    for way in ("socks", "tunnel", "proxy"):
        assert by_proxy(office, office.bob, way, f"nas:{secret}", office.NEWS[4]) == 200
    assert 1 <= len(office.logged(lambda r: r["event"] == "credential.refused")) <= 20
