"""Restores that meet others, that are given the wrong file, and that find what was left over: nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import InvalidInput, NotAuthorised, Refused, StoreUnavailable
from crawler.home import Home
from crawler.service import upkeep
from crawler.service.actors import account
from crawler.service.upkeep import back_up, restore
from crawler.store import audit, exclusive
from crawler.store.database import Database, open_store
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, report

OPENS = (
    "import sys; from pathlib import Path; from crawler.home import open_home; "
    "from crawler.store.database import open_store\n"
    "print(flush=True); sys.stdin.readline()\n"
    "with open_store(open_home(Path(sys.argv[1]), lab=True)) as db, db.write():\n"
    "    db.execute('UPDATE hits SET changed_at = 77')"
)


@pytest.fixture
def home(db: Database, tmp_path: Path) -> Home:
    """With two hits, and `b.sqlite`, a backup of the first one."""
    record(db, report(), ATTRIBUTION)
    back_up(db, ANNA, tmp_path / "b.sqlite")
    record(db, report("next", image_url="https://gallery.example/next.jpg"), ATTRIBUTION)
    db.close()
    return db.home


def hits(home: Home) -> int:
    with open_store(home) as db:
        assert audit.verify(db).intact
        return int(db.value("SELECT count(*) FROM hits"))


def journal(home: Home) -> bytes:
    """What SQLite would play into a database beside which it lies: a write that was cut off, of another one."""
    other = home.root.parent / "other.sqlite"
    shutil.copy(home.database, other)
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        for sql in ("journal_mode = DELETE", "cache_size = 2"):
            connection.execute(f"PRAGMA {sql}").fetchall()
        connection.execute("BEGIN")
        connection.execute("CREATE TABLE made AS SELECT * FROM audit_events, sqlite_master")
        return other.with_name("other.sqlite-journal").read_bytes()


@pytest.mark.parametrize("name", ["vangnet.sqlite", "vangnet.sqlite.before", "vangnet.sqlite.restored"])
def test_a_file_that_restoring_would_delete_is_not_taken(home: Home, tmp_path: Path, name: str) -> None:
    if name != "vangnet.sqlite":
        shutil.copy(tmp_path / "b.sqlite", home.root / name)
    with pytest.raises(InvalidInput, match="move it elsewhere"):
        restore(home, "anna", home.root / name, replace=True)
    assert (home.root / name).stat().st_size
    assert hits(home) == 2


def test_a_copy_whose_log_is_apart_is_not_taken(home: Home, tmp_path: Path) -> None:
    (tmp_path / "b.sqlite-wal").write_bytes(b"the latest commits")
    with pytest.raises(InvalidInput, match="log is apart"):
        restore(home, "anna", tmp_path / "b.sqlite", replace=True)


@pytest.mark.parametrize("size", [0, 5_000, 40_000])
def test_a_backup_that_is_cut_off_is_said_to_be_it(home: Home, tmp_path: Path, size: int) -> None:
    os.truncate(tmp_path / "b.sqlite", size)
    with pytest.raises(StoreUnavailable, match=r"^the backup is not what was written: .* take another one$"):
        restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    assert hits(home) == 2


def test_of_two_at_once_one_is_refused(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checked, met = upkeep._checked, []

    def second(*arguments: object) -> int:
        with pytest.raises(Refused, match="another process restores"):
            restore(home, "anna", tmp_path / "b.sqlite", replace=True)
        met.append(1)
        return checked(*arguments)

    monkeypatch.setattr(upkeep, "_checked", second)
    restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    assert (len(met), hits(home)) == (1, 1)


@pytest.mark.parametrize("name", ["vangnet.sqlite.restored", "vangnet.sqlite"])
def test_a_journal_that_was_left_is_played_into_nothing(home: Home, tmp_path: Path, name: str) -> None:
    left = journal(home)
    assert left[:4] == bytes.fromhex("d9d505f9"), "it is hot"
    if name == "vangnet.sqlite":
        home.database.unlink()
    (home.root / f"{name}-journal").write_bytes(left)
    restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    assert hits(home) == 1


@pytest.mark.parametrize("step", ["BEGIN EXCLUSIVE", "link"])
def test_who_opens_meanwhile_gets_what_was_restored(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    link, connect = os.link, sqlite3.connect
    words = [sys.executable, "-c", OPENS, str(home.root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline()
        begin = other.stdin

        def meanwhile() -> None:
            begin.write(b"\n")
            begin.flush()
            with pytest.raises(subprocess.TimeoutExpired):
                other.wait(0.3)

        class Watched(sqlite3.Connection):
            def execute(self, sql: str, *values: object) -> sqlite3.Cursor:
                if sql == step:
                    meanwhile()
                return super().execute(sql, *values)

        def linked(source: Path, target: Path) -> None:
            if step == "link":
                meanwhile()
            link(source, target)

        monkeypatch.setattr(os, "link", linked)
        monkeypatch.setattr(exclusive.sqlite3, "connect", lambda *a, **b: connect(*a, **b, factory=Watched))
        restore(home, "anna", tmp_path / "b.sqlite", replace=True)
        monkeypatch.undo()
        assert other.wait(10) == 0
    with open_store(home) as db:
        assert db.rows("SELECT changed_at FROM hits") == [{"changed_at": 77}]


def test_nobody_else_can_read_the_copy_while_it_is_written(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    copy = shutil.copyfileobj

    def watched(source: object, target: object, length: int) -> None:
        seen.append(stat.S_IMODE((home.root / "vangnet.sqlite.restored").stat().st_mode))
        copy(source, target, length)

    monkeypatch.setattr(shutil, "copyfileobj", watched)
    before = os.umask(0)
    try:
        restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    finally:
        os.umask(before)
    assert seen == [0o600]


def test_where_no_database_can_say_who_somebody_is_nobody_takes_a_name(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    production = Home(home.root, lab=False)
    monkeypatch.setattr("crawler.service.actors.getpass.getuser", lambda: "crawl")
    assert (account(production, None).name, account(production, "crawl").origin) == ("crawl", "cli:crawl")
    with pytest.raises(NotAuthorised, match="you are 'crawl'"):
        account(production, "anna")
