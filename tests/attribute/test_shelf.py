"""Loads that are killed, that meet, and that find no room: what is in use stays, and nothing is left over."""

from __future__ import annotations

import errno
import gc
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.attribute import load as module
from crawler.attribute.book import open_book
from crawler.attribute.formats.source import Source
from crawler.attribute.load import Incoming, Stated, load_files
from crawler.attribute.recognise import recognise
from crawler.attribute.shelf import current, staging
from crawler.errors import AddressDataInvalid, HomeUnusable
from tests.attribute.excerpts import DELEGATED, write
from tests.attribute.test_load import NOW, facts, file, load, refused


def forked(work: Callable[[], object]) -> int:
    """Work in a process of its own, which costs nothing to begin. Returns its number."""
    process = os.fork()
    if process == 0:
        try:
            # A lock that this process holds would be the other one's as well.
            gc.disable()  # what it would find closes descriptors by number, which are others by then
            os.closerange(3, 1024)
            work()
        finally:
            os._exit(1)
    return process


def names(tables: Path) -> list[str]:
    return sorted(path.name for path in (tables / "loaded").iterdir())


@pytest.mark.parametrize("at", ["write_text", "symlink_to", "replace"])
def test_a_load_that_is_killed_in_the_swap_changes_nothing(tmp_path: Path, at: str) -> None:
    tables = tmp_path / "tables"
    load(tmp_path, *write(tmp_path / "files", "delegated", "routes4"))
    before = current(tables)
    file(tmp_path, DELEGATED.replace("|NL|", "|BE|"), "next")

    def killed() -> None:
        """Ends as `kill -9` ends a process, at a step of the swap."""
        made = getattr(Path, at)

        def ends(self: Path, *arguments: object, **named: object) -> object:
            if "loaded" in self.parts and not any(part.startswith("incoming-") for part in self.parts):
                os.kill(os.getpid(), signal.SIGKILL)
            return made(self, *arguments, **named)

        setattr(Path, at, ends)
        load(tmp_path, tmp_path / "next")

    _, status = os.waitpid(forked(killed), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert current(tables) == before
    assert names(tables) != [".lock", "current", "gen-000001"], "it was in the middle of it"
    assert facts(open_book(tables, packaged=False), "45.9.0.1").country == "NL"

    load(tmp_path, tmp_path / "next")
    assert facts(open_book(tables, packaged=False), "45.9.0.1").country == "BE"
    kept = [name for name in names(tables) if name.startswith("gen-")]
    assert names(tables) == [".lock", "current", *kept]
    assert before.directory is not None
    assert before.directory.name in kept, "the previous version is the one that was in use, not what was left over"
    assert len(kept) == 2


def test_a_load_that_waited_compares_with_what_the_other_one_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path, DELEGATED.replace("20260616", "20260610"), "older")
    waiting: list[int] = []

    def second() -> None:
        files = [Incoming(tmp_path / "older", "older")]
        with pytest.raises(AddressDataInvalid) as refused:
            load_files(tmp_path / "tables", files, Stated(), now=NOW, wait=True)
        (tmp_path / "said").write_text(str(refused.value))

    def meanwhile(source: Source) -> str:
        if not waiting:
            waiting.append(forked(second))
            time.sleep(0.2)
            assert os.waitpid(waiting[0], os.WNOHANG) == (0, 0)
        return recognise(source)

    monkeypatch.setattr(module, "recognise", meanwhile)
    load(tmp_path, *write(tmp_path / "files", "delegated"))
    os.waitpid(waiting[0], 0)
    said = (tmp_path / "said").read_text()
    assert said == "older: is of 2026-06-10, older than country-ripencc in use (2026-06-16)"
    assert current(tmp_path / "tables").entries["country-ripencc"].date == "2026-06-16"


def test_a_full_disk_is_said_and_changes_nothing(tmp_path: Path) -> None:
    load(tmp_path, *write(tmp_path / "files", "delegated"))
    before, at = current(tmp_path / "tables"), names(tmp_path / "tables")
    said = "cannot hold the tables: No space left on device; make room"
    with pytest.raises(HomeUnusable, match=said), staging(tmp_path / "tables"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert current(tmp_path / "tables") == before
    assert names(tmp_path / "tables") == at


def test_names_that_are_none_are_left_out(tmp_path: Path) -> None:
    lines = "0 -Reserved AS-, ZZ\n64496 POLDER-AS Polder, NL\n64497 --No Registry Entry--, ZZ\n"
    done = load(tmp_path, file(tmp_path, lines))
    assert [entry.rows for entry in done.fresh] == [1]
    assert "holds no name" in refused(tmp_path, lines.splitlines()[0] + "\n")
