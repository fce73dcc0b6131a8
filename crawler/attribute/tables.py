"""Address tables, asked together: for each fact the first table that has it decides; what every table said is kept as
evidence. Which tables there are, and their order, is up to `book.py`.
"""

from __future__ import annotations

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

import numpy as np
import numpy.typing as npt

from crawler.attribute.merged import Merged4, Merged6
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import NO_CDN, Values, range_text
from crawler.attribute.systems import NO_SYSTEM, Systems
from crawler.attribute.text_table import read_text_table
from crawler.errors import AddressDataInvalid
from crawler.ranges import unwrapped
from crawler.records import AddressFacts, Evidence

MAX_REMEMBERED: Final = 100_000
"""Facts kept for ranges that were asked for; then all are forgotten at once."""

_MAY_EMBED: Final = frozenset((0, 0x0064, 0x2002))
"""Upper 16 bits of the IPv6 addresses that may embed IPv4."""

_NO_COUNTRY: Final = frozenset(("AP", "EU", "ZZ", "XX"))
"""Codes that registries use where no country is meant; another source has to say it. XX is nobody's by the standard."""

NOTHING: Final = AddressFacts()


@dataclass(frozen=True, slots=True)
class Columns:
    """Of (n,) addresses: country ("" for none), AS number (0 for none), whether it is the front of a CDN or anycast."""

    countries: npt.NDArray[np.str_]
    asns: npt.NDArray[np.uint32]
    fronts: npt.NDArray[np.bool_]


class TableSet:
    """Tables in order of precedence. Satisfies `crawler.scope.AddressTable`.

    systems: names of AS numbers, and the hosters among them.
    """

    def __init__(self, tables: Iterable[PackedTable], systems: Systems | None = None) -> None:
        self.tables = tuple(tables)
        self.systems = systems or Systems()
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

    def place(self, address: str) -> tuple[int, int]:
        """IP version and number of an address, of the embedded IPv4 address where there is one. Raises ValueError."""
        if ":" not in address:
            return 4, _number(AF_INET, address)
        number = _number(AF_INET6, address)
        plain = unwrapped(IPv6Address(number)) if number >> 112 in _MAY_EMBED else None
        return (4, int(plain)) if plain is not None and plain.version == 4 else (6, number)

    def _lookup6(self, address: str) -> AddressFacts:
        number = _number(AF_INET6, address)
        if number >> 112 in _MAY_EMBED:
            plain = unwrapped(IPv6Address(number))
            if plain.version == 4:
                return self.lookup(str(plain))
        piece = self._index6.piece(number)
        facts = self._remembered6.get(piece)
        return self._remember(self._remembered6, piece, 6, number) if facts is None else facts

    def piece(self, version: int, number: int) -> int:
        """Which piece of the address space, undivided in all tables, an address lies in; -1 before the first."""
        if version == 6:
            return self._index6.piece(number)
        index, block = self._index4, number >> 16
        return bisect_right(index.starts, number, index.blocks[block], index.blocks[block + 1]) - 1

    def columns(self, numbers: npt.NDArray[np.uint32]) -> Columns:
        """What scope is judged by, of many IPv4 addresses at once; they have to be ascending. Decides as `lookup`."""
        found = Columns(
            np.full(len(numbers), "", dtype="U2"),
            np.zeros(len(numbers), dtype=np.uint32),
            np.zeros(len(numbers), dtype=bool),
        )
        decided = np.zeros(len(numbers), dtype=bool)
        for table in self.tables:
            rows = table.rows4(numbers)
            countries, asns, cdns, anycast = table.judged
            here = (found.countries == "") & (countries[rows] != "") & ~np.isin(countries[rows], list(_NO_COUNTRY))
            found.countries[here] = countries[rows][here]
            asn = (found.asns == 0) & (asns[rows] != 0)
            found.asns[asn] = asns[rows][asn]
            front = ~decided & (cdns[rows] != 0)
            # Anycast, as another table has it, stays what it is.
            found.fronts[front] |= cdns[rows][front] > 0
            decided |= front
            np.logical_or(found.fronts, anycast[rows], out=found.fronts)
        return found

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
        return _merged(said, evidence, self.systems) if said else NOTHING


def _number(family: int, address: str) -> int:
    try:
        return int.from_bytes(inet_pton(family, address), "big")
    except (OSError, ValueError) as error:
        raise ValueError(f"{address[:80]!r} is not an IP address") from error


def _merged(said: list[tuple[int, str, Values]], evidence: list[Evidence], systems: Systems) -> AddressFacts:
    """One answer from several tables: for each fact the first that has it; an AS name only with its own number.

    said: size of the range, less one, the range as text, and what is said of it. The prefix is the smallest range.
    """
    values = [each for _, _, each in said]
    asn = next((each.asn for each in values if each.asn), None)
    cdn = next((each.cdn for each in values if each.cdn), None)
    system = NO_SYSTEM if asn is None else systems.get(asn)
    hoster = system.hoster
    return AddressFacts(
        country=next((each.country for each in values if each.country and each.country not in _NO_COUNTRY), None),
        prefix=min(said, key=itemgetter(0))[1],
        asn=asn,
        as_name=next((each.as_name for each in values if each.as_name and each.asn == asn), None) or system.name,
        network=next((each.network for each in values if each.network), None),
        holder=next((each.holder for each in values if each.holder), None),
        abuse_contact=next((each.abuse_contact for each in values if each.abuse_contact), None),
        cdn=None if cdn == NO_CDN else cdn,
        evidence=(*evidence, *system.evidence),
        anycast=any(each.anycast for each in values),
        hoster=hoster.name if hoster else None,
        hoster_country=hoster.country if hoster else None,
    )


def _evidence(values: Values, table: PackedTable, prefix: str) -> list[Evidence]:
    named = (
        ("country", values.country),
        ("origin", f"AS{values.asn} {values.as_name or ''}".strip() if values.asn else None),
        ("network", values.network),
        ("holder", values.holder),
        ("abuse contact", values.abuse_contact),
        ("CDN", None if values.cdn == NO_CDN else values.cdn),
        ("no front of a CDN,", "a customer's address" if values.cdn == NO_CDN else None),
        ("anycast,", "announced from many places" if values.anycast else None),
    )
    facts = [f"{name} {value}" for name, value in named if value]
    return [Evidence(fact, table.info.source, table.info.date, prefix) for fact in facts]


def open_table(path: Path, *, verify: bool = True) -> PackedTable:
    """One table: text (`.tbl`), or packed and mapped into memory (any other suffix).

    verify: as in `container.read_sections`.
    Raises AddressDataInvalid naming file (and line) and reason.
    """
    if path.suffix == ".tbl":
        info, rows = read_text_table(path)
        return PackedTable(pack(info, rows), str(path))
    try:
        with path.open("rb") as stream:
            return PackedTable(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), str(path), verify=verify)
    except (OSError, ValueError) as error:
        raise AddressDataInvalid(f"{path}: cannot be read: {error}; load it again") from error
