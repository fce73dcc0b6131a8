"""Finds uniform borders: the bars of letterboxed pictures, and plain frames around pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.jit import INTEGER, NOTHING, READ_PLANE, WRITE_LONGS, kernel

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


@kernel(NOTHING, READ_PLANE, INTEGER, WRITE_LONGS)
def shrink(grey: Uint8s, tolerance: int, box: Int64s) -> None:
    """Move the sides of `box` (top, bottom, left, right) inwards over lines that stay within `tolerance` grey values
    of the outermost corner pixel of that side. Looks at little more than what it trims."""
    for _ in range(2):
        for side in range(4):
            top, bottom, left, right = box[0], box[1], box[2], box[3]
            if bottom - top < 2 or right - left < 2:
                return
            corner = np.int64(grey[bottom - 1, right - 1]) if side in (1, 3) else np.int64(grey[top, left])
            uniform = True
            while uniform and box[1] - box[0] > 1 and box[3] - box[2] > 1:
                if side < 2:
                    y = box[0] if side == 0 else box[1] - 1
                    for x in range(left, right):
                        if abs(np.int64(grey[y, x]) - corner) > tolerance:
                            uniform = False
                            break
                else:
                    x = box[2] if side == 2 else box[3] - 1
                    for y in range(top, bottom):
                        if abs(np.int64(grey[y, x]) - corner) > tolerance:
                            uniform = False
                            break
                if uniform:
                    box[side] += 1 if side in (0, 2) else -1


def inner_box(grey: Uint8s) -> Box | None:
    """What is left of an image without its uniform borders; None when there are none worth trimming.

    grey: (H, W) uint8. Worth it: at least 3 % of the area goes, and at least 16 pixels of each side stay.
    """
    height, width = grey.shape
    sides = np.array([0, height, 0, width], dtype=np.int64)
    shrink(grey, TOLERANCE, sides)
    top, bottom, left, right = (int(each) for each in sides)
    if min(bottom - top, right - left) < SMALLEST_LEFT:
        return None
    if (bottom - top) * (right - left) > (1.0 - LEAST_TRIMMED) * height * width:
        return None
    return Box(top, bottom, left, right)
