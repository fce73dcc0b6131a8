"""Address tables: what is known of an IP address, from the tables of an installation and those in the package.

Tables stand in a directory (`tables/` of the home) as text (`*.tbl`) or packed (`*.vga`) and are asked in the order of
their file names; the packaged snapshot comes last. For each fact the first table that has it decides; what every table
said is kept as evidence.
"""

from __future__ import annotations

import datetime
import mmap
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address
from operator import itemgetter
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

from crawler.attribute.merged import Merged4, Merged6
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import Values, range_text
from crawler.attribute.snapshot import NAMES, snapshot_bytes, snapshot_file
from crawler.attribute.text_table import read_text_table
from crawler.errors import AddressDataInvalid
from crawler.home import Home
from crawler.ranges import unwrapped
from crawler.records import AddressFacts, Evidence

MAX_REMEMBERED: Final = 100_000
"""Facts kept for ranges that were asked for; then all are forgotten at once."""

OLD_DAYS: Final = 60
"""Tables older than this are reported as old: address space moves."""

_MAY_EMBED: Final = frozenset((0, 0x0064, 0x2002))
"""Upper 16 bits of the IPv6 addresses that may embed IPv4."""

SNAPSHOT: Final = "snapshot"
"""Directory, below that of the tables, of the expanded tables of the package."""

NOTHING: Final = AddressFacts()


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table in use. ranges: disjoint ranges.  bytes: of its file.  age_days: since the data's date."""

    name: str
    path: str
    source: str
    date: str
    licence: str
    ranges: int
    bytes: int
    age_days: int
    old: bool


class TableSet:
    """Tables in order of precedence. Satisfies `crawler.scope.AddressTable`."""

    def __init__(self, tables: Iterable[PackedTable]) -> None:
        self.tables = tuple(tables)
        self._remembered4: dict[int, AddressFacts] = {}
        self._remembered6: dict[int, AddressFacts] = {}

    def lookup(self, address: str) -> AddressFacts:
        """The facts on an IP address in its usual text; addresses that embed IPv4 are looked up as that.

        Raises ValueError when `address` is none.
        """
        if ":" in address:
            return self._lookup6(address)
        number = _number(AF_INET, address)
        index, block = self._index4, number >> 16
        piece = bisect_right(index.starts, number, index.blocks[block], index.blocks[block + 1])
        facts = self._remembered4.get(piece)
        return self._remember(self._remembered4, piece, 4, number) if facts is None else facts

    def _lookup6(self, address: str) -> AddressFacts:
        number = _number(AF_INET6, address)
        if number >> 112 in _MAY_EMBED:
            plain = unwrapped(IPv6Address(number))
            if plain.version == 4:
                return self.lookup(str(plain))
        piece = self._index6.piece(number)
        facts = self._remembered6.get(piece)
        return self._remember(self._remembered6, piece, 6, number) if facts is None else facts

    @cached_property
    def _index4(self) -> Merged4:
        return Merged4([table.starts[0] for table in self.tables])

    @cached_property
    def _index6(self) -> Merged6:
        return Merged6([table.starts[1] for table in self.tables], [table.starts[2] for table in self.tables])

    def _remember(self, remembered: dict[int, AddressFacts], piece: int, version: int, number: int) -> AddressFacts:
        if len(remembered) >= MAX_REMEMBERED:
            remembered.clear()
        facts = remembered[piece] = self._facts(version, number)
        return facts

    def _facts(self, version: int, number: int) -> AddressFacts:
        said: list[tuple[int, str, Values]] = []
        evidence: list[Evidence] = []
        for table in self.tables:
            segment = table.segment(version, number)
            row = table.row(version, segment)
            if row:
                values, (first, last) = table.values(row), table.bounds(version, segment)
                prefix = range_text(version, first, last)
                said.append((last - first, prefix, values))
                evidence += _evidence(values, table, prefix)
        return _merged(said, tuple(evidence)) if said else NOTHING


def _number(family: int, address: str) -> int:
    try:
        return int.from_bytes(inet_pton(family, address), "big")
    except (OSError, ValueError) as error:
        raise ValueError(f"{address[:80]!r} is not an IP address") from error


def _merged(said: list[tuple[int, str, Values]], evidence: tuple[Evidence, ...]) -> AddressFacts:
    """One answer from several tables: for each fact the first that has it; an AS name only with its own number.

    said: size of the range, less one, the range as text, and what is said of it. The prefix is the smallest range.
    """
    values = [each for _, _, each in said]
    asn = next((each.asn for each in values if each.asn), None)
    return AddressFacts(
        country=next((each.country for each in values if each.country), None),
        prefix=min(said, key=itemgetter(0))[1],
        asn=asn,
        as_name=next((each.as_name for each in values if each.as_name and each.asn == asn), None),
        network=next((each.network for each in values if each.network), None),
        holder=next((each.holder for each in values if each.holder), None),
        abuse_contact=next((each.abuse_contact for each in values if each.abuse_contact), None),
        cdn=next((each.cdn for each in values if each.cdn), None),
        evidence=evidence,
    )


def _evidence(values: Values, table: PackedTable, prefix: str) -> list[Evidence]:
    named = (
        ("country", values.country),
        ("origin", f"AS{values.asn} {values.as_name or ''}".strip() if values.asn else None),
        ("network", values.network),
        ("holder", values.holder),
        ("abuse contact", values.abuse_contact),
        ("CDN", values.cdn),
    )
    facts = [f"{name} {value}" for name, value in named if value]
    return [Evidence(fact, table.info.source, table.info.date, prefix) for fact in facts]


def open_table(path: Path) -> PackedTable:
    """One table: text (`.tbl`), or packed and mapped into memory (any other suffix).

    Raises AddressDataInvalid naming file (and line) and reason.
    """
    if path.suffix == ".tbl":
        info, rows = read_text_table(path)
        return PackedTable(pack(info, rows), str(path))
    try:
        with path.open("rb") as stream:
            return PackedTable(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), str(path))
    except (OSError, ValueError) as error:
        raise AddressDataInvalid(f"{path}: cannot be read: {error}; load it again") from error


def open_tables(directory: Path | None, *, snapshot: bool = True) -> TableSet:
    """The tables of a directory (made by people or by `vangnet data`), then those of the package.

    directory: None or a missing one has no tables.  snapshot: whether the packaged snapshot is used; it is expanded
    into `directory` on first use, or into memory without one.
    Raises AddressDataInvalid naming file and reason; HomeUnusable when the snapshot cannot be written.
    """
    own = [] if directory is None else sorted(p for p in directory.glob("*") if p.suffix in (".tbl", ".vga"))
    tables = [open_table(path) for path in own]
    if not snapshot:
        return TableSet(tables)
    if directory is None:
        return TableSet([*tables, *(PackedTable(snapshot_bytes(name), name) for name in NAMES)])
    return TableSet([*tables, *(open_table(snapshot_file(name, directory / SNAPSHOT)) for name in NAMES)])


def status(tables: TableSet, today: datetime.date) -> list[TableStatus]:
    """What the tables are, in their order."""
    found = []
    for table in tables.tables:
        age = (today - datetime.date.fromisoformat(table.info.date)).days
        found.append(
            TableStatus(
                name=table_name(table),
                path=table.name,
                source=table.info.source,
                date=table.info.date,
                licence=table.info.licence,
                ranges=table.ranges,
                bytes=table.size,
                age_days=age,
                old=age > OLD_DAYS,
            )
        )
    return found


def table_name(table: PackedTable) -> str:
    """What people call a table: its file's name without suffix, and for the packaged ones without digest."""
    path = Path(table.name)
    return path.stem.rpartition("-")[0] if path.parent.name == SNAPSHOT else path.stem


def home_tables(home: Home) -> TableSet:
    """The tables of a home. A lab has only its own: the packaged snapshot knows nothing of loopback."""
    return open_tables(home.root / "tables", snapshot=not home.lab)
