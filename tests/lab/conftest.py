"""Fixtures of the lab. Each test has an office of its own: nothing that one test does reaches another."""
import os
import pathlib

import pytest

import lab


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("the lab makes network namespaces: it must run as root", 2)
    lab.raise_descriptors()


@pytest.fixture
def town():
    """The office's machines and cables, without a gate: plain routing."""
    with lab.Office() as made:
        yield made


@pytest.fixture
def office(town, request):
    """The town with a store that has been set up; the gate is not running yet."""
    if not pathlib.Path(lab.BINARY).is_file():
        pytest.fail(f"no binary at {lab.BINARY}: build it, or name another in NIGHTLATCH_BIN")
    yield town
    report = getattr(request.node, "report", None)
    if report is not None and report.failed:
        for number, gate in enumerate(town.gates):
            print(f"--- stderr of serve {number} ---\n{gate.text}")
        print("--- rules ---\n" + town.gate_ns.run("iptables-save", check=False).stdout)


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.report = outcome.get_result()
