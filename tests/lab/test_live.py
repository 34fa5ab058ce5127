"""Flows that are open when something changes: they end within a second of it, or live on as the policy says."""
import hashlib
import os
import threading
import time

import pytest

from client import RESET, THROUGH
from lab import sleep_until, until

# What the clock of a test may add to the second that is promised; sanitizers on two busy cores are not a gateway.
SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
MEGABYTES = int(os.environ.get("LAB_MEGABYTES", "100"))


def assert_prompt(ended: float, deadline: float) -> None:
    assert -0.05 <= ended - deadline <= 1.0 + SLACK, f"ended {ended - deadline:+.3f} s from its deadline"


@pytest.mark.parametrize("family", [4, 6])
def test_a_live_flow_ends_at_its_deadline(office, family):
    office.start("3s")
    office.alice.sign_in("alice")
    idle = office.alice.flow(office.PAYROLL[family], office.ECHO)
    deadline = office.deadline(office.alice, office.PAYROLL[family], office.ECHO)
    busy = office.alice.flow(office.PAYROLL[family], office.ECHO)
    stop = threading.Event()

    def chatter():  # traffic never extends a session
        while not stop.is_set() and busy.alive():
            pass
    talker = threading.Thread(target=chatter)
    talker.start()
    try:
        assert_prompt(idle.wait_end(10), deadline)
        talker.join(2)
        assert not talker.is_alive(), "the busy flow outlived its deadline"
    finally:
        stop.set()
        talker.join(5)
    busy.close()
    until(lambda: office.servers.ask("open") == 0, 2, "the servers saw both flows end")


REVOCATIONS = {
    "session end": lambda office: office.cli("session", "end", "--user", "alice"),
    "user disable": lambda office: office.cli("user", "disable", "alice"),
    "device revoke": lambda office: office.cli("device", "revoke", office.json("device", "list")[0]["name"]),
    "policy removed": lambda office: office.cli("policy", "remove", "payroll"),
    "policy tightened": lambda office: office.cli("set", "session.max", "1s"),
}


@pytest.mark.parametrize("how", list(REVOCATIONS))
@pytest.mark.parametrize("on_expiry", ["close", "keep=12h"])
def test_revocation_cuts_a_live_flow_within_a_second(office, how, on_expiry):
    office.start("8h", "--on-expiry", on_expiry)
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    time_of_sign_in = time.time()
    if how == "policy tightened":
        sleep_until(time_of_sign_in + 1.1)
    REVOCATIONS[how](office)
    done = time.time()
    assert flow.wait_end(5) - done <= 1.0 + SLACK
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == RESET


def test_keep_outlives_the_deadline_but_not_its_limit(office):
    office.start("2s", "--on-expiry", "keep=3s")
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.PAYROLL[4], office.ECHO)
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    sleep_until(deadline + 1)
    assert flow.alive(), "kept"
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == RESET, "a new flow asks for a sign-in"
    ended = flow.wait_end(10)
    assert_prompt(ended, deadline + 3)


def test_drain_ends_after_its_warning(office):
    office.start("2s", "--on-expiry", "drain=2s")
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.PAYROLL[4], office.ECHO)
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    sleep_until(deadline + 0.5)
    assert flow.alive()
    assert_prompt(flow.wait_end(10), deadline + 2)


def both_ways(sock, total: int) -> tuple[str, str]:
    """Sends `total` bytes to the echo server while reading them back; SHA-256 of what was sent and what came."""
    block = os.urandom(1 << 20)
    sent, received = hashlib.sha256(), hashlib.sha256()

    def send():
        for number in range(total >> 20):
            piece = number.to_bytes(8, "big") + block[8:]
            sent.update(piece)
            sock.sendall(piece)
    writer = threading.Thread(target=send)
    writer.start()
    left = total
    while left:
        data = sock.recv(min(left, 1 << 18))
        if not data:
            break
        received.update(data)
        left -= len(data)
    writer.join(30)
    return sent.hexdigest(), received.hexdigest()


def test_renewal_before_the_deadline_keeps_a_transfer_unbroken(office):
    office.start("4s")
    browser = office.alice.sign_in("alice")
    first = office.deadline(office.alice, office.PAYROLL[4], office.ECHO)
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    flow.sock.settimeout(60)
    stop, deadlines, problems = threading.Event(), [first], []

    def renew():
        while not stop.wait(1.0):
            try:
                browser.renew("alice")
                deadlines.append(office.deadline(office.alice, office.PAYROLL[4], office.ECHO))
            except Exception as error:  # told by the test, which runs in another thread
                problems.append(error)
                return
    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        sent, received = both_ways(flow.sock, MEGABYTES << 20)
        until(lambda: problems or time.time() > first + 1, 30, "the first deadline to pass")
        assert not problems, problems
        assert sent == received
        flow.ping()
    finally:
        stop.set()
        renewing.join(30)
    assert len(deadlines) > 1 and deadlines[-1] > first
    assert office.servers.count("payroll")[0] == 1, "one unbroken connection"
    assert_prompt(flow.wait_end(15), deadlines[-1])
    flow.close()


def test_half_close_and_resets_are_passed_on(office):
    office.start()
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    flow.sock.sendall(b"x" * 200_000)
    flow.sock.shutdown(1)  # we have no more to say, and still want the answer
    got = 0
    while data := flow.sock.recv(65536):
        got += len(data)
    assert got == 200_000
    flow.close()
    flow = office.alice.flow(office.PAYROLL[6], office.ECHO)
    office.servers.ask("cut")
    flow.wait_end(3)
    assert flow.ended_as == RESET
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    flow.close()
    until(lambda: office.servers.ask("open") == 0, 3, "the server learns that the client has gone")


def test_a_peer_that_never_reads_holds_nobody_up(office):
    office.start()
    office.alice.sign_in("alice")
    deaf = office.alice.flow(office.PAYROLL[4], office.ECHO)
    deaf.sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += deaf.sock.send(b"y" * 65536)
            assert sent < 1 << 28, "the gate takes in without bound"
    except BlockingIOError:
        pass
    other = office.alice.flow(office.PAYROLL[4], office.ECHO)
    began = time.monotonic()
    for _ in range(50):
        other.ping()
    assert time.monotonic() - began < 2
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    deaf.close()
    other.close()
