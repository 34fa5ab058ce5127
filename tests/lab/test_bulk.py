"""Bulk: a gigabyte each way by every way in, unchanged, and the half-close between the two is passed on."""
import functools
import json
import os
import socket
import time

import pytest

import bulk
import programs
from test_explicit import HTTP, SOCKS, connect_request

MEBIBYTES = int(os.environ.get("LAB_BULK_MIB", "1024"))
PORT = 9000
expected = functools.cache(bulk.digest)


@pytest.fixture
def warehouse(office):
    office.init()
    programs.protect(office, "warehouse", f"{office.WIKI[4]}:{PORT}/tcp")
    office.warehouse = programs.Program(office, "bulk", "/usr/bin/python3", bulk.__file__, str(MEBIBYTES), office.WIKI[4],
                                        str(PORT))
    programs.listens(office, office.warehouse, office.WIKI[4], PORT)
    programs.serve_proxies(office)
    return office


def exactly(sock: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count and (more := sock.recv(count - len(got))):
        got += more
    return got


def line(sock: socket.socket) -> bytes:
    """To the end of the line and not a byte more."""
    got = b""
    while not got.endswith(b"\n") and (more := sock.recv(1)):
        got += more
    return got


def intercepted(office) -> socket.socket:
    return office.alice.open(office.WIKI[4], PORT, 60)


def by_socks(office) -> socket.socket:
    sock = office.alice.open(office.GATE[4], SOCKS, 60)
    sock.sendall(b"\5\1\0" + connect_request(office.WIKI[4], PORT))
    if (code := exactly(sock, 12)[3]) != 0:
        sock.close()
        raise ConnectionRefusedError(f"SOCKS reply {code}")
    return sock


def by_connect(office) -> socket.socket:
    sock = office.alice.open(office.GATE[4], HTTP, 60)
    sock.sendall(f"CONNECT {office.WIKI[4]}:{PORT} HTTP/1.1\r\nHost: {office.WIKI[4]}:{PORT}\r\n\r\n".encode())
    status = line(sock).split()[1]
    if status != b"200":
        sock.close()
        raise ConnectionRefusedError(f"HTTP {status}")
    while line(sock) != b"\r\n":
        pass
    return sock


def refused(office, way) -> None:
    with pytest.raises(OSError) as ended, way(office) as sock:  # whichever call is the first to meet the reset
        sock.sendall(next(bulk.pieces("up", 1)))
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1 << 16):
            pass
        raise AssertionError("it ended in good order")
    assert not isinstance(ended.value, TimeoutError)


@pytest.mark.parametrize("way", [intercepted, by_socks, by_connect], ids=lambda way: way.__name__)
def test_a_gigabyte_each_way_and_a_half_close_between(warehouse, way):
    office = warehouse
    arrivals = programs.Arrivals(office, PORT)
    refused(office, way)
    assert arrivals.count() == 0

    office.alice.sign_in("alice")
    began = time.monotonic()
    with way(office) as sock:
        for piece in bulk.pieces("up", MEBIBYTES):
            sock.sendall(piece)
        sock.shutdown(socket.SHUT_WR)  # nothing more to say; the server has not begun
        told = json.loads(line(sock))
        halfway = time.monotonic()
        assert told == {"peer": office.alice.address[4], "bytes": MEBIBYTES << 20, "sha256": expected("up", MEBIBYTES)}
        assert bulk.receive(sock) == (MEBIBYTES << 20, expected("down", MEBIBYTES))
    done = time.monotonic()
    print(f"{way.__name__}: {MEBIBYTES} MiB up in {halfway - began:.1f} s, down in {done - halfway:.1f} s")
    assert arrivals.count() == 1

    office.cli("session", "end", "--user", "alice")
    refused(office, way)
    assert arrivals.count() == 1
