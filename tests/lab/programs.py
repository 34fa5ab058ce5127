"""Real servers for real clients: started in the servers' namespace, stopped with the office, and watched from outside.

Each has its files in a folder of its own below the office's, and says what it did in `Program.log`. How a test proves
that nothing of a refused flow arrived is the same for all: `Arrivals` has the kernel count in front of the server.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
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


@contextlib.contextmanager
def running(laptop, *command: str, **kwargs):
    """A client that the laptop has started: its process, which is gone after the block in any case."""
    with subprocess.Popen(laptop.ns.argv(*command), **kwargs) as process:
        try:
            yield process
        finally:
            process.kill()


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
            self._ns.run(tool, "-w", "-A", "INPUT", "-i", "eth0", "-p", protocol, "--dport", str(port), *first, "-m",
                         "comment", "--comment", self._mark)

    def count(self) -> int:
        total = 0
        for tool in ("iptables", "ip6tables"):
            listed = self._ns.run(tool, "-w", "-nvxL", "INPUT").stdout
            (line,) = (line for line in listed.splitlines() if self._mark in line)
            total += int(line.split()[0])
        return total


class Sshd(Program):
    """An OpenSSH server with one authorised key, and how the office's programs are told to use it."""
    PORT = 22

    def __init__(self, office: Office):
        folder = new_folder(office, "sshd")
        os.makedirs("/run/sshd", 0o755, exist_ok=True)  # where it locks itself in; what starts a system makes it
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
        shutil.copy(folder / "user.pub", folder / "authorized")
        (folder / "known").write_text("build " + (folder / "host.pub").read_text())
        (folder / "config").write_text(f"""
            HostKey {folder}/host
            AuthorizedKeysFile {folder}/authorized
            StrictModes no
            UsePAM no
            PermitRootLogin prohibit-password
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PidFile none
            LogLevel VERBOSE
            """ + "".join(f"ListenAddress {address}\n" for address in office.WIKI.values()))
        super().__init__(office, "sshd", shutil.which("sshd", path=PATH) or "sshd", "-D", "-e", "-f", f"{folder}/config",
                         folder=folder)
        options = (f"UserKnownHostsFile={folder}/known", "HostKeyAlias=build", "StrictHostKeyChecking=yes",
                   "IdentitiesOnly=yes", "BatchMode=yes", "ConnectTimeout=10", "LogLevel=ERROR")
        self.client = ["ssh", "-F", "/dev/null", "-i", f"{folder}/user", *(w for option in options for w in ("-o", option))]
        for address in office.WIKI.values():
            listens(office, self, address, self.PORT)


class Postgres(Program):
    """A PostgreSQL cluster of its own, which trusts the LAN."""
    PORT = 5433

    def __init__(self, office: Office):
        folder = new_folder(office, "postgres")
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        binaries = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda found: float(found.parent.name))
        as_user, data = ["runuser", "-u", "postgres", "--"], folder / "data"
        subprocess.run([*as_user, binaries / "initdb", "-D", data, "-U", "alice", "-A", "trust", "-N", "--no-locale", "-E",
                        "UTF8"], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        with open(data / "pg_hba.conf", "a", encoding="ascii") as rules:
            rules.write("host all all 10.77.0.0/24 trust\nhost all all fd77::/64 trust\n")
        settings = {"listen_addresses": ",".join(office.WIKI.values()), "port": self.PORT, "unix_socket_directories": folder,
                    "fsync": "off", "log_connections": "on", "shared_buffers": "16MB", "jit": "off"}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        super().__init__(office, "postgres", *as_user, str(binaries / "postgres"), "-D", str(data), *words, folder=folder)
        for address in office.WIKI.values():
            listens(office, self, address, self.PORT)

    def stop(self) -> None:
        # At once, and yet in good order: what it has in shared memory is given back.
        pid = self.folder / "data" / "postmaster.pid"
        if self.process.poll() is None and pid.exists():
            os.kill(int(pid.read_text().split()[0]), signal.SIGINT)
            self.process.wait(15)
        super().stop()


class Repository:
    """A bare Git repository with one commit, served over HTTP as the files that it consists of."""
    PORT = 8000

    def __init__(self, office: Office):
        self.folder = new_folder(office, "git")
        self.env = {**os.environ, "HOME": str(self.folder), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
                    "GIT_TERMINAL_PROMPT": "0", **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
                                                   for what, value in (("NAME", "lab"), ("EMAIL", "lab@office.example"))}}
        self.path = self.folder / "project.git"
        work = self.folder / "work"
        self.git("init", "-q", str(work))
        (work / "large").write_bytes(os.urandom(1 << 20))
        self.git("-C", str(work), "add", "large")
        self.git("-C", str(work), "commit", "-q", "-m", "one")
        self.git("clone", "-q", "--bare", str(work), str(self.path))
        self.git("-C", str(self.path), "update-server-info")
        self.head = self.git("-C", str(self.path), "rev-parse", "HEAD")
        self.web = Program(office, "web", "/usr/bin/python3", "-u", "-m", "http.server", "--bind", office.WIKI[4],
                           "--directory", str(self.folder), str(self.PORT))
        listens(office, self.web, office.WIKI[4], self.PORT)

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], check=True, env=self.env, capture_output=True, text=True).stdout.strip()


def node_modules() -> str:
    """What node/package.json asks for, installed once below build/; for NODE_PATH."""
    wanted, made = pathlib.Path(__file__).with_name("node"), ROOT / "build" / "lab-node"
    lock = (wanted / "package-lock.json").read_bytes()
    done = made / "installed.json"
    if not done.is_file() or done.read_bytes() != lock:
        made.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(wanted / name, made)
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=made, check=True, stdout=subprocess.DEVNULL)
        done.write_bytes(lock)
    return str(made / "node_modules")


def node(script: str, *words: str) -> list[str]:
    """The command that runs one of the scripts in node/."""
    return ["env", f"NODE_PATH={node_modules()}", "node", str(pathlib.Path(__file__).with_name("node") / script), *words]


def protect(office: Office, name: str, *destinations: str, session: str = "8h") -> None:
    """A resource that alice may use after a sign-in, at these destinations ("10.88.0.2:22/tcp")."""
    words = [word for destination in destinations for word in ("--to", destination)]
    office.cli("resource", "add", name, *words)
    office.cli("policy", "add", name, "--resource", name, "--user", "alice", "--session", session)


def serve_proxies(office: Office) -> None:
    """A gate that runs, with both explicit proxies."""
    office.cli("set", "socks.listen", "lan")
    office.cli("set", "http.listen", "lan")
    gate = office.serve()
    gate.wait_line("the SOCKS proxy listens at")
    gate.wait_line("the HTTP proxy listens at")
