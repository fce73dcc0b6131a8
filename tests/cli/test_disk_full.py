from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.match.entries import ImportOptions
from crawler.match.importers.synthetic import WRITERS, pictures
from crawler.service.imports import import_list
from crawler.service.indexing import ensure_index
from crawler.service.lists import all_lists
from tests.store.factories import ANNA, store_at


def listed(path: Path, count: int, seed: int) -> Path:
    path.write_text("".join(WRITERS["lines"](pictures(count, seed, ("md5",)))))
    return path


@pytest.mark.parametrize("kibibytes", [400, 1000], ids=["while reading", "while storing"])
def test_no_room_in_the_middle_of_an_import(tmp_path: Path, kibibytes: int) -> None:
    """The kernel refuses to let any file grow beyond a size; to a program that is what a full disk is."""
    with store_at(tmp_path) as db:
        small = listed(tmp_path / "a.txt", 50, seed=1)
        import_list(db, ANNA, small, name="tulips", options=ImportOptions())
        before = ensure_index(db.home, db)
    large = listed(tmp_path / "b.txt", 20_000, seed=2)

    options = ("--home", tmp_path / "home", "--settings", "settings.lab")
    ended = subprocess.run(
        [sys.executable, "-m", "crawler", *options, "hashes", "import", large, "--list", "tulips", "--replace"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kibibytes << 10, kibibytes << 10)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "the disk fails or is full" in ended.stderr
    with store_at(tmp_path) as db:
        (row,) = all_lists(db, ANNA)
        assert (row.version, row.entries) == (1, 50)
        assert ensure_index(db.home, db) == before
        assert list(db.home.root.glob("import-*")) == []
