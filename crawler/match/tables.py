"""The making of an index's arrays: sorted digests, sorted codes, and the tables that `kernels.py` searches.

Everything here is a function of the set of rows: their order does not matter, and equal rows count once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.match import short_tables

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

WORDS = 8
HALVES = 65_536
PADDING = 32
"""Items behind the end of a table that a block may touch."""

LINEAR_BELOW = 4096
"""Sets of fewer codes are compared one by one: their tables would be larger and no faster."""

MOST_CODES = 1 << 31
SHARED = 1 << 31
"""Set in an entry number: the code or digest has several entries, and the other bits say where `shared` lists them."""


def big_endian(values: U8) -> list[U64]:
    """(n, k) uint8 -> the columns as 64-bit numbers, first bytes first; the last may be filled up with zeros."""
    rows, width = values.shape
    whole = np.zeros((rows, -(-width // 8) * 8), np.uint8)
    whole[:, :width] = values
    return list(whole.view(">u8").astype(np.uint64).T)


def distinct(values: U8, entries: U64) -> tuple[U8, U32, U32]:
    """Distinct values in ascending order, and their entries.

    values: (n, k) uint8.  entries: (n,) uint64, below 2**31.
    Returns the distinct values (m, k); for each its entry number, or SHARED + a place in the third array, where the
    number of its entries stands and then they themselves, ascending. Raises ValueError for an entry number of 2**31
    or more.
    """
    if not len(values):
        return values, np.zeros(0, np.uint32), np.zeros(0, np.uint32)
    if entries.max() >= SHARED:
        raise ValueError("an entry number of 2**31 or more does not fit into an index")
    keys = big_endian(values)
    order = np.lexsort((entries, *reversed(keys)))
    values, numbers = values[order], entries[order].astype(np.uint32)
    differs = np.any(values[1:] != values[:-1], axis=1)
    again = np.concatenate(([False], ~differs & (numbers[1:] == numbers[:-1])))
    values, numbers = values[~again], numbers[~again]
    first = np.flatnonzero(np.concatenate(([True], np.any(values[1:] != values[:-1], axis=1))))
    counts = np.diff(np.append(first, len(values)))
    named = numbers[first]
    shared: list[int] = []
    for group in np.flatnonzero(counts > 1):
        named[group] = SHARED + len(shared)
        shared.append(int(counts[group]))
        shared.extend(numbers[first[group] : first[group] + counts[group]].tolist())
    return np.ascontiguousarray(values[first]), named, np.array(shared, np.uint32)


def directory_bits(count: int) -> int:
    """How many leading bits of a digest choose its bucket: one or two digests a bucket."""
    return min(28, max(1, count.bit_length() - 1))


def digest_sections(values: U8, entries: U64) -> dict[str, npt.NDArray[Any]]:
    """values: (n, k) uint8 digests.  Returns `values` sorted, `entries`, `shared`, and `starts` of the buckets."""
    values, named, shared = distinct(values, entries)
    bits = directory_bits(len(values))
    starts = np.zeros((1 << bits) + 1, np.uint32)
    if len(values):
        leading = big_endian(values[:, :8])[0] >> np.uint64(64 - bits)
        starts[1:] = np.cumsum(np.bincount(leading.astype(np.int64), minlength=1 << bits))
    return {"values": values, "entries": named, "shared": shared, "starts": starts}


def code_sections(values: U8, entries: U64) -> dict[str, npt.NDArray[Any]]:
    """values: (n, 32) uint8 PDQ codes, or (n, 8) pHashes. Returns `entries` and `shared`, and either `codes`, for
    pHashes and small sets, or the tables; for many pHashes `codes` and those of `short_tables.py`."""
    values, named, shared = distinct(values, entries)
    found: dict[str, npt.NDArray[Any]] = {"entries": named, "shared": shared}
    if values.shape[1] == 32 and len(values) >= LINEAR_BELOW:
        found.update(tables(values))
    else:
        codes: U64 = np.ascontiguousarray(np.stack(big_endian(values), axis=1))
        found["codes"] = codes
        if codes.shape[1] == 1 and len(codes) >= LINEAR_BELOW:
            found.update(short_tables.tables(codes))
    return found


def raw_sections(values: U8, entries: U64) -> dict[str, npt.NDArray[Any]]:
    """values: (n, k) uint8 codes that only a plug-in compares. Returns them as `raw`, sorted, `entries`, `shared`."""
    values, named, shared = distinct(values, entries)
    return {"raw": values, "entries": named, "shared": shared}


def tables(values: U8) -> Mapping[str, npt.NDArray[Any]]:
    """The tables of `kernels.Tables`, each as one flat array, from distinct codes in ascending order."""
    words: U32 = values.view(">u4").astype(np.uint32)
    count = len(words)
    lows = np.zeros((WORDS, count + PADDING), np.uint16)
    rows = np.zeros((WORDS - 1, count), np.uint32)
    highs = np.zeros((WORDS, count + PADDING), np.uint16)
    by_high = np.zeros((WORDS, HALVES + 1), np.uint32)
    by_low = np.zeros((WORDS, HALVES + 1), np.uint32)
    numbers = np.arange(count, dtype=np.uint64)
    for w in range(WORDS):
        ordered = word = words[:, w]
        if w:
            keyed = (word.astype(np.uint64) << np.uint64(32)) | numbers
            keyed.sort()
            ordered = (keyed >> np.uint64(32)).astype(np.uint32)
            rows[w - 1] = keyed.astype(np.uint32)
        lows[w, :count] = ordered & np.uint32(HALVES - 1)
        by_high[w, 1:] = bucket_ends(ordered)
        swapped = (word << np.uint32(16)) | (word >> np.uint32(16))
        swapped.sort()
        highs[w, :count] = swapped & np.uint32(HALVES - 1)
        by_low[w, 1:] = bucket_ends(swapped)
    made: dict[str, npt.NDArray[Any]] = {
        "tails": np.ascontiguousarray(words[:, 1:]),
        "lows": lows,
        "rows": rows,
        "highs": highs,
        "by_high": by_high,
        "by_low": by_low,
    }
    return {name: array.reshape(-1) for name, array in made.items()}


def bucket_ends(words: U32) -> U32:
    """(65536,) uint32: where the bucket of each high half ends, when `words` are sorted by it."""
    counts = np.bincount((words >> np.uint32(16)).astype(np.int64), minlength=HALVES)
    return np.cumsum(counts).astype(np.uint32)
