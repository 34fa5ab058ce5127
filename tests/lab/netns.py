"""Network namespaces: make them, run programs in them, open sockets in them.

A socket belongs for ever to the namespace it was made in, so a test opens its sockets with `inside(name)` and then
uses them like any other: no helper process, no protocol between test and client.
"""
import contextlib
import ctypes
import os
import pathlib
import shutil
import socket
import subprocess

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _setns(fd: int) -> None:
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """One network namespace. `name` is what `ip netns` calls it."""

    def __init__(self, name: str):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        try:
            self.ip("link set lo up")
            for key in ("all.accept_dad", "default.accept_dad", "default.accept_ra"):  # usable at once, and only as told
                self.sysctl(f"net.ipv6.conf.{key}", 0)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for pid in subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True).stdout.split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), 9)
        os.close(self._fd)
        subprocess.run(["ip", "netns", "del", self.name], check=False)
        shutil.rmtree(f"/etc/netns/{self.name}", ignore_errors=True)

    def hosts(self, names: dict[str, str]) -> None:
        """Gives programs that run here an /etc/hosts of their own."""
        folder = pathlib.Path("/etc/netns") / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(f"{a} {n}\n" for n, a in names.items()))

    def resolver(self, address: str) -> None:
        """Gives programs that run here a resolver of their own."""
        folder = pathlib.Path("/etc/netns") / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\n")

    def argv(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def run(self, *command: str, check: bool = True, **kwargs) -> subprocess.CompletedProcess:
        kwargs = {"capture_output": True, "text": True, "timeout": 60, **kwargs}
        done = subprocess.run(self.argv(*command), check=False, **kwargs)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def ip(self, *lines: str) -> None:
        """Each line is an `ip` command without the word ip."""
        done = subprocess.run(["ip", "-n", self.name, "-batch", "-"], input="\n".join(lines) + "\n", text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise AssertionError(f"ip -n {self.name}: {done.stderr}\n" + "\n".join(lines))

    def sysctl(self, key: str, value: object) -> None:
        path = "/proc/sys/" + key.replace(".", "/")
        with self.inside(), open(path, "w", encoding="ascii") as file:
            file.write(str(value))

    @contextlib.contextmanager
    def inside(self):
        """The calling thread is in this namespace until the block ends."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            _setns(self._fd)
            yield
        finally:
            _setns(home)
            os.close(home)

    def new_socket(self, address: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
        with self.inside():
            return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)

    def connect(self, address: str, port: int, timeout: float = 5.0, source: str | None = None) -> socket.socket:
        sock = self.new_socket(address)
        try:
            sock.settimeout(timeout)
            if source:
                sock.bind((source, 0))
            sock.connect((address, port))
        except BaseException:
            sock.close()
            raise
        return sock
