"""Index files that go while somebody looks, and those that must not go."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from crawler.errors import Refused
from crawler.options import Options
from crawler.service.dropping import drop
from crawler.service.indexing import ensure_index, index_of
from crawler.service.lists import counting
from crawler.service.upkeep import retain
from crawler.store.database import Database
from tests.store.factories import ANNA, add_list, digest_entry


def test_a_file_that_another_run_has_stays_when_a_list_is_dropped_before_it_is_read(db: Database) -> None:
    for name in ("one", "two"):
        add_list(db, [digest_entry(name)], name)
    used, both = ensure_index(db.home, db, ["one"]), counting(db, ())
    drop(db, ANNA, "two")
    with pytest.raises(Refused, match="'two' was dropped"):
        index_of(db.home, db, both)
    assert [path for path in db.home.index.iterdir() if path.suffix == ".vgx"] == [used.path]


def test_retention_does_without_a_file_that_goes_meanwhile(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat
    for number in range(3):
        (db.home.index / f"{number}.vgx").write_bytes(b"codes")
        os.utime(db.home.index / f"{number}.vgx", (number, number))

    def going(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.name == "1.vgx":
            path.unlink(missing_ok=True)
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", going)
    assert retain(db, ANNA, Options(), dry_run=False)["index_files"] == 1
    assert [path.name for path in db.home.index.iterdir()] == ["2.vgx"]
