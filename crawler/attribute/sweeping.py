"""Ranges in files become disjoint segments in files: the sweep of `rows.py` over arrays, in flat memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.rows import Sweep
from crawler.attribute.spool import Column, Scratch

LOW: Final = 2**64 - 1
_SAID: Final = 2**32


@dataclass(frozen=True, slots=True)
class Swept:
    """Segments: their starts in two halves, the number of the range that has each (0 for none) and what is said of it.

    parents: 0, then for each range, in order, the number of the smallest larger range around it, 0 for none; empty
    unless asked for.
    """

    highs: Column
    lows: Column
    owners: Column
    said: Column
    parents: Column


class RangeSweep:
    """Takes ranges in the order of `nested`, numbered from `base` on."""

    def __init__(self, scratch: Scratch, version: int, base: int = 1, *, parents: bool) -> None:
        self._swept = Swept(*(scratch.column(code) for code in "QQIII"))
        self._number = base
        self._parents = parents
        if parents:
            self._swept.parents.append(0)
        self._end = 2**32 if version == 4 else 2**128
        self._sweep = Sweep(self._emit)

    def feed(self, bounds: npt.NDArray[Any], said: npt.NDArray[Any]) -> None:
        """The next ranges. bounds: (n, 4) uint64, halves of first and last address.  said: (n,) uint32."""
        add, around, parent = self._sweep.add, self._sweep.around, self._swept.parents.append
        for (high, low, last_high, last_low), what in zip(bounds.tolist(), said.tolist(), strict=True):
            first, last = high << 64 | low, last_high << 64 | last_low
            if self._parents:
                parent(max(around(first, last), 0) // _SAID)
            # What is said travels below the number, which alone decides between two ranges.
            add(first, last, self._number * _SAID + what)
            self._number += 1

    def finish(self) -> Swept:
        """After the last range."""
        self._sweep.finish()
        return self._swept

    def _emit(self, start: int, owner: int) -> None:
        if start < self._end:
            number, said = divmod(max(owner, 0), _SAID)
            self._swept.highs.append(start >> 64)
            self._swept.lows.append(start & LOW)
            self._swept.owners.append(number)
            self._swept.said.append(said)


def nested(rows: npt.NDArray[Any]) -> list[npt.NDArray[np.uint64]]:
    """The key of rows with `bounds`: by first address, larger ranges before smaller ones."""
    high, low, last_high, last_low = rows["bounds"].T
    return [high, low, ~last_high, ~last_low]
