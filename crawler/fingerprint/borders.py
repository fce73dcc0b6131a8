"""Finds uniform borders: the bars of letterboxed pictures, and plain frames around pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.jit import FLAG, INTEGER, NOTHING, READ_BYTES, READ_PLANE, WRITE_LONGS, kernel

Uint8s = npt.NDArray[np.uint8]
Int64s = npt.NDArray[np.int64]

TOLERANCE = 12
SMALLEST_LEFT = 16
LEAST_TRIMMED = 0.03


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels [top, bottom) x [left, right) of an image."""

    top: int
    bottom: int
    left: int
    right: int

    def enlarged(self, factor: int, height: int, width: int) -> Box:
        """The same part of an image of `height` x `width` of which this was found at 1 / factor."""
        bottom, right = min(self.bottom * factor, height), min(self.right * factor, width)
        return Box(self.top * factor, bottom, self.left * factor, right)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.bottom - self.top, self.right - self.left

    def cut(self, pixels: Uint8s) -> Uint8s:
        """(H, W) or (H, W, 3) -> the box of it, C-contiguous."""
        return np.ascontiguousarray(pixels[self.top : self.bottom, self.left : self.right])


@kernel(FLAG, READ_BYTES, INTEGER, INTEGER)
def within(pixels: Uint8s, low: int, high: int) -> bool:
    """Whether all of them are within these grey values. No early end: thirty-two are compared at once."""
    least, most = np.uint8(max(low, 0)), np.uint8(min(high, 255))
    outside = np.uint8(0)
    for x in range(np.uint64(pixels.shape[0])):
        outside |= np.uint8(pixels[x] < least) | np.uint8(pixels[x] > most)
    return bool(outside == 0)


@kernel(NOTHING, READ_PLANE, INTEGER, WRITE_LONGS)
def shrink(grey: Uint8s, tolerance: int, box: Int64s) -> None:
    """Move the sides of `box` (top, bottom, left, right) inwards over lines that stay within `tolerance` grey values
    of the outermost corner pixel of that side. Row by row, as pixels lie, no more of each than was alike so far."""
    for _ in range(2):
        for side in range(4):
            top, bottom, left, right = box[0], box[1], box[2], box[3]
            if bottom - top < 2 or right - left < 2:
                return
            corner = int(grey[bottom - 1, right - 1]) if side in (1, 3) else int(grey[top, left])
            low, high = corner - tolerance, corner + tolerance
            if side < 2:
                while box[1] - box[0] > 1:
                    y = box[0] if side == 0 else box[1] - 1
                    if not within(grey[y, left:right], low, high):
                        break
                    box[side] += 1 if side == 0 else -1
                continue
            # How many pixels are alike in each row, up to as many as in all those before.
            depth = right - left - 1
            for y in range(top, bottom):
                row = grey[y, left : left + depth] if side == 2 else grey[y, right - depth : right]
                if within(row, low, high):
                    continue
                found = 0
                while low <= int(row[found if side == 2 else depth - 1 - found]) <= high:
                    found += 1
                depth = found
                if depth == 0:
                    break
            box[side] += depth if side == 2 else -depth


def inner_box(grey: Uint8s) -> Box | None:
    """What is left of an image without its uniform borders; None when there are none worth trimming.

    grey: (H, W) uint8. Worth it: at least 3 % of the area goes, and at least 16 pixels of each side stay.
    """
    height, width = grey.shape
    sides = np.array([0, height, 0, width], dtype=np.int64)
    shrink(grey, TOLERANCE, sides)
    top, bottom, left, right = sides.tolist()
    if min(bottom - top, right - left) < SMALLEST_LEFT:
        return None
    if (bottom - top) * (right - left) > (1.0 - LEAST_TRIMMED) * height * width:
        return None
    return Box(top, bottom, left, right)
