"""The processes: who they run as, how they stop, start again, reload, and what they refuse to start with."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

from client import RESET, THROUGH, Browser
from lab import BINARY, until


def field(pid: int, name: str) -> str:
    return re.search(rf"^{name}:\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)


def test_the_portal_has_no_capability_and_the_gate_few(office):
    roles = office.start().roles()
    assert set(roles) == {"supervisor", "gate", "portal"}
    for role in ("gate", "portal"):
        assert set(field(roles[role], "Uid").split()) != {"0"}, f"the {role} runs as root"
        assert field(roles[role], "NoNewPrivs") == "1"
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        assert int(field(roles["portal"], kind), 16) == 0, f"the portal has {kind} {field(roles['portal'], kind)}"
    net_admin, net_raw, net_bind = 1 << 12, 1 << 13, 1 << 10
    assert int(field(roles["gate"], "CapEff"), 16) & ~(net_admin | net_raw | net_bind) == 0


def test_stopping_ends_both_within_the_drain(office):
    gate = office.start()
    pids = gate.roles()
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    began = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - began < 15
    flow.wait_end(2)
    assert not any(pathlib.Path(f"/proc/{pid}").exists() for pid in pids.values())


def test_each_role_can_be_run_alone(office):
    office.init()
    office.serve("--role", "gate")
    assert office.alice.get(office.WIKI[4]).status == 511
    office.serve("--role", "portal")
    office.alice.sign_in("alice")
    assert office.alice.try_http(office.WIKI[4]) == THROUGH


def test_a_child_that_dies_is_started_again(office):
    gate = office.start()
    for role in ("portal", "gate"):
        old, seen = gate.roles()[role], len(gate.lines)
        os.kill(old, signal.SIGABRT if role == "portal" else signal.SIGKILL)
        until(lambda r=role, o=old: gate.roles().get(r, o) != o, 5, f"a new {role}")
        gate.wait_line(rf"{role}", 5, seen)
    until(lambda: office.alice.try_http(office.WIKI[4]) == "511", 5)
    office.alice.sign_in("alice")


def test_the_children_leave_with_their_supervisor(office):
    gate = office.start()
    pids = gate.roles()
    gate.kill("supervisor")
    until(lambda: not any(pathlib.Path(f"/proc/{pid}/exe").exists() and field(pid, "State")[0] != "Z"
                          for pid in pids.values()), 5, "all gone")
    gate.process.wait(5)
    assert office.alice.try_http(office.WIKI[4]) != THROUGH
    office.serve()
    assert office.alice.try_http(office.WIKI[4]) == "511"


def test_a_second_serve_is_refused_and_harms_nothing(office):
    office.start()
    done = office.cli("serve", expect=None)
    assert done.returncode == 1 and done.stderr.strip(), done
    assert office.alice.try_http(office.WIKI[4]) == "511"
    office.alice.sign_in("alice")


def test_serve_says_what_is_wrong(office):
    done = office.cli("serve", expect=None)
    assert done.returncode == 5 and "init" in done.stderr, done
    office.init()
    with contextlib.closing(office.gate_ns.new_socket("10.77.0.1")) as taken:
        taken.bind((office.GATE[4], 443))
        taken.listen()
        done = office.gate_ns.run("timeout", "3", *serve_words(), check=False, env=office.env)
        assert "443" in done.stderr and not re.search(r": ready$", done.stderr, re.M), done


def serve_words():
    return [BINARY, "serve"]


def certificate(office) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with office.alice.open(office.GATE[4], 443) as plain:
        with context.wrap_socket(plain, server_hostname=office.PORTAL) as sock:
            return sock.getpeercert(binary_form=True)


def test_a_certificate_of_your_own_is_taken_on_sighup(office):
    office.init()
    folder = office.store.parent / "own"
    folder.mkdir()

    def make(serial: int) -> None:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "30", "-subj", f"/CN={office.PORTAL}", "-addext", f"subjectAltName=DNS:{office.PORTAL}",
                        "-set_serial", str(serial), "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                       check=True, capture_output=True)
        (folder / "key.pem").chmod(0o644)
    make(1)
    office.cli("set", "portal.certificate", str(folder / "cert.pem"))
    office.cli("set", "portal.key", str(folder / "key.pem"))
    gate = office.serve()
    first = certificate(office)
    assert first == ssl.PEM_cert_to_DER_cert((folder / "cert.pem").read_text())
    make(2)
    gate.process.send_signal(signal.SIGHUP)
    until(lambda: certificate(office) != first, 5, "the new certificate")
    (folder / "cert.pem").write_text("not a certificate")
    gate.process.send_signal(signal.SIGHUP)
    gate.wait_line(r"certificate|cert\.pem", 5)
    assert certificate(office) != first, "a bad file changes nothing"
    assert gate.process.poll() is None


def test_two_families_one_portal(office):
    office.start()
    for family in (4, 6):
        assert Browser(office.alice).get("/healthz", family=family).status == 200
        with office.alice.open(office.GATE[family], 80) as sock:
            sock.sendall(b"GET /ca.pem HTTP/1.0\r\nHost: x\r\n\r\n")
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(4)[:4] == b"HTTP"


def test_the_portal_dead_means_refused_not_open(office):
    gate = office.start()
    office.alice.sign_in("alice")
    pid = gate.roles()["portal"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH, "running sessions run on"
        assert office.bob.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
        assert office.bob.try_http(office.WIKI[4]) == "511"
    finally:
        os.kill(pid, signal.SIGCONT)
    office.untouched("payroll", peer=office.bob.address[4])
