"""The kernels behind `phash.py`: Pillow's Lanczos resize to 32 x 32, exact and rough, and the cosine transform."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.jit import (
    DOUBLE,
    INTEGER,
    NOTHING,
    READ_BYTES,
    READ_DOUBLES,
    READ_FLOATS,
    READ_INTS,
    READ_PLANE,
    READ_TABLE,
    WRITE_BYTES,
    WRITE_DOUBLES,
    WRITE_FLOATS,
    WRITE_INTS,
    WRITE_TABLE,
    kernel,
    record,
)

Uint8s = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]


# Below this a coefficient is what remains of sums that cancel; SciPy's transform gives zero there.
NOISE = 1e-6


def cosines() -> Float64s:
    """(8, 32) float64: frequencies 0..7 of the 32-point cosine transform (type II, SciPy's scale)."""
    rows = [[2.0 * math.cos(math.pi * k * (2 * n + 1) / 64.0) for n in range(32)] for k in range(8)]
    return np.array(rows, dtype=np.float64)


COSINES = cosines()


class Taps(NamedTuple):
    """Pillow's Lanczos weights from an axis of n pixels to 32.

    start, length: (32,) int32, the pixels that output i reads.
    fixed: (32, widest) int32, the weights times 2**22, rounded.  weights: the same numbers / 2**22, float32 (exact).
    The widest is rounded up to whole vectors and filled with zeros: short remainders cost more than the sums do.
    All are read-only.
    """

    start: Int32s
    length: Int32s
    fixed: Int32s
    weights: Float32s


TAPS = record((READ_INTS, READ_INTS, READ_TABLE, READ_FLOATS), Taps)


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


@kernel(DOUBLE, READ_BYTES, READ_INTS)
def summed_in_integers(pixels: Uint8s, fixed: Int32s) -> np.float64:
    """Pillow's weighted sum of these pixels, rounded as Pillow rounds it (but not yet clipped to 0..255)."""
    whole = np.int64(2097152)
    for k in range(pixels.shape[0]):
        whole += np.int64(pixels[k]) * np.int64(fixed[k])
    return np.float64(whole >> 22)


@kernel(NOTHING, READ_PLANE, TAPS, TAPS, WRITE_DOUBLES, fastmath=True)
def resize_exactly(grey: Uint8s, across: Taps, down: Taps, out: Float64s) -> None:
    """(H, W) uint8 -> (32, 32) whole grey values, as Pillow rounds them.

    Along the rows the sums run in single precision, which is off by less than 0.001; one that comes within 0.002 of a
    rounding step is repeated in integers. Down the columns double precision holds every integer involved.
    """
    height, width = grey.shape
    narrow = np.empty((height, 32), dtype=np.float64)
    padded = np.uint64(across.weights.shape[1])
    line = np.zeros(width + across.weights.shape[1], dtype=np.float32)
    totals = np.empty(32, dtype=np.float32)
    half, near = np.float32(0.5), np.float32(0.498)
    for y in range(height):
        for x in range(np.uint64(width)):
            line[x] = np.float32(grey[y, x])
        for output in range(32):
            first = np.uint64(across.start[output])
            total = half
            for k in range(padded):
                total += line[first + k] * across.weights[output, k]
            totals[output] = total
        doubt = np.float32(0.0)
        for output in range(32):
            value = np.floor(totals[output])
            doubt = max(doubt, abs(totals[output] - value - half))
            narrow[y, output] = min(max(np.float64(value), 0.0), 255.0)
        if doubt > near:
            for output in range(32):
                if abs(totals[output] - np.floor(totals[output]) - half) > near:
                    first, last = across.start[output], across.start[output] + across.length[output]
                    value = summed_in_integers(grey[y, first:last], across.fixed[output])
                    narrow[y, output] = min(max(value, 0.0), 255.0)
    sums = np.empty(32, dtype=np.float64)
    for output in range(32):
        sums[:] = 2097152.0
        first = np.uint64(down.start[output])
        for k in range(np.uint64(down.length[output])):
            weight = np.float64(down.fixed[output, k])
            row = narrow[first + k]
            for x in range(32):
                sums[x] += weight * row[x]
        for x in range(32):
            out[output, x] = min(max(np.floor(sums[x] / 4194304.0), 0.0), 255.0)


@kernel(NOTHING, READ_PLANE, INTEGER, INTEGER, WRITE_FLOATS)
def average_blocks(grey: Uint8s, high: int, wide: int, out: Float32s) -> None:
    """(H, W) uint8 -> the mean of each block of `high` x `wide` pixels; the last of a row or column are smaller."""
    height, width = grey.shape
    rows, columns = out.shape
    totals = np.empty(width, dtype=np.uint32)
    for y in range(rows):
        row, end = y * high, min(height, (y + 1) * high)
        count = end - row
        totals[:] = 0
        while row + 4 <= end:
            one, two, three, four = grey[row], grey[row + 1], grey[row + 2], grey[row + 3]
            for x in range(np.uint64(width)):
                totals[x] += np.uint32(np.uint16(one[x]) + np.uint16(two[x]) + np.uint16(three[x]) + np.uint16(four[x]))
            row += 4
        while row < end:
            one = grey[row]
            for x in range(np.uint64(width)):
                totals[x] += np.uint32(one[x])
            row += 1
        first = np.uint64(0)
        for column in range(columns):
            across = np.uint64(min(width, (column + 1) * wide) - column * wide)
            total = np.uint64(0)
            for k in range(across):
                total += totals[first + k]
            first += across
            out[y, column] = np.float32(total) / np.float32(count * across)


@kernel(NOTHING, READ_FLOATS, TAPS, TAPS, WRITE_DOUBLES, fastmath=True)
def resize_averages(averages: Float32s, across: Taps, down: Taps, out: Float64s) -> None:
    """(h, w) float32 -> (32, 32) whole grey values: along the rows first, clipped there as by Pillow, rounded last."""
    height = averages.shape[0]
    narrow = np.empty((height, 32), dtype=np.float32)
    for row in range(height):
        line = averages[row]
        for column in range(32):
            first = across.start[column]
            total = np.float32(0.0)
            for k in range(across.length[column]):
                total += across.weights[column, k] * line[first + k]
            narrow[row, column] = min(max(total, np.float32(0.0)), np.float32(255.0))
    sums = np.empty(32, dtype=np.float32)
    for row in range(32):
        sums[:] = np.float32(0.5)
        for k in range(down.length[row]):
            weight = down.weights[row, k]
            source = narrow[down.start[row] + k]
            for column in range(32):
                sums[column] += weight * source[column]
        for column in range(32):
            out[row, column] = min(max(math.floor(sums[column]), 0), 255)


@kernel(DOUBLE, READ_DOUBLES, WRITE_BYTES)
def compare_with_median(small: Float64s, out: Uint8s) -> np.float64:
    """(32, 32) whole grey values -> 8 bytes: which of the 8 x 8 lowest coefficients exceed their median.

    The median of the 64 is the mean of the two middle ones. Written out, so that no BLAS thread is started.
    Returns about how far off coefficients must be for more than two bits to change: bits change in pairs, one above
    the median and one below it, so this is the distance of the second nearest on that side where it is farther off.
    Less is enough where the median moves too.
    """
    half = np.zeros((8, 32), dtype=np.float64)
    found = np.zeros(64, dtype=np.float64)
    for i in range(8):
        for k in range(32):
            for j in range(32):
                half[i, j] += COSINES[i, k] * small[k, j]
    for i in range(8):
        for j in range(8):
            total = 0.0
            for k in range(32):
                total += half[i, k] * COSINES[j, k]
            found[8 * i + j] = 0.0 if abs(total) < NOISE else total
    ordered = np.sort(found)
    median = (ordered[31] + ordered[32]) / 2.0
    out[:] = 0
    for bit in range(64):
        if found[bit] > median:
            out[bit >> 3] |= np.uint8(128 >> (bit & 7))
    return np.float64(max(ordered[33] - median, median - ordered[30]))
