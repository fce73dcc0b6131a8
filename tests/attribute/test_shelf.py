"""Loads that are killed, that meet, and that find no room: what is in use stays, and nothing is left over."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from crawler.attribute import load as module
from crawler.attribute.book import open_book
from crawler.attribute.formats.source import Source
from crawler.attribute.recognise import recognise
from crawler.attribute.shelf import current, staging
from crawler.errors import HomeUnusable
from tests.attribute.excerpts import DELEGATED, write
from tests.attribute.test_load import facts, file, load, refused

# Loads the file of its argument, and ends as `kill -9` ends a process at the given call into the system, in the swap.
_KILLED = """
import os, signal, sys
from pathlib import Path
from tests.attribute.test_load import load
home, name, at = sys.argv[1:]
made = getattr(Path, at)
def ends(self, *arguments, **named):
    if "loaded" in self.parts and not any(part.startswith("incoming-") for part in self.parts):
        os.kill(os.getpid(), signal.SIGKILL)
    return made(self, *arguments, **named)
setattr(Path, at, ends)
load(Path(home), Path(home, name))
"""


def names(tables: Path) -> list[str]:
    return sorted(path.name for path in (tables / "loaded").iterdir())


@pytest.mark.parametrize("at", ["write_text", "symlink_to", "replace"])
def test_a_load_that_is_killed_in_the_swap_changes_nothing(tmp_path: Path, at: str) -> None:
    tables = tmp_path / "tables"
    load(tmp_path, *write(tmp_path / "files", "delegated", "routes4"))
    before = current(tables)
    file(tmp_path, DELEGATED.replace("|NL|", "|BE|"), "next")
    killed = subprocess.run([sys.executable, "-c", _KILLED, tmp_path, "next", at], check=False)
    assert killed.returncode == -signal.SIGKILL
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


_SECOND = """
import sys
from pathlib import Path
from crawler.attribute.load import Incoming, Stated, load_files
from tests.attribute.test_load import NOW
home = Path(sys.argv[1])
print("begins", flush=True)
load_files(home / "tables", [Incoming(home / "older", "older")], Stated(), now=NOW, wait=True)
"""


def test_a_load_that_waited_compares_with_what_the_other_one_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path, DELEGATED.replace("20260616", "20260610"), "older")
    waiting: list[subprocess.Popen[str]] = []

    def meanwhile(source: Source) -> str:
        pipe = subprocess.PIPE
        second = subprocess.Popen([sys.executable, "-c", _SECOND, tmp_path], stdout=pipe, stderr=pipe, text=True)
        waiting.append(second)
        assert second.stdout is not None
        assert second.stdout.readline() == "begins\n"
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0.3)
        return recognise(source)

    monkeypatch.setattr(module, "recognise", meanwhile)
    load(tmp_path, *write(tmp_path / "files", "delegated"))
    _, said = waiting[0].communicate(timeout=60)
    assert "older: is of 2026-06-10, older than country-ripencc in use (2026-06-16)" in said
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
