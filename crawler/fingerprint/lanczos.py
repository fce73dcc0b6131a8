"""The kernels behind `phash.py`: Pillow's Lanczos resize to 32 x 32, exact and rough, and the cosine transform."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.core import types

from crawler.fingerprint.jit import (
    DOUBLE,
    INTEGER,
    NOTHING,
    READ_DOUBLES,
    READ_PLANE,
    WRITE_BYTES,
    WRITE_DOUBLES,
    WRITE_TABLE,
    Operation,
    kernel,
    operation,
    write,
)
from crawler.fingerprint.taps import LANES, SIDE, SPREAD, Spread

cgutils: Any = untyped_cgutils

Uint8s = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]
Float64s = npt.NDArray[np.float64]
Uint16s = npt.NDArray[np.uint16]

Uint32s = npt.NDArray[np.uint32]

WRITE_SHORTS: Final = write(types.uint16, 1)
WRITE_COUNTS: Final = write(types.uint32, 1)


ROWS: Final = 8
"""Lines that are weighed at once: so many sums are under way, and each weight is loaded once for all of them."""

HALF: Final = 1 << 21
"""Of the last digit that is kept, where sums are in units of 2**-22."""

# Below this a coefficient is what remains of sums that cancel; SciPy's transform gives zero there.
NOISE = 1e-6


def cosines() -> Float64s:
    """(8, 32) float64: frequencies 0..7 of the 32-point cosine transform (type II, SciPy's scale)."""
    rows = [[2.0 * math.cos(math.pi * k * (2 * n + 1) / 64.0) for n in range(32)] for k in range(8)]
    return np.array(rows, dtype=np.float64)


COSINES = cosines()


@operation
def weigh(_context: Any, _totals: Any, _lines: Any, _stride: Any, _weights: Any, _count: Any) -> Operation:
    """weigh(totals, lines, stride, weights, count): for each of ROWS lines, add `count` pixels times their weights.

    totals: address of the first of LANES totals of the first line, SIDE int32 from those of the next.  lines: address
    of its first pixel, `stride` int32 from that of the next.  weights: address of (count, LANES) int32.
    """
    number, place = ir.IntType(32), ir.IntType(64)
    vector = ir.VectorType(number, LANES)
    zeros, undefined = ir.Constant(vector, [0] * LANES), ir.Constant(vector, ir.Undefined)

    def generate(target: Any, builder: Any, _signature: Any, args: Any) -> Any:
        totals, lines = (builder.inttoptr(each, number.as_pointer()) for each in args[:2])
        weights = builder.inttoptr(args[3], vector.as_pointer())
        sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(ROWS)]
        with cgutils.for_range(builder, args[4]) as loop:
            weight = builder.load(builder.gep(weights, [loop.index]), align=4)
            for row, total in enumerate(sums):
                at = builder.add(builder.mul(args[2], place(row)), loop.index)
                pixel = builder.insert_element(undefined, builder.load(builder.gep(lines, [at])), place(0))
                product = builder.mul(builder.shuffle_vector(pixel, undefined, zeros), weight)
                builder.store(builder.add(builder.load(total), product), total)
        for row, total in enumerate(sums):
            held = builder.bitcast(builder.gep(totals, [place(row * SIDE)]), vector.as_pointer())
            builder.store(builder.add(builder.load(held, align=4), builder.load(total)), held, align=4)
        return target.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@kernel(NOTHING, WRITE_TABLE, SPREAD, WRITE_TABLE)
def along_rows(lines: Int32s, across: Spread, totals: Int32s) -> None:
    """(ROWS, W) int32 -> add their 32 weighted sums to (ROWS, 32) int32."""
    for run in range(across.runs.shape[0]):
        first, count, output, row = across.runs[run]
        weigh(
            totals.ctypes.data + 4 * output,
            lines.ctypes.data + 4 * first,
            lines.shape[1],
            across.rows.ctypes.data + 4 * LANES * row,
            count,
        )


@kernel(NOTHING, WRITE_TABLE, INTEGER, INTEGER, WRITE_TABLE, INTEGER)
def round_off(totals: Int32s, bits: int, most: int, columns: Int32s, top: int) -> None:
    """(ROWS, 32) sums without their last `bits`, clipped to 0..most -> the columns from `top` on of (32, H)."""
    for output in range(SIDE):
        for row in range(ROWS):
            columns[output, top + row] = min(max(totals[row, output] >> bits, 0), most)


@kernel(NOTHING, WRITE_TABLE, SPREAD, WRITE_DOUBLES)
def resize_down(columns: Int32s, down: Spread, out: Float64s) -> None:
    """(32, H) int32, which times the weights are in units of 2**-22 grey values -> (32, 32) whole grey values."""
    totals = np.empty((ROWS, SIDE), dtype=np.int32)
    for left in range(0, SIDE, ROWS):
        totals[:] = HALF
        along_rows(columns[left : left + ROWS], down, totals)
        for row in range(ROWS):
            for output in range(SIDE):
                out[output, left + row] = min(max(totals[row, output] >> 22, 0), 255)


@kernel(NOTHING, READ_PLANE, SPREAD, SPREAD, WRITE_DOUBLES)
def resize_exactly(grey: Uint8s, across: Spread, down: Spread, out: Float64s) -> None:
    """(H, W) uint8 -> (32, 32) whole grey values, as Pillow rounds them: in sums of 32 bits, as Pillow's are.

    across, down: with weights of 22 binary digits.
    """
    height, width = grey.shape
    columns = np.empty((SIDE, height + ROWS), dtype=np.int32)
    lines, totals = np.zeros((ROWS, width), dtype=np.int32), np.empty((ROWS, SIDE), dtype=np.int32)
    for top in range(0, height, ROWS):
        for row in range(min(ROWS, height - top)):
            for x in range(np.uint64(width)):
                lines[row, x] = grey[top + row, x]
        totals[:] = HALF
        along_rows(lines, across, totals)
        round_off(totals, 22, 255, columns, top)
    resize_down(columns, down, out)


@kernel(NOTHING, WRITE_TABLE, SPREAD, SPREAD, WRITE_DOUBLES)
def resize_averages(averages: Int32s, across: Spread, down: Spread, out: Float64s) -> None:
    """(h, w) int32, 64ths of grey values, h a multiple of ROWS -> (32, 32) whole grey values: along the rows first,
    clipped there as by Pillow, rounded last.

    across, down: with weights of 16 binary digits.
    """
    columns = np.empty((SIDE, averages.shape[0]), dtype=np.int32)
    totals = np.empty((ROWS, SIDE), dtype=np.int32)
    for top in range(0, averages.shape[0], ROWS):
        totals[:] = HALF >> 6
        along_rows(averages[top : top + ROWS], across, totals)
        round_off(totals, 16, 255 * 64, columns, top)
    resize_down(columns, down, out)


@kernel(NOTHING, READ_PLANE, INTEGER, INTEGER, WRITE_SHORTS)
def sum_columns(grey: Uint8s, first: int, end: int, totals: Uint16s) -> None:
    """The sums of the rows from `first` to before `end`, at most 256 of them, down each column."""
    width, row = grey.shape[1], first
    totals[:] = 0
    while row + 4 <= end:
        one, two, three, four = grey[row], grey[row + 1], grey[row + 2], grey[row + 3]
        for x in range(np.uint64(width)):
            totals[x] += np.uint16(one[x]) + np.uint16(two[x]) + np.uint16(three[x]) + np.uint16(four[x])
        row += 4
    while row < end:
        one = grey[row]
        for x in range(np.uint64(width)):
            totals[x] += np.uint16(one[x])
        row += 1


@kernel(NOTHING, WRITE_COUNTS, INTEGER, WRITE_COUNTS)
def add_neighbours(values: Uint32s, pairs: int, out: Uint32s) -> None:
    """out[i] = values[2 i] + values[2 i + 1]."""
    for x in range(np.uint64(pairs)):
        out[x] = values[2 * x] + values[2 * x + 1]


@kernel(NOTHING, READ_PLANE, INTEGER, INTEGER, WRITE_TABLE)
def average_blocks(grey: Uint8s, high: int, wide: int, out: Int32s) -> None:
    """(H, W) uint8 -> the mean of each block of `high` x `wide` pixels in 64ths, rounded; the last ones are smaller.

    wide: a power of two, so that neighbours are added as often as it takes, whole vectors at once.  out: has room for
    all blocks, and may have more rows.
    """
    height, width = grey.shape
    rows, columns = -(-height // high), out.shape[1]
    totals = np.zeros(columns * wide, dtype=np.uint16)
    sums, halves = np.zeros(columns * wide, dtype=np.uint32), np.zeros(columns * wide, dtype=np.uint32)
    for y in range(rows):
        end = min(height, (y + 1) * high)
        sums[:] = 0
        for first in range(y * high, end, 256):
            sum_columns(grey, first, min(end, first + 256), totals)
            for x in range(np.uint64(width)):
                sums[x] += totals[x]
        left = columns * wide
        while left > columns:
            left //= 2
            add_neighbours(sums, left, halves)
            sums, halves = halves, sums
        share = np.float32(64.0) / np.float32((end - y * high) * wide)
        for column in range(np.uint64(columns)):
            out[y, column] = np.int32(np.float32(sums[column]) * share + np.float32(0.5))
        last = np.float32(64.0) / np.float32((end - y * high) * (width - (columns - 1) * wide))
        out[y, columns - 1] = np.int32(np.float32(sums[columns - 1]) * last + np.float32(0.5))


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
