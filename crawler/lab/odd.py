"""Files that are no ordinary pictures: too small, too large, or something else altogether. Benign, made in code."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache

PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")
"""A transparent GIF of one pixel, as trackers use it."""

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4" cy="4" r="4" fill="#486"/></svg>'

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


@cache
def png_bomb(side: int = 16_000) -> bytes:
    """A PNG of side x side pixels in a few kilobytes: 256 million pixels by default (PNG specification, section 5)."""
    packer = zlib.compressobj(9)
    row = bytes(side // 8 + 1)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def endless_page(size: int = 100_000_000) -> Iterator[bytes]:
    """An HTML page of `size` bytes, in pieces of 64 KiB."""
    yield b"<!doctype html><title>lang</title>"
    piece = (b"<p>steeds hetzelfde" * 4096)[:65_536]
    for _ in range(size // len(piece)):
        yield piece


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
