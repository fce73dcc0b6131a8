"""Searching 64-bit codes: a table of rows for each of their four words of 16 bits.

When two codes differ in at most T bits, some word w differs in at most R[w] bits as soon as the sum of R[w] + 1 exceeds
T. So a query visits, for each word, the buckets within R[w] bits, and compares what stands there in full.

Source: Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types

from crawler.match.machine import compiled, inlined, ones64
from crawler.match.shapes import FOUND, I64, U32, Found, Number, constant, has_room, record, report
from crawler.match.short_tables import WORDS

FARTHEST = 11
"""Bits. Beyond, so many buckets are visited that comparing all codes is as fast."""


def radii(radius: int) -> list[int]:
    """How far each word is searched, in bits: evenly; -1 for not at all."""
    each, more = divmod(radius + 1, WORDS)
    return [each - (w >= more) for w in range(WORDS)]


class Short(NamedTuple):
    """codes: (n, 1) uint64.  order, by_word: of `short_tables.tables`."""

    codes: Any
    order: Any
    by_word: Any


class Reach(NamedTuple):
    """flips, reach: as in `shapes.Plan`.  within: `radii`, (4,) int64."""

    flips: Any
    reach: Any
    within: Any


CODES = constant(types.uint64, 2)
SHORT, REACH = record(Short, [CODES, U32, U32]), record(Reach, [U32, I64, I64])


@inlined
def leads_first(differing: Number, word: Number, within: Any) -> Number:
    """Whether no word before `word` leads to a row that differs in these bits."""
    for v in range(word):
        part = (differing >> np.uint64(48 - 16 * v)) & np.uint64(65535)
        if np.int64(ones64(part)) <= within[v]:
            return False
    return True


@compiled(types.void(SHORT, CODES, REACH, I64, FOUND))
def search_short(short: Short, queries: Any, plan: Reach, sizes: Any, found: Found) -> None:
    """Every pair of a query and a code within the radius, as long as there is room. Nothing here checks bounds.

    queries: (q, 1) uint64.  sizes: the radius, and the first query.
    """
    count = short.codes.shape[0]
    for query in range(sizes[1], queries.shape[0]):
        results = found.state[0]
        wanted = queries[query, 0]
        for w in range(4):
            word = np.int64((wanted >> np.uint64(48 - 16 * w)) & np.uint64(65535))
            for f in range(plan.reach[plan.within[w] + 1]):
                bucket = w * 65537 + (word ^ np.int64(plan.flips[f]))
                for at in range(np.int64(short.by_word[bucket]), np.int64(short.by_word[bucket + 1])):
                    row = np.int64(short.order[w * count + at])
                    differing = short.codes[row, 0] ^ wanted
                    distance: Number = np.int64(ones64(differing))
                    # Of all words that lead to a row the first one reports it.
                    if distance <= sizes[0] and leads_first(differing, w, plan.within):
                        report(found, query, row, distance)
        if not has_room(found, results, query):
            return
    found.state[1] = queries.shape[0]
