"""Where hosts are named, strangers' traffic passes the gate too: none of it may crowd out or break what it is not about."""
import contextlib
import socket
import sqlite3
import struct

import pytest

from client import ALERT, RESET, THROUGH, ask
from lab import until
from test_names import EXAMPLE, FREE, HANDBOOK, TLS, WEB, client_hello, known, named, tls, town_of_names, untouched  # noqa: F401


def made_up(office, datagrams: int, payload: bytes) -> None:
    """Datagrams to an unprotected server at a port where hosts are named, each from another address of the LAN and port."""
    with office.bob.ns.inside():
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        target = socket.inet_aton(FREE[4])
        for n in range(datagrams):
            source = struct.pack("!I", (10 << 24) + (77 << 16) + 20 + n % 200)
            udp = struct.pack("!HHHH", 1024 + n % 60000, TLS, 8 + len(payload), 0) + payload
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, source, target)
            raw.sendto(head + udp, (FREE[4], 0))


@pytest.mark.parametrize("payload", [b"x", b"\xc0\0\0\0\1\x15" + bytes(40)], ids=["no QUIC", "malformed QUIC"])
def test_made_up_sources_take_one_share(named, payload):  # noqa: F811
    office = named
    office.alice.sign_in("alice")
    made_up(office, 9000, payload)
    assert office.json("status")["flows"] <= 2 * (8000 // 8 + 1) + 10, "two workers, an eighth each"
    assert tls(office.alice, HANDBOOK[4], EXAMPLE) == THROUGH
    assert office.alice.try_udp(office.VOICE[4], office.UDP) == THROUGH
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    told = office.logged(lambda r: r["event"] == "flow.unnamed" or r.get("reason") == "unreadable_name")
    assert len(told) <= 10, "a flood fills no log"


def test_one_device_cannot_take_every_flow(named):  # noqa: F811
    office = named
    office.cli("set", "flows.max", "200")
    office.alice.sign_in("alice")
    silent = []
    for _ in range(200):
        try:
            silent.append(office.bob.open(FREE[4], TLS))
        except OSError:  # past its share
            pass
    assert tls(office.alice, HANDBOOK[4], EXAMPLE) == THROUGH
    assert office.alice.try_http(office.WIKI[4]) == THROUGH
    for sock in silent:
        sock.close()
    until(lambda: tls(office.bob, FREE[4], "free.lan") == THROUGH, 3, "what is over is given back")


def test_a_client_with_several_addresses_finds_the_one_that_works(named):  # noqa: F811
    """No way leads to fd99::1 from here; the client is told so at once, and takes the other."""
    office = named
    done = office.alice.curl("--resolve", f"free.lan:{WEB}:[fd99::1],{FREE[4]}", "http://free.lan/")
    assert "this is free" in done.stdout, done.stderr
    done = office.alice.curl("--resolve", f"{EXAMPLE}:{WEB}:[fd99::1],{HANDBOOK[4]}", f"http://{EXAMPLE}/")
    assert "Sign-in needed" in done.stdout, done.stderr


def test_what_is_known_is_what_the_store_holds(named):  # noqa: F811
    office = named
    with contextlib.closing(sqlite3.connect(office.store)) as store:
        store.execute("DELETE FROM host_address")
        store.commit()
    until(lambda: len(known(office, EXAMPLE)) == 2, 5, "looked up again at once")
    assert tls(office.alice, HANDBOOK[4], "free.lan") == ALERT


def test_http_that_few_know(named):  # noqa: F811
    office = named

    def says(host: str, method: str, **fields) -> str:
        try:
            with office.alice.open(FREE[4], WEB) as sock:
                return str(ask(sock, method, "/x", {**fields, "Host": host}).status)
        except ConnectionError:
            return RESET
    requests = [("CCM_POST", {}), ("GET", {"Authorization": "Negotiate " + "Y" * 20000}), ("\r\nGET", {})]
    for method, fields in requests:
        assert says(EXAMPLE, method, **fields) in ("511", RESET), "heard all the same"
    untouched(office, "free")
    for method, fields in requests:
        assert says("free.lan", method, **fields) == "200", method


def test_observe_mode_passes_what_cannot_be_read(named):  # noqa: F811
    office = named
    unreadable = b"\x16\x03\x01\0\x05\x01\0\0\x01\0"
    assert office.alice.try_tcp(FREE[4], TLS, unreadable) == RESET
    office.cli("set", "mode", "observe")
    until(lambda: office.alice.try_tcp(FREE[4], TLS, unreadable) == THROUGH, 3, "everything passes")
    assert office.alice.try_udp(FREE[4], TLS, b"\xc0\0\0\0\1\x15" + bytes(40)) == THROUGH
    office.logged(lambda r: r.get("reason") == "unreadable_name")
