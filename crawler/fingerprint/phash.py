"""64-bit pHash as `imagehash.phash` computes it, without the cost of Pillow's resize and of SciPy.

The algorithm: grey, resized to 32 x 32 with a Lanczos filter, cosine transform, and the 8 x 8 lowest coefficients (the
constant one included) compared with their median. The resize is Pillow's: first along the rows, then down the columns,
with weights of 22 binary digits and a rounding to whole grey values after each.

Source: imagehash's `phash`; Pillow's `Resample.c` for the weights and their rounding.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.lanczos import (
    Taps,
    average_blocks,
    compare_with_median,
    fill_lanczos,
    resize_averages,
    resize_exactly,
)

SIDE = 32
LOBES = 3
ROUGH_BLOCKS = 64
EXACT_PIXELS = 160_000
DOUBT = 64.0
"""Coefficients this near to the median may lie on its other side in `phash`. Of 23,183 crops of photographs at 400 to
1,600 px, some darkened, 440 differed in more than two bits; all of them were nearer than 62."""
WHOLE_VECTORS = 64
TABLES_KEPT = 128
LARGEST_KEPT = 2048

Uint8s = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Float64s = npt.NDArray[np.float64]


def taps(pixels: int, block: int = 1) -> Taps:
    """The weights for an axis of `pixels`, of which each `block` have been averaged (the last block may be shorter).

    Tables of the last TABLES_KEPT usual sizes are kept: they take up to 100 kB each.
    """
    return kept_tables(pixels, block) if pixels <= LARGEST_KEPT else tables(pixels, block)


def tables(pixels: int, block: int) -> Taps:
    """Build what `taps` describes."""
    widest = 2 * math.ceil(LOBES * max(pixels / SIDE, 1.0)) + 1
    widest = -(-widest // WHOLE_VECTORS) * WHOLE_VECTORS
    start = np.zeros(SIDE, dtype=np.int32)
    length = np.zeros(SIDE, dtype=np.int32)
    fixed = np.zeros((SIDE, widest), dtype=np.int32)
    fill_lanczos(pixels, start, length, fixed)
    if block > 1:
        start, length, fixed = in_blocks(start, length, fixed, block)
    weights = (fixed / 4194304.0).astype(np.float32)
    for array in (start, length, fixed, weights):
        array.flags.writeable = False
    return Taps(start, length, fixed, weights)


def in_blocks(start: Int32s, length: Int32s, fixed: Int32s, block: int) -> tuple[Int32s, Int32s, Int32s]:
    """The weights of blocks: each the sum of its pixels'. The kernel at the middle of a block would say something else
    where it bends, which is what most of the difference to the plain resize came from."""
    first = start // block
    sums = np.zeros_like(fixed)
    for output in range(SIDE):
        pixels = start[output] + np.arange(length[output])
        summed = np.bincount(pixels // block - first[output], weights=fixed[output, : length[output]])
        sums[output, : summed.size] = summed
    return first, (start + length - 1) // block - first + 1, sums


kept_tables = lru_cache(maxsize=TABLES_KEPT)(tables)


def phash(grey: Uint8s) -> bytes:
    """The 8 bytes of `imagehash.phash` of this plane, exactly.

    grey: (H, W) uint8, C-contiguous, of any size from 1 x 1; Pillow's `convert("L")` of the image.
    Equal to imagehash unless a coefficient equals the median up to rounding (images without low frequencies).
    """
    height, width = grey.shape
    if columns_first(height, width):
        return bits(np.ascontiguousarray(resized(np.ascontiguousarray(grey.T)).T))
    return bits(resized(grey))


def columns_first(height: int, width: int) -> bool:
    """Whether Pillow (since version 13) resizes this size down the columns first: much higher than wide."""
    return height > SIDE and height - SIDE > 2 * (width - SIDE)


def resized(grey: Uint8s) -> Float64s:
    """(H, W) uint8 -> (32, 32) whole grey values, along the rows first."""
    height, width = grey.shape
    across, down = taps(width), taps(height)
    small = np.empty((SIDE, SIDE), dtype=np.float64)
    resize_exactly(grey, across, down, small)
    return small


def rough_phash(grey: Uint8s) -> bytes:
    """As `phash`, at a quarter of its cost for large images, and hardly ever more than two bits off on photographs.

    Blocks are averaged first; what remains different comes from Pillow's rounding of each row, which is not repeated
    here. Where so many coefficients are near the median that this could change more than two bits, `phash` decides:
    that is one photograph in ten. Screening uses it, what is recorded comes from `phash`; exact up to EXACT_PIXELS.
    """
    height, width = grey.shape
    if height * width <= EXACT_PIXELS:
        return phash(grey)
    high, wide = max(1, height // ROUGH_BLOCKS), max(1, width // ROUGH_BLOCKS)
    averages = np.empty((-(-height // high), -(-width // wide)), dtype=np.float32)
    small = np.empty((SIDE, SIDE), dtype=np.float64)
    average_blocks(grey, high, wide, averages)
    resize_averages(averages, taps(width, wide), taps(height, high), small)
    out = np.empty(8, dtype=np.uint8)
    return phash(grey) if compare_with_median(small, out) < DOUBT else out.tobytes()


def averaged(grey: Uint8s, by: int) -> Uint8s:
    """The plane at 1 / by of its size, rounded up: the mean of each block, rounded."""
    out = np.empty((-(-grey.shape[0] // by), -(-grey.shape[1] // by)), dtype=np.float32)
    average_blocks(np.ascontiguousarray(grey), by, by, out)
    return np.rint(out).astype(np.uint8)


def bits(small: Float64s) -> bytes:
    """(32, 32) whole grey values -> 8 bytes, most significant bit first, row by row."""
    out = np.empty(8, dtype=np.uint8)
    compare_with_median(small, out)
    return out.tobytes()
