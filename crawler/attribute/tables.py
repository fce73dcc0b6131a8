"""Address tables, asked together: for each fact the first table that has it decides; what every table said is kept as
evidence. Which tables there are, and their order, is up to `book.py`.
"""

from __future__ import annotations

import mmap
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv6Address
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.merged import Merged4, Merged6
from crawler.attribute.packed import PackedTable, pack
from crawler.attribute.rows import range_text, range_texts
from crawler.attribute.said import NO_COUNTRY, LateEvidence, evidence_of, joined
from crawler.attribute.systems import Systems
from crawler.attribute.text_table import read_text_table
from crawler.errors import AddressDataInvalid
from crawler.ranges import unwrapped
from crawler.records import AddressFacts, Evidence

MAX_REMEMBERED: Final = 100_000
"""Facts kept for ranges that were asked for; then all are forgotten at once."""

_MAY_EMBED: Final = frozenset((0, 0x0064, 0x2002))
"""Upper 16 bits of the IPv6 addresses that may embed IPv4."""

_NOWHERE: Final = 2**32
"""Behind the last IPv4 address."""

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
        self._joined: dict[tuple[int, ...], AddressFacts] = {}

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

    def lookup_many(self, numbers: npt.NDArray[np.uint32]) -> list[AddressFacts]:
        """As `lookup`, of many IPv4 addresses, in any order. Those of one piece share their facts."""
        # The number of starts up to an address, as `lookup` remembers it.
        starts = np.frombuffer(self._index4.starts, np.uint32)
        pieces, whose = np.unique(np.searchsorted(starts, numbers, "right"), return_inverse=True)
        known = list(map(self._remembered4.get, pieces.tolist()))
        fresh = np.flatnonzero([each is None for each in known])
        # Any address of a piece stands for it; np.unique with return_index would sort stably, which is slower.
        any_of = np.empty(len(pieces), dtype=np.uint32)
        any_of[whose] = numbers
        made = self._facts4(any_of[fresh])
        if len(self._remembered4) + len(made) >= MAX_REMEMBERED:
            self._remembered4.clear()
        for place, facts in zip(fresh.tolist(), made, strict=True):
            known[place] = facts
        self._remembered4.update(zip(pieces[fresh][-MAX_REMEMBERED:].tolist(), made[-MAX_REMEMBERED:], strict=True))
        return [facts for place in whose.tolist() if (facts := known[place]) is not None]

    def pieces(self, numbers: npt.NDArray[np.uint32]) -> list[int]:
        """As `piece`, of many IPv4 addresses."""
        starts = np.frombuffer(self._index4.starts, np.uint32)
        found: list[int] = (np.searchsorted(starts, numbers, "right") - 1).tolist()
        return found

    def _facts4(self, numbers: npt.NDArray[np.uint32]) -> list[AddressFacts]:
        """As `_facts`, of ascending IPv4 addresses, a table at a time."""
        if not self.tables:
            return [NOTHING] * len(numbers)
        first, last = np.zeros(len(numbers), np.int64), np.full(len(numbers), _NOWHERE, np.int64)
        columns = []
        for table in self.tables:
            named, starts, ends = table.around4(numbers)
            columns.append(named.tolist())
            smaller = (named > 0) & (ends - starts < last - first)
            first[smaller], last[smaller] = starts[smaller], ends[smaller]
        rows = list(zip(*columns, strict=True))
        # Most pieces of a large batch differ in nothing but where they are.
        kinds = {each: self._joined_of(each) for each in set(rows)}
        places = zip(rows, range_texts(first, last), numbers.tolist(), (last < _NOWHERE).tolist(), strict=True)
        evidence = self._evidence
        return [
            kinds[row].at(prefix, LateEvidence(evidence, 4, number)) if known else NOTHING
            for row, prefix, number, known in places
        ]

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
            here = (found.countries == "") & (countries[rows] != "") & ~np.isin(countries[rows], list(NO_COUNTRY))
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
        rows: list[int] = []
        smallest: tuple[int, int] | None = None
        for table, segment, row in self._around(version, number):
            rows.append(table.named(row))
            first, last = table.bounds(version, segment) if row else (0, 0)
            if row and (smallest is None or last - first < smallest[1] - smallest[0]):
                smallest = first, last
        if smallest is None:
            return NOTHING
        late = LateEvidence(self._evidence, version, number)
        return self._joined_of(tuple(rows)).at(range_text(version, *smallest), late)

    def _around(self, version: int, number: int) -> Iterator[tuple[PackedTable, int, int]]:
        """Per table: the segment around an address, and the range that has it, 0 for none."""
        for table in self.tables:
            segment = table.segment(version, number)
            yield table, segment, table.row(version, segment)

    def _joined_of(self, rows: tuple[int, ...]) -> AddressFacts:
        """rows: of `facts`, per table, 0 for none. Many ranges of one AS differ in nothing but where they are."""
        found = self._joined.get(rows)
        if found is None:
            if len(self._joined) >= MAX_REMEMBERED:
                self._joined.clear()
            said = [table.values(row) for table, row in zip(self.tables, rows, strict=True) if row]
            found = self._joined[rows] = joined(said, self.systems)
        return found

    def _evidence(self, version: int, number: int) -> tuple[Evidence, ...]:
        made: list[Evidence] = []
        rows: list[int] = []
        for table, segment, row in self._around(version, number):
            rows.append(table.named(row))
            if row:
                prefix = range_text(version, *table.bounds(version, segment))
                made += evidence_of(table.values(rows[-1]), table.info, prefix)
        asn = self._joined_of(tuple(rows)).asn
        return (*made, *(() if asn is None else self.systems.get(asn).evidence))


def _number(family: int, address: str) -> int:
    try:
        return int.from_bytes(inet_pton(family, address), "big")
    except (OSError, ValueError) as error:
        raise ValueError(f"{address[:80]!r} is not an IP address") from error


def ipv4_numbers(addresses: Sequence[str]) -> npt.NDArray[np.uint32] | None:
    """IPv4 addresses in their usual text as numbers; None when another text is among them."""
    try:
        packed = b"".join([inet_pton(AF_INET, each) for each in addresses])
    except (OSError, ValueError):
        return None
    return np.frombuffer(packed, ">u4").astype(np.uint32)


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
