"""The machine around the gate: reverse-path filters, bridge netfilter, small MTUs, dead servers, one flow against others."""
import os
import subprocess
import threading
import time

import pytest

from client import RESET, THROUGH
from lab import until


@pytest.mark.parametrize("strictness", [0, 1, 2])
def test_any_reverse_path_filter(office, strictness):
    for interface in ("all", "default", "lan0", "wan0", "lo"):
        office.gate_ns.sysctl(f"net.ipv4.conf.{interface}.rp_filter", strictness)
    office.start()
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
    office.alice.sign_in("alice")
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    assert office.alice.try_http(office.NEWS[4]) == THROUGH


@pytest.mark.skipif(not os.path.exists("/proc/sys/net/bridge"), reason="br_netfilter is not loaded")
def test_with_bridge_netfilter_on_nothing_leaks(office):
    for kind in ("iptables", "ip6tables"):
        office.gate_ns.sysctl(f"net.bridge.bridge-nf-call-{kind}", 1)
    office.start()
    for family in (4, 6):
        assert office.alice.try_tcp(office.PAYROLL[family], office.ECHO, timeout=1) != THROUGH
        assert office.alice.try_http(office.NEWS[family]) == THROUGH
    office.untouched("payroll")


def test_large_answers_cross_a_small_mtu(office):
    office.gate_ns.ip("link set wan0 mtu 1300")
    office.server_ns.ip("link set eth0 mtu 1300")
    office.start()
    office.alice.sign_in("alice")
    for family in (4, 6):
        flow = office.alice.flow(office.PAYROLL[family], office.ECHO)
        flow.ping(os.urandom(200_000))
        flow.close()


def test_a_server_that_refuses_or_is_silent(office):
    office.init()
    office.cli("resource", "add", "closed", "--to", f"{office.WIKI[4]}:81/tcp", "--to", f"{office.WIKI[4]}:82/tcp")
    office.cli("policy", "add", "closed", "--resource", "closed", "--anyone")
    office.serve()
    office.alice.sign_in("alice")
    assert office.alice.try_tcp(office.WIKI[4], 81) == RESET, "a refusal is passed on as one"
    office.server_ns.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "82", "-j", "DROP")
    assert office.alice.try_tcp(office.WIKI[4], 82, timeout=15) == RESET, "and silence ends in one"


def test_a_bulk_flow_does_not_starve_the_others(office):
    office.start()
    office.alice.sign_in("alice")
    stop, moved = threading.Event(), [0]
    bulk = office.alice.flow(office.PAYROLL[4], office.ECHO)
    bulk.sock.settimeout(20)

    def send():
        while not stop.is_set():
            bulk.sock.sendall(b"b" * 262144)
        bulk.sock.shutdown(1)

    def receive():
        while data := bulk.sock.recv(1 << 20):
            moved[0] += len(data)
    threads = [threading.Thread(target=work) for work in (send, receive)]
    for thread in threads:
        thread.start()
    try:
        other = office.alice.flow(office.PAYROLL[4], office.ECHO)
        slowest, end = 0.0, time.monotonic() + 2
        while time.monotonic() < end:
            began = time.monotonic()
            other.ping()
            slowest = max(slowest, time.monotonic() - began)
    finally:
        stop.set()
        for thread in threads:
            thread.join(20)
    assert moved[0] > 10 << 20, f"only {moved[0]} bytes of bulk"
    assert slowest < 0.5, f"a ping took {slowest:.3f} s beside a bulk flow"


def test_a_full_disk_opens_nothing(office):
    office.init()
    image = office.folder / "small"
    kept = office.folder / "kept"
    office.store.parent.rename(kept)
    office.store.parent.mkdir()
    subprocess.run(["truncate", "-s", "4M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", image], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(office.store.parent)], check=True)
    try:
        subprocess.run(["cp", "-a", f"{kept}/.", str(office.store.parent)], check=True)
        subprocess.run(["chown", "root:nightlatch", str(office.store.parent)], check=True)
        office.store.parent.chmod(0o2770)
        office.serve()
        subprocess.run(["sh", "-c", f"cat /dev/zero > {office.store.parent}/fill"], check=False, capture_output=True)
        assert office.bob.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
        browser = office.alice.browser()
        reply = browser.submit(browser.get("/"), "alice")
        assert reply.status == 503, "what cannot be recorded is not claimed"
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == RESET
        office.untouched("payroll")
        (office.store.parent / "fill").unlink()
        until(lambda: browser.submit(browser.get("/"), "alice").status == 303, 15, "sign-ins with room on the disk")
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
        office.gate.stop()
    finally:
        subprocess.run(["umount", "-l", str(office.store.parent)], check=False)
