"""PDQ step by step as the reference computes it, so that evidence carries exactly the bits that others would get.

Every intermediate value is a float32, every sum runs in the reference's order. The banded maps of `bands.py` are faster
and more accurate, and can therefore differ from the reference where its own rounding decides a bit.

Source: `downscaling.cpp` and `pdqhashing.cpp` of the PDQ reference (ThreatExchange).
"""

from __future__ import annotations

import numpy as np

from crawler.fingerprint.bands import SAMPLES, window_size
from crawler.fingerprint.jit import INTEGER, NOTHING, READ_FLOATS, READ_IMAGE, WRITE_FLOATS, kernel
from crawler.fingerprint.kernels import COSINES, Float32s, Uint8s, pack, quality_of

SMALLEST_SIDE = 5


@kernel(NOTHING, READ_FLOATS, WRITE_FLOATS, INTEGER)
def box_down(source: Float32s, out: Float32s, window: int) -> None:
    """One running mean of `window` pixels down every column (`box1DFloat`, its four phases)."""
    height, width = source.shape
    half = (window + 2) // 2
    total = np.zeros(width, dtype=np.float32)
    left, right, row, count = 0, 0, 0, 0
    for _ in range(half - 1):
        total += source[right]
        right += 1
        count += 1
    for _ in range(window - half + 1):
        total += source[right]
        right += 1
        count += 1
        out[row] = total / np.float32(count)
        row += 1
    for _ in range(height - window):
        total += source[right]
        total -= source[left]
        out[row] = total / np.float32(count)
        left += 1
        right += 1
        row += 1
    for _ in range(half - 1):
        total -= source[left]
        count -= 1
        out[row] = total / np.float32(count)
        left += 1
        row += 1


@kernel(NOTHING, READ_FLOATS, WRITE_FLOATS, INTEGER)
def box_across(source: Float32s, out: Float32s, window: int) -> None:
    """The same running mean along every row."""
    height, width = source.shape
    half = (window + 2) // 2
    for y in range(height):
        total = np.float32(0.0)
        left, right, column, count = 0, 0, 0, 0
        for _ in range(half - 1):
            total += source[y, right]
            right += 1
            count += 1
        for _ in range(window - half + 1):
            total += source[y, right]
            right += 1
            count += 1
            out[y, column] = total / np.float32(count)
            column += 1
        for _ in range(width - window):
            total += source[y, right]
            total -= source[y, left]
            out[y, column] = total / np.float32(count)
            left += 1
            right += 1
            column += 1
        for _ in range(half - 1):
            total -= source[y, left]
            count -= 1
            out[y, column] = total / np.float32(count)
            left += 1
            column += 1


@kernel(NOTHING, READ_FLOATS, WRITE_FLOATS)
def transform_in_order(samples: Float32s, out: Float32s) -> None:
    """`dct64To16`: the sums in the reference's order, each in single precision."""
    half = np.zeros((16, 64), dtype=np.float32)
    for i in range(16):
        for j in range(64):
            total = np.float32(0.0)
            for k in range(64):
                total += COSINES[i, k] * samples[k, j]
            half[i, j] = total
    for i in range(16):
        for j in range(16):
            total = np.float32(0.0)
            for k in range(64):
                total += half[i, k] * COSINES[j, k]
            out[i, j] = total


@kernel(NOTHING, READ_IMAGE, WRITE_FLOATS)
def fill_luma(pixels: Uint8s, out: Float32s) -> None:
    """(H, W, 3) uint8 RGB -> (H, W) float32: double precision, rounded once, as the reference's binding does it."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            out[y, x] = np.float32(pixels[y, x, 0] * 0.299 + pixels[y, x, 1] * 0.587 + pixels[y, x, 2] * 0.114)


def blurred(luma: Float32s) -> Float32s:
    """`jaroszFilterFloat`: along the rows and down the columns, twice. (H, W) float32 -> the same, in place."""
    height, width = luma.shape
    other = np.empty_like(luma)
    for _ in range(2):
        box_across(luma, other, window_size(width))
        box_down(other, luma, window_size(height))
    return luma


def coefficients(luma: Float32s) -> tuple[Float32s, int]:
    """(H, W) float32 luma, both sides at least 5 -> (16, 16) float32 coefficients and the quality (0..100).

    Works in `luma` itself.
    """
    height, width = luma.shape
    rows = ((np.arange(SAMPLES) + 0.5) * height / SAMPLES).astype(np.int64)
    columns = ((np.arange(SAMPLES) + 0.5) * width / SAMPLES).astype(np.int64)
    samples = np.ascontiguousarray(blurred(luma)[np.ix_(rows, columns)])
    out = np.empty((16, 16), dtype=np.float32)
    transform_in_order(samples, out)
    return out, int(quality_of(samples))


def luma_of(pixels: Uint8s) -> Float32s:
    """(H, W, 3) uint8 RGB, or (H, W) grey -> (H, W) float32."""
    if pixels.ndim == 2:
        return pixels.astype(np.float32, order="C")
    out = np.empty(pixels.shape[:2], dtype=np.float32)
    fill_luma(np.ascontiguousarray(pixels), out)
    return out


def reference_pdq(pixels: Uint8s) -> tuple[bytes, int]:
    """The code (32 bytes) and quality that `pdqhash.compute` gives for these pixels, bit by bit.

    pixels: (H, W, 3) uint8 RGB, or (H, W) uint8 grey. With a side below 5 pixels: all zeros and quality 0.
    """
    if min(pixels.shape[:2]) < SMALLEST_SIDE:
        return bytes(32), 0
    found, quality = coefficients(luma_of(pixels))
    code = np.empty(32, dtype=np.uint8)
    pack(found, False, code)
    return code.tobytes(), quality
