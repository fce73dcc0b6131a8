"""What decoding hands out: planes of pixels, and which parts of a file they are."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from crawler.fingerprint.options import FingerprintOptions
from crawler.records import Rejected

Uint8s = npt.NDArray[np.uint8]

SHORT_SIDE_KEPT = 512
FRAMES_COUNTED = 10_000
BLANK_SHARE = 0.02

BLANK = "next to nothing was decoded"


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at one frame.

    frame: its number, from 0.  on_white: transparency was flattened on white; otherwise it was dropped.
    pixels: (h, w) uint8 luma or grey, or (h, w, 3) uint8 RGB.  grey: (h, w) uint8, Pillow's `convert("L")`.
    Both C-contiguous, and smaller than the image when it was decoded at a reduced scale.
    """

    frame: int
    on_white: bool
    pixels: Uint8s = field(repr=False)
    grey: Uint8s = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image as far as it could be decoded.

    width, height: as stored, in pixels, before any reduction and before its EXIF orientation.
    orientation: EXIF, 1 to 8.
    frames: how many the file has, counted up to FRAMES_COUNTED.  partial: the data ended before the image did.
    scale: 1, 2, 4 or 8: the views are that much smaller than the image (rounded up).
    full: decoded at full size and in colour, so that results equal the references'.
    """

    format: str
    width: int
    height: int
    frames: int
    orientation: int
    partial: bool
    scale: int
    full: bool
    views: tuple[View, ...] = field(repr=False)


def is_blank(decoded: Decoded) -> bool:
    """Whether next to nothing of the first view differs from its last pixel (or its first: a BMP starts at the bottom).

    That is what a decoder fills in when it has no data.
    """
    grey = decoded.views[0].grey
    return any(
        int(np.count_nonzero(grey != corner)) <= BLANK_SHARE * grey.size for corner in (grey[-1, -1], grey[0, 0])
    )


def is_starved(decoded: Decoded, size: int) -> bool:
    """Whether a JPEG file of `size` bytes cannot hold what was decoded: libjpeg fills in what is missing before an end
    mark, and does not say so. A block of 8 x 8 pixels takes one bit at the least.
    """
    return decoded.format == "JPEG" and decoded.width * decoded.height > 8 * 64 * size


def as_seen(found: Decoded | Rejected, size: int) -> Decoded | Rejected:
    """What a decoder that did not complain made of a file of `size` bytes, if that can be true."""
    if isinstance(found, Rejected) or not is_starved(found, size):
        return found
    return Rejected("corrupt", BLANK) if is_blank(found) else replace(found, partial=True)


def scaled_to_bytes(values: npt.NDArray[np.generic]) -> Uint8s:
    """16-bit grey (Pillow's modes I;16 and I) scaled to 8 bits, where Pillow's own conversion would clip."""
    if values.dtype.kind == "f":
        return np.ascontiguousarray(np.clip(values, 0.0, 255.0).astype(np.uint8))
    return np.ascontiguousarray((np.clip(values.astype(np.int64), 0, 65535) >> 8).astype(np.uint8))


def reduction(width: int, height: int, options: FingerprintOptions) -> int:
    """By how much a JPEG of this size is reduced while it is decoded: 1, 2, 4 or 8."""
    scale = 1
    while (
        scale < 8
        and width * height > options.reduce_above * scale * scale
        and min(width, height) >= 2 * scale * SHORT_SIDE_KEPT
    ):
        scale *= 2
    return scale


def sampled_frames(count: int, pixels: int, options: FingerprintOptions) -> list[int]:
    """Which of `count` frames of `pixels` each to look at: first, some in between, and the last within `max_frames`.

    Frames build on one another, so all up to the last one sampled are decoded: both are bounded in pixels too.
    """
    reach = max(1, min(count, options.max_frames, 4 * options.max_pixels // pixels))
    wanted = max(1, min(options.sampled_frames, reach, options.max_pixels // pixels))
    if wanted == 1:
        return [0]
    return sorted({step * (reach - 1) // (wanted - 1) for step in range(wanted)})
