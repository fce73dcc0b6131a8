"""The making of the tables by which `short.py` searches 64-bit codes: a table of rows for each of their four words.

Apart from the search, so that who builds or opens an index need not load the compiler.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

WORDS = 4
HALVES = 65_536
"""Values of a word of 16 bits."""

STARTS = HALVES + 1


def tables(codes: npt.NDArray[np.uint64]) -> dict[str, npt.NDArray[Any]]:
    """The tables of n codes, flat.

    codes: (n, 1) uint64.  Returns `order`, (4 n,) uint32: for each word, the first bits first, the rows by its value,
    and `by_word`, (4 x 65537,) uint32: where each bucket of it starts.
    """
    count = len(codes)
    order = np.empty((WORDS, count), np.uint32)
    starts = np.zeros((WORDS, STARTS), np.uint32)
    for w in range(WORDS):
        word = (codes[:, 0] >> np.uint64(48 - 16 * w)) & np.uint64(HALVES - 1)
        order[w] = np.argsort(word, kind="stable")
        starts[w, 1:] = np.cumsum(np.bincount(word.astype(np.int64), minlength=HALVES))
    return {"order": order.reshape(-1), "by_word": starts.reshape(-1)}


def sound(order: npt.NDArray[np.uint32], by_word: npt.NDArray[np.uint32], count: int) -> bool:
    """Whether the tables are ones of `count` codes, and lead to no other rows: the search checks no bounds."""
    if order.shape != (WORDS * count,) or by_word.shape != (WORDS * STARTS,):
        return False
    if order.dtype != np.uint32 or by_word.dtype != np.uint32 or np.any(order >= count):
        return False
    return all(
        ends[0] == 0 and ends[-1] == count and not np.any(ends[1:] < ends[:-1]) for ends in np.split(by_word, WORDS)
    )
