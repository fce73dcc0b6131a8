"""One search for several tables: the union of all their segment starts, so that an address is looked up once."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_LOW: Final = 2**64 - 1


class Merged4:
    """IPv4: the piece of the address space, undivided in all tables, in which an address lies.

    starts: per table, (n,) uint32, ascending. Public for callers that cannot afford a call per address: n lies in piece
    bisect_right(starts, n, blocks[n >> 16], blocks[(n >> 16) + 1]) - 1, -1 before the first.
    """

    def __init__(self, starts: Sequence[npt.NDArray[np.uint32]]) -> None:
        # A stable sort merges runs that are sorted already; np.unique would hash, many times slower.
        merged = np.sort(np.concatenate([np.empty(0, np.uint32), *starts]), kind="stable").astype(np.uint32)
        merged = merged[np.append(True, merged[1:] != merged[:-1])] if len(merged) else merged
        blocks = np.arange(65_537, dtype=np.uint64) << 16
        self.starts = array("I", merged.tobytes())
        # Where the pieces of each /16 begin: two or three steps of bisection are left instead of nineteen.
        self.blocks = array("I", np.searchsorted(merged, blocks).astype(np.uint32).tobytes())


class Merged6:
    """IPv6, likewise. highs, lows: per table, (n,) uint64, the halves of the starts, ascending as one number."""

    def __init__(self, highs: Sequence[npt.NDArray[Any]], lows: Sequence[npt.NDArray[Any]]) -> None:
        none = np.empty(0, np.uint64)
        high, low = np.concatenate([none, *highs]), np.concatenate([none, *lows])
        order = np.lexsort((low, high))
        high, low = high[order], low[order]
        fresh = np.ones(len(high), dtype=bool)
        fresh[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
        self._high = array("Q", high[fresh].tobytes())
        self._low = array("Q", low[fresh].tobytes())

    def piece(self, number: int) -> int:
        """The piece around an address, -1 before the first."""
        return find6(self._high, self._low, number)


def find6(highs: Sequence[int], lows: Sequence[int], number: int) -> int:
    """The last start that is not behind `number`, of starts in two halves; -1 when there is none."""
    high = number >> 64
    found = bisect_right(highs, high) - 1
    if found < 0 or highs[found] != high:
        return found
    first = bisect_left(highs, high, 0, found)
    return bisect_right(lows, number & _LOW, first, found + 1) - 1
