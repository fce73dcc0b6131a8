"""The way in: which format a file has, and its items in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from crawler.match.entries import BadLine, Batch, Entry, ImportOptions, Item, Tombstone
from crawler.match.importers import csv, interpol, lines, ncmec, vics
from crawler.match.importers.source import Source, open_source
from crawler.match.importers.values import ALGORITHMS

Parser = Callable[[Source, ImportOptions], Iterator[Item]]

FORMATS: Mapping[str, Parser] = MappingProxyType(
    {"lines": lines.parse, "csv": csv.parse, "vics": vics.parse, "ncmec": ncmec.parse, "interpol": interpol.parse}
)
"""Every format that can be named at an import."""

REPLACING = frozenset(FORMATS) - {"ncmec"}
"""Formats whose file holds the whole list, so that what is missing from it was withdrawn. NCMEC's hold changes."""

BATCH = 10_000
"""Items in a batch."""


def detect(path: Path, options: ImportOptions) -> str:
    """The file's format, a key of `FORMATS`: what the options say, or what its beginning shows.

    Raises HashListInvalid when it cannot be told, when the format is unknown, or when the file cannot be a list.
    """
    with open_source(path) as source:
        if options.format != "auto":
            if options.format not in FORMATS:
                raise source.invalid(f"unknown format {options.format!r}", f"name one of {', '.join(FORMATS)}")
            return options.format
        found = recognised(source.peek(), options)
        if found is None:
            raise source.invalid("its format cannot be told", f"name it with --format: {', '.join(FORMATS)}")
        return found


def recognised(start: bytes, options: ImportOptions) -> str | None:
    """The format of a file that begins so, or None."""
    text = start.decode("utf-8", "replace").lstrip()
    if text.startswith("<"):
        return "ncmec"
    if text.startswith("{"):
        return "vics"
    first = text.partition("\n")[0].strip()
    if interpol.is_header(first.replace('"', "")):
        return "interpol"
    content = [line.split() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if content and content[0][0].lower() in ALGORITHMS and len(content[0]) > 1:
        return "lines"
    header = csv.fields(first, csv.separator_of(first))
    if header is not None and isinstance(csv.columns_of(header, options), dict):
        return "csv"
    return "lines" if not content else None


def read(path: Path, options: ImportOptions, format_name: str | None = None, size: int = BATCH) -> Iterator[Batch]:
    """The file's items in batches of `size`, in memory that does not grow with the file.

    format_name: as `detect` gave it; None finds it out. Raises HashListInvalid when the file is not a hash list, which
    may be found out late: keep nothing of a file that was not read to its end.
    """
    parser = FORMATS[format_name or detect(path, options)]
    with open_source(path) as source:
        batch = Batch([], [], [], [], 0, source.total)
        for count, item in enumerate(parser(source, options), 1):
            if isinstance(item, Entry):
                batch.entries.append(item)
            elif isinstance(item, Tombstone):
                batch.tombstones.append(item)
            elif isinstance(item, BadLine):
                batch.bad.append(item)
            else:
                batch.uncounted.append(item)
            if count % size == 0:
                yield replace(batch, position=source.position)
                batch = Batch([], [], [], [], 0, source.total)
        yield replace(batch, position=source.total)


def items(path: Path, options: ImportOptions, format_name: str | None = None) -> Iterator[Item]:
    """Everything in the file, one by one, in its order. Raises HashListInvalid as `read` does."""
    parser = FORMATS[format_name or detect(path, options)]
    with open_source(path) as source:
        yield from parser(source, options)
