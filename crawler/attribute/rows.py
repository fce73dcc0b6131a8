"""Rows of address tables, and how overlapping ranges become disjoint ones."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from socket import inet_ntoa
from typing import Final

import numpy as np
import numpy.typing as npt

NO_CDN: Final = "-"
"""Marks a range as no CDN's, against a wider one: Google's list holds its customers' machines too."""


@dataclass(frozen=True, slots=True)
class TableInfo:
    """Where a table comes from. date: the ISO day of the data.  licence: an SPDX name or a sentence."""

    source: str
    date: str
    licence: str


@dataclass(frozen=True, slots=True)
class Values:
    """What a table says of a range; None where it says nothing."""

    country: str | None = None
    asn: int | None = None
    as_name: str | None = None
    network: str | None = None
    holder: str | None = None
    abuse_contact: str | None = None
    cdn: str | None = None
    anycast: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Values for the addresses `first` to `last` (numbers, both included) of IP version `version`."""

    version: int
    first: int
    last: int
    values: Values


class Sweep:
    """Disjoint segments of overlapping ranges, in one pass: the smallest range around an address has it.

    Ranges are given in the order of their first addresses, numbered upwards; of equal ranges the highest number wins.
    emit: called with the start of a segment and the number of the range that has it, -1 for none; a segment reaches to
    the next start. O(log d) a range, d ranges deep at most.
    """

    def __init__(self, emit: Callable[[int, int], None]) -> None:
        self._emit = emit
        self._open: list[tuple[int, int, int]] = []
        self._start = -1
        self._owner = -1
        self._said = -2

    def add(self, first: int, last: int, number: int) -> None:
        """The next range, both ends included."""
        self._close(first)
        heapq.heappush(self._open, (last - first, -number, last))
        self._turn(first, -self._open[0][1])

    def around(self, first: int, last: int) -> int:
        """Before a range is added: the smallest of those around it that is larger, -1 for none."""
        self._close(first)
        larger = (row for row in self._open if row[2] >= last and row[0] > last - first)
        return -min(larger, default=(0, 1, 0))[1]

    def finish(self) -> None:
        """After the last range."""
        self._close(None)
        self._say()

    def _close(self, before: int | None) -> None:
        while self._open and (before is None or self._open[0][2] < before):
            ended = self._open[0][2]
            while self._open and self._open[0][2] <= ended:
                heapq.heappop(self._open)
            self._turn(ended + 1, -self._open[0][1] if self._open else -1)

    def _turn(self, start: int, owner: int) -> None:
        if start != self._start:
            self._say()
        self._start, self._owner = start, owner

    def _say(self) -> None:
        if self._start >= 0 and self._owner != self._said:
            self._emit(self._start, self._owner)
            self._said = self._owner


def flatten(ranges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Disjoint segments of overlapping ranges: the smallest range around an address has it, of equal ones the later.

    ranges: (first, last), both included, in any order.  Returns the ascending starts of the segments and, for each, the
    position of the range that has it, -1 for none; a segment reaches to the next start. O(n log n).
    """
    starts: list[int] = []
    owners: list[int] = []

    def emit(start: int, owner: int) -> None:
        starts.append(start)
        owners.append(owner)

    sweep = Sweep(emit)
    for position in sorted(range(len(ranges)), key=lambda position: ranges[position][0]):
        sweep.add(*ranges[position], position)
    sweep.finish()
    return starts, owners


def range_text(version: int, first: int, last: int) -> str:
    """A range as people write it: "192.0.2.0/24" where it is a prefix, else "192.0.2.7-192.0.2.9"."""
    size = last - first + 1
    if size & (size - 1) == 0 and first & (size - 1) == 0:
        return f"{_address_text(version, first)}/{(33 if version == 4 else 129) - size.bit_length()}"
    return f"{_address_text(version, first)}-{_address_text(version, last)}"


def range_texts(first: npt.NDArray[np.int64], last: npt.NDArray[np.int64]) -> list[str]:
    """As `range_text`, of many IPv4 ranges."""
    sizes = last - first + 1
    lengths = 32 - np.log2(sizes).astype(np.int64)
    texts = [f"{start}/{length}" for start, length in zip(_texts4(first), lengths.tolist(), strict=True)]
    odd = np.flatnonzero((sizes & (sizes - 1)) | (first & (sizes - 1)))
    for place, end in zip(odd.tolist(), _texts4(last[odd]), strict=True):
        texts[place] = f"{texts[place].partition('/')[0]}-{end}"
    return texts


def _texts4(numbers: npt.NDArray[np.int64]) -> list[str]:
    packed = numbers.astype(">u4").tobytes()
    return [inet_ntoa(packed[place : place + 4]) for place in range(0, len(packed), 4)]


def _address_text(version: int, number: int) -> str:
    # The C library is several times faster here than the ipaddress module; in IPv6 it writes some addresses otherwise.
    return inet_ntoa(number.to_bytes(4, "big")) if version == 4 else str(IPv6Address(number))
