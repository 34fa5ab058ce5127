"""Fail closed: whatever of ours is missing, nothing protected passes, and what is not protected does."""
import os
import signal

from client import RESET, THROUGH
from lab import BINARY, until

TABLES = ("iptables", "ip6tables")


def nothing_passes(office, *laptops):
    """Protected servers are not reached by any laptop, over either family; the others are."""
    office.servers.ask("zero")
    for laptop in laptops or (office.alice, office.bob):
        for family in (4, 6):
            assert laptop.try_http(office.WIKI[family], timeout=0.7) != THROUGH
            assert laptop.try_tcp(office.PAYROLL[family], office.ECHO, timeout=0.7) != THROUGH
            assert laptop.try_http(office.NEWS[family]) == THROUGH
            assert laptop.try_tcp(office.NEWS[family], office.ECHO) == THROUGH
    office.untouched("wiki", "payroll")


def saved(office, tool: str) -> list[str]:
    return [line for line in office.gate_ns.run(f"{tool}-save").stdout.splitlines() if not line.startswith((":", "#"))]


def flush(office, table: str) -> None:
    for tool in TABLES:
        office.gate_ns.run(tool, "-t", table, "-F")


def test_stopping_the_gate_opens_nothing(office):
    gate = office.start()
    office.alice.sign_in("alice")
    flow = office.alice.flow(office.PAYROLL[4], office.ECHO)
    assert gate.stop() == 0
    flow.wait_end(2)
    nothing_passes(office)
    office.serve()
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH, "the sign-in is still young enough"


def test_rules_without_a_gate_close(office):
    office.init()
    office.cli("rules", "install")
    nothing_passes(office)
    office.cli("rules", "remove")
    assert office.alice.try_http(office.WIKI[4]) == THROUGH, "`rules remove` takes the protection away"


def test_with_the_mangle_rules_gone_the_forward_rule_refuses(office):
    gate = office.start()
    gate.stop()
    flush(office, "mangle")
    nothing_passes(office)
    for family in (4, 6):  # at once, not by a time-out
        assert office.alice.try_tcp(office.PAYROLL[family], office.ECHO, timeout=2) == RESET


def test_with_the_filter_rules_gone_no_listener_means_dropped(office):
    gate = office.start()
    gate.stop()
    flush(office, "filter")
    nothing_passes(office)


def test_the_watcher_brings_rules_back_and_says_so(office):
    office.start()
    office.alice.sign_in("alice")
    before = {tool: saved(office, tool) for tool in TABLES}
    for table in ("mangle", "filter"):
        flush(office, table)
        nothing_passes(office, office.bob)
        until(lambda: all(saved(office, tool) == before[tool] for tool in TABLES), 15,
              f"{table} rules restored: {[saved(office, tool) for tool in TABLES]}")
        assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    office.logged(lambda row: row["event"].startswith("rules"))


def test_rules_are_idempotent_and_leave_those_of_others_alone(office):
    office.init()
    theirs = {"iptables": ["-t mangle -A PREROUTING -p tcp --dport 9999 -j MARK --set-mark 0x77",
                           "-A FORWARD -p icmp -j ACCEPT", "-A INPUT -p tcp --dport 12345 -j DROP"],
              "ip6tables": ["-A FORWARD -p ipv6-icmp -j ACCEPT"]}
    for tool, lines in theirs.items():
        for line in lines:
            office.gate_ns.run(tool, *line.split())
    office.gate_ns.ip("rule add fwmark 0x77 lookup 77", "route add default via 10.88.0.2 table 77")
    bare = {tool: saved(office, tool) for tool in TABLES}
    routes = office.gate_ns.run("ip", "rule").stdout
    office.cli("rules", "install")
    once = {tool: saved(office, tool) for tool in TABLES}
    rules_once = office.gate_ns.run("ip", "rule").stdout
    office.cli("rules", "install")
    assert {tool: saved(office, tool) for tool in TABLES} == once
    assert office.gate_ns.run("ip", "rule").stdout == rules_once
    for tool in TABLES:
        assert set(bare[tool]) <= set(once[tool]), "rules of others are still there"
        assert once[tool] != bare[tool]
    for _ in range(2):
        office.cli("rules", "remove")
        assert {tool: [r for r in saved(office, tool) if r.startswith("-A")] for tool in TABLES} == \
            {tool: [r for r in bare[tool] if r.startswith("-A")] for tool in TABLES}
        assert office.gate_ns.run("ip", "rule").stdout == routes


def test_rules_show_and_dry_run_change_nothing(office):
    office.init()
    before = {tool: saved(office, tool) for tool in TABLES}
    shown = office.cli("rules", "show").stdout
    assert "TPROXY" in shown and "lan0" in shown
    dry = office.cli("rules", "install", "--dry-run").stdout
    assert "TPROXY" in dry
    assert {tool: saved(office, tool) for tool in TABLES} == before


def test_a_missing_or_damaged_store_is_refused_and_nothing_opens(office):
    gate = office.start()
    gate.stop()
    whole = office.store.read_bytes()
    office.store.write_bytes(whole[:4096] + bytes(4096) + whole[8192:])
    for extra in ("-wal", "-shm"):
        office.store.with_name(office.store.name + extra).unlink(missing_ok=True)
    damaged = office.store.read_bytes()
    done = office.gate_ns.run("timeout", "10", *serve_words(), check=False, env=office.env)
    assert done.returncode not in (0, 124), "serve must refuse a damaged store"
    assert office.store.read_bytes() == damaged, "and leave it as it is"
    nothing_passes(office)
    office.store.unlink()
    done = office.gate_ns.run("timeout", "10", *serve_words(), check=False, env=office.env)
    assert done.returncode not in (0, 124)
    assert not office.store.exists(), "no empty store in its place"
    nothing_passes(office)


def serve_words():
    return [BINARY, "serve"]


def test_connections_to_the_listener_itself_are_refused(office):
    office.start()
    office.alice.sign_in("alice")
    listening = office.gate_ns.run("ss", "-Hltn").stdout.split("\n")
    ports = {int(line.split()[3].rsplit(":", 1)[1]) for line in listening if line}
    for port in sorted(ports - {80, 443}):
        assert office.alice.try_tcp(office.GATE[4], port, timeout=2) == RESET, port
        assert office.alice.try_tcp(office.GATE[6], port, timeout=2) == RESET, port
    assert office.alice.try_http(office.NEWS[4]) == THROUGH


def test_a_frozen_gate_opens_nothing(office):
    gate = office.start()
    pid = gate.roles()["gate"]
    os.kill(pid, signal.SIGSTOP)
    try:
        nothing_passes(office, office.bob)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: office.bob.try_http(office.WIKI[4]) == "511", 5, "the gate answers again")
