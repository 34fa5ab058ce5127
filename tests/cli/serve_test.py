#!/usr/bin/env python3
"""The supervisor with the real binary, in a network namespace of its own.

Usage: serve_test.py NIGHTLATCH [unittest's arguments]     as root; exit status 77: cannot be run here
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

BINARY = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""


def until(condition, limit, what):
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit} s: {what}")
        time.sleep(0.01)
    return value


def children(pid):
    try:
        return [int(w) for t in pathlib.Path(f"/proc/{pid}/task").iterdir() for w in (t / "children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Serve:
    """A running `nightlatch serve`."""

    def __init__(self, store, *arguments, env=None):
        self.lines = []
        self.process = subprocess.Popen([BINARY, "serve", "--store", str(store), *arguments], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, pattern, limit=30.0, start=0):
        return until(lambda: next((l for l in self.lines[start:] if re.search(pattern, l)), None), limit,
                     f"a line like {pattern}; it said {self.lines}")

    def role(self, name):
        def find():
            for pid in children(self.process.pid):
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                if name in words:
                    return pid
            return None
        return until(find, 10, f"a process with the role {name}")

    def end(self, signum=signal.SIGTERM, limit=20.0):
        if self.process.poll() is None:
            self.process.send_signal(signum)
        status = self.process.wait(limit)
        self.reader.join(5)
        return status


class ServeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="nightlatch-serve-")
        self.addCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        self.store = pathlib.Path(folder.name) / "store" / "office.db"
        self.cli("init", "--lan", "lan0", "--portal", "gate.office.example")
        self.running = []

    def tearDown(self):
        for serve in self.running:
            pids = children(serve.process.pid)
            serve.process.kill()
            serve.process.wait()
            serve.reader.join(5)
            serve.process.stderr.close()
            until(lambda: not any(map(alive, pids)), 20, "the children's end")

    def cli(self, *words, expect=0, store=None):
        done = subprocess.run([BINARY, *words, "--store", str(store or self.store)], capture_output=True, text=True)
        self.assertEqual(done.returncode, expect, f"{words}: {done.stdout}{done.stderr}")
        return done

    def serve(self, *arguments, env=None, ready=True):
        serve = Serve(self.store, *arguments, env=env)
        self.running.append(serve)
        if ready:
            serve.said(r"^nightlatch: ready$")
        return serve

    def test_runs_answers_and_stops_cleanly(self):
        serve = self.serve("--workers", "1")
        status = json.loads(self.cli("status", "--json").stdout)
        self.assertEqual((status["running"], status["workers"]), (True, 1))
        pids = [serve.role("gate"), serve.role("portal")]
        open_files = {os.readlink(f) for f in pathlib.Path(f"/proc/{serve.process.pid}/fd").iterdir()}
        for name in ("office.db", "office.audit.db"):
            for file in (name, name + "-wal", name + "-shm"):
                mode = (self.store.parent / file).stat().st_mode & 0o7777
                self.assertEqual(mode, 0o660, file)
                self.assertIn(str(self.store.parent / file), open_files, "serve itself keeps it")
        self.assertIn("serve.start", [r["event"] for r in json.loads(self.cli("log", "--json").stdout)])
        for pid in pids:
            uid = re.search(r"^Uid:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1)
            self.assertNotEqual(uid, "0", "neither stays root")
        self.assertEqual(serve.end(), 0, serve.lines)
        self.assertFalse(any(map(alive, pids)))
        self.assertFalse(any("killed" in line for line in serve.lines), serve.lines)
        self.cli("status", expect=6)
        self.cli("user", "list")

    def test_interrupt_stops_it_too(self):
        serve = self.serve()
        self.assertEqual(serve.end(signal.SIGINT), 0, serve.lines)

    def test_a_killed_child_is_back_within_two_seconds(self):
        serve = self.serve()
        for role in ("gate", "portal", "gate"):
            start, pid, began = len(serve.lines), serve.role(role), time.monotonic()
            other = serve.role("portal" if role == "gate" else "gate")
            os.kill(pid, signal.SIGKILL)
            serve.said(rf"the {role} serves again", 10, start)
            took = time.monotonic() - began
            self.assertLess(took, 2 + 3 * bool(os.environ.get("ASAN_OPTIONS", "")), role)
            self.assertIn("killed by signal 9", serve.said(rf"the {role} was", 1, start))
            self.assertTrue(alive(other), "the other one went on")
        rows = json.loads(self.cli("log", "--json").stdout)
        ends = [r["detail"].split(" was")[0] for r in rows if r["event"] == "serve.restart"]
        self.assertEqual(ends, ["the gate", "the portal", "the gate"])
        self.assertEqual(serve.end(), 0)

    def test_a_killed_supervisor_leaves_nothing_and_the_next_one_starts(self):
        serve = self.serve()
        pids = [serve.role("gate"), serve.role("portal")]
        serve.process.kill()  # and not waited for: as a zombie it must not count as running
        again = self.serve()
        self.assertFalse(any(map(alive, pids)))
        self.assertEqual(again.end(), 0)

    def test_only_one_for_a_store(self):
        serve = self.serve()
        second = self.cli("serve", expect=1)
        self.assertIn(f"process {serve.process.pid}", second.stderr)
        self.assertEqual(serve.end(), 0)

    def test_hangup_is_passed_on(self):
        serve = self.serve()
        serve.process.send_signal(signal.SIGHUP)
        serve.said("certificate read again", 5)
        self.assertEqual(serve.end(), 0)

    def test_the_portal_follows_its_settings(self):
        serve = self.serve()
        self.cli("set", "portal.url", "https://door.office.example")
        serve.said("the portal serves again", 40)
        serve.said("sign-in page is at https://door.office.example/", 1)
        certificate = self.store.parent / "tls" / "portal.pem"
        text = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-ext", "subjectAltName"],
                              capture_output=True, text=True, check=True).stdout
        self.assertIn("door.office.example", text)
        self.assertEqual(serve.end(), 0)

    def test_reads_a_store_on_a_read_only_disk(self):
        self.cli("user", "add", "alice", "--no-password")
        folder = self.store.parent
        subprocess.run(["mount", "--bind", folder, folder], check=True)
        self.addCleanup(subprocess.run, ["umount", folder], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        self.assertEqual([u["name"] for u in json.loads(self.cli("user", "list", "--json").stdout)], ["alice"])
        self.assertIn("alice", self.cli("log").stdout)
        self.cli("user", "add", "bob", "--no-password", expect=1)

    def test_tells_the_service_manager(self):
        for abstract in (False, True):
            name = str(self.store.parent / "notify")
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.bind("\0" + name if abstract else name)
                sock.settimeout(30)
                serve = self.serve(env={"NOTIFY_SOCKET": "@" + name if abstract else name})
                self.assertEqual(sock.recv(100), b"READY=1")
                self.assertEqual(serve.end(), 0)
                self.assertEqual(sock.recv(100), b"STOPPING=1")

    def test_a_configuration_that_cannot_work_is_not_tried_for_ever(self):
        bad = self.store.with_name("bad.pem")
        bad.write_text("this is no certificate\n")
        self.cli("set", "portal.certificate", str(bad))
        self.cli("set", "portal.key", str(bad))
        serve = self.serve(ready=False)
        self.assertEqual(serve.process.wait(20), 5, serve.lines)
        serve.said("bad.pem", 5)
        serve.said("giving up", 5)

    def test_a_process_that_never_comes_up_is_given_up(self):
        self.cli("set", "portal.https", "10.77.0.1:9443")
        with socket.socket() as taken:
            taken.bind(("10.77.0.1", 9443))
            taken.listen()
            serve = self.serve(ready=False)
            self.assertEqual(serve.process.wait(60), 1, serve.lines)
        serve.said("7th time", 5)

    def test_a_store_that_cannot_be_used_is_refused_and_left_alone(self):
        absent = self.store.with_name("absent.db")
        done = self.cli("serve", store=absent, expect=5)
        self.assertIn("nightlatch init", done.stderr)
        self.assertFalse(absent.exists())
        self.assertFalse(absent.with_name("absent.db.lock").exists())
        whole = self.store.read_bytes()
        damaged = whole[:4096] + bytes(4096) + whole[8192:]
        self.store.write_bytes(damaged)
        self.assertIn("damaged", self.cli("serve", expect=5).stderr)
        self.assertEqual(self.store.read_bytes(), damaged)

    def test_files_made_without_the_group_are_put_right(self):
        os.chmod(self.store, 0o600)
        os.chown(self.store, 0, 0)
        serve = self.serve()
        self.assertEqual(self.store.stat().st_mode & 0o7777, 0o660)
        self.assertEqual(serve.end(), 0)

    def test_init_opens_nobody_elses_folder_to_the_group(self):
        folder = self.store.parent.parent / "shared"
        folder.mkdir()
        (folder / "letter").write_text("private")
        before = folder.stat()
        done = self.cli("init", "--portal", "x.example", store=folder / "office.db", expect=2)
        self.assertIn("a folder of its own", done.stderr)
        self.assertEqual((folder.stat().st_mode, folder.stat().st_gid), (before.st_mode, before.st_gid))
        self.assertEqual([f.name for f in folder.iterdir()], ["letter"])

    def test_following_the_log_ends_with_its_reader(self):
        follow = subprocess.Popen([BINARY, "log", "--follow", "--store", str(self.store)], stdout=subprocess.PIPE, text=True)
        self.assertIn("init", follow.stdout.readline())
        self.cli("set", "mode", "observe")
        self.assertIn("set mode observe", follow.stdout.readline())
        follow.stdout.close()
        self.assertEqual(follow.wait(5), 0)

    def test_children_that_die_at_once_are_started_ever_more_slowly(self):
        serve = self.serve()
        pid = serve.role("portal")
        delays = []
        for _ in range(4):
            start = len(serve.lines)
            pid = until(lambda: next((p for p in [serve.role("portal")] if p != pid or not delays), None), 10, "a new portal")
            os.kill(pid, signal.SIGKILL)
            delays.append(int(re.search(r"again in (\d+) ms", serve.said("the portal was killed", 10, start)).group(1)))
        self.assertEqual(delays, [100, 200, 400, 800])
        self.assertEqual(serve.end(), 0)


def main():
    if os.geteuid() != 0 or not BINARY:
        print("serve_test.py: needs root and the program's path", file=sys.stderr)
        return 77
    if os.environ.get("NIGHTLATCH_SERVE_TEST") != "inside":
        words = ["unshare", "-n", sys.executable, *sys.argv]
        os.execvpe("unshare", words, {**os.environ, "NIGHTLATCH_SERVE_TEST": "inside", "PYTHONDONTWRITEBYTECODE": "1"})
    for line in ("link set lo up", "link add lan0 type bridge", "addr add 10.77.0.1/24 dev lan0", "link set lan0 up"):
        subprocess.run(["ip", *line.split()], check=True)
    return 0 if unittest.main(argv=[sys.argv[0], *sys.argv[2:]], exit=False, verbosity=2).result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
