"""The arguments of the compiled search, as Python builds them and as the compiler knows them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from crawler.match.machine import inlined

WORDS = 8
TAIL = 7
"""Words of a row in `tails`: all but word 0."""

HALVES = 65_536
LOW = np.uint32(HALVES - 1)
STARTS = HALVES + 1

GROUP = 64
"""Queries that pass through one word's tables together, while these are in the cache."""

ROOM = 512
"""Survivors that wait for their comparison."""

UNKNOWN = HALVES
"""In place of a low half: the survivor came from the table by high half."""


Number = Any
"""A number of some width: compiled code is strict about widths, as numpy's types are."""


class Tables(NamedTuple):
    """The arrays of an index, flat; see `crawler.match.tables` for their making. n codes, in ascending order.

    tails: (n, 7) uint32, words 1 to 7 of every code.  lows: (8, n + 32) uint16, the tables by high half; rows: (7, n)
    uint32, the row of each of their items for words 1 to 7 (word 0's table is in the order of the codes).
    highs: (8, n + 32) uint16, the tables by low half.  by_high, by_low: (8, 65537) uint32, where each bucket starts.
    count, padded: n, and n + 32.
    """

    tails: Any
    lows: Any
    rows: Any
    highs: Any
    by_high: Any
    by_low: Any
    count: Any
    padded: Any


ARRAYS = ("tails", "lows", "rows", "highs", "by_high", "by_low")
"""Those of `Tables`, as an index names them."""


class Plan(NamedTuple):
    """How a search spends its radius.

    words, highs, lows: (8,) int64, the radii of each word and of its halves, -1 for "not at all".
    flips: uint32, 16-bit numbers of 0, 1, 2 and 3 ones, in this order.
    reach: (5,) int64, at r + 1 how many of them have at most r ones.
    """

    words: Any
    highs: Any
    lows: Any
    flips: Any
    reach: Any


class Found(NamedTuple):
    """Where results go: query, row and distance of each.

    state: (2,) int64, how many there are, and the first query that was not searched, for want of room.
    """

    query: Any
    row: Any
    distance: Any
    state: Any


class Waiting(NamedTuple):
    """Survivors: `rows` to be compared, and `words` whose rows are to be named first.

    Columns: query, word, low half, and the row or the high half.  counts: how many of each.
    """

    rows: Any
    words: Any
    counts: Any


class Job(NamedTuple):
    """A search. codes: (q, 8) uint32, the queries' words.  radius: bits."""

    tables: Any
    plan: Any
    codes: Any
    radius: Any
    found: Any
    waiting: Any


def constant(item: Any, dimensions: int = 1) -> Any:
    """The type of a read-only, C-contiguous array; a writable one is accepted in its place, but not in a tuple."""
    return types.Array(item, dimensions, "C", readonly=True)


def record(kind: type, fields: list[Any]) -> Any:
    """The type of a named tuple."""
    make: Any = types.NamedTuple
    return make(fields, kind)


def some(item: Any) -> Any:
    """The type of a writable array."""
    return types.Array(item, 1, "C")


U16, U32, I64 = constant(types.uint16), constant(types.uint32), constant(types.int64)
TABLES = record(Tables, [U32, U16, U32, U16, U32, U32, types.int64, types.int64])
PLAN = record(Plan, [I64, I64, I64, U32, I64])
FOUND = record(Found, [some(types.uint32), some(types.uint32), some(types.uint8), some(types.int64)])


@inlined
def report(found: Found, query: Number, row: Number, distance: Number) -> None:
    at = found.state[0]
    if at < found.row.size:
        found.query[at] = query
        found.row[at] = row
        found.distance[at] = distance
    found.state[0] = at + 1


@inlined
def has_room(found: Found, results: Number, base: Number) -> Number:
    """Whether there was room for all results of the queries from `base` on. If not, they are taken back: `results` is
    how many there were before."""
    if found.state[0] <= found.row.size:
        return True
    found.state[0] = results
    found.state[1] = base
    return False
