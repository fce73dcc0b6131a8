"""Compiled searches of the plain kind: digests by their leading bits, and small sets of codes one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types

from crawler.match.machine import compiled, ones64
from crawler.match.shapes import FOUND, I64, U32, Found, Number, constant, has_room, report, some


@compiled(types.void(constant(types.uint64, 2), constant(types.uint64, 2), I64, FOUND))
def search_codes(codes: Any, queries: Any, sizes: Any, found: Found) -> None:
    """Every pair of a query and a code within the radius, one by one, as long as there is room.

    codes: (n, k) uint64.  queries: (q, k) uint64.  sizes: the radius, and the first query.
    """
    for query in range(sizes[1], queries.shape[0]):
        results = found.state[0]
        for row in range(codes.shape[0]):
            distance: Number = 0
            for k in range(codes.shape[1]):
                distance += np.int64(ones64(codes[row, k] ^ queries[query, k]))
            if distance <= sizes[0]:
                report(found, query, row, distance)
        if not has_room(found, results, query):
            return
    found.state[1] = queries.shape[0]


@compiled(types.void(constant(types.uint8, 2), U32, constant(types.uint8, 2), some(types.int64)))
def find_digests(values: Any, starts: Any, digests: Any, rows: Any) -> None:
    """rows[q] becomes the row of digests[q] in `values`, or -1.

    values: (n, k) uint8, ascending and distinct.  starts: (2**b + 1,) uint32, where each bucket of equal leading b
    bits starts, b <= 28.  digests: (q, k) uint8.
    """
    shift: Number = 32
    while (np.int64(1) << (32 - shift)) < starts.size - 1:
        shift -= 1
    for q in range(digests.shape[0]):
        leading: Number = np.int64(0)
        for k in range(4):
            leading = leading << 8 | np.int64(digests[q, k])
        rows[q] = -1
        for row in range(np.int64(starts[leading >> shift]), np.int64(starts[(leading >> shift) + 1])):
            k = 0
            while k < digests.shape[1] and values[row, k] == digests[q, k]:
                k += 1
            if k == digests.shape[1]:
                rows[q] = row
