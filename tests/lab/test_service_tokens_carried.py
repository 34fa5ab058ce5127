"""Connections and associations that carry a machine's token: what they open, and that they end with it."""
import base64
import socket
import time

import pytest

from lab import until
from test_dns import Association
from test_explicit import connect_request
from test_service_tokens import HTTP, SLACK, SOCKS, machines


def carrying(office, way: str, secret: str) -> socket.socket:
    """A connection of bob's that carries the token of `nas`, and in which something runs."""
    sock = office.bob.open(office.GATE[4], SOCKS if way == "socks" else HTTP)
    field = "Proxy-Authorization: Basic " + base64.b64encode(f"nas:{secret}".encode()).decode()
    if way == "socks":
        sock.sendall(b"\5\1\2" + b"\1\3nas" + bytes([len(secret)]) + secret.encode())
        assert sock.recv(2) == b"\5\2" and sock.recv(2) == b"\1\0"
        sock.sendall(connect_request(office.NEWS[4], office.ECHO))
        assert sock.recv(100)[1] == 0
    elif way == "tunnel":
        sock.sendall(f"CONNECT {office.NEWS[4]}:{office.ECHO} HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n".encode())
        assert b" 200 " in sock.recv(1000)
    else:
        sock.sendall(f"GET http://{office.NEWS[4]}/running HTTP/1.1\r\nHost: {office.NEWS[4]}\r\n{field}\r\n\r\n".encode())
        got = b""
        while b"this is news" not in got:
            more = sock.recv(1000)
            assert more, got
            got += more
        assert b" 200 " in got, got
        return sock
    sock.sendall(b"ping\n")
    assert sock.recv(5) == b"ping\n"
    return sock


@pytest.mark.parametrize("way", ["socks", "tunnel", "proxy"])
def test_a_revoked_token_ends_what_carried_it(office, way):
    secret = machines(office)
    with carrying(office, way, secret) as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)  # nothing else ends it
        sock.settimeout(5)
        office.cli("token", "revoke", "nas-1")
        done = time.time()
        try:
            while sock.recv(1000):
                pass
        except ConnectionResetError:
            pass
        assert time.time() - done <= 1.0 + SLACK
    end = office.logged(lambda r: r["event"] == "flow.end")[-1]
    assert (end["machine"], end["detail"]) == ("token nas-1", "bad_credential"), end


def test_an_association_counts_as_the_token_that_it_carries(office):
    machines(office)
    office.cli("resource", "add", "radio", "--to", f"{office.NEWS[4]}:{office.UDP}/udp")
    added = office.json("token", "add", "--device", "nas", "--resource", "radio")
    office.cli("policy", "add", "radio", "--resource", "radio", "--token", added["name"])
    office.cli("policy", "add", "voice-too", "--resource", "voice", "--user", "bob", "--session", "8h")
    office.bob.sign_in("bob")
    bobs, nas = Association(office, office.bob), Association(office, office.bob, credential=("nas", added["secret"]))
    assert until(lambda: bobs.ask(office.VOICE[4], office.UDP, b"bob") is not None, 3), "what bob may"
    assert nas.ask(office.NEWS[4], office.UDP, b"nas") is not None, "what the machine may"
    opened = office.logged(lambda r: r["event"] == "flow.open" and r.get("resource") == "radio")[0]
    assert opened["machine"] == f"token {added['name']}" and "user" not in opened, opened
    office.servers.ask("zero")
    for made, address in ((bobs, office.NEWS[4]), (nas, office.VOICE[4])):
        made.sock.settimeout(0.5)
        assert made.ask(address, office.UDP, b"not for you") is None
    office.untouched("voice", "radio")
    office.cli("token", "revoke", added["name"])
    done = time.time()
    nas.sock.settimeout(0.1)
    until(lambda: nas.ask(office.NEWS[4], office.UDP, b"cut?") is None, 3, "revoked")
    assert time.time() - done <= 1.0 + 0.1 + SLACK
    office.logged(lambda r: r["event"] == "flow.end" and (r.get("resource"), r["detail"]) == ("radio", "bad_credential"))
    office.servers.ask("zero")
    assert nas.ask(office.NEWS[4], office.UDP, b"again?") is None
    office.untouched("radio")
    bobs.sock.settimeout(3)
    assert bobs.ask(office.VOICE[4], office.UDP, b"bob") is not None, "bob's own goes on"
    for made in (bobs, nas):
        made.close()
