"""The store under the gate's feet: open transactions, backups, foreign and damaged files, a log that was tampered with."""
import contextlib
import shutil
import sqlite3

import pytest

from client import RESET, THROUGH


def test_an_admins_open_transaction_blocks_no_flow(office):
    office.start()
    office.alice.sign_in("alice")
    with sqlite3.connect(office.store, isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        for _ in range(5):
            assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO, timeout=1) == THROUGH
            assert office.bob.try_tcp(office.PAYROLL[4], office.ECHO, timeout=1) == RESET
        done = office.cli("user", "add", "carol", "--password-file", "-", input="another long one\n", expect=1)
        assert "another process holds the store" in done.stderr, done.stderr
        db.execute("ROLLBACK")
    office.cli("user", "add", "carol", "--password-file", "-", input="another long one\n")
    office.bob.sign_in("bob")


def test_a_backup_is_whole_and_can_be_put_in_the_stores_place(office):
    gate = office.start()
    office.alice.sign_in("alice")
    copy = office.folder / "copy.db"
    office.cli("backup", str(copy))
    done = office.cli("backup", str(copy), expect=None)
    assert done.returncode != 0 and "copy.db" in done.stderr, "a file that exists is not overwritten"
    office.cli("session", "end", "--user", "alice")
    gate.stop()
    for suffix in ("", "-wal", "-shm"):
        office.store.with_name(office.store.name + suffix).unlink(missing_ok=True)
    shutil.copy(copy, office.store)
    office.serve()
    assert office.alice.try_tcp(office.PAYROLL[4], office.ECHO) == THROUGH
    office.integrity()


@pytest.mark.parametrize("spoil", ["PRAGMA user_version = 99", "PRAGMA application_id = 7"])
def test_a_store_of_another_kind_is_refused_and_left_alone(office, spoil):
    office.init()
    with contextlib.closing(sqlite3.connect(office.store)) as db:
        db.execute(spoil)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = office.store.read_bytes()
    for words in (("serve",), ("user", "list"), ("user", "disable", "alice")):
        done = office.cli(*words, expect=5)
        assert "office.db" in done.stderr, done
    assert office.store.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(office):
    office.store.write_text("payroll, 2026\n" * 100)
    before = office.store.read_bytes()
    for words in (("serve",), ("user", "list"), ("init", "--lan", "lan0", "--portal", office.PORTAL)):
        assert office.cli(*words, expect=None).returncode != 0
    assert office.store.read_bytes() == before


@pytest.mark.parametrize("change", [
    "UPDATE audit SET event = replace(event, 'alice', 'mallory') WHERE event LIKE '%alice%'",
    "DELETE FROM audit WHERE id = (SELECT min(id) + 1 FROM audit)",
])
def test_a_changed_log_shows(office, change):
    gate = office.start()
    office.alice.sign_in("alice")
    gate.stop()
    assert broken_chain(office) == ""
    with contextlib.closing(sqlite3.connect(office.store.with_name("office.audit.db"))) as db, db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        assert db.execute(change).rowcount > 0
    assert broken_chain(office)


def broken_chain(office) -> str:
    """What doctor has against the audit log; with a complaint it must not exit with 0."""
    done = office.cli("doctor", expect=None)
    found = "".join(line for line in done.stdout.splitlines(True) if "audit" in line and not line.startswith("ok"))
    assert not found or done.returncode != 0, done
    return found
