"""PDQ codes of an image, in both conventions and all eight orientations, nearly at the price of one.

The rows are gathered once into 64 (the only step that touches every pixel), and what follows works on 64 rows: columns,
cosine transform, bits. Mirroring costs a second pass over those 64 rows only, a transposed orientation only its bits;
flipping top-bottom needs a second pass over the pixels.

The two conventions: as is, which `pdqhash` computes, and squeezed to 512 x 512 with nearest neighbours first, which the
reference's command-line tool does with images that are wider or higher than 512. Lists exist of both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from crawler.fingerprint.bands import SQUEEZED, Axes, axes
from crawler.fingerprint.cuts import UNCUT, Margins
from crawler.fingerprint.kernels import Uint8s, hash_image
from crawler.fingerprint.scratch import NOTHING_KEPT, Scratch

SMALLEST_SIDE = 5
# Coefficients (of grey values 0..255, in an orthonormal transform) that lie closer to their median than this are
# decided by the reference's own single-precision sums. Largest seen: 0.001, on synthetic images of 8000 x 8000.
EPSILON = 5e-3


class Hashed(NamedTuple):
    """One PDQ code. orientation: 0..7, see `kernels.py`.  squeezed: in the 512 convention.  quality: 0..100."""

    value: bytes
    quality: int
    orientation: int
    squeezed: bool


def is_squeezed(height: int, width: int) -> bool:
    """Whether the reference tool squeezes an image of this size, so that the second convention differs."""
    return height > SQUEEZED or width > SQUEEZED


def hashes(
    pixels: Uint8s,
    orientations: Iterable[int] = (0,),
    *,
    scale: int = 1,
    size: tuple[int, int] | None = None,
    grown: tuple[Margins, Margins] = (UNCUT, UNCUT),
    scratch: Scratch = NOTHING_KEPT,
) -> list[Hashed]:
    """The codes of an image in these orientations (0..7): as is, then (where it differs) in the 512 convention.

    pixels: (h, w) uint8 luma or (h, w, 3) uint8 RGB, C-contiguous.
    scale, size: the image was decoded at 1 / scale of its `size` (height, width), rounded up; by default it was not.
    grown: pixels of the full size to add above and below, and left and right, by repeating the outermost ones.

    On RGB at full size the result equals the reference's in every bit whose coefficient is not within EPSILON of the
    median: there the reference's own rounding decides. The quality can be 1 off where a gradient falls on a whole step.
    With a side below 5 pixels every code is zero with quality 0, as in the reference.
    """
    wanted = tuple(orientations)
    height, width = size or (pixels.shape[0], pixels.shape[1])
    if min(height, width) < SMALLEST_SIDE:
        return [Hashed(bytes(32), 0, each, False) for each in wanted]
    found: list[Hashed] = []
    rows, columns = grown
    for squeezed in (False, True):
        if squeezed and not is_squeezed(height + sum(rows), width + sum(columns)):
            break
        down = axes(height, scale=scale, grown=rows, squeezed=squeezed)
        across = axes(width, scale=scale, grown=columns, squeezed=squeezed)
        coded = convention(pixels, down, across, wanted, scratch)
        found += [Hashed(coded[33 * n : 33 * n + 32], coded[33 * n + 32], n, squeezed) for n in wanted]
    return found


def convention(pixels: Uint8s, down: Axes, across: Axes, wanted: tuple[int, ...], scratch: Scratch) -> bytes:
    """For each of the eight orientations 32 bytes of code and its quality, if it is wanted, in one convention."""
    height, width = pixels.shape[:2]
    image = pixels.reshape(height, width, -1)
    # An odd number of cache lines a row: with an even one, the 64 rows of a column share a few sets of the cache.
    rows = scratch.rows(((width * image.shape[2] + 15) // 16 | 1) * 16)
    out = np.empty((8, 33), dtype=np.uint8)
    mask = sum(1 << each for each in set(wanted))
    hash_image(image, (down, across), mask, rows, out)
    return out.tobytes()
