"""What the browser gets in place of an image: nothing to be seen, of the same size."""

from __future__ import annotations

import struct
import zlib
from functools import lru_cache
from typing import Final

Size = tuple[int, int]
"""Width and height in pixels, both above 0."""

DEFAULT: Final = 640, 480
"""Of an image whose size nobody knows (yet)."""
MAX_PIXELS: Final = 4_000_000
"""Larger ones are handed over smaller, with the same proportions: the browser has to keep them in memory."""
_MAX_SIDE: Final = 65_535
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE_MARKERS: Final = frozenset((0x01, *range(0xD0, 0xDA)))


def size_of(body: bytes) -> Size | None:
    """What the head of a JPEG, PNG, GIF, WebP or BMP file says; None for anything else. Decodes nothing.

    Sources: ITU T.81 annex B, PNG (ISO 15948) 11.2.2, GIF89a 18, RFC 9649 (WebP), BITMAPINFOHEADER.
    """
    try:
        size = _read(body)
    except (struct.error, IndexError):
        return None
    return size if size is not None and all(0 < side <= _MAX_SIDE for side in size) else None


def _read(body: bytes) -> Size | None:
    if body.startswith(b"\x89PNG\r\n\x1a\n"):
        return struct.unpack_from(">II", body, 16)
    if body.startswith((b"GIF87a", b"GIF89a")):
        return struct.unpack_from("<HH", body, 6)
    if body.startswith(b"\xff\xd8"):
        return _jpeg(body)
    if body.startswith(b"RIFF") and body[8:12] == b"WEBP":
        return _webp(body)
    if body.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", body, 18)
        return width, abs(height)
    return None


def _jpeg(body: bytes) -> Size | None:
    at = 2
    while body[at] == 0xFF:
        marker = body[at + 1]
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", body, at + 5)
            return width, height
        # Fill bytes may stand before a marker; some markers have no segment.
        at += 1 if marker == 0xFF else 2 if marker in _BARE_MARKERS else 2 + struct.unpack_from(">H", body, at + 2)[0]
    return None


def _webp(body: bytes) -> Size | None:
    form = body[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", body, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", body, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack_from("<HBHB", body, 24)
        return (high_w << 16 | low_w) + 1, (high_h << 16 | low_h) + 1
    return None


@lru_cache(maxsize=128)
def blank(size: Size) -> bytes:
    """A transparent PNG of a size, of some hundred bytes. Above MAX_PIXELS it is smaller, with the same proportions."""
    width, height = size
    if width * height > MAX_PIXELS:
        shrink = (MAX_PIXELS / (width * height)) ** 0.5
        width, height = max(int(width * shrink), 1), max(int(height * shrink), 1)
    # One bit a pixel, of a palette whose only colour is transparent.
    rows = zlib.compress(bytes(1 + (width + 7) // 8) * height, 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 3, 0, 0, 0)
    chunks = (b"IHDR", head), (b"PLTE", b"\xff\xff\xff"), (b"tRNS", b"\0"), (b"IDAT", rows), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
