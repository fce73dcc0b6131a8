from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.errors import HashListInvalid, StoreUnavailable
from crawler.match.entries import Entry, Tombstone
from crawler.match.index import IndexRow
from crawler.store import arrivals, entries, lists, staging
from crawler.store.database import Database
from crawler.store.staging import Staging
from tests.store.factories import add_list, code_entry, digest_entry, home_at


def live(db: Database, name: str = "tulips") -> dict[bytes, int]:
    """value -> number of the live entries of a list."""
    found = lists.find(db, name)
    assert found is not None
    return {row.value: row.entry for row in entries.index_rows(db, [found])}


def test_a_first_version(db: Database) -> None:
    done = add_list(db, [digest_entry("a"), digest_entry("b", "md5"), code_entry(), digest_entry("a")])
    assert (done.added, done.withdrawn, done.duplicates) == (3, 0, 1)
    assert done.list.version == 1
    assert done.list.enabled
    assert done.list.by_algorithm == {"md5": 1, "pdq": 1, "sha256": 1}
    assert lists.all_lists(db) == [done.list] == [lists.find(db, "tulips")]


def test_a_second_version_replaces_the_first(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    before = live(db)
    done = add_list(db, [digest_entry("b", category="A1"), digest_entry("c")])
    after = live(db)
    assert (done.list.version, done.added, done.withdrawn, done.list.entries) == (2, 1, 1, 2)
    b = digest_entry("b").value
    assert after[b] == before[b]
    assert set(after) == {b, digest_entry("c").value}
    assert entries.entry_facts(db, [after[b]])[after[b]].category == "A1"


def test_versions_do_not_use_numbers_up(db: Database) -> None:
    """Index files have room for 2**31 numbers, and a list may come every night."""
    same = [digest_entry(str(number)) for number in range(100)]
    for _ in range(5):
        add_list(db, [*same, *same])
    add_list(db, [*same, digest_entry("one more")])
    assert max(live(db).values()) == 101


def test_the_first_of_equal_entries_counts(db: Database) -> None:
    for _ in range(2):
        add_list(db, [digest_entry("a", category=text) for text in ("first", "b", "c")])
        (entry,) = live(db).values()
        assert entries.entry_facts(db, [entry])[entry].category == "first"


def test_what_comes_back_is_a_new_entry(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    gone = live(db)[digest_entry("a").value]
    add_list(db, [digest_entry("b")])
    add_list(db, [digest_entry("a"), digest_entry("b")])
    assert live(db)[digest_entry("a").value] > gone
    assert entries.entry_facts(db, [gone])[gone].list_name == "tulips"


def test_tombstones_withdraw_and_the_rest_stays(db: Database) -> None:
    entries = [digest_entry(name, external_id=name) for name in ("a", "b", "c")]
    add_list(db, entries)
    again = [digest_entry("d", external_id="d"), digest_entry("b", external_id="b")]
    buried = [Tombstone("a"), Tombstone("b"), Tombstone("a"), Tombstone("unknown")]
    done = add_list(db, again, near="assess", replaces=False, tombstones=buried)
    assert (done.added, done.withdrawn, done.duplicates) == (2, 2, 0)
    assert set(live(db)) == {digest_entry(name).value for name in "bcd"}
    assert done.list.entries == 3
    assert done.list.near == "confirm"


def test_lists_do_not_share_entries(db: Database) -> None:
    add_list(db, [digest_entry("a")])
    add_list(db, [digest_entry("a")], "roses", kind="benign", near="assess")
    assert live(db)[digest_entry("a").value] != live(db, "roses")[digest_entry("a").value]
    rows = list(entries.index_rows(db, lists.all_lists(db)))
    assert [row.benign for row in rows] == [False, True]
    assert all(isinstance(row, IndexRow) for row in rows)


def test_a_name_stands_for_one_kind(db: Database) -> None:
    add_list(db, [digest_entry("a")])
    with pytest.raises(HashListInvalid, match="is a block list"):
        add_list(db, [digest_entry("b")], kind="benign")
    assert set(live(db)) == {digest_entry("a").value}


def test_a_dropped_list_leaves_no_value_and_its_name_is_free(db: Database) -> None:
    first = add_list(db, [digest_entry("a")])
    highest = live(db)[digest_entry("a").value]
    with db.write():
        lists.set_enabled(db, first.list.id, False)
        assert lists.drop(db, first.list.id) == 1
    arrivals.leave(db, first.list.id)
    assert lists.all_lists(db) == []
    assert lists.find(db, "tulips") is None
    again = add_list(db, [digest_entry("b")], kind="benign")
    assert (again.list.version, again.list.kind, again.list.enabled) == (2, "benign", True)
    assert live(db)[digest_entry("b").value] > highest
    db.shrink_log()
    assert digest_entry("a").value not in db.home.database.read_bytes()


def test_disabled_stays_disabled_when_a_version_comes(db: Database) -> None:
    first = add_list(db, [digest_entry("a")])
    with db.write():
        assert lists.set_enabled(db, first.list.id, False)
        assert not lists.set_enabled(db, first.list.id, False)
    assert not add_list(db, [digest_entry("b")]).list.enabled


def test_an_import_that_fails_leaves_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    add_list(db, [digest_entry("a")])

    def fail(*_: object) -> None:
        raise StoreUnavailable("disk full")

    monkeypatch.setattr(lists, "register", fail)
    with pytest.raises(StoreUnavailable):
        add_list(db, [digest_entry("b")])
    monkeypatch.undo()
    assert set(live(db)) == {digest_entry("a").value}
    assert not list(db.home.root.glob("import-*"))
    assert add_list(db, [digest_entry("b")]).list.version == 2


def test_what_a_killed_import_left_is_swept(db: Database) -> None:
    stale = db.home.root / "import-4194999-00.sqlite"
    stale.write_bytes(b"x")
    with Staging(db) as staged:
        assert not stale.exists()
        staged.add([digest_entry("a")])
        (file,) = db.home.root.glob("import-*")
        assert file.stat().st_mode & 0o777 == 0o600
    assert not list(db.home.root.glob("import-*"))


def test_an_unwritable_home_says_so(db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(db, "home", home_at(tmp_path / "b"))
    (tmp_path / "b/home").rename(tmp_path / "gone")
    with pytest.raises(StoreUnavailable, match="staging file"):
        Staging(db)


values = st.binary(min_size=32, max_size=32)
versions = st.lists(
    st.lists(st.tuples(st.sampled_from(["sha256", "pdq"]), values), max_size=12), min_size=1, max_size=4
)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(versions=versions, span=st.integers(1, 5))
def test_a_list_is_what_its_latest_version_says(
    db: Database, monkeypatch: pytest.MonkeyPatch, versions: list[list[tuple[str, bytes]]], span: int
) -> None:
    """However the values are cut into ranges, and whatever came before."""
    monkeypatch.setattr(staging, "_RANGE", span)
    for version in versions:
        done = add_list(db, [Entry(algorithm, value) for algorithm, value in version], "any")
        found = [(row.algorithm, row.value) for row in entries.index_rows(db, [done.list])]
        assert sorted(found) == sorted(set(version))
        assert done.duplicates == len(version) - len(set(version))
        assert sum(done.list.by_algorithm.values()) == done.list.entries == len(found)
