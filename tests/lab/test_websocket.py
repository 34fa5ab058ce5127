"""WebSocket by every way in: a request for another protocol goes through the HTTP proxy in absolute form and in a tunnel,
frames pass both ways, and what has become of the connection still ends with the session."""
import os
import subprocess
import time

import pytest

import programs
from lab import until
from test_explicit import HTTP

SLACK = float(os.environ.get("LAB_SLACK", "0.25"))
PORT = 8080
WAYS = ["direct", "forward", "connect"]


@pytest.fixture
def chat(office):
    office.name_server({"chat.lan": office.WIKI[4]})
    office.init()
    programs.protect(office, "chatter", f"{office.WIKI[4]}:{PORT}/tcp")
    office.websocket = programs.Program(office, "websocket",
                                        *programs.node("websocket.cjs", "server", office.WIKI[4], str(PORT)))
    until(lambda: "ready" in office.websocket.log, 20, "the WebSocket server listens")
    programs.serve_proxies(office)
    return office


def command(office, way: str) -> list[str]:
    host = office.WIKI[4] if way == "direct" else "chat.lan"
    return programs.node("websocket.cjs", "client", host, str(PORT), way, office.GATE[4], str(HTTP))


def refused(office, way: str, arrivals) -> None:
    before = arrivals.count()
    done = office.alice.ns.run(*command(office, way), check=False)
    assert done.returncode == 1 and "response: 511" in done.stdout, done
    assert arrivals.count() == before


@pytest.mark.parametrize("way", WAYS)
def test_frames_pass_both_ways_until_the_session_ends(chat, way):
    office = chat
    arrivals = programs.Arrivals(office, PORT)
    refused(office, way, arrivals)
    assert "connection" not in office.websocket.log

    office.alice.sign_in("alice")
    with programs.running(office.alice, *command(office, way), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "whole\n", (office.websocket.log, office.log()[-4:])
        said = office.websocket.log.splitlines()
        assert said[1:] == [f"connection {office.alice.address[4]} /echo", "greeted back a greeting"], said
        assert arrivals.count() == 1
        office.cli("session", "end", "--user", "alice")
        ended = time.time()
        client.wait(10)
        assert time.time() - ended <= 1 + SLACK
        assert "close 1006" in client.stdout.read()
    until(lambda: "close 1006" in office.websocket.log, 2, "the server learns of it")
    refused(office, way, arrivals)


@pytest.mark.parametrize("way", WAYS)
def test_an_end_by_either_side_is_passed_on(chat, way):
    office = chat
    office.alice.sign_in("alice")
    with programs.running(office.alice, *command(office, way), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "whole\n", office.websocket.log
        client.kill()
    until(lambda: "close 1006" in office.websocket.log, 3, "the server learns that the client has gone")
    with programs.running(office.alice, *command(office, way), stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout.readline() == "whole\n", office.websocket.log
        office.websocket.stop()
        client.wait(10)
        assert "close 1006" in client.stdout.read()
    until(lambda: office.json("status")["flows"] == 0, 3, "nothing is left of them")
