"""Pillow's Lanczos weights from an axis to 32 samples, in the order in which `lanczos.py` reads them.

Source: Pillow's `Resample.c` (`precompute_coeffs`).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.jit import (
    INTEGER,
    NOTHING,
    READ_INTS,
    READ_TABLE,
    WRITE_INTS,
    WRITE_TABLE,
    kernel,
    record,
)

Int32s = npt.NDArray[np.int32]

SIDE: Final = 32
LOBES: Final = 3
LANES: Final = 8
BITS: Final = 22
TABLES_KEPT: Final = 128
LARGEST_KEPT: Final = 2048


class Spread(NamedTuple):
    """The weights from an axis of n pixels to 32 outputs, by pixel: few outputs read each.

    runs: (n, 4) int32, for pixels beside one another that all enter the same LANES outputs: the first pixel, how many,
    the first of the outputs, the first row in `rows`.
    rows: (m, LANES) int32, for a pixel its weight in each of the outputs of its run, times 2**22 or 2**16.
    Both are read-only.
    """

    runs: Int32s
    rows: Int32s


SPREAD = record((READ_TABLE, READ_TABLE), Spread)


@kernel(NOTHING, INTEGER, WRITE_INTS, WRITE_INTS, WRITE_TABLE)
def fill_lanczos(pixels: int, start: Int32s, length: Int32s, fixed: Int32s) -> None:
    """Fill the weights for an axis of `pixels` (Pillow's `precompute_coeffs`)."""
    scale = pixels / 32.0
    stretch = max(scale, 1.0)
    support = 3.0 * stretch
    weights = np.empty(fixed.shape[1], dtype=np.float64)
    for output in range(32):
        centre = (output + 0.5) * scale
        first = max(0, int(centre - support + 0.5))
        count = min(pixels, int(centre + support + 0.5)) - first
        total = 0.0
        for k in range(count):
            x = (k + first - centre + 0.5) / stretch
            value = 0.0
            if x == 0.0:
                value = 1.0
            elif -3.0 <= x < 3.0:
                third = math.pi * x / 3.0
                sine = math.sin(third)
                value = (3.0 - 4.0 * sine * sine) * sine * sine / (3.0 * third * third)  # sin 3a = 3 sin a - 4 sin^3 a
            weights[k] = value
            total += value
        for k in range(count):
            share = weights[k] / total * 4194304.0
            fixed[output, k] = int(share - 0.5) if share < 0.0 else int(share + 0.5)
        start[output] = first
        length[output] = count


@kernel(INTEGER, READ_INTS, READ_INTS, READ_TABLE, WRITE_TABLE, WRITE_TABLE)
def fill_runs(start: Int32s, length: Int32s, fixed: Int32s, runs: Int32s, rows: Int32s) -> int:
    """Fill `runs` and `rows` (enough of both, zeroed) from the weights by output; how many runs there are.

    A pixel of an axis that is stretched may enter more than LANES outputs, and has several runs of its own then.
    """
    found = filled = low = last = 0
    goes_on = False
    for x in range(start[SIDE - 1] + length[SIDE - 1]):
        while low < SIDE and start[low] + length[low] <= x:
            low += 1
        while last < SIDE and start[last] <= x:
            last += 1
        stays = goes_on and runs[found - 1, 2] <= low and last <= runs[found - 1, 2] + LANES
        goes_on = 0 < last - low <= LANES
        for begin in range(low, last, LANES):
            if not stays:
                runs[found] = x, 0, min(begin, SIDE - LANES), filled
                found += 1
            runs[found - 1, 1] += 1
            for output in range(begin, min(last, begin + LANES)):
                rows[filled, output - runs[found - 1, 2]] = fixed[output, x - start[output]]
            filled += 1
    return found


def spread(pixels: int, block: int = 1, bits: int = 22) -> Spread:
    """The weights for an axis of `pixels`, of which each `block` have been averaged (the last block may be shorter).

    bits: binary digits of the weights.
    Tables of the last TABLES_KEPT usual sizes are kept: they take up to 70 kB each.
    """
    return kept_tables(pixels, block, bits) if pixels <= LARGEST_KEPT else tables(pixels, block, bits)


def tables(pixels: int, block: int, bits: int) -> Spread:
    """Build what `spread` describes."""
    widest = 2 * math.ceil(LOBES * max(pixels / SIDE, 1.0)) + 1
    start = np.zeros(SIDE, dtype=np.int32)
    length = np.zeros(SIDE, dtype=np.int32)
    fixed = np.zeros((SIDE, widest), dtype=np.int32)
    fill_lanczos(pixels, start, length, fixed)
    if block > 1:
        start, length, fixed = in_blocks(start, length, fixed, block)
    if bits < BITS:
        fixed = np.rint(fixed / 2 ** (BITS - bits)).astype(np.int32)
    most = -(-pixels // block) + SIDE * SIDE // LANES
    runs, rows = np.zeros((most, 4), dtype=np.int32), np.zeros((most, LANES), dtype=np.int32)
    runs = runs[: fill_runs(start, length, fixed, runs, rows)].copy()
    for array in (runs, rows):
        array.flags.writeable = False
    return Spread(runs, rows)


def in_blocks(start: Int32s, length: Int32s, fixed: Int32s, block: int) -> tuple[Int32s, Int32s, Int32s]:
    """The weights of blocks: each the sum of its pixels'. The kernel at the middle of a block would say something else
    where it bends, which is what most of the difference to the plain resize came from."""
    first = start // block
    sums = np.zeros((SIDE, fixed.shape[1] // block + 2), dtype=np.int32)
    for output in range(SIDE):
        pixels = start[output] + np.arange(length[output])
        summed = np.bincount(pixels // block - first[output], weights=fixed[output, : length[output]])
        sums[output, : summed.size] = summed
    return first, (start + length - 1) // block - first + 1, sums


kept_tables = lru_cache(maxsize=TABLES_KEPT)(tables)
