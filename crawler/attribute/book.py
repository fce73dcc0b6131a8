"""All that is known of addresses in a home, opened together, in the order in which it is believed.

1. tables that people wrote or put there, `tables/*.tbl` and `tables/*.vga`, in the order of their names;
2. loaded tables (`shelf.py`): CDN lists, MMDB, countries of the most specific networks, of the registries, origins;
3. the packaged snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from crawler.attribute.build import ADDRESSES, SUFFIXES
from crawler.attribute.domain import DomainFinder, packaged_domains
from crawler.attribute.hosters import FILE, NO_HOSTERS, Hosters, packaged_hosters, read_hosters
from crawler.attribute.packed import PackedTable
from crawler.attribute.registry import Registry
from crawler.attribute.registry_file import Handles, Networks, open_registry_file
from crawler.attribute.rows import TableInfo
from crawler.attribute.said import LateEvidence
from crawler.attribute.shelf import Entry, Generation, current
from crawler.attribute.snapshot import NAMES, snapshot_bytes, snapshot_file
from crawler.attribute.systems import Systems
from crawler.attribute.tables import TableSet, ipv4_numbers, open_table
from crawler.home import Home
from crawler.records import AddressFacts, Evidence

SNAPSHOT: Final = "snapshot"
"""Directory, below that of the tables, of the expanded tables of the package."""

_ORDER: Final = (
    "cdn-google-cloud",
    "cdn-",
    "anycast",
    "geo-",
    "country-inet",
    "country-ripencc",
    "country-",
    "origin-",
    "asn-",
)
_REMEMBERED: Final = 65_536


@dataclass(frozen=True, slots=True)
class AddressBook:
    """tables: for scope.  registry: the RIPE database, for attribution.  generation: what was loaded.

    domains: registered domains of a host, by the suffix list in use.
    """

    tables: TableSet
    registry: Registry
    hosters: Hosters
    generation: Generation
    domains: DomainFinder

    def lookup(self, address: str) -> AddressFacts:
        """The facts that scope is judged by; see `TableSet.lookup`."""
        return self.tables.lookup(address)


class Attributor:
    """Looks addresses up in all of a book: the tables, and the network's own entry in the registry."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._combined: dict[tuple[int, int, int], AddressFacts] = {}

    def lookup(self, address: str) -> AddressFacts:
        """All that is known of an address. Raises ValueError when `address` is none."""
        tables, registry = self._book.tables, self._book.registry
        found = tables.lookup(address)
        if not registry.knows_networks:
            return found
        version, number = tables.place(address)
        row = registry.row(version, number)
        return self._combine((version, tables.piece(version, number), row), found) if row else found

    def lookup_many(self, addresses: Sequence[str]) -> list[AddressFacts]:
        """As `lookup`, of each address. Those of one network share their facts. Raises ValueError as `lookup` does."""
        tables, registry = self._book.tables, self._book.registry
        numbers = ipv4_numbers(addresses)
        if numbers is None:
            return [self.lookup(address) for address in addresses]
        found = tables.lookup_many(numbers)
        if not registry.knows_networks:
            return found
        places = zip(found, tables.pieces(numbers), registry.rows4(numbers), strict=True)
        return [self._combine((4, piece, row), facts) if row else facts for facts, piece, row in places]

    def _combine(self, place: tuple[int, int, int], found: AddressFacts) -> AddressFacts:
        """What the tables say and what the registry says. Addresses of one piece and one network share it.

        place: version, piece, and the network as `Registry.row` has it.
        """
        known = self._combined.get(place)
        if known is not None:
            return known
        own = self._book.registry.facts(place[0], place[2])
        if len(self._combined) >= _REMEMBERED:
            self._combined.clear()
        made = self._combined[place] = replace(
            found,
            prefix=own.prefix,
            network=found.network or own.network,
            holder=found.holder or own.holder,
            sponsor=own.sponsor,
            abuse_contact=found.abuse_contact or own.abuse_contact,
            evidence=LateEvidence(lambda: _together(found.evidence, own.evidence)),
        )
        return made


def _together(tables: Sequence[Evidence], registry: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """All evidence; what the table of countries and the network that it was made of both say is said once."""
    said = {_key(each) for each in registry}
    return (*(each for each in tables if _key(each) not in said), *registry)


def _key(evidence: Evidence) -> tuple[str, str]:
    return evidence.fact, evidence.source


def open_book(directory: Path | None, *, packaged: bool = True) -> AddressBook:
    """What stands in a directory of tables, then in the package.

    directory: None or a missing one has no tables.  packaged: whether the snapshot and the hosters of the package are
    used; the snapshot is expanded into `directory` on first use, or into memory without one.
    Raises AddressDataInvalid naming file and reason; HomeUnusable when the snapshot cannot be written.
    """
    own = [] if directory is None else sorted(p for p in directory.glob("*") if p.suffix in (".tbl", ".vga"))
    tables = [open_table(path) for path in own]
    generation = Generation(None, {}) if directory is None else current(directory)
    files: dict[str, Networks | Handles] = {}
    domains = packaged_domains()
    for entry in sorted(generation.entries.values(), key=_precedence):
        assert generation.directory is not None
        path = generation.directory / entry.file
        if entry.kind == ADDRESSES:
            tables.append(open_table(path, verify=False))
        elif entry.kind == SUFFIXES:
            domains = DomainFinder(path, TableInfo(entry.source, entry.date, entry.licence))
        else:
            files[entry.kind] = open_registry_file(path, entry.kind)
    if packaged:
        tables += _snapshot(directory)
    hosters = _hosters(directory, packaged=packaged)
    registry = Registry(files)
    names = files.get("as-names")
    registered = registry.system if "aut-num" in files else None
    systems = Systems(names if isinstance(names, Handles) else None, registered, hosters)
    return AddressBook(TableSet(tables, systems), registry, hosters, generation, domains)


def open_tables(directory: Path | None, *, snapshot: bool = True) -> TableSet:
    """The address tables of `open_book`."""
    return open_book(directory, packaged=snapshot).tables


def home_book(home: Home) -> AddressBook:
    """The book of a home. A lab has only its own tables: those of the package know nothing of loopback."""
    return open_book(home.root / "tables", packaged=not home.lab)


def home_tables(home: Home) -> TableSet:
    """The address tables of a home."""
    return home_book(home).tables


def _precedence(entry: Entry) -> tuple[int, str]:
    place = next((n for n, start in enumerate(_ORDER) if entry.name.startswith(start)), len(_ORDER))
    return place, entry.name


def _snapshot(directory: Path | None) -> list[PackedTable]:
    if directory is None:
        return [PackedTable(snapshot_bytes(name), name) for name in NAMES]
    return [open_table(snapshot_file(name, directory / SNAPSHOT)) for name in NAMES]


def _hosters(directory: Path | None, *, packaged: bool) -> Hosters:
    own = None if directory is None else directory / FILE
    if own is not None and own.exists():
        return read_hosters(own)
    return packaged_hosters() if packaged else NO_HOSTERS
