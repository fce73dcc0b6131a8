"""Ranges in files become disjoint segments in files: the sweep of `rows.py` over arrays, in flat memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.rows import Sweep
from crawler.attribute.spool import Scratch, gathered

LOW: Final = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Swept:
    """Segments: their starts in two halves and the number of the range that has each, 0 for none.

    parents: for each range, in order, the number of the smallest larger range around it, 0 for none; empty unless asked
    for.
    """

    highs: npt.NDArray[Any]
    lows: npt.NDArray[Any]
    owners: npt.NDArray[Any]
    parents: npt.NDArray[Any]


def ordered(bounds: npt.NDArray[Any], weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The order of ranges by first address, larger before smaller, of equal ones the greatest weight last.

    bounds: (n, 4) uint64, halves of the first and of the last address.  weights: (n,) uint32.
    """
    if not len(bounds):
        return np.empty(0, dtype=np.intp)
    keys = [weights, ~bounds[:, 3], ~bounds[:, 2], bounds[:, 1], bounds[:, 0]]
    return np.lexsort([key for key in keys if key[0] != key[-1] or (key != key[0]).any()] or [weights])


def swept(
    scratch: Scratch, version: int, bounds: npt.NDArray[Any], order: npt.NDArray[Any], base: int, *, parents: bool
) -> Swept:
    """The segments of ranges, which are numbered from `base` on in the given order."""
    highs, lows, owners, around = (scratch.column(code) for code in "QQII")
    end = 2**32 if version == 4 else 2**128

    def emit(start: int, owner: int) -> None:
        if start < end:
            highs.append(start >> 64)
            lows.append(start & LOW)
            owners.append(max(owner, 0))

    sweep = Sweep(emit)
    number = base
    for chunk in gathered(bounds, order):
        for high, low, last_high, last_low in chunk.tolist():
            first, last = high << 64 | low, last_high << 64 | last_low
            if parents:
                around.append(max(sweep.around(first, last), 0))
            sweep.add(first, last, number)
            number += 1
    sweep.finish()
    return Swept(highs.finish(), lows.finish(), owners.finish(), around.finish())
