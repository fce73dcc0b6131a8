"""Rows of address tables, and how overlapping ranges become disjoint ones."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from socket import AF_INET, inet_ntop


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


@dataclass(frozen=True, slots=True)
class Row:
    """Values for the addresses `first` to `last` (numbers, both included) of IP version `version`."""

    version: int
    first: int
    last: int
    values: Values


def flatten(ranges: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Disjoint segments of overlapping ranges: the smallest range around an address has it, of equal ones the later.

    ranges: (first, last), both included.  Returns the ascending starts of the segments and, for each, the position of
    the range that has it, -1 for none; a segment reaches to the next start. O(n log n).
    """
    order = sorted(range(len(ranges)), key=lambda position: ranges[position][0])
    edges = sorted({edge for first, last in ranges for edge in (first, last + 1)})
    starts: list[int] = []
    owners: list[int] = []
    open_ranges: list[tuple[int, int]] = []
    following = 0
    for edge in edges:
        while following < len(order) and ranges[order[following]][0] <= edge:
            first, last = ranges[order[following]]
            heapq.heappush(open_ranges, (last - first, -order[following]))
            following += 1
        while open_ranges and ranges[-open_ranges[0][1]][1] < edge:
            heapq.heappop(open_ranges)
        owner = -open_ranges[0][1] if open_ranges else -1
        if not owners or owners[-1] != owner:
            starts.append(edge)
            owners.append(owner)
    return starts, owners


def range_text(version: int, first: int, last: int) -> str:
    """A range as people write it: "192.0.2.0/24" where it is a prefix, else "192.0.2.7-192.0.2.9"."""
    size = last - first + 1
    if size & (size - 1) == 0 and first % size == 0:
        return f"{_address_text(version, first)}/{(32 if version == 4 else 128) - size.bit_length() + 1}"
    return f"{_address_text(version, first)}-{_address_text(version, last)}"


def _address_text(version: int, number: int) -> str:
    # The C library is several times faster here than the ipaddress module; in IPv6 it writes some addresses otherwise.
    return inet_ntop(AF_INET, number.to_bytes(4, "big")) if version == 4 else str(IPv6Address(number))
