"""A name server as a resource: the DNS's own tools, over transparent UDP and TCP, and through SOCKS."""
import pathlib
import re
import socket
import struct
import time

import pytest

from client import RESET
from lab import until
from test_explicit import SOCKS, connect_request


@pytest.fixture
def names(office):
    office.name_server({"wiki.lan": office.WIKI[4], **{f"h{n}.lan": f"10.99.{n // 250}.{n % 250}" for n in range(1000)}})
    office.init()
    office.cli("resource", "add", "dns", "--to", f"{office.WIKI[4]}:53/udp", "--to", f"[{office.WIKI[6]}]:53/udp", "--to",
               f"{office.WIKI[4]}:53/tcp")
    office.cli("policy", "add", "dns", "--resource", "dns", "--anyone", "--session", "8h")
    office.cli("set", "socks.listen", "lan")
    office.serve()
    return office


def dig(office, server: str, *more: str):
    return office.alice.ns.run("dig", "+tries=1", "+timeout=3", f"@{server}", "wiki.lan", "A", "+short", *more, check=False)


def test_dig_before_a_sign_in_and_after(names):
    office = names
    for server in (office.WIKI[4], office.WIKI[6]):
        began = time.monotonic()
        refused = dig(office, server)
        assert refused.returncode != 0 and office.WIKI[4] not in refused.stdout.splitlines()
        assert time.monotonic() - began < 2.5, "it is told at once, and does not wait"
    office.alice.sign_in("alice")
    for server in (office.WIKI[4], office.WIKI[6]):
        assert dig(office, server).stdout.strip() == office.WIKI[4], office.gate.text
    assert dig(office, office.WIKI[4], "+tcp").stdout.strip() == office.WIKI[4]
    office.cli("session", "end", "--user", "alice")
    assert dig(office, office.WIKI[4]).returncode != 0


def test_the_offices_resolver_is_never_gated(office):
    office.name_server({"wiki.lan": office.WIKI[4]})
    office.init()
    office.cli("set", "unprotected", "deny")
    office.serve()
    assert office.alice.try_tcp(office.NEWS[4], office.ECHO) == RESET
    for more in ((), ("+tcp",)):
        assert dig(office, office.WIKI[4], *more).stdout.strip() == office.WIKI[4]
    assert dig(office, office.NEWS[4]).returncode != 0, "only the resolver that the gate asks"


def test_an_answered_query_is_forgotten_soon(names):
    office = names
    office.alice.sign_in("alice")
    for _ in range(50):
        assert dig(office, office.WIKI[4]).stdout
    until(lambda: office.json("status")["flows"] == 0, 4, "2 s after the last answer")


def all_answered(office, queries: int, patience: int) -> None:
    """dnsperf, from 20 sockets, at most 100 queries under way."""
    questions = office.folder / "questions"
    questions.write_text("".join(f"h{n % 1000}.lan A\n" for n in range(queries)))
    asked = office.alice.ns.run("dnsperf", "-s", office.WIKI[4], "-d", str(questions), "-c", "20", "-T", "1", "-n", "1",
                                "-q", "100", "-t", str(patience), timeout=120, check=False)
    sent, completed = (int(re.search(rf"Queries {word}:\s+(\d+)", asked.stdout).group(1)) for word in ("sent", "completed"))
    assert sent == queries, asked.stdout + asked.stderr
    assert completed == sent, asked.stdout


def test_flows_that_begin_beside_each_other(names):
    """While a worker opens the sockets of one flow, the first datagrams of others come in: each finds its own."""
    names.alice.sign_in("alice")
    for _ in range(60):
        all_answered(names, 200, 2)


def test_fifty_thousand_queries(names):
    office = names
    office.alice.sign_in("alice")
    office.bob.sign_in("bob")
    pid = office.gate.roles()["gate"]
    before = office.gate.rss_kib("gate")
    all_answered(office, 50_000, 10)
    assert len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir())) < 200
    assert office.gate.rss_kib("gate") - before < 48 * 1024
    until(lambda: office.json("status")["flows"] == 0, 5, "all are over")


# -- UDP ASSOCIATE -----------------------------------------------------------------------------------------------------
class Association:
    """A SOCKS client's view of UDP ASSOCIATE."""

    def __init__(self, office, laptop, timeout: float = 3.0, credential: tuple[str, str] | None = None):
        self.control = laptop.open(office.GATE[4], SOCKS)
        words = b"".join(bytes([len(word)]) + word.encode() for word in credential or ())
        self.control.sendall((b"\5\1\2\1" + words if credential else b"\5\1\0") + b"\5\3\0\1\0\0\0\0\0\0")
        greeting = b"\5\2\1\0" if credential else b"\5\0"
        reply = b""
        while len(reply) < len(greeting) + 10:
            more = self.control.recv(len(greeting) + 10 - len(reply))
            assert more, reply
            reply += more
        assert reply.startswith(greeting + b"\5\0"), reply
        self.relay = (socket.inet_ntoa(reply[-6:-2]), struct.unpack("!H", reply[-2:])[0])
        with laptop.ns.inside():
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(timeout)

    def send(self, host: str, port: int, payload: bytes, frag: int = 0) -> None:
        self.sock.sendto(b"\0\0" + bytes([frag]) + connect_request(host, port)[3:] + payload, self.relay)

    def ask(self, host: str, port: int, payload: bytes, frag: int = 0) -> bytes | None:
        self.send(host, port, payload, frag)
        try:
            return self.sock.recv(1 << 16)
        except TimeoutError:
            return None

    def close(self) -> None:
        self.control.close()
        self.sock.close()


def test_udp_associate(names):
    office = names
    made = Association(office, office.alice, 0.7)
    assert made.ask(office.VOICE[4], office.UDP, b"hello") is None
    office.untouched("voice")
    assert made.ask(office.NEWS[4], office.UDP, b"free") is not None, "not protected"
    office.alice.sign_in("alice")
    made.sock.settimeout(3)
    header = b"\0\0\0\1" + socket.inet_aton(office.VOICE[4]) + struct.pack("!H", office.UDP)
    for size in (0, 1, 1400, 9000):
        payload = bytes(size)
        assert made.ask(office.VOICE[4], office.UDP, payload) == header + payload
    assert made.ask(office.VOICE[6], office.UDP, b"six") is not None
    question = struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4wiki\3lan\0\0\1\0\1"
    assert socket.inet_aton(office.WIKI[4]) in made.ask("wiki.lan", 53, question), "a name, and dig's own question"
    office.servers.ask("zero")
    made.sock.settimeout(0.5)
    assert made.ask(office.VOICE[4], office.UDP, b"part", frag=1) is None
    assert made.ask("127.0.0.1", office.UDP, b"inward") is None
    assert made.ask("trap.invalid", office.UDP, b"no such name") is None
    office.untouched("voice")
    with office.bob.ns.inside():
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with stranger:
        stranger.settimeout(0.5)
        stranger.sendto(header + b"not mine", made.relay)
        with pytest.raises(TimeoutError):
            stranger.recv(100)
    office.untouched("voice")
    office.cli("session", "end", "--user", "alice")
    until(lambda: made.ask(office.VOICE[4], office.UDP, b"cut?") is None, 3, "revoked")
    made.close()
    until(lambda: office.json("status")["flows"] == 0, 3, "it ends with its control connection")
