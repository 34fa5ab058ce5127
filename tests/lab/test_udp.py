"""UDP through the gate: the same terms as for TCP, and datagrams that pass unchanged or not at all."""
import os
import socket
import struct
import time

import pytest

from client import SILENT, THROUGH, UNREACHABLE, say
from lab import sleep_until, until

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))


def outcomes(office, laptop):
    return {(name, family): laptop.try_udp(address[family], office.UDP)
            for family in (4, 6) for name, address in (("voice", office.VOICE), ("radio", office.NEWS))}


def check(office, laptop, voice):
    office.servers.ask("zero")
    found = outcomes(office, laptop)
    assert found == {("voice", 4): voice, ("voice", 6): voice, ("radio", 4): THROUGH, ("radio", 6): THROUGH}, office.gate.text
    if voice != THROUGH:
        office.untouched("voice")


def test_who_may_what(office):
    office.start("4s")
    check(office, office.alice, UNREACHABLE)
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.WIKI[4], 80)
    check(office, office.alice, THROUGH)
    check(office, office.bob, UNREACHABLE)
    sleep_until(deadline + 0.05)
    check(office, office.alice, UNREACHABLE)
    office.alice.sign_in("alice")
    check(office, office.alice, THROUGH)
    office.cli("session", "end", "--user", "alice")
    check(office, office.alice, UNREACHABLE)


def test_a_hand_over_and_an_address_taken_over_end_flows(office):
    office.start()
    office.alice.sign_in("alice")
    with office.alice.udp(office.VOICE[4], office.UDP) as flow:
        assert say(flow, b"mine") == THROUGH
        browser = office.alice.browser()
        browser.submit(browser.get("/"), "bob")
        until(lambda: say(flow, b"still?") == UNREACHABLE, 1.0 + SLACK, "the hand-over")
    office.alice.sign_in("alice")
    taken = dict(office.alice.address)
    assert office.alice.try_udp(office.VOICE[4], office.UDP) == THROUGH
    office.alice.move(None, None)
    office.bob.move(taken[4], taken[6])
    assert office.bob.try_udp(office.NEWS[4], office.UDP) == THROUGH
    check(office, office.bob, UNREACHABLE)


def test_the_server_sees_the_clients_own_address_and_the_client_the_servers(office):
    office.start()
    office.alice.sign_in("alice")
    for family in (4, 6):
        office.servers.ask("zero")
        assert office.alice.try_udp(office.VOICE[family], office.UDP) == THROUGH  # connected: another source is not heard
        assert office.servers.count("voice", office.alice.address[family])[0] == 1
    office.cli("set", "source", "gate")
    for family, gate in ((4, "10.88.0.1"), (6, "fd88::1")):
        def by_gate(f=family, g=gate):
            assert office.alice.try_udp(office.VOICE[f], office.UDP) == THROUGH
            return office.servers.count("voice", g)[0] > 0
        until(by_gate, 2, "source = gate takes effect")


@pytest.mark.parametrize("family, size", [(family, size) for family, most in ((4, 65507), (6, 65487))
                                          for size in (0, 1, 1472, 1473, 9000, 65487, 65507) if size <= most])
def test_datagrams_pass_unchanged(office, family, size):
    office.start()
    office.alice.sign_in("alice")
    with office.alice.udp(office.VOICE[family], office.UDP) as flow:
        for _ in range(3):  # the first comes by the listener, the others by the flow's own socket
            assert say(flow, os.urandom(size)) == THROUGH
    assert office.servers.count("voice")[0] == 3


def test_flows_of_many_clients_and_ports_are_kept_apart(office):
    office.start()
    office.cli("device", "list")
    office.alice.sign_in("alice")
    office.cli("policy", "add", "all", "--resource", "voice", "--anyone", "--session", "8h")
    office.bob.sign_in("bob")
    socks = [(laptop.udp(office.VOICE[family], office.UDP), f"{n}".encode())
             for n in range(50) for laptop in (office.alice, office.bob) for family in (4, 6)]
    for turn in range(3):
        for sock, text in socks:
            sock.send(text + b"/%d" % turn)
        for sock, text in socks:
            assert sock.recv(100) == text + b"/%d" % turn
    for sock, _ in socks:
        sock.close()
    assert office.servers.count("voice")[0] == 600


def test_a_live_flow_ends_at_its_deadline_and_says_so(office):
    office.start("3s")
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.VOICE[4], str(office.UDP) + "/udp")
    with office.alice.udp(office.VOICE[4], office.UDP, 10) as flow:
        assert say(flow, b"before") == THROUGH
        with pytest.raises(ConnectionRefusedError):  # told although it only listens
            flow.recv(100)
        assert -0.05 <= time.time() - deadline <= 1 + SLACK


def test_keep_and_drain_hold_for_udp_too(office):
    office.start("2s", "--on-expiry", "keep=2s")
    office.alice.sign_in("alice")
    deadline = office.deadline(office.alice, office.VOICE[4], str(office.UDP) + "/udp")
    with office.alice.udp(office.VOICE[4], office.UDP) as flow:
        assert say(flow, b"before") == THROUGH
        sleep_until(deadline + 0.5)
        assert say(flow, b"kept") == THROUGH
        assert office.alice.try_udp(office.VOICE[4], office.UDP) == UNREACHABLE, "a new one asks for a sign-in"
        sleep_until(deadline + 2 + 0.5)
        assert say(flow, b"after") == UNREACHABLE


def test_what_the_network_says_comes_back(office):
    office.start()
    office.cli("resource", "add", "deaf", "--to", f"{office.VOICE[4]}:4999/udp", "--to", f"[{office.VOICE[6]}]:4999/udp")
    office.cli("policy", "add", "deaf", "--resource", "deaf", "--anyone", "--session", "8h")
    office.alice.sign_in("alice")
    for family in (4, 6):
        # Nobody listens on that port, and the server says so: by the gate, once the gate knows the resource.
        def told(server: str) -> list[dict]:
            assert office.alice.try_udp(server, 4999, timeout=1) == UNREACHABLE
            return [row for row in office.log("--resource", "deaf")
                    if row["event"] == "flow.open" and row["destination"].strip("[").startswith(server)]
        rows = until(lambda f=family: told(office.VOICE[f]), 10, "a flow through the gate")
        assert all(r["verdict"] == "allow" for r in rows), rows


def test_a_refused_flow_makes_one_hold(office):
    office.start()
    for _ in range(20):
        assert office.alice.try_udp(office.VOICE[4], office.UDP) == UNREACHABLE
    until(lambda: office.query("SELECT count(*) FROM hold")[0][0] == 1, 2, "one hold")
    rows = office.logged(lambda r: r["event"] == "flow.refused")
    assert rows[0]["destination"] == f"{office.VOICE[4]}:4000/udp"
    assert len(rows) < 5, "the same refusal is logged once in a while"


def test_made_up_sources_leave_nothing_behind(office):
    gate = office.start()
    office.alice.sign_in("alice")
    before = gate.rss_kib("gate")
    flood(office, 20_000)
    assert office.alice.try_udp(office.VOICE[4], office.UDP) == THROUGH
    assert office.servers.count("voice") == (1, 5)
    assert office.query("SELECT count(*) FROM hold") == [(1,)], "only the hold of the sign-in's own page"
    assert len([r for r in office.log() if r["event"] == "flow.refused"]) < 10
    assert gate.rss_kib("gate") - before < 16 * 1024
    assert office.json("status")["flows"] <= 2


def flood(office, datagrams: int) -> None:
    """Datagrams to the protected server from addresses of the LAN that nobody has, and from elsewhere."""
    with office.bob.ns.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        target = socket.inet_aton(office.VOICE[4])
        for n in range(datagrams):
            source = struct.pack("!I", (10 << 24) + (77 << 16) + 20 + n % 200 if n % 2 else 0xC0000200 + n)
            udp = struct.pack("!HHHH", 1024 + n % 60000, office.UDP, 8 + 5, 0) + b"flood"
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, source, target)
            raw.sendto(head + udp, (office.VOICE[4], 0))


def test_one_device_cannot_take_every_flow(office):
    office.init()
    office.cli("set", "flows.max", "160")
    office.cli("policy", "add", "all", "--resource", "voice", "--anyone", "--session", "8h")
    office.serve()
    office.alice.sign_in("alice")
    office.bob.sign_in("bob")
    socks = [office.alice.udp(office.VOICE[4], office.UDP) for _ in range(300)]
    for sock in socks:
        assert say(sock, b"x") == THROUGH, "the newest always finds room"
    assert office.json("status")["flows"] <= 60
    assert office.bob.try_udp(office.VOICE[4], office.UDP) == THROUGH
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    assert say(socks[0], b"again") == THROUGH, "an evicted flow begins anew"
    for sock in socks:
        sock.close()


def test_nothing_passes_without_a_gate(office):
    gate = office.start()
    office.alice.sign_in("alice")
    with office.alice.udp(office.VOICE[4], office.UDP, 0.7) as flow:
        assert say(flow, b"through") == THROUGH
        assert gate.stop() == 0
        office.servers.ask("zero")
        assert say(flow, b"no gate") in (SILENT, UNREACHABLE)
    for family in (4, 6):
        assert office.alice.try_udp(office.VOICE[family], office.UDP, timeout=0.7) in (SILENT, UNREACHABLE)
        assert office.alice.try_udp(office.NEWS[family], office.UDP) == THROUGH
    office.untouched("voice")
    for tool in ("iptables", "ip6tables"):
        office.gate_ns.run(tool, "-t", "mangle", "-F")
    for family in (4, 6):
        assert office.alice.try_udp(office.VOICE[family], office.UDP, timeout=0.7) == UNREACHABLE, "the guard refuses"
    office.untouched("voice")
