"""The loaded tables of a home, in generations: a load makes a new one and swaps it in with one rename.

    tables/loaded/current          a link to the generation in use
    tables/loaded/gen-000012/      manifest.json, and a file a table; what did not change is shared with the one before
    tables/loaded/gen-000011/      the previous one

A process that has a generation open keeps its files, whatever comes after.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from crawler.errors import AddressDataInvalid, HomeUnusable, Unavailable

LOADED: Final = "loaded"
"""Directory, below that of the tables."""

_CURRENT: Final = "current"
_MANIFEST: Final = "manifest.json"
_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One loaded table. kind: how it is read ("addresses", "suffixes" or a class of registry objects).

    rows: of the file it was made of, which plausibility is judged by.  bytes: of its own file.
    origin: name and SHA-256 of the file it was made of.  loaded_at: ISO 8601, UTC.
    """

    name: str
    kind: str
    file: str
    source: str
    date: str
    licence: str
    rows: int
    bytes: int
    origin: str
    sha256: str
    loaded_at: str


@dataclass(frozen=True, slots=True)
class Generation:
    """directory: None before anything was loaded."""

    directory: Path | None
    entries: dict[str, Entry]


NO_GENERATION: Final = Generation(None, {})


def current(tables: Path) -> Generation:
    """The generation in use. tables: the directory of tables of a home. Raises AddressDataInvalid when damaged."""
    link = tables / LOADED / _CURRENT
    try:
        directory = link.resolve(strict=True)
        found: dict[str, Any] = json.loads((directory / _MANIFEST).read_text("utf-8"))
        entries = {name: Entry(**row) for name, row in found["entries"].items()}
    except FileNotFoundError as error:
        if not link.is_symlink():
            return NO_GENERATION
        raise AddressDataInvalid(f"{link}: leads nowhere; load the tables again") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AddressDataInvalid(f"{link}: its manifest is damaged ({error}); load the tables again") from error
    return Generation(directory, entries)


@contextmanager
def staging(tables: Path) -> Iterator[Path]:
    """A directory for the tables of one load, which is removed at the end; one load at a time.

    Raises Unavailable while another load is at work, HomeUnusable when the directory cannot be written.
    """
    loaded = tables / LOADED
    try:
        loaded.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(loaded / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeUnusable(f"{loaded}: cannot hold tables: {error.strerror}; mend it") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Unavailable(f"{loaded}: tables are being loaded by another command; wait for it") from error
        for stale in loaded.glob("incoming-*"):
            shutil.rmtree(stale, ignore_errors=True)
        place = loaded / f"incoming-{os.getpid()}"
        place.mkdir(mode=0o700)
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(lock)


def swap(tables: Path, place: Path, fresh: Iterable[Entry]) -> Generation:
    """Make the tables in `place` part of a new generation and put it in use; inside of `staging`.

    fresh: their files are named from `place` on.
    All other tables stay as they are. The generation before is kept, older ones are removed.
    Raises HomeUnusable when that cannot be written; the tables in use stay.
    """
    before = current(tables)
    loaded = tables / LOADED
    entries = dict(before.entries)
    number = max((int(path.name[4:]) for path in loaded.glob("gen-*") if path.name[4:].isdecimal()), default=0) + 1
    made = loaded / f"gen-{number:06d}"
    try:
        made.mkdir(mode=0o700)
        staged = list(fresh)
        replaced = {entry.name: replace(entry, file=entry.name + Path(entry.file).suffix) for entry in staged}
        for entry in before.entries.values():
            if entry.name not in replaced and before.directory is not None:
                os.link(before.directory / entry.file, made / entry.file)
        for entry in staged:
            (place / entry.file).replace(made / replaced[entry.name].file)
        entries.update(replaced)
        manifest = {"entries": {name: asdict(entry) for name, entry in sorted(entries.items())}}
        (made / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
        link = loaded / f".{_CURRENT}-{os.getpid()}"
        link.unlink(missing_ok=True)
        link.symlink_to(made.name)
        link.replace(loaded / _CURRENT)
    except OSError as error:
        raise HomeUnusable(f"{loaded}: cannot hold the tables: {error.strerror}; make room or mend it") from error
    for old in sorted(loaded.glob("gen-*"))[:-_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return Generation(made, entries)
