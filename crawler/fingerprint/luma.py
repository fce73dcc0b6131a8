"""The short way for sound JPEG files: libjpeg-turbo straight from the buffer to a luma plane.

It gives the very pixels that Pillow's `draft("L")` gives, without Pillow's copies of the file and of the image, which
cost as much as the decode of a small one. Only whole files of the usual kinds go this way. Whatever the library
complains of, were it only a warning, is left to `decode.py`, which tells one failure from another and rescues what it
can.

Sources: ITU-T T.81, annex B (markers); Exif 2.32, 4.6 (the tag Orientation); TIFF 6.0, section 2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np
from simplejpeg import decode_jpeg, decode_jpeg_header

from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.views import Decoded, Uint8s, View, as_seen, reduction
from crawler.records import Rejected

MOST_SEGMENTS: Final = 512
"""Before the first scan; a file with more takes the long way."""

ORIENTATION_TAG: Final = 0x0112

_USUAL: Final = frozenset({"Gray", "YCbCr", "RGB"})
_EXIF: Final = b"Exif\x00\x00"
_SHORT: Final = 3


def short_way(data: bytes | memoryview, options: FingerprintOptions) -> Decoded | Rejected | None:
    """The luma plane of a sound JPEG file of a usual kind, at full size. None: it has to take the long way."""
    try:
        height, width, colours, _ = decode_jpeg_header(data)
        if colours not in _USUAL or reduction(width, height, options) > 1:
            return None
        if width * height > options.max_pixels:
            return Rejected("bomb")
        orientation = orientation_in(data)
        plane: Uint8s | None = decode_jpeg(data, "GRAY")[:, :, 0] if orientation else None
    except MemoryError:
        return Rejected("bomb")
    except ValueError:
        return None
    if orientation is None or plane is None:
        return None
    view = View(0, False, plane, plane)
    return as_seen(Decoded("JPEG", width, height, 1, orientation, False, 1, False, (view,)), len(data))


def count_pairs(data: bytes | memoryview, first: int, second: int) -> int:
    """How often byte `second` follows byte `first`."""
    octets = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((octets[:-1] == first) & (octets[1:] == second)))


def orientation_in(data: bytes | memoryview) -> int | None:
    """The EXIF orientation, 1 to 8; 1 without one. None where it does not stand as the standards have it."""
    found = 1
    for content in application_segments(data):
        if content is None:
            return None
        if bytes(content[:6]) == _EXIF:
            here = orientation_of_tiff(content[6:])
            if here is None:
                return None
            found = here
    return found


def application_segments(data: bytes | memoryview) -> Iterator[memoryview | None]:
    """The contents of the APP1 segments before the first scan. None, as the last: the file is not built as usual."""
    view, at = memoryview(data), 2
    for _ in range(MOST_SEGMENTS):
        if at + 4 > len(view) or view[at] != 0xFF:
            break
        marker, length = view[at + 1], view[at + 2] << 8 | view[at + 3]
        if marker == 0xDA:  # start of scan
            return
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD9 or length < 2:  # nothing that has a length
            break
        if marker == 0xE1:
            yield view[at + 4 : at + 2 + length]
        at += 2 + length
    yield None


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
