"""What tables there are, where they come from, how old they are."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crawler.attribute.book import SNAPSHOT, AddressBook
from crawler.attribute.build import SUFFIXES
from crawler.attribute.domain import packaged_list
from crawler.attribute.packed import PackedTable
from crawler.attribute.rows import TableInfo

OLD_DAYS: Final = 60
"""Tables older than this are reported as old: address space moves."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table in use. kind: what it holds.  ranges: disjoint ranges, or objects.  bytes: of its file.

    age_days: since the data's date.  loaded_at, origin: when it was loaded and from which file; None for others.
    """

    name: str
    kind: str
    path: str
    source: str
    date: str
    licence: str
    ranges: int
    bytes: int
    age_days: int
    old: bool
    loaded_at: str | None = None
    origin: str | None = None


def status(book: AddressBook, today: datetime.date) -> list[TableStatus]:
    """Address tables in their order, then registry, hosters and suffixes."""
    loaded = (
        {}
        if book.generation.directory is None
        else {str(book.generation.directory / entry.file): entry for entry in book.generation.entries.values()}
    )
    found = []
    for name, kind, path, info, ranges, size in _rows(book):
        entry = loaded.get(path)
        age = (today - datetime.date.fromisoformat(info.date)).days
        found.append(
            TableStatus(
                name=entry.name if entry else name,
                kind=kind,
                path=path,
                source=info.source,
                date=info.date,
                licence=info.licence,
                ranges=ranges,
                bytes=size,
                age_days=age,
                old=age > OLD_DAYS,
                loaded_at=entry.loaded_at if entry else None,
                origin=entry.origin if entry else None,
            )
        )
    return found


def suffix_status(book: AddressBook) -> dict[str, str]:
    """{"source", "version"} of the suffix list in use; the version is its date, or that of the package that has it."""
    for entry in book.generation.entries.values():
        if entry.kind == SUFFIXES:
            return {"source": entry.source, "version": entry.date}
    return {"source": "Public Suffix List in tldextract", "version": importlib.metadata.version("tldextract")}


def _rows(book: AddressBook) -> Iterator[tuple[str, str, str, TableInfo, int, int]]:
    for table in book.tables.tables:
        yield _name(table), "addresses", table.name, table.info, table.ranges, table.size
    for kind, file in book.registry.files.items():
        yield kind, "registry", file.name, file.info, file.rows, file.size
    if book.hosters.by_asn:
        hosters = book.hosters
        yield "hosters", "hosters", hosters.path, hosters.info, len(hosters.by_asn), hosters.size
    for entry in book.generation.entries.values():
        if entry.kind == SUFFIXES and book.generation.directory is not None:
            info = TableInfo(entry.source, entry.date, entry.licence)
            yield entry.name, "suffixes", str(book.generation.directory / entry.file), info, entry.rows, entry.bytes
            return
    info, path, rules, size = packaged_list()
    yield "public-suffixes", "suffixes", str(path), info, rules, size


def _name(table: PackedTable) -> str:
    """Its file's name without suffix, and for the packaged ones without digest."""
    path = Path(table.name)
    return path.stem.rpartition("-")[0] if path.parent.name == SNAPSHOT else path.stem
