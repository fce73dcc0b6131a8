"""Files of address data become tables of a home: read, checked against those in use, and swapped in together."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final

from crawler.attribute.build import Made, build
from crawler.attribute.container import check_file
from crawler.attribute.formats.source import Source
from crawler.attribute.recognise import recognise
from crawler.attribute.shelf import Entry, Generation, current, staging, swap
from crawler.errors import AddressDataInvalid

SHRUNK: Final = 0.5
"""A file with less than this share of the rows of the one in use is refused."""

FUTURE_DAYS: Final = 2


@dataclass(frozen=True, slots=True)
class Stated:
    """What a person says of the files, where they do not say it themselves.

    date: ISO day of the data.  kind: what a bare list of prefixes is, "cdn:NAME" or "anycast".
    force: take files that are older or much smaller than those in use.
    """

    date: str | None = None
    kind: str | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file to load. name: what messages and the record call it."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the files.

    generation: in use now.  fresh: the tables that were made.  refused: name of a file -> why it was not taken.
    """

    generation: Generation
    fresh: tuple[Entry, ...]
    refused: Mapping[str, AddressDataInvalid]


Record = Callable[[Sequence[Entry], Mapping[str, AddressDataInvalid]], None]
"""Takes the tables that are about to be used, and the files that were refused, by name."""


def _unrecorded(fresh: Sequence[Entry], refused: Mapping[str, AddressDataInvalid]) -> None:
    pass


def load_files(
    tables: Path,
    files: Sequence[Incoming],
    stated: Stated,
    *,
    now: datetime.datetime,
    all_or_none: bool = True,
    wait: bool = False,
    record: Record = _unrecorded,
) -> Outcome:
    """Load files into the tables of a home (its directory `tables`), in one step.

    all_or_none: a file that is refused keeps all others from being taken, and its error is raised; else they are taken
    and the refused ones are told.  wait: for another load that is at work, instead of raising Unavailable.
    record: called when nothing is left but to put the tables in use; what it raises keeps everything as it is.
    Raises AddressDataInvalid naming file, line and reason, HomeUnusable, Unavailable; the tables in use stay.
    """
    if not files:
        raise AddressDataInvalid("no file to load")
    fresh: dict[str, Entry] = {}
    refused: dict[str, AddressDataInvalid] = {}
    with staging(tables, wait=wait) as place:
        # Not sooner: another load may just have put newer tables in use.
        before = current(tables)
        for number, file in enumerate(files):
            try:
                for entry in _load(place / str(number), file, stated, now):
                    _plausible(file, entry, before.entries.get(entry.name), stated, now)
                    if entry.name in fresh:
                        raise AddressDataInvalid(f"{file.name}: is {entry.name}, and so is {fresh[entry.name].origin}")
                    fresh[entry.name] = entry
            except AddressDataInvalid as error:
                if all_or_none:
                    raise
                refused[file.name] = error
                fresh = {name: entry for name, entry in fresh.items() if entry.origin != file.name}
        recorded = partial(record, tuple(fresh.values()), refused)
        if fresh:
            generation = swap(tables, place, fresh.values(), recorded)
        else:
            generation = before
            recorded()
    return Outcome(generation, tuple(generation.entries[name] for name in fresh), refused)


def _load(work: Path, file: Incoming, stated: Stated, now: datetime.datetime) -> list[Entry]:
    """Make the tables of one file, in a directory of its own."""
    source = Source(file.path, file.name)
    digest = _digest(source)
    work.mkdir()
    about = {"origin": file.name, "sha256": digest, "loaded_at": now.isoformat(timespec="seconds")}
    return [_entry(made, about) for made in build(recognise(source), source, work, stated.kind, stated.date)]


def _entry(made: Made, about: Mapping[str, str]) -> Entry:
    """about: origin, sha256 and loaded_at of the entry."""
    if made.path.suffix == ".vga":
        check_file(made.path)
    return Entry(
        name=made.name,
        kind=made.kind,
        # Below the working directory of its file, until it is swapped in under its own name.
        file=f"{made.path.parent.name}/{made.path.name}",
        source=made.info.source,
        date=made.info.date,
        licence=made.info.licence,
        rows=made.rows,
        bytes=made.path.stat().st_size,
        **about,
    )


def _plausible(file: Incoming, entry: Entry, old: Entry | None, stated: Stated, now: datetime.datetime) -> None:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", entry.date) or not _is_day(entry.date):
        raise AddressDataInvalid(f"{file.name}: its date {entry.date[:20]!r} is no day; state it with --date")
    if (datetime.date.fromisoformat(entry.date) - now.date()).days > FUTURE_DAYS:
        raise AddressDataInvalid(f"{file.name}: its date {entry.date} lies in the future; check it and the clock")
    if old is None or stated.force:
        return
    if entry.date < old.date:
        raise AddressDataInvalid(f"{file.name}: is of {entry.date}, older than {old.name} in use ({old.date})")
    if entry.rows < old.rows * SHRUNK:
        raise AddressDataInvalid(
            f"{file.name}: has {entry.rows} rows, {old.name} in use has {old.rows}; that much does not vanish, fetch "
            "it again (--force takes it nevertheless)"
        )


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _digest(source: Source) -> str:
    digest = sha256()
    try:
        with source.path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    except OSError as error:
        raise AddressDataInvalid(f"{source.name}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()
