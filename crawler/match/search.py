"""Searching an index: exact digests in batches, and every code within a radius."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import comb
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.match import short
from crawler.match.entries import DIGEST_BYTES
from crawler.match.index import Index, IndexRow, index_in_memory
from crawler.match.kernels import search_tables
from crawler.match.linear import find_digests, search_codes
from crawler.match.shapes import ARRAYS, Found, Plan, Tables
from crawler.match.tables import HALVES, LINEAR_BELOW, PADDING, WORDS
from crawler.match.thresholds import MOST_RADIUS

Codes = npt.NDArray[np.uint64]

FLIPS = (1, 16, 120, 560)
"""How many 16-bit numbers have 0, 1, 2 and 3 ones."""

ROOM = 4096
"""Results that a pass has room for at first."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What is near: pairs of a query and a row of the index, ordered by query, then row.

    query_no: (k,) uint32.  row: (k,) uint32, for `Index.entries`.  distance: (k,) uint8, bits.
    """

    query_no: npt.NDArray[np.uint32]
    row: npt.NDArray[np.uint32]
    distance: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.row)


NOBODY = Neighbours(np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.uint8))


def pack(values: Sequence[bytes]) -> Codes:
    """Codes as stored in entries and fingerprints, all of one length (32 or 8 bytes) -> (q, 4) or (q, 1) uint64."""
    flat = np.frombuffer(b"".join(values), ">u8").astype(np.uint64)
    return flat.reshape(len(values), -1) if values else flat.reshape(0, 4)


@lru_cache(maxsize=256)
def plan_for(radius: int, count: int) -> Plan:
    """How a search of this radius among `count` codes spends it: evenly over the words, and within a word as is
    cheapest for as many codes."""
    each, more = divmod(radius + 1, WORDS)
    words = [each - (w >= more) for w in range(WORDS)]
    highs = [cheapest(word, count) for word in words]
    lows = [word - 1 - high for word, high in zip(words, highs, strict=True)]
    flips = sorted((n for n in range(HALVES) if n.bit_count() <= 3), key=lambda n: (n.bit_count(), n))
    reach = [0, *accumulate(FLIPS)]
    return Plan(fixed(words), fixed(highs), fixed(lows), fixed(flips, np.uint32), fixed(reach))


def fixed(numbers: Sequence[int], dtype: npt.DTypeLike = np.int64) -> npt.NDArray[Any]:
    """A read-only array."""
    array = np.array(numbers, dtype)
    array.flags.writeable = False
    return array


def cheapest(word: int, count: int) -> int:
    """The radius of the high half that makes searching a word within radius `word` cheapest; the low half has the
    rest. -1 when the table by high half is not needed."""
    if word <= 0:
        return word
    return min((high for high in range(4) if -1 <= word - 1 - high <= 3), key=lambda high: cost(high, word, count))


def cost(high: int, word: int, count: int) -> float:
    """About how many nanoseconds it takes to search one word among `count` uniform codes: a bucket visited costs 30,
    an item in it 0.1, and a row that has to be compared in full 25."""
    in_bucket = count / HALVES
    buckets = sum(FLIPS[: high + 1]) + sum(FLIPS[: word - high])
    compared = sum(FLIPS[flipped] * share_within(word - flipped) for flipped in range(high + 1))
    return buckets * (30 + 0.1 * in_bucket) + in_bucket * compared * 25


def share_within(distance: int) -> float:
    """The share of all halves that differ from a given one in at most `distance` bits."""
    return sum(comb(16, k) for k in range(distance + 1)) / HALVES


def search(index: Index, queries: Codes, radius: int, algorithm: str = "pdq") -> Neighbours:
    """Every code of the block lists at most `radius` bits from a query, exactly.

    queries: (q, 4) uint64 from `pack`, C-contiguous; (q, 1) for algorithm "phash".  radius: bits, 0 to 63; 0 finds
    equal codes only. Many queries in one call are faster than many calls. Raises ValueError for another radius.
    """
    if not 0 <= radius <= MOST_RADIUS:
        raise ValueError(f"a search radius is 0 to {MOST_RADIUS} bits, not {radius}")
    parts = list(passes(index, f"block.{algorithm}", queries, radius)) if index.count(algorithm) else []
    near = [part for part in parts if part[1].size]
    if not near:  # nearly always, so that nothing more is done for it
        return NOBODY
    query, row, distance = (np.concatenate([part[k] for part in near]) for k in range(3))
    if len(row) < 2:
        return Neighbours(query, row, distance)
    order = np.lexsort((row, query))
    return Neighbours(query[order], row[order], distance[order])


def passes(index: Index, table: str, queries: Codes, radius: int) -> Iterator[tuple[Any, Any, Any]]:
    """(queries, rows, distances) of one pass after another, each of which goes as far as there is room."""
    room, start = ROOM, 0
    while start < len(queries):
        found = Found(
            np.empty(room, np.uint32), np.empty(room, np.uint32), np.empty(room, np.uint8), np.zeros(2, np.int64)
        )
        run(index, table, queries, (radius, start), found)
        count, reached = found.state.tolist()
        if reached == start:
            room *= 8
        yield found.query[:count], found.row[:count], found.distance[:count]
        start = reached


def run(index: Index, table: str, queries: Codes, sizes: tuple[int, int], found: Found) -> None:
    """One pass over the tables, or over the codes of a set that has none. sizes: the radius, and the first query."""
    radius, start = sizes
    codes = index.sections.get(f"{table}.codes")
    if codes is not None and codes.shape[1] == 1 and len(codes) >= LINEAR_BELOW and radius <= short.FARTHEST:
        tables = short.Short(*(index.sections[f"{table}.{name}"] for name in short.Short._fields))
        plan = plan_for(radius, len(codes))
        reach = short.Reach(plan.flips, plan.reach, fixed(short.radii(radius)))
        short.search_short(tables, queries, reach, np.array(sizes, np.int64), found)
        return
    if codes is not None:
        search_codes(codes, queries, np.array(sizes, np.int64), found)
        return
    count = len(index.sections[f"{table}.entries"])
    arrays = {name: index.sections[f"{table}.{name}"] for name in ARRAYS}
    large = Tables(count=count, padded=count + PADDING, **arrays)
    words = np.empty((len(queries), WORDS), np.uint32)
    words[:, 0::2] = queries >> np.uint64(32)
    words[:, 1::2] = queries & np.uint64(0xFFFFFFFF)
    search_tables(large, plan_for(radius, count), words, np.array((radius, start), np.int64), found)


def look_up(index: Index, algorithm: str, digests: npt.NDArray[np.uint8], *, benign: bool = False) -> npt.NDArray[Any]:
    """Where digests stand in the index.

    digests: (q, 16, 20 or 32) uint8, C-contiguous.  Returns (q,) int64: rows for `Index.entries`, -1 for "nowhere".
    """
    rows = np.full(len(digests), -1, np.int64)
    if index.count(algorithm, benign=benign):
        table = f"{'benign' if benign else 'block'}.{algorithm}"
        find_digests(index.sections[f"{table}.values"], index.sections[f"{table}.starts"], digests, rows)
    return rows


def warm() -> None:
    """Compile the kernels, or load them from numba's cache, and run each once.

    To be called before a process gives up its right to open files.
    """
    few = index_in_memory(IndexRow(n, "pdq", n.to_bytes(32, "big")) for n in range(2))
    many = index_in_memory(IndexRow(n, "pdq", n.to_bytes(32, "big")) for n in range(LINEAR_BELOW))
    short_ones = index_in_memory(IndexRow(n, "phash", n.to_bytes(8, "big")) for n in range(LINEAR_BELOW))
    search(short_ones, pack([bytes(8)]), 0, "phash")
    exact = index_in_memory(IndexRow(1, name, bytes(width)) for name, width in DIGEST_BYTES.items())
    for index in (few, many):
        search(index, pack([bytes(32)]), 0)
    for name, width in DIGEST_BYTES.items():
        look_up(exact, name, np.zeros((1, width), np.uint8))
