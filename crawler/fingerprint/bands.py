"""What PDQ does before its cosine transform, as banded linear maps.

The reference blurs the luma twice with a box of ceil(n / 128) pixels along each axis and then takes 64 x 64 samples.
All of that is linear and separable: samples = A @ luma @ B, where row i of A (and column i of B) holds the few weights
with which pixels enter sample i. A band is about n / 64 wide, so that every pixel is needed about once.

Source: the PDQ reference, `downscaling.cpp` (ThreatExchange), whose window of w pixels reaches (w + 2) // 2 - 1 ahead
and w - (w + 2) // 2 back, and shrinks at the borders.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.cuts import UNCUT, Margins
from crawler.fingerprint.jit import (
    INTEGER,
    NOTHING,
    READ_FLOATS,
    READ_INTS,
    WRITE_FLOATS,
    WRITE_INTS,
    kernel,
    record,
    several,
)

SAMPLES = 64
SQUEEZED = 512
TABLES_KEPT = 384
GROWN_KEPT = 96
LARGEST_KEPT = 8192

Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]


def window_size(pixels: int) -> int:
    """Width of one pass of the box filter, in pixels (`computeJaroszFilterWindowSize`)."""
    return (pixels + 2 * SAMPLES - 1) // (2 * SAMPLES)


class Axes(NamedTuple):
    """The map from the pixels of one axis to 64 samples, for the axis as it is and mirrored.

    The filter looks further ahead than back, so the samples of a mirrored image are not the mirrored samples.

    straight, mirrored: (n,) int32, the pixel to read for position 0..n-1 of the (possibly squeezed) axis.
    start, length: (64,) int32, the positions that sample i reads.
    weights: (64, widest band) float32, zero beyond `length`; each row sums to 1.
    All are read-only.
    """

    straight: Int32s
    mirrored: Int32s
    start: Int32s
    length: Int32s
    weights: Float32s


AXES = record((READ_INTS, READ_INTS, READ_INTS, READ_INTS, READ_FLOATS), Axes)
BOTH_AXES = several(AXES, 2)


@kernel(NOTHING, INTEGER, WRITE_INTS, WRITE_INTS, WRITE_FLOATS)
def fill_bands(pixels: int, start: Int32s, length: Int32s, weights: Float32s) -> None:
    """Fill `start`, `length` and `weights` (zeroed) for an axis of `pixels` >= 5, in O(pixels)."""
    window = (pixels + 127) // 128
    ahead = (window + 2) // 2 - 1
    back = window - 1 - ahead
    steps = np.zeros(weights.shape[1] + 1, dtype=np.float64)
    for sample in range(64):
        centre = int(((sample + 0.5) * pixels) / 64)
        outer_low, outer_high = max(0, centre - back), min(pixels - 1, centre + ahead)
        first = max(0, outer_low - back)
        last = min(pixels - 1, outer_high + ahead)
        steps[:] = 0.0
        for position in range(outer_low, outer_high + 1):
            low, high = max(0, position - back), min(pixels - 1, position + ahead)
            share = 1.0 / ((outer_high - outer_low + 1.0) * (high - low + 1.0))
            steps[low - first] += share
            steps[high - first + 1] -= share
        weight = 0.0
        for offset in range(last - first + 1):
            weight += steps[offset]
            weights[sample, offset] = weight
        start[sample] = first
        length[sample] = last - first + 1


def bands(straight: Int32s, mirrored: Int32s) -> Axes:
    """The map for an axis whose position p is read at `straight[p]`, or at `mirrored[p]` when it is mirrored."""
    positions = straight.shape[0]
    start = np.zeros(SAMPLES, dtype=np.int32)
    length = np.zeros(SAMPLES, dtype=np.int32)
    weights = np.zeros((SAMPLES, 2 * window_size(positions) - 1), dtype=np.float32)
    fill_bands(positions, start, length, weights)
    for array in (straight, mirrored, start, length, weights):
        array.flags.writeable = False
    return Axes(straight, mirrored, start, length, weights)


def axes(pixels: int, *, scale: int = 1, grown: Margins = UNCUT, squeezed: bool = False) -> Axes:
    """The maps for an axis of `pixels`, 5 or more. Tables of the last TABLES_KEPT usual sizes are kept.

    scale: the axis was decoded at 1 / scale, so one decoded pixel stands for that many. The blur stays that of the full
    size, which keeps the code within a bit or two of the full decode's.
    grown: pixels to add at either end, in which the outermost one is repeated.
    squeezed: the axis is squeezed (or stretched) to 512 with nearest neighbours first. The reference tool resizes with
    CImg, whose nearest neighbour of position p is p * pixels // 512.
    """
    if pixels > LARGEST_KEPT:
        return tables(pixels, scale, grown, squeezed)
    return kept_tables(pixels, scale, squeezed) if grown == UNCUT else grown_tables(pixels, scale, grown, squeezed)


def tables(pixels: int, scale: int, grown: Margins, squeezed: bool) -> Axes:
    """Build what `axes` describes: about 16 bytes a pixel."""
    before, behind = grown
    read = np.clip(np.arange(-before, pixels + behind, dtype=np.int32), 0, pixels - 1)
    mirrored = read[::-1]
    if squeezed:
        sampled = np.arange(SQUEEZED, dtype=np.int64) * read.shape[0] // SQUEEZED
        read, mirrored = read[sampled], mirrored[sampled]
    return bands(read // np.int32(scale), mirrored // np.int32(scale))


@lru_cache(maxsize=TABLES_KEPT)
def kept_tables(pixels: int, scale: int, squeezed: bool) -> Axes:
    return tables(pixels, scale, UNCUT, squeezed)


# Apart, so that one picture with its many guesses does not drive the usual sizes out.
grown_tables = lru_cache(maxsize=GROWN_KEPT)(tables)
