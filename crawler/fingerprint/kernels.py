"""The kernels behind `pdq.py`: pixels -> 64 x 64 samples -> 16 x 16 cosine coefficients -> bits.

Layout of the eight orientations everywhere: bit 0 mirrors left-right, bit 1 flips top-bottom, bit 2 transposes after
that. So 0 is the image as it is, 1 mirrored, 2 flipped, 3 turned by 180 degrees, 4 transposed, 5 turned by 90 degrees
counter-clockwise, 6 turned by 270 degrees counter-clockwise, 7 transposed along the other diagonal.

Source of the algorithm: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019) and
its reference code, `pdqhashing.cpp` (ThreatExchange).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.bands import AXES, BOTH_AXES, Axes
from crawler.fingerprint.jit import (
    FLAG,
    FLOAT,
    INTEGER,
    NOTHING,
    READ_BYTES,
    READ_FLOATS,
    READ_IMAGE,
    READ_INTS,
    READ_PLANE,
    WRITE_BYTES,
    WRITE_FLOATS,
    WRITE_LINE,
    WRITE_PLANE,
    kernel,
)

Uint8s = npt.NDArray[np.uint8]
Int32s = npt.NDArray[np.int32]
Float32s = npt.NDArray[np.float32]


def cosines() -> Float32s:
    """The reference's (16, 64) float32 matrix: frequencies 1..16 of the 64-point cosine transform."""
    scale = float(np.float32(math.sqrt(2.0 / 64.0)))
    rows = [[scale * math.cos((math.pi / 2.0 / 64.0) * (i + 1) * (2 * j + 1)) for j in range(64)] for i in range(16)]
    return np.array(rows, dtype=np.float64).astype(np.float32)


COSINES = cosines()

HALF, SIXTEEN = np.uint32(1 << 15), np.uint32(16)


@kernel(NOTHING, READ_PLANE, READ_INTS, AXES, WRITE_FLOATS, fastmath=True)
def gather_rows(plane: Uint8s, index: Int32s, axis: Axes, out: Float32s) -> None:
    """out[i, :S] = the weighted sum of the rows of band i: (H, S) uint8 -> (64, S or more) float32.

    Every pixel is read about once.
    """
    span = plane.shape[1]
    for sample in range(64):
        first, count = axis.start[sample], axis.length[sample]
        total = out[sample]
        total[:] = np.float32(0.0)
        offset = 0
        while offset + 4 <= count:
            one, two = plane[index[first + offset]], plane[index[first + offset + 1]]
            three, four = plane[index[first + offset + 2]], plane[index[first + offset + 3]]
            w1, w2 = axis.weights[sample, offset], axis.weights[sample, offset + 1]
            w3, w4 = axis.weights[sample, offset + 2], axis.weights[sample, offset + 3]
            for x in range(span):
                total[x] += (
                    w1 * np.float32(one[x])
                    + w2 * np.float32(two[x])
                    + w3 * np.float32(three[x])
                    + w4 * np.float32(four[x])
                )
            offset += 4
        while offset < count:
            one = plane[index[first + offset]]
            w1 = axis.weights[sample, offset]
            for x in range(span):
                total[x] += w1 * np.float32(one[x])
            offset += 1


@kernel(NOTHING, READ_FLOATS, INTEGER, WRITE_FLOATS)
def luma_of_rgb(rows: Float32s, width: int, out: Float32s) -> None:
    """(64, 3 W) interleaved R, G, B -> (64, W) luma, in the double precision of the reference binding."""
    for i in range(rows.shape[0]):
        for x in range(width):
            red, green, blue = rows[i, 3 * x], rows[i, 3 * x + 1], rows[i, 3 * x + 2]
            out[i, x] = np.float32(np.float64(red) * 0.299 + np.float64(green) * 0.587 + np.float64(blue) * 0.114)


@kernel(NOTHING, READ_FLOATS, READ_INTS, AXES, WRITE_FLOATS, fastmath=True)
def gather_columns(rows: Float32s, index: Int32s, axis: Axes, out: Float32s) -> None:
    """(64, W) float32 -> (64, 64) float32 samples. Eight rows at a time, so that eight sums are under way at once."""
    for i in range(0, 64, 8):
        r0, r1, r2, r3 = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        r4, r5, r6, r7 = rows[i + 4], rows[i + 5], rows[i + 6], rows[i + 7]
        for sample in range(64):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = np.float32(0.0)
            first = np.uint64(axis.start[sample])
            for offset in range(np.uint64(axis.length[sample])):
                x = np.uint64(index[first + offset])
                weight = axis.weights[sample, offset]
                s0 += weight * r0[x]
                s1 += weight * r1[x]
                s2 += weight * r2[x]
                s3 += weight * r3[x]
                s4 += weight * r4[x]
                s5 += weight * r5[x]
                s6 += weight * r6[x]
                s7 += weight * r7[x]
            out[i, sample], out[i + 1, sample], out[i + 2, sample], out[i + 3, sample] = s0, s1, s2, s3
            out[i + 4, sample], out[i + 5, sample], out[i + 6, sample], out[i + 7, sample] = s4, s5, s6, s7


@kernel(INTEGER, READ_FLOATS)
def quality_of(samples: Float32s) -> int:
    """The reference's `pdqImageDomainQualityMetric` of (64, 64) samples, in its single precision: 0..100."""
    total = np.int32(0)
    hundred, full = np.float32(100.0), np.float32(255.0)
    for i in range(63):
        for j in range(np.uint64(64)):
            total += abs(np.int32(((samples[i, j] - samples[i + 1, j]) * hundred) / full))
    for i in range(64):
        for j in range(np.uint64(63)):
            total += abs(np.int32(((samples[i, j] - samples[i, j + np.uint64(1)]) * hundred) / full))
    return min(int(total) // 90, 100)


@kernel(NOTHING, READ_FLOATS, WRITE_FLOATS, fastmath=True)
def transform(samples: Float32s, out: Float32s) -> None:
    """out = D @ samples @ D.T: the 16 x 16 lowest coefficients without the constant ones."""
    half = np.zeros((16, 64), dtype=np.float32)
    for i in range(16):
        for k in range(64):
            factor = COSINES[i, k]
            for j in range(64):
                half[i, j] += factor * samples[k, j]
    for i in range(16):
        for j in range(16):
            total = np.float32(0.0)
            for k in range(64):
                total += half[i, k] * COSINES[j, k]
            out[i, j] = total


@kernel(FLOAT, WRITE_LINE, INTEGER)
def smallest(values: Float32s, rank: int) -> np.float32:
    """The value that stands at `rank` (from 0) in ascending order. Rearranges `values` (Hoare's selection)."""
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return np.float32(values[rank])


@kernel(NOTHING, READ_FLOATS, FLAG, WRITE_BYTES)
def pack(coefficients: Float32s, transposed: bool, out: Uint8s) -> None:
    """(16, 16) coefficients -> 32 bytes: bit i * 16 + j (from the end) says whether it exceeds the median.

    The median is the 128th smallest, as the reference's `torben` finds it; `transposed` swaps i and j.
    """
    flat = np.empty(256, dtype=np.float32)
    for i in range(16):
        for j in range(16):
            flat[i * 16 + j] = coefficients[i, j]
    median = smallest(flat, 127)
    out[:] = 0
    for i in range(16):
        for j in range(16):
            value = coefficients[j, i] if transposed else coefficients[i, j]
            if value > median:
                bit = i * 16 + j
                out[31 - (bit >> 3)] |= np.uint8(1 << (bit & 7))


@kernel(INTEGER, READ_BYTES, INTEGER, INTEGER)
def pairs_in(octets: Uint8s, first: int, second: int) -> int:
    """How often octet `second` follows octet `first`. So many at a time that an octet holds their count."""
    one, other, total = np.uint8(first), np.uint8(second), 0
    last = max(octets.shape[0] - 1, 0)
    whole = last - last % 128
    for start in range(0, whole, 128):
        at, part = np.uint64(start), np.uint8(0)
        for k in range(np.uint64(128)):
            part = np.uint8(part + ((octets[at + k] == one) & (octets[at + k + np.uint64(1)] == other)))
        total += int(part)
    for rest in range(np.uint64(whole), np.uint64(last)):
        total += int((octets[rest] == one) & (octets[rest + np.uint64(1)] == other))
    return total


@kernel(NOTHING, READ_IMAGE, WRITE_PLANE)
def grey_of_rgb(pixels: Uint8s, out: Uint8s) -> None:
    """(H, W, 3) uint8 RGB -> (H, W) uint8: Pillow's `convert("L")`, to the last grey value."""
    for y in range(out.shape[0]):
        for x in range(out.shape[1]):
            red, green, blue = np.uint32(pixels[y, x, 0]), np.uint32(pixels[y, x, 1]), np.uint32(pixels[y, x, 2])
            out[y, x] = (red * np.uint32(19595) + green * np.uint32(38470) + blue * np.uint32(7471) + HALF) >> SIXTEEN


@kernel(NOTHING, READ_IMAGE, BOTH_AXES, INTEGER, WRITE_FLOATS, WRITE_PLANE)
def hash_image(pixels: Uint8s, both: tuple[Axes, Axes], wanted: int, rows: Float32s, out: Uint8s) -> None:
    """Every wanted orientation in one convention.

    pixels: (H, W, 1) uint8 luma or (H, W, 3) uint8 RGB.  both: the axes down and across.
    wanted: bit o is set for orientation o.
    rows: (64, at least W or 3 W) float32, to work in; whatever it holds.
    out: (8, 33) uint8, for each wanted orientation 32 bytes of code and its quality; the others are left as they are.
    """
    down, across = both
    height, width, channels = pixels.shape
    span = width * channels
    plane = pixels.reshape((height, span))
    luma = rows
    if channels == 3:
        luma = np.empty((64, ((width + 15) // 16 | 1) * 16), dtype=np.float32)
    samples = np.empty((64, 64), dtype=np.float32)
    coefficients = np.empty((16, 16), dtype=np.float32)
    for flip in range(2):
        if wanted & (0b11001100 if flip else 0b00110011) == 0:
            continue
        gather_rows(plane, down.mirrored if flip else down.straight, down, rows)
        if channels == 3:
            luma_of_rgb(rows, width, luma)
        for mirror in range(2):
            upright = 2 * flip + mirror
            if wanted & (0b10001 << upright) == 0:
                continue
            gather_columns(luma, across.mirrored if mirror else across.straight, across, samples)
            transform(samples, coefficients)
            for orientation in (upright, upright + 4):
                if wanted >> orientation & 1:
                    pack(coefficients, orientation >= 4, out[orientation, :32])
                    out[orientation, 32] = quality_of(samples)
