"""The loaded tables of a home, in generations: a load makes a new one and swaps it in with one rename.

    tables/loaded/current          a link to the generation in use
    tables/loaded/gen-000012/      manifest.json, and a file a table; what did not change is shared with the one before
    tables/loaded/gen-000011/      the previous one

A process that has a generation open keeps its files, whatever comes after.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from crawler.errors import AddressDataInvalid, HomeUnusable, Unavailable

LOADED: Final = "loaded"
"""Directory, below that of the tables."""

_CURRENT: Final = "current"
_MANIFEST: Final = "manifest.json"
_MEND: Final = "remove it and load all tables again"
_NO_ROOM: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS))


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
        raise AddressDataInvalid(f"{link}: leads nowhere; {_MEND}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise AddressDataInvalid(f"{link}: its manifest is damaged ({error}); {_MEND}") from error
    return Generation(directory, entries)


@contextmanager
def staging(tables: Path, *, wait: bool = False) -> Iterator[Path]:
    """A directory for the tables of one load, which is removed at the end; one load at a time.

    wait: for a load that is at work, instead of raising Unavailable.
    Raises HomeUnusable when the directory cannot be written, also by what stands in the block.
    """
    loaded = tables / LOADED
    try:
        loaded.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(loaded / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise HomeUnusable(f"{loaded}: cannot hold tables: {error.strerror}; mend it") from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except OSError as error:
            raise Unavailable(f"{loaded}: tables are being loaded by another command; wait for it") from error
        _clear(loaded)
        place = loaded / f"incoming-{os.getpid()}"
        try:
            place.mkdir(mode=0o700)
            yield place
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise HomeUnusable(f"{loaded}: cannot hold the tables: {error.strerror}; make room or mend it") from error
        finally:
            shutil.rmtree(place, ignore_errors=True)
    finally:
        os.close(lock)


def _clear(loaded: Path) -> None:
    """Remove what loads left that were killed: half-made tables, links and generations that were never in use."""
    for stale in loaded.glob("incoming-*"):
        shutil.rmtree(stale, ignore_errors=True)
    for link in loaded.glob(f".{_CURRENT}-*"):
        link.unlink(missing_ok=True)
    if (loaded / _CURRENT).is_symlink():
        used = _number((loaded / _CURRENT).readlink())
        for made in loaded.glob("gen-*"):
            if _number(made) > used:
                shutil.rmtree(made, ignore_errors=True)


def _number(generation: Path) -> int:
    """Of a generation's directory; 0 for anything else."""
    number = generation.name.removeprefix("gen-")
    return int(number) if number.isdecimal() else 0


def _to_disk(*paths: Path) -> None:
    """Have the disk keep files and directories before anything says that they are there."""
    for path in paths:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def swap(tables: Path, place: Path, fresh: Iterable[Entry], record: Callable[[], None] = lambda: None) -> Generation:
    """Make the tables in `place` part of a new generation and put it in use; inside of `staging`.

    fresh: their files are named from `place` on.
    record: called when nothing is left to do but to put it in use; what it raises keeps that from being done.
    All other tables stay as they are. The generation before is kept, older ones are removed.
    Raises HomeUnusable when that cannot be written; the tables in use stay.
    """
    before = current(tables)
    loaded = tables / LOADED
    number = max(map(_number, loaded.glob("gen-*")), default=0) + 1
    made = loaded / f"gen-{number:06d}"
    link = loaded / f".{_CURRENT}-{os.getpid()}"
    try:
        try:
            entries = _filled(made, place, before, list(fresh))
            link.unlink(missing_ok=True)
            link.symlink_to(made.name)
            record()
            link.replace(loaded / _CURRENT)
        except BaseException:
            link.unlink(missing_ok=True)
            shutil.rmtree(made, ignore_errors=True)
            raise
        _to_disk(loaded)
    except OSError as error:
        raise HomeUnusable(f"{loaded}: cannot hold the tables: {error.strerror}; make room or mend it") from error
    kept = (made.name, before.directory.name if before.directory else "")
    for old in loaded.glob("gen-*"):
        if old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)
    return Generation(made, entries)


def _filled(made: Path, place: Path, before: Generation, staged: Sequence[Entry]) -> dict[str, Entry]:
    """Make the directory of a generation, whole and on disk. Returns its entries."""
    made.mkdir(mode=0o700)
    replaced = {entry.name: replace(entry, file=entry.name + Path(entry.file).suffix) for entry in staged}
    for entry in before.entries.values():
        if entry.name not in replaced and before.directory is not None:
            os.link(before.directory / entry.file, made / entry.file)
    for entry in staged:
        (place / entry.file).replace(made / replaced[entry.name].file)
    entries = before.entries | replaced
    manifest = {"entries": {name: asdict(entry) for name, entry in sorted(entries.items())}}
    (made / _MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    _to_disk(*(made / replaced[entry.name].file for entry in staged), made / _MANIFEST, made)
    return entries
