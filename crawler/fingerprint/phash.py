"""64-bit pHash as `imagehash.phash` computes it, without the cost of Pillow's resize and of SciPy.

The algorithm: grey, resized to 32 x 32 with a Lanczos filter, cosine transform, and the 8 x 8 lowest coefficients (the
constant one included) compared with their median. The resize is Pillow's: first along the rows, then down the columns,
with weights of 22 binary digits and a rounding to whole grey values after each.

Source: imagehash's `phash`; Pillow's `Resample.c` for the weights and their rounding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.lanczos import ROWS, average_blocks, compare_with_median, resize_averages, resize_exactly
from crawler.fingerprint.taps import SIDE, spread

ROUGH_BLOCKS = 64
ROUGH_BITS = 16
EXACT_PIXELS = 160_000
DOUBT = 72.0
"""Coefficients this near to the median may lie on its other side in `phash`. Of 22,000 crops of photographs at 400 to
1,600 px, some darkened, 175 differed in more than two bits; all of them were nearer than 68."""

Uint8s = npt.NDArray[np.uint8]
Float64s = npt.NDArray[np.float64]


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
    small = np.empty((SIDE, SIDE), dtype=np.float64)
    resize_exactly(grey, spread(width), spread(height), small)
    return small


def rough_phash(grey: Uint8s) -> bytes:
    """As `phash`, at a quarter to two fifths of its cost, and hardly ever more than two bits off on photographs.

    Blocks are averaged first; what remains different comes from Pillow's rounding of each row, which is not repeated
    here. Where so many coefficients are near the median that this could change more than two bits, `phash` decides:
    that is one photograph in six. Screening uses it, what is recorded comes from `phash`; exact up to EXACT_PIXELS.
    """
    height, width = grey.shape
    if height * width <= EXACT_PIXELS:
        return phash(grey)
    high, wide = max(1, height // ROUGH_BLOCKS), power_of_two(max(1, width // ROUGH_BLOCKS))
    averages = np.zeros((-(-height // high // ROWS) * ROWS, -(-width // wide)), dtype=np.int32)
    small = np.empty((SIDE, SIDE), dtype=np.float64)
    average_blocks(grey, high, wide, averages)
    resize_averages(averages, spread(width, wide, ROUGH_BITS), spread(height, high, ROUGH_BITS), small)
    out = np.empty(8, dtype=np.uint8)
    return phash(grey) if compare_with_median(small, out) < DOUBT else out.tobytes()


def power_of_two(most: int) -> int:
    """The largest up to `most`, which is 1 or more."""
    return 1 << most.bit_length() - 1


def averaged(grey: Uint8s, by: int) -> Uint8s:
    """The plane at 1 / by of its size, rounded up: the mean of each block, rounded. by: a power of two."""
    out = np.empty((-(-grey.shape[0] // by), -(-grey.shape[1] // by)), dtype=np.int32)
    average_blocks(np.ascontiguousarray(grey), by, by, out)
    return np.rint(out / 64.0).astype(np.uint8)


def bits(small: Float64s) -> bytes:
    """(32, 32) whole grey values -> 8 bytes, most significant bit first, row by row."""
    out = np.empty(8, dtype=np.uint8)
    compare_with_median(small, out)
    return out.tobytes()
