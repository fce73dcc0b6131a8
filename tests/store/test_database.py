from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from crawler.errors import HomeUnusable, StoreUnavailable
from crawler.store.database import Database, open_store
from crawler.store.migrations import known, migrate
from tests.store.factories import home_at, store_at


def test_files_are_only_for_the_owner(db: Database) -> None:
    with db.write():
        db.insert("key_checks", {"name": "x", "value": b"y"})
    files = sorted(path for path in db.home.root.iterdir() if path.name.startswith("vangnet.sqlite"))
    assert [path.name for path in files] == ["vangnet.sqlite", "vangnet.sqlite-shm", "vangnet.sqlite-wal"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in db.home.keys.iterdir()} == {0o600}


def test_pragmas_hold(db: Database) -> None:
    assert db.value("PRAGMA journal_mode") == "wal"
    assert db.value("PRAGMA foreign_keys") == 1
    assert db.value("PRAGMA synchronous") == 2
    assert db.value("PRAGMA secure_delete") == 1


def test_a_transaction_is_all_or_nothing(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write():
        db.insert("key_checks", {"name": "x", "value": b"y"})
        with db.write():
            db.insert("key_checks", {"name": "z", "value": b"y"})
        raise RuntimeError
    assert db.value("SELECT count(*) FROM key_checks WHERE name IN ('x', 'z')") == 0
    assert not db.writing


def test_writing_outside_a_transaction_is_a_mistake(db: Database) -> None:
    with pytest.raises(AssertionError):
        db.execute("DELETE FROM key_checks")


def test_reopening_keeps_the_keys(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        sealed = db.sealer.seal("t", "c", "1", "text")
    with store_at(tmp_path) as db:
        assert db.sealer.open("t", "c", "1", sealed) == "text"


def test_a_locked_database_says_so(tmp_path: Path) -> None:
    with store_at(tmp_path) as one, store_at(tmp_path) as other, one.write():
        with pytest.raises(StoreUnavailable, match=r"locked; another process holds it"), other.write():
            pass
        assert not other.writing
        assert other.value("SELECT 1") == 1


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.database.write_bytes(b"this is no database, and quite long enough to be seen as none\n" * 40)
    with pytest.raises(StoreUnavailable, match="restore it from a backup") as caught:
        open_store(home)
    assert "\n" not in str(caught.value)


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    with store_at(tmp_path) as db, db.write():
        db.execute("INSERT INTO _migrations VALUES ('9999-later', 0)")
    with pytest.raises(StoreUnavailable, match=r"9999-later.*use the version that wrote it"):
        open_store(home_at(tmp_path))


def test_lost_keys_are_not_replaced(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        (db.home.keys / "blind").unlink()
    with pytest.raises(HomeUnusable, match=r"blind.*restore it"):
        open_store(home_at(tmp_path))
    assert not (tmp_path / "home/keys/blind").exists()


def test_a_key_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        (db.home.keys / "seal-1").write_text("00" * 32 + "\n")
    with pytest.raises(StoreUnavailable, match=r"key seal-1 .* restore the keys"):
        open_store(home_at(tmp_path))


def test_a_failing_migration_leaves_nothing(db: Database) -> None:
    broken = known() | {"0099-broken": "CREATE TABLE half (a);\nINSERT INTO nowhere VALUES (1);\n"}
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        migrate(db._tables, broken)
    assert db.value("SELECT count(*) FROM sqlite_master WHERE name = 'half'") == 0
    migrate(db._tables, known() | {"0099-whole": "CREATE TABLE whole (a);\n"})
    assert db.value("SELECT count(*) FROM _migrations WHERE name = '0099-whole'") == 1


def test_triggers_survive_the_splitting_of_scripts(db: Database) -> None:
    found = {row["name"] for row in db.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    assert found >= {"audit_events_in_order", "audit_events_unchanged", "audit_events_kept"}
    assert found >= {"notices_second_person", "cases_see_new_hits", "list_enablings_by_another"}


def test_an_unwritable_place_says_so(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    home.database.mkdir()
    with pytest.raises(StoreUnavailable, match="check the home's owner and mode"):
        open_store(home)


def test_a_file_that_was_restored_with_another_mode_is_closed_again(tmp_path: Path) -> None:
    home = home_at(tmp_path)
    open_store(home).close()
    home.database.chmod(0o644)
    open_store(home).close()
    assert stat.S_IMODE(home.database.stat().st_mode) == 0o600
