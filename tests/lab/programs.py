"""Real servers for real clients: started in the servers' namespace, stopped with the office, and watched from outside.

Each has its files in a folder of its own below the office's, and says what it did in `Program.log`. How a test proves
that nothing of a refused flow arrived is the same for all: `Arrivals` has the kernel count in front of the server.
"""
import functools
import os
import pathlib
import pwd
import shutil
import socket
import subprocess

from lab import ROOT, Office, until

# Where Debian keeps programs that not every user has in his path.
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


class Program:
    """A server that runs in the servers' namespace until the office is taken away."""

    def __init__(self, office: Office, name: str, *command: str, env: dict | None = None, stop_with: int = 15,
                 folder: pathlib.Path | None = None):
        self.folder = folder or new_folder(office, name)
        self._log = self.folder / "log"
        self._stop_with = stop_with
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(office.server_ns.argv(*command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "PATH": PATH, **(env or {})}, cwd=self.folder,
                                            start_new_session=True)
        office.at_end(self.stop)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(self._stop_with)
            self.process.wait(15)


def new_folder(office: Office, name: str) -> pathlib.Path:
    made = office.folder / name
    made.mkdir()
    return made


def listens(office: Office, program: Program, address: str, port: int) -> None:
    """Waits until the program takes connections there."""
    def answers():
        assert program.process.poll() is None, f"the server ended:\n{program.log}"
        with office.server_ns.new_socket(address) as sock:
            return sock.connect_ex((address, port)) == 0
    until(answers, 20, f"a listener at {address} port {port}:\n{program.log}")


class Arrivals:
    """Counts what reaches a port of the servers from the LAN: TCP connections by their first packet, UDP by the datagram.
    No byte of a flow can arrive where this has not counted."""

    def __init__(self, office: Office, port: int, protocol: str = "tcp"):
        self._ns, self._mark = office.server_ns, f"arrivals-{protocol}-{port}"
        first = ["--syn"] if protocol == "tcp" else []
        for tool in ("iptables", "ip6tables"):
            self._ns.run(tool, "-w", "-A", "INPUT", "-i", "eth0", "-p", protocol, "--dport", str(port), *first, "-m", "comment",
                         "--comment", self._mark)

    def count(self) -> int:
        total = 0
        for tool in ("iptables", "ip6tables"):
            listed = self._ns.run(tool, "-w", "-nvxL", "INPUT").stdout
            (line,) = (line for line in listed.splitlines() if self._mark in line)
            total += int(line.split()[0])
        return total


def protect(office: Office, name: str, *destinations: str) -> None:
    """A resource that alice may use after a sign-in, at these destinations ("10.88.0.2:22/tcp")."""
    words = [word for destination in destinations for word in ("--to", destination)]
    office.cli("resource", "add", name, *words)
    office.cli("policy", "add", name, "--resource", name, "--user", "alice", "--session", "8h")


def serve_proxies(office: Office) -> None:
    """A gate that runs, with both explicit proxies."""
    office.cli("set", "socks.listen", "lan")
    office.cli("set", "http.listen", "lan")
    gate = office.serve()
    gate.wait_line("the SOCKS proxy listens at")
    gate.wait_line("the HTTP proxy listens at")
