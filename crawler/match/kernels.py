"""The compiled half of the search: which codes lie within a radius of a query, exactly.

A code's 256 bits are eight words of 32. When two codes differ in at most T bits, some word w differs in at most R[w]
bits as soon as the sum of R[w] + 1 exceeds T; and in that word either the high half differs in at most A[w] bits or the
low half in at most B[w], as soon as A[w] + 1 + B[w] + 1 = R[w] + 1. So every word has two tables:

- by high half: bucket -> the low halves, and beside them the numbers of the rows;
- by low half: bucket -> the high halves, and no row numbers: the first table names the rows of what passes there.

A query visits the buckets whose half differs in up to A (or B) bits, and compares the other half of what is in there by
whole blocks of items. A few survivors are compared in full. Of all words that lead to a row the first one reports it.

Queries go through one word's tables in groups, and while one is looked up, what the next one needs is on its way from
memory. Nothing here checks bounds: `crawler.match.index` does, when it opens a file.

Source: Norouzi, Punjani, Fleet, "Fast Exact Search in Hamming Space with Multi-Index Hashing", 2014, applied twice
(eight words, then two halves); sums of radii as in Qin et al., "GPH: Similarity Search in Hamming Space", 2018.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from crawler.match.machine import (
    LANES,
    called,
    compiled,
    inlined,
    lowest,
    near,
    ones,
    prefetch,
)
from crawler.match.shapes import (
    FOUND,
    GROUP,
    HALVES,
    I64,
    LOW,
    PLAN,
    ROOM,
    STARTS,
    TABLES,
    TAIL,
    UNKNOWN,
    WORDS,
    Found,
    Job,
    Number,
    Plan,
    Tables,
    Waiting,
    constant,
    has_room,
    report,
)


@inlined
def lanes(mask: Number, left: Number) -> Number:
    """A block's mask without the lanes beyond the end of the bucket, `left` items away."""
    if left < LANES:
        return np.uint32(mask & ((np.uint32(1) << np.uint32(left)) - np.uint32(1)))
    return np.uint32(mask)


@inlined
def head(tables: Tables, row: Number) -> Number:
    """Word 0 of a row: its high half is the number of the bucket that holds the row."""
    below, above = 0, HALVES
    while above - below > 1:
        middle = (below + above) >> 1
        if tables.by_high[middle] <= row:
            below = middle
        else:
            above = middle
    return np.uint32(below << 16 | np.int64(tables.lows[row]))


@inlined
def apart(job: Job, head: Number, query: Number, row: Number, word: Number) -> Number:
    """In how many bits one word of a row differs from the query's."""
    value = np.uint32(head) if word == 0 else job.tables.tails[row * TAIL + word - 1]
    return np.int64(ones(value ^ job.codes[query, word]))


@called
def compare(job: Job) -> None:
    """Compare every row that waits with its query in full. Report it when it is near, unless an earlier word does."""
    for k in range(job.waiting.counts[0]):
        query, word = job.waiting.rows[k, 0], job.waiting.rows[k, 1]
        low, row = job.waiting.rows[k, 2], job.waiting.rows[k, 3]
        distance = 0
        for w in range(1, WORDS):
            distance += apart(job, 0, query, row, w)
        if distance > job.radius:
            continue
        first = head(job.tables, row)
        distance += apart(job, first, query, row, 0)
        mine = distance <= job.radius and apart(job, first, query, row, word) <= job.plan.words[word]
        if low != UNKNOWN:
            value = first if word == 0 else job.tables.tails[row * TAIL + word - 1]
            mine = mine and low == np.int64(value & LOW)
        for w in range(word):
            mine = mine and apart(job, first, query, row, w) > job.plan.words[w]
        if mine:
            report(job.found, query, row, distance)
    job.waiting.counts[0] = 0


@inlined
def put(queue: Any, at: Number, place: Any, low: Number, row: Number) -> Number:
    """Append a survivor. place: its query and word. Returns the queue's new length."""
    queue[at, 0] = place[0]
    queue[at, 1] = place[1]
    queue[at, 2] = low
    queue[at, 3] = row
    return at + 1


@inlined
def ask(starts: Any, items: Any, half: Number, flips: Any, count: Number) -> None:
    """Ask for what is in the first `count` buckets around `half`, to have it when it is needed.

    starts, items: (array, origin of this word's part).
    """
    for k in range(count):
        bucket = starts[1] + np.int64(half ^ flips[k])
        at, end = items[1] + np.int64(starts[0][bucket]), items[1] + np.int64(starts[0][bucket + 1]) - 1
        while at < end:
            prefetch(items[0], at)
            at += LANES
        prefetch(items[0], end)


@inlined
def ask_all(job: Job, q: Number, w: Number) -> None:
    """Ask for all that query `q` needs of word `w`."""
    tables, plan = job.tables, job.plan
    starts, origin = w * STARTS, w * tables.padded
    high, low = job.codes[q, w] >> np.uint32(16), job.codes[q, w] & LOW
    highs, lows = plan.reach[plan.highs[w] + 1], plan.reach[plan.lows[w] + 1]
    ask((tables.by_high, starts), (tables.lows, origin), np.uint32(high), plan.flips, highs)
    ask((tables.by_low, starts), (tables.highs, origin), np.uint32(low), plan.flips, lows)


@inlined
def row_at(tables: Tables, word: Number, place: Number) -> Number:
    """The row at a place of a word's table by high half. The codes lie in the order of word 0's."""
    if word == 0:
        return place
    return np.int64(tables.rows[(word - 1) * tables.count + place])


@inlined
def scan_highs(job: Job, q: Number, w: Number) -> None:
    """By high half: queue the rows whose low half is near enough."""
    tables, plan, waiting = job.tables, job.plan, job.waiting
    items, tails = tables.lows, tables.tails
    origin = w * tables.padded
    low = np.uint16(job.codes[q, w] & LOW)
    half = np.uint32(job.codes[q, w] >> np.uint32(16))
    for flipped in range(plan.highs[w] + 1):
        limit = np.uint16(plan.words[w] - flipped)
        for k in range(plan.reach[flipped], plan.reach[flipped + 1]):
            bucket = w * STARTS + np.int64(half ^ plan.flips[k])
            at, end = np.int64(tables.by_high[bucket]), np.int64(tables.by_high[bucket + 1])
            while at < end:
                mask = lanes(near(items, origin + at, low, limit), end - at)
                while mask:
                    if waiting.counts[0] == ROOM:
                        compare(job)
                    row = row_at(tables, w, at + np.int64(lowest(mask)))
                    waiting.counts[0] = put(waiting.rows, waiting.counts[0], (q, w), UNKNOWN, row)
                    prefetch(tails, row * TAIL)
                    mask = np.uint32(mask & (mask - np.uint32(1)))
                at += LANES


@called
def name_rows(job: Job) -> None:
    """Queue the rows of the words that wait to be named."""
    tables, waiting = job.tables, job.waiting
    for k in range(waiting.counts[1]):
        query, word = waiting.words[k, 0], waiting.words[k, 1]
        low, bucket = waiting.words[k, 2], word * STARTS + waiting.words[k, 3]
        at, end = np.int64(tables.by_high[bucket]), np.int64(tables.by_high[bucket + 1])
        while at < end:
            found = near(tables.lows, word * tables.padded + at, np.uint16(low), np.uint16(0))
            mask = np.uint32(lanes(found, end - at))
            while mask:
                if waiting.counts[0] == ROOM:
                    compare(job)
                row = row_at(tables, word, at + np.int64(lowest(mask)))
                waiting.counts[0] = put(waiting.rows, waiting.counts[0], (query, word), low, row)
                prefetch(tables.tails, row * TAIL)
                mask = np.uint32(mask & (mask - np.uint32(1)))
            at += LANES
    waiting.counts[1] = 0


@inlined
def scan_lows(job: Job, q: Number, w: Number) -> None:
    """By low half: note the words that are near enough, unless the table by high half leads to them as well."""
    tables, plan, waiting = job.tables, job.plan, job.waiting
    items = tables.highs
    origin = w * tables.padded
    high = np.uint16(job.codes[q, w] >> np.uint32(16))
    half = np.uint32(job.codes[q, w] & LOW)
    for flipped in range(plan.lows[w] + 1):
        limit = np.uint16(plan.words[w] - flipped)
        for k in range(plan.reach[flipped], plan.reach[flipped + 1]):
            low = np.int64(half ^ plan.flips[k])
            bucket = w * STARTS + low
            at, end = origin + np.int64(tables.by_low[bucket]), origin + np.int64(tables.by_low[bucket + 1])
            last = np.int64(UNKNOWN)
            while at < end:
                mask = lanes(near(items, at, high, limit), end - at)
                while mask:
                    value = items[at + np.int64(lowest(mask))]
                    new = np.int64(ones(np.uint32(value ^ high))) > plan.highs[w] and np.int64(value) != last
                    if new and waiting.counts[1] == ROOM:
                        name_rows(job)
                    if new:
                        waiting.counts[1] = put(waiting.words, waiting.counts[1], (q, w), low, np.int64(value))
                        prefetch(tables.by_high, w * STARTS + np.int64(value))
                    last = np.int64(value)
                    mask = np.uint32(mask & (mask - np.uint32(1)))
                at += LANES


@compiled(types.void(TABLES, PLAN, constant(types.uint32, 2), I64, FOUND))
def search_tables(tables: Tables, plan: Plan, codes: Any, sizes: Any, found: Found) -> None:
    """Every pair of a query and a row within the radius, each once, in no particular order, as long as there is room.

    Arguments as in `Job`; sizes: the radius, and the first query.
    """
    waiting = Waiting(np.empty((ROOM, 4), np.int64), np.empty((ROOM, 4), np.int64), np.zeros(2, np.int64))
    job = Job(tables, plan, codes, sizes[0], found, waiting)
    for base in range(sizes[1], codes.shape[0], GROUP):
        results = found.state[0]
        top = min(base + GROUP, codes.shape[0])
        for w in range(WORDS):
            ask_all(job, base, w)
            for q in range(base, top):
                if q + 1 < top:
                    ask_all(job, q + 1, w)
                scan_highs(job, q, w)
                scan_lows(job, q, w)
            name_rows(job)
            compare(job)
        if not has_room(found, results, base):
            return
    found.state[1] = codes.shape[0]
