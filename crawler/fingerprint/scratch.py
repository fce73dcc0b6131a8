"""Memory in which one fingerprint after the other is made, wiped when its owner says so.

A process that holds bytes of images overwrites what it allocates and what it frees (`sandbox/forget.py`): twice the
plane and twice the row sums of every image. What is kept instead is written over by the next image, and wiped once for
several.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

PLANE_BYTES: Final = 2_097_152
"""Of a kept luma plane: 1,600 x 1,200 pixels and more. Larger ones are allocated."""

ROW_FLOATS: Final = 64 * 2_112
"""Of kept row sums: of luma planes up to 2,100 pixels wide."""


class Scratch:
    """Lends arrays that are valid until the next fingerprint is begun. For one thread.

    kept: whether anything is kept; without it every array is a new one.
    """

    __slots__ = ("_plane", "_plane_used", "_rows", "_rows_used")

    def __init__(self, *, kept: bool) -> None:
        self._plane = np.zeros(PLANE_BYTES if kept else 0, np.uint8)
        self._rows = np.zeros(ROW_FLOATS if kept else 0, np.float32)
        self._plane_used = self._rows_used = 0

    def plane(self, pixels: int) -> npt.NDArray[np.uint8] | None:
        """(pixels,) uint8 of unknown content; None for more than is kept."""
        if pixels > self._plane.size:
            return None
        self._plane_used = max(self._plane_used, pixels)
        return self._plane[:pixels]

    def rows(self, stride: int) -> npt.NDArray[np.float32]:
        """(64, stride) float32 of unknown content."""
        floats = 64 * stride
        if floats > self._rows.size:
            return np.empty((64, stride), np.float32)
        self._rows_used = max(self._rows_used, floats)
        return self._rows[:floats].reshape(64, stride)

    def wipe(self) -> None:
        """Overwrite all that was lent."""
        self._plane[: self._plane_used] = 0
        self._rows[: self._rows_used] = 0
        self._plane_used = self._rows_used = 0


NOTHING_KEPT: Final = Scratch(kept=False)
