"""The short way for sound JPEG files: libjpeg-turbo straight from the buffer to a luma plane, or to colours.

It gives the very pixels that Pillow's `draft("L")` or its full decode gives, without Pillow's copies of the file and of
the image, which cost as much as the decode of a small one. Only whole files of the usual kinds go this way. Whatever
the library complains of, were it only a warning, is left to `decode.py`, which tells one failure from another and
rescues what it can.

Sources: ITU-T T.81, annex B (markers); Exif 2.32, 4.6 (the tag Orientation); TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from simplejpeg import decode_jpeg, decode_jpeg_header

from crawler.fingerprint.doubt import needs_colour
from crawler.fingerprint.kernels import grey_of_rgb, pairs_in
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.scratch import NOTHING_KEPT, Scratch
from crawler.fingerprint.views import Decoded, Uint8s, View, as_seen, reduction
from crawler.records import Rejected

MOST_SEGMENTS: Final = 512
"""Before the first scan; a file with more takes the long way."""

ORIENTATION_TAG: Final = 0x0112

_USUAL: Final = frozenset({"Gray", "YCbCr", "RGB"})
_EXIF: Final = b"Exif\x00\x00"
_SHORT: Final = 3

_START_OF_SCAN: Final = 0xDA
_TABLES: Final = 0xDB
_APPLICATION: Final = 0xE1


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before the first scan. orientation: EXIF, 1 to 8; 1 without one.

    step: the mean of the coarsest quantization table; 0 without one.
    """

    orientation: int
    step: float


def short_way(
    data: bytes | memoryview, options: FingerprintOptions, scratch: Scratch = NOTHING_KEPT
) -> Decoded | Rejected | None:
    """A sound JPEG file of a usual kind at full size: its luma plane, or its colours where that would not do.

    None: it has to take the long way.
    """
    try:
        height, width, colours, _ = decode_jpeg_header(data)
        if colours not in _USUAL or reduction(width, height, options) > 1:
            return None
        if width * height > options.max_pixels:
            return Rejected("bomb")
        head = head_of(data)
        if head is None:
            return None
        full = colours != "Gray" and needs_colour(width * height, head.step)
        view = view_in_colour(data) if full else view_of_luma(data, scratch.plane(width * height))
    except MemoryError:
        return Rejected("bomb")
    except ValueError:
        return None
    return as_seen(Decoded("JPEG", width, height, 1, head.orientation, False, 1, full, (view,)), len(data))


def view_of_luma(data: bytes | memoryview, into: Uint8s | None = None) -> View:
    """into: memory for its plane; otherwise it has its own. Raises ValueError for whatever the library complains of."""
    plane: Uint8s = decode_jpeg(data, "GRAY", buffer=into)[:, :, 0]
    return View(0, False, plane, plane)


def view_in_colour(data: bytes | memoryview) -> View:
    """The pixels of Pillow's full decode. Raises ValueError likewise."""
    pixels: Uint8s = decode_jpeg(data, "RGB")
    grey = np.empty(pixels.shape[:2], dtype=np.uint8)
    grey_of_rgb(pixels, grey)
    return View(0, False, pixels, grey)


def count_pairs(data: bytes | memoryview, first: int, second: int) -> int:
    """How often byte `second` follows byte `first`."""
    return int(pairs_in(np.frombuffer(data, np.uint8), first, second))


def head_of(data: bytes | memoryview) -> Head | None:
    """What stands before the first scan. None where it does not stand as the standards have it."""
    found, step = 1, 0.0
    for marker, content in segments(data):
        if marker == _TABLES:
            step = max(step, coarsest(content))
        elif marker == _APPLICATION and bytes(content[:6]) == _EXIF:
            here = orientation_of_tiff(content[6:])
            if here is None:
                return None
            found = here
        elif not marker:
            return None
    return Head(found, step)


def coarsest(content: memoryview) -> float:
    """The largest mean of the quantization tables of a segment."""
    found = 0.0
    while len(content) > 64:
        size = 128 if content[0] >> 4 else 64
        table = content[1 : 1 + size]
        found = max(found, (sum(table) if size == 64 else sum(table[1::2]) + 256 * sum(table[::2])) / 64)
        content = content[1 + size :]
    return found


def segments(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Marker and content of each segment before the first scan. Marker 0, as the last: it is not built as usual."""
    view, at = memoryview(data), 2
    for _ in range(MOST_SEGMENTS):
        if at + 4 > len(view) or view[at] != 0xFF:
            break
        marker, length = view[at + 1], view[at + 2] << 8 | view[at + 3]
        if marker == _START_OF_SCAN:
            return
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9 or length < 2:  # nothing that has a length
            break
        yield marker, view[at + 4 : at + 2 + length]
        at += 2 + length
    yield 0, view[:0]


def orientation_of_tiff(tiff: memoryview) -> int | None:
    """The orientation in the first directory of a TIFF structure; 1 without one, None for what is not well-formed."""
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(bytes(tiff[:4]))
    if order is None or len(tiff) < 10:
        return None
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if not 8 <= directory <= len(tiff) - 2:
        return None
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    if directory + 2 + 12 * count > len(tiff):
        return None
    for at in range(directory + 2, directory + 2 + 12 * count, 12):
        tag, kind, values, value = struct.unpack_from(order + "HHIH", tiff, at)
        if tag == ORIENTATION_TAG:
            return value if (kind, values) == (_SHORT, 1) and 1 <= value <= 8 else None
    return 1
