"""What arrives is seen by nobody until it is a version, whoever is killed, and others write meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.errors import Refused, StoreUnavailable
from crawler.match.entries import Entry
from crawler.service.checks import check
from crawler.service.dropping import drop
from crawler.store import arrivals, audit, database, entries, lists, slices
from crawler.store.database import Database, open_store
from crawler.store.staging import Staging
from tests.store.factories import ANNA, add_list, digest_entry, home_at, store_at

OLD = [digest_entry(str(number), category="old") for number in range(12)]
NEW = [digest_entry(str(number), category="new" if number % 2 else "old") for number in range(6, 20)]


@pytest.fixture(autouse=True)
def thin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of three rows, and no rest in between."""
    for name, value in (("_FIRST", 3), ("_LEAST", 3), ("_MOST", 3), ("_GAP", 0.0)):
        monkeypatch.setattr(slices, name, value)
    monkeypatch.setattr(slices.time, "sleep", lambda _: None)


def rows(db: Database) -> list[object]:
    """Everything that is stored of lists."""
    tables = ("hash_lists", "list_versions", "hash_entries", "list_moves", "entry_changes")
    numbers = db.rows("SELECT seq FROM sqlite_sequence WHERE name = 'hash_entries'")
    return [numbers, *(db.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in tables)]


def seen(db: Database) -> object:
    """What the readers of lists are told, in any state."""
    known = lists.all_lists(db)
    values = [digest_entry(str(number)).value for number in range(20)]
    return (
        known,
        list(entries.index_rows(db, known)),
        [list(entries.latest_rows(db, row)) for row in known],
        list(entries.rows_of_versions(db, known)),
        sorted(entries.codes(db, "sha256")),
        [[entries.entries_with(db, row.id, "sha256", value) for value in values] for row in known],
        entries.entry_facts(db, range(60)),
    )


def bring(db: Database, new: list[Entry], within: Callable[[], object], name: str = "tulips") -> None:
    """An import that gets as far as being whole and no version yet."""
    with Staging(db) as staging:
        staging.add(new)
        staging.attach()
        with arrivals.importing(db):
            change = arrivals.difference(db, staging, name, "block", replaces=True)
            with arrivals.arriving(db, name, "block", "confirm", change):
                within()
                raise ValueError


@pytest.mark.parametrize("name", ["tulips", "roses"])
def test_what_arrives_is_seen_by_nobody_and_taken_back(db: Database, name: str) -> None:
    add_list(db, OLD)
    before, stored = seen(db), rows(db)

    def look() -> None:
        assert rows(db) != stored
        assert seen(db) == before

    with pytest.raises(ValueError):
        bring(db, NEW, look, name)
    assert (seen(db), rows(db)) == (before, stored)


def test_checks_find_what_an_arriving_version_withdraws(db: Database) -> None:
    add_list(db, OLD)
    value = OLD[0].value.hex()
    found: list[int] = []
    with pytest.raises(ValueError):
        bring(db, NEW, lambda: found.extend(len(answer["matches"]) for answer in check(db, ANNA, [value])))
    assert found == [1]


def test_who_drops_a_list_meanwhile_is_heard_first(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_list(db, OLD)
    monkeypatch.setattr(arrivals, "_begin", _then(arrivals._begin, lambda: drop(db, ANNA, "tulips")))
    with pytest.raises(Refused, match="dropped while"):
        add_list(db, NEW)
    assert lists.all_lists(db) == []
    assert db.value("SELECT count(*) FROM hash_entries") == 0
    monkeypatch.undo()
    assert add_list(db, NEW).added == len(NEW)


def test_who_drops_a_list_while_it_is_compared_is_heard_too(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_list(db, OLD)
    monkeypatch.setattr(Staging, "compare", _then(Staging.compare, lambda: drop(db, ANNA, "tulips")))
    with pytest.raises(Refused, match="dropped while"):
        add_list(db, NEW)
    assert lists.all_lists(db) == []
    assert db.value("SELECT (SELECT count(*) FROM hash_entries) + (SELECT count(*) FROM list_moves)") == 0


def test_dropping_deletes_what_a_killed_import_left(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_list(db, OLD)
    with pytest.raises(ValueError):
        bring(db, NEW, lambda: monkeypatch.setattr(arrivals, "_tidy", lambda _: None))
    monkeypatch.undo()
    assert db.value("SELECT count(*) FROM hash_entries") == 20
    drop(db, ANNA, "tulips")
    assert db.value("SELECT (SELECT count(*) FROM hash_entries) + (SELECT count(*) FROM entry_changes)") == 0


def test_a_version_that_is_there_is_no_failure(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Database) -> None:
        raise StoreUnavailable("full")

    add_list(db, OLD)
    real = arrivals.copy_changes
    monkeypatch.setattr(arrivals, "_AT_ONCE", 1)
    monkeypatch.setattr(arrivals, "end", _then(arrivals.end, lambda: setattr(arrivals, "copy_changes", full)))
    monkeypatch.setattr(arrivals, "copy_changes", real)
    assert add_list(db, NEW).list.version == 2
    assert db.value("SELECT count(*) FROM entry_changes") > 0
    monkeypatch.undo()
    arrivals.sweep(db)
    assert db.value("SELECT count(*) FROM entry_changes") == 0


def categories(db: Database) -> list[str | None]:
    return [row["category"] for row in db.rows("SELECT category FROM served_entries ORDER BY category")]


@pytest.mark.parametrize("at_once", [1, 2_000])
def test_facts_wait_with_their_version(db: Database, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(arrivals, "_AT_ONCE", at_once)
    add_list(db, [digest_entry(str(number), category="1") for number in range(5)])
    for changed in ({0: "2", 1: "2", 2: "3", 4: "9"}, {0: "1", 1: "4"}, {}):
        new = [digest_entry(str(number), category=changed.get(number, "1")) for number in range(4)]
        asked = [entry for entry in new if changed or entry.value == digest_entry("3").value]
        stands = add_list(db, asked, governed=True, replaces=bool(changed)).list
        assert categories(db) == ["1"] * 5
    with pytest.raises(ValueError):
        bring(db, NEW, lambda: None)
    assert stands.by_category == {"1": 3, "4": 1}
    assert db.value("SELECT count(DISTINCT version) FROM entry_changes") == 1
    with db.write():
        db.execute("DROP TRIGGER hash_lists_served_by_two")  # as if a second person had enabled it
        db.execute("UPDATE hash_lists SET served_version = version")
        arrivals.copy_first(db)
    arrivals.copy_changes(db)
    assert categories(db) == ["1", "1", "1", "4"]
    assert db.value("SELECT count(*) FROM entry_changes") == 0


def _then(act: Callable[..., object], after: Callable[[], object]) -> Callable[..., object]:
    def both(*given: object, **named: object) -> object:
        done = act(*given, **named)
        after()
        return done

    return both


def test_others_write_in_every_gap(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    gaps = []
    with open_store(db.home, busy_seconds=0) as other:

        def write(_: float) -> None:
            with other.write():
                other.execute("INSERT OR REPLACE INTO thresholds_noted VALUES ('x', ?, 0)", str(len(gaps)))
            gaps.append(1)

        monkeypatch.setattr(slices.time, "sleep", write)
        add_list(db, OLD)
        of_first = len(gaps)
        add_list(db, NEW)
        of_second = len(gaps)
        assert drop(db, ANNA, "tulips").entries == 20
    assert (of_first, of_second - of_first >= 5, len(gaps) - of_second >= 4) == (4, True, True)


def test_folding_the_log_waits_for_a_reader_without_the_lock(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rests = []
    with open_store(db.home, busy_seconds=0) as other, open_store(db.home) as reader, reader.read():
        reader.rows("SELECT * FROM hash_lists")

        def write(_: float) -> None:
            rests.append(1)
            with other.write():
                other.execute("INSERT OR REPLACE INTO thresholds_noted VALUES ('x', '', 0)")

        write(0)
        monkeypatch.setattr(database.time, "sleep", write)
        db.shrink_log()
    assert len(rests) > 1
    assert db.value("PRAGMA busy_timeout") == 200


def child(home_root: Path, act: Callable[[Database], object], calls: int) -> bool:
    """Do it in a process that is killed at its n-th statement. Returns whether it got to the end."""
    process = os.fork()
    if not process:
        left = [calls]

        def counted(run: Callable[..., int]) -> Callable[..., int]:
            def statement(*given: object) -> int:
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), signal.SIGKILL)
                return run(*given)

            return statement

        try:
            with store_at(home_root) as db:
                Database.execute, Database.insert = counted(Database.execute), counted(Database.insert)
                act(db)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert status in (0, signal.SIGKILL)
    return status == 0


def killed(tmp_path: Path, act: Callable[[Database], object]) -> Iterator[Database]:
    """The home after each of the kills, and when it went well."""
    with store_at(tmp_path / "base") as db:
        add_list(db, OLD)
    for calls in range(1, 200, 2):
        shutil.copytree(tmp_path / "base", tmp_path / str(calls))
        whole = child(tmp_path / str(calls), act, calls)
        with store_at(tmp_path / str(calls)) as db:
            yield db
        shutil.rmtree(tmp_path / str(calls))
        if whole:
            return
    pytest.fail("it never ended")


def test_a_killed_import_leaves_one_version_or_the_other(tmp_path: Path) -> None:
    versions = []
    for db in killed(tmp_path, lambda db: add_list(db, NEW)):
        (row,) = lists.all_lists(db)
        live = {entry.value for entry in entries.index_rows(db, [row])}
        assert live == {entry.value for entry in (OLD if row.version == 1 else NEW)}
        arrivals.sweep(db)
        assert db.value("SELECT (SELECT count(*) FROM list_moves) + (SELECT count(*) FROM entry_changes)") == 0
        facts = entries.entry_facts(db, [entry.entry for entry in entries.index_rows(db, [row])])
        assert sum(each.category == "new" for each in facts.values()) == (0 if row.version == 1 else 7)
        assert db.value("SELECT count(*) FROM hash_entries") == (12 if row.version == 1 else 20)
        assert add_list(db, NEW).added == (8 if row.version == 1 else 0)
        assert db.value("SELECT max(id) FROM hash_entries") == 20
        assert db.value("PRAGMA integrity_check") == "ok"
        assert audit.verify(db).intact
        versions.append(row.version)
    assert versions == sorted(versions)
    assert versions.count(1) > 5


def test_a_killed_drop_is_ended_by_whoever_comes_next(tmp_path: Path) -> None:
    there = []
    for db in killed(tmp_path, lambda db: drop(db, ANNA, "tulips")):
        known = lists.all_lists(db)
        if known:
            assert len(list(entries.index_rows(db, known))) == 12
        else:
            assert not list(entries.codes(db, "sha256")) and not entries.entry_facts(db, range(20))
            arrivals.sweep(db)
            assert db.value("SELECT count(*) FROM hash_entries") == 0
            assert add_list(db, OLD).added == 12
        there.append(bool(known))
    assert there == sorted(there, reverse=True)
    assert there.count(False) > 2


def test_two_imports_at_once_are_two_versions(tmp_path: Path) -> None:
    with store_at(tmp_path) as db:
        add_list(db, OLD)
    children = []
    for content in (NEW, OLD[:5]):
        process = os.fork()
        if not process:
            try:
                slices.time.sleep = lambda _: time.monotonic()
                with open_store(home_at(tmp_path)) as db:
                    add_list(db, content)
                os._exit(0)
            finally:
                os._exit(1)
        children.append(process)
    assert [os.waitpid(process, 0)[1] for process in children] == [0, 0]
    with store_at(tmp_path) as db:
        (row,) = lists.all_lists(db)
        live = {entry.value for entry in entries.index_rows(db, [row])}
        assert row.version == 3
        assert live in ({entry.value for entry in NEW}, {entry.value for entry in OLD[:5]})


def test_a_lock_that_cannot_be_made_is_said(db: Database, tmp_path: Path) -> None:
    (db.home.root / "imports.lock").mkdir()
    with pytest.raises(StoreUnavailable, match="lock of imports"):
        add_list(db, OLD)
