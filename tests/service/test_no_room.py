"""A disk that is full in mid-import, or while an index is built: nothing is half-done, and the old one serves."""

from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from crawler.errors import HomeUnusable, StoreUnavailable
from crawler.match.entries import ImportOptions
from crawler.match.index import Index, open_index
from crawler.service.checks import check
from crawler.service.imports import import_list
from crawler.service.indexing import ensure_index
from crawler.service.lists import all_lists
from crawler.store import audit
from crawler.store.database import Database
from tests.store.factories import ANNA

KIB = 1024
COUNT = 6_000


def digest(text: str) -> str:
    return sha256(f"tulip {text}".encode()).hexdigest()


def written(path: Path, first: int) -> Path:
    path.write_text("".join(f"sha256 {digest(str(number))}\n" for number in range(first, first + COUNT)))
    return path


@contextmanager
def room(size: int) -> Iterator[None]:
    """No file of this process can become longer than `size` bytes; Python ignores the signal, so writing fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def old(db: Database, tmp_path: Path) -> Index:
    """The index of the version that stands."""
    import_list(db, ANNA, written(tmp_path / "one.txt", 0), name="tulips", options=ImportOptions())
    info = ensure_index(db.home, db)
    return open_index(info.path, info.sha256, verify=True)


def left_over(db: Database) -> list[str]:
    return sorted(path.name for path in (*db.home.root.glob("import-*"), *db.home.index.glob(".index-*")))


@pytest.mark.parametrize("size", [0, 64 * KIB, 300 * KIB, 700 * KIB, 1100 * KIB])
def test_an_import_without_room_leaves_the_old_version(db: Database, old: Index, tmp_path: Path, size: int) -> None:
    path = written(tmp_path / "two.txt", COUNT // 2)
    events = len(list(audit.events(db)))
    with room(size), pytest.raises(StoreUnavailable, match=r"room|full|fails"):
        import_list(db, ANNA, path, name="tulips", options=ImportOptions())
    assert left_over(db) == []
    (row,) = all_lists(db, ANNA)
    assert (row.version, row.entries) == (1, COUNT)
    assert len(list(audit.events(db))) == events
    assert db.value("PRAGMA integrity_check") == "ok"
    assert [len(answer["matches"]) for answer in check(db, ANNA, [digest("0"), digest(str(COUNT))])] == [1, 0]
    assert ensure_index(db.home, db).sha256 == old.sha256
    # With room again, the same file goes in.
    assert import_list(db, ANNA, path, name="tulips", options=ImportOptions()).added == COUNT // 2


def test_an_index_without_room_leaves_the_old_one(db: Database, old: Index, tmp_path: Path) -> None:
    import_list(db, ANNA, written(tmp_path / "two.txt", COUNT), name="roses", options=ImportOptions())
    with room(100 * KIB), pytest.raises(HomeUnusable, match="make room"):
        ensure_index(db.home, db)
    assert left_over(db) == []
    assert [path.name for path in db.home.index.iterdir()] == [f"{old.sha256}.vgx"]
    open_index(db.home.index / f"{old.sha256}.vgx", old.sha256, verify=True)
    assert ensure_index(db.home, db).rows_by_algorithm == {"sha256": 2 * COUNT}


def test_what_holds_values_is_for_the_owner_alone(db: Database, old: Index) -> None:
    files = [db.home.database, *db.home.root.glob("vangnet.sqlite-*"), *db.home.index.iterdir()]
    assert len(files) >= 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(db.home.index.stat().st_mode) == 0o700
