"""The small office that every test here is made in, on real kernel rules in network namespaces.

      alice-pc                      gate                               servers
    10.77.0.11/24 ──┐        lan0 10.77.0.1/24            ┌── 10.88.0.2  wiki :80 (http)   payroll :5432 (echo)
    fd77::11/64     ├─ lan0       fd77::1/64   wan0 ──────┤   fd88::2    vault :8443 (sink)  voice :4000/udp (echo)
      bob-pc        │  (bridge)           10.88.0.1/24    └── 10.88.0.3  news :80, chat :5432, radio :4000/udp:
    10.77.0.12/24 ──┘                     fd88::1/64          fd88::3    protected by nobody
    fd77::12/64

The gate routes. It is configured by the command line only, as an admin would, and started by `nightlatch serve`.
Namespaces carry the test run's own prefix, so that runs do not meet, and are taken away whatever happens.
"""
import contextlib
import datetime
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time

from client import Laptop, ask
from netns import Namespace
from totp import key_of, secret_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("NIGHTLATCH_BIN", str(ROOT / "build/asan/nightlatch"))
_made = 0


def until(condition, limit: float = 5.0, what: str = ""):
    """Waits for `condition()` to be true and returns it; the only way a test waits."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what or condition}")
        time.sleep(0.01)


def sleep_until(moment: float) -> None:
    """For a deadline, which is itself a moment on the clock (time.time())."""
    while (left := moment - time.time()) > 0:
        time.sleep(left)


class Servers:
    """The servers' process and its counts."""

    def __init__(self, namespace: Namespace, specs: list[str]):
        self.process = subprocess.Popen(
            namespace.argv("/usr/bin/python3", str(pathlib.Path(__file__).with_name("servers.py")), *specs),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"

    def ask(self, word: str):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def count(self, service: str, peer: str | None = None) -> tuple[int, int]:
        """(connections, bytes) that arrived at the service, from the peer or from anybody."""
        peers = self.ask("counts")[service]
        chosen = [peers.get(peer, [0, 0])] if peer else list(peers.values())
        return sum(c for c, _ in chosen), sum(b for _, b in chosen)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Gate:
    """A running `nightlatch serve`: its process, and what it has said."""

    def __init__(self, office: "Office", *arguments: str, before: tuple = ()):
        self.lines: list[str] = []
        self.process = subprocess.Popen(office.gate_ns.argv(*before, BINARY, "serve", *arguments), env=office.env,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        text=True, errors="replace", start_new_session=True)
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self.lines.append("<end>")
            self._news.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def wait_line(self, pattern: str, limit: float = 20.0, start: int = 0) -> str:
        """Waits until stderr has a line that matches, from line number `start` on."""
        def found():
            return next((line for line in self.lines[start:] if re.search(pattern, line)), None)
        with self._news:
            ended = self._news.wait_for(lambda: found() or (self.lines and self.lines[-1] == "<end>"), limit)
        line = found()
        assert line, f"{'ended' if ended else 'waited'} without a line like {pattern!r}:\n{self.text}"
        return line

    def roles(self) -> dict[str, int]:
        """The processes by role. The supervisor is the one that we started."""
        found = {"supervisor": self.process.pid}
        for pid in _children(self.process.pid):
            with contextlib.suppress(OSError):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                for role in ("gate", "portal"):
                    if f"--role={role}" in words or (role in words and "--role" in words) or words[0].endswith(role):
                        found[role] = pid
        return found

    def rss_kib(self, role: str) -> int:
        text = pathlib.Path(f"/proc/{self.roles()[role]}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def kill(self, role: str) -> None:
        os.kill(self.roles()[role], signal.SIGKILL)

    def stop(self, limit: float = 20.0) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"serve did not stop within {limit} s:\n{self.text}") from None
        self._reader.join(10)
        return status


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                for word in (task / "children").read_text().split()]
    return []


class Office:
    """See the picture above. Use as a context manager; `start()` gives a running gate with the usual policies."""

    PORTAL = "gate.office.example"
    GATE = {4: "10.77.0.1", 6: "fd77::1"}
    WIKI = PAYROLL = VAULT = VOICE = {4: "10.88.0.2", 6: "fd88::2"}
    NEWS = {4: "10.88.0.3", 6: "fd88::3"}
    HTTP, ECHO, TLS, UDP = 80, 5432, 8443, 4000
    PASSWORD = {"alice": "correct horse battery", "bob": "staple of great length"}

    def __init__(self):
        global _made
        _made += 1
        self.prefix = f"nl{os.getpid()}x{_made}"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nightlatch-lab-"))
        self.folder.chmod(0o755)
        self.store = self.folder / "store" / "office.db"
        self.store.parent.mkdir()
        self.env = {**os.environ, "NIGHTLATCH_STORE": str(self.store), "NO_COLOR": "1",
                    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=0:exitcode=86",
                    "UBSAN_OPTIONS": "print_stacktrace=1"}
        self._close = contextlib.ExitStack()
        self.gates: list[Gate] = []
        self._ca = ""
        self.secrets: set[str | bytes] = set(self.PASSWORD.values())  # what no log and no file may hold as it is

    # -- making and unmaking -----------------------------------------------------------------------------------
    def __enter__(self) -> "Office":
        try:
            self._build()
        except BaseException:
            self._close.close()
            raise
        return self

    def __exit__(self, *_):
        self._close.close()

    def at_end(self, callback, *arguments) -> None:
        """Calls this before the office is taken away; what was added last comes first."""
        self._close.callback(callback, *arguments)

    def _namespace(self, name: str) -> Namespace:
        made = Namespace(f"{self.prefix}-{name}")
        self._close.callback(made.close)
        return made

    def _build(self) -> None:
        self._close.callback(shutil.rmtree, self.folder, True)
        self.gate_ns, self.server_ns = self._namespace("gate"), self._namespace("servers")
        gate, servers = self.gate_ns, self.server_ns
        gate.ip("link add lan0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                f"link add wan0 type veth peer name eth0 netns {servers.name}")
        laptops = {name: self._namespace(f"{name}-pc") for name in ("alice", "bob")}
        for name, laptop in laptops.items():
            gate.ip(f"link add {name} type veth peer name eth0 netns {laptop.name}", f"link set {name} master lan0 up")
        gate.ip(f"addr add {self.GATE[4]}/24 dev lan0", f"addr add {self.GATE[6]}/64 dev lan0 nodad", "link set lan0 up",
                "addr add 10.88.0.1/24 dev wan0", "addr add fd88::1/64 dev wan0 nodad", "link set wan0 up")
        for key in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            gate.sysctl(key, 1)
        # Where something (Docker, say) has loaded br_netfilter, bridged packets run through the IP rules too early, and
        # TPROXY's choice of a socket is lost: docs/how-to/office-gateway.md.
        for key in ("iptables", "ip6tables"):
            if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{key}"):
                gate.sysctl(f"net.bridge.bridge-nf-call-{key}", 0)
        for host in (2, 3):
            servers.ip(f"addr add 10.88.0.{host}/24 dev eth0", f"addr add fd88::{host}/64 dev eth0 nodad")
        servers.ip("link set eth0 up", "route add default via 10.88.0.1", "route add default via fd88::1")
        made = {}
        for number, (name, ns) in enumerate(laptops.items(), 11):
            v4, v6 = f"10.77.0.{number}", f"fd77::{number}"
            ns.ip(f"addr add {v4}/24 dev eth0", f"addr add {v6}/64 dev eth0 nodad", "link set eth0 up",
                  f"route add default via {self.GATE[4]}", f"route add default via {self.GATE[6]}")
            ns.hosts({self.PORTAL: self.GATE[4]})
            made[name] = Laptop(ns, self, v4, v6)
        gate.hosts({self.PORTAL: self.GATE[4]})
        self.alice, self.bob = made["alice"], made["bob"]
        specs = []
        for family in (4, 6):
            specs += [f"wiki=http@{self.WIKI[family]},80", f"payroll=echo@{self.PAYROLL[family]},5432",
                      f"vault=sink@{self.VAULT[family]},8443", f"news=http@{self.NEWS[family]},80",
                      f"chat=echo@{self.NEWS[family]},5432",
                      f"voice=uecho@{self.VOICE[family]},4000", f"radio=uecho@{self.NEWS[family]},4000"]
        self.servers = Servers(servers, specs)
        self._close.callback(self.servers.close)

    def name_server(self, names: dict[str, str] | None = None) -> None:
        """A real resolver for the zone lan., on the server; the gate asks it."""
        self.run_name_server(self.WIKI[4], names or {}, self.WIKI[6])
        self.gate_ns.resolver(self.WIKI[4])

    def run_name_server(self, address: str, names: dict[str, str], *more: str) -> subprocess.Popen:
        """dnsmasq at these addresses of the servers; `names` to "ADDRESS" or "IPV4,IPV6"."""
        records = [f"--host-record={name},{where}" for name, where in names.items() if where]
        process = subprocess.Popen(
            self.server_ns.argv("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                                "--no-poll", "--pid-file=", "--user=root", "--bind-interfaces", "--local=/lan/",
                                "--cache-size=0", "--dns-forward-max=10000",
                                *(f"--listen-address={at}" for at in (address, *more)), *records),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._close.callback(lambda: (process.terminate(), process.wait(10)))

        def listens():
            with self.server_ns.inside():
                sock = socket.socket()
            with sock:
                return sock.connect_ex((address, 53)) == 0
        until(listens, 5, "dnsmasq listens")
        return process

    # -- the command line --------------------------------------------------------------------------------------
    def cli(self, *arguments: str, expect: int | None = 0, input: str = "") -> subprocess.CompletedProcess:
        done = self.gate_ns.run(BINARY, *arguments, check=False, input=input, env=self.env)
        if expect is not None and done.returncode != expect:
            raise AssertionError(f"nightlatch {' '.join(arguments)}: exit {done.returncode}, not {expect}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments: str, expect: int | None = 0):
        told = json.loads(self.cli(*arguments, "--json", expect=expect).stdout)
        if isinstance(told, dict):
            self.secrets.update(told[key] for key in ("secret", "otp_uri") if key in told)
            if "otp_uri" in told:
                seed = secret_of(told["otp_uri"])
                self.secrets |= {seed, key_of(seed)}
            self.secrets.update(told["recovery_codes"] if isinstance(told.get("recovery_codes"), list) else ())
        return told

    def explain(self, laptop: Laptop, address: str, port: int, *more: str) -> dict:
        host = f"[{address}]" if ":" in address else address
        return self.json("explain", "--from", laptop.address[6 if ":" in address else 4], "--to", f"{host}:{port}", *more,
                         expect=None)

    def deadline(self, laptop: Laptop, address: str, port: int) -> float:
        """When the laptop's permission ends (time.time()): `explain` gives the terms and, to the second, the moment;
        the milliseconds of the sign-in are read from the store."""
        verdict = self.explain(laptop, address, port)
        assert verdict["verdict"] == "allow", verdict
        rows = self.query("SELECT p.signed_in_ms FROM presence p JOIN user u ON u.id = p.user_id WHERE u.name = ?",
                          verdict["user"])
        moment = max(at for (at,) in rows) / 1000 + verdict["session_s"]
        told = datetime.datetime.fromisoformat(verdict["until"]).timestamp()
        assert abs(told - moment) <= 1, f"explain says {told}, the store {moment}"
        return moment

    def query(self, sql: str, *values) -> list[tuple]:
        """Reads the store, as any SQLite tool may."""
        with contextlib.closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as db:
            return db.execute(sql, values).fetchall()

    def let_expire(self, user: str) -> None:
        """The user's sign-in is eight hours older than it was: what ends the session is its age."""
        self.execute("UPDATE presence SET signed_in_ms = signed_in_ms - 8 * 3600 * 1000 "
                     "WHERE user_id = (SELECT id FROM user WHERE name = ?)", user)

    def execute(self, sql: str, *values) -> None:
        """Writes to the store, as any SQLite tool may: for what would otherwise take hours."""
        with contextlib.closing(sqlite3.connect(self.store, timeout=10)) as db:
            db.execute(sql, values)
            db.commit()

    def log(self, *filters: str) -> list[dict]:
        """The audit log's rows: one JSON object a line, or one array."""
        text = self.cli("log", *filters, "--json").stdout.strip()
        return json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]

    def logged(self, right, *filters: str, limit: float = 5) -> list[dict]:
        """Waits for rows of the log that `right(row)` picks, for the log is written in batches; they are returned."""
        return until(lambda: [row for row in self.log(*filters) if right(row)], limit, f"the log: {self.log(*filters)[-6:]}")

    def init(self, session: str = "8h", *policy: str) -> None:
        """The first run as the README has it: a store, two users, three resources and their policies."""
        self.cli("init", "--lan", "lan0", "--portal", self.PORTAL)
        for user, password in self.PASSWORD.items():
            self.cli("user", "add", user, "--password-file", "-", input=password + "\n")
        for name, port in (("wiki", self.HTTP), ("payroll", self.ECHO), ("vault", self.TLS)):
            self.cli("resource", "add", name, "--to", f"{self.WIKI[4]}:{port}/tcp", "--to", f"[{self.WIKI[6]}]:{port}/tcp")
        self.cli("policy", "add", "wiki", "--resource", "wiki", "--anyone", "--session", session, *policy)
        self.cli("resource", "add", "voice", "--to", f"{self.VOICE[4]}:{self.UDP}/udp", "--to",
                 f"[{self.VOICE[6]}]:{self.UDP}/udp")
        for name in ("payroll", "vault", "voice"):
            self.cli("policy", "add", name, "--resource", name, "--user", "alice", "--session", session, *policy)

    def serve(self, *arguments: str, before: tuple = ()) -> Gate:
        """Starts the gate (behind the words of `before`) and waits until it says that it is ready."""
        gate = Gate(self, *arguments, before=before)
        self.gates.append(gate)
        self._close.callback(self._end, gate)
        gate.wait_line(r"\bready\b", 30)
        return gate

    def start(self, session: str = "8h", *policy: str) -> Gate:
        self.init(session, *policy)
        return self.serve()

    def _end(self, gate: Gate) -> None:
        status = gate.stop() if gate.process.returncode is None else gate.process.returncode
        for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
            assert sign not in gate.text, f"a sanitizer spoke:\n{gate.text}"
        assert status in (0, -signal.SIGKILL), f"serve ended with {status}:\n{gate.text}"
        secrets = {secret.encode() if isinstance(secret, str) else secret for secret in self.secrets}
        for said, what in ((gate.text.encode(), "stderr"), *((f.read_bytes(), f.name) for f in self.store.parent.glob("*.db*"))):
            assert not [secret for secret in secrets if secret in said], f"{what} holds a secret as it is"

    @property
    def gate(self) -> Gate:
        return self.gates[-1]

    def ca(self) -> str:
        """The office CA, as a laptop downloads it."""
        if not self._ca:
            with self.alice.open(self.GATE[4], 80) as sock:
                reply = ask(sock, "GET", "/ca.pem", {"Host": self.PORTAL})
            assert reply.status == 200 and "BEGIN CERTIFICATE" in reply.body, f"{reply}"
            self._ca = reply.body
        return self._ca

    # -- what happened -----------------------------------------------------------------------------------------
    def untouched(self, *services: str, peer: str | None = None) -> None:
        """No byte of a refused flow ever arrived."""
        for service in services:
            assert self.servers.count(service, peer) == (0, 0), f"{service} was reached: {self.servers.ask('counts')}"

    def integrity(self) -> None:
        for file in self.store.parent.glob("*.db"):
            done = subprocess.run(["sqlite3", str(file), "PRAGMA integrity_check"], capture_output=True, text=True,
                                  check=True)
            assert done.stdout.strip() == "ok", f"{file}: {done.stdout}"


def raise_descriptors() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
