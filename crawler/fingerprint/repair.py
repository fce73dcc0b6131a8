"""Makes damaged files decodable as far as their data goes, by rebuilding the file, never by relaxing the decoder."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
END_OF_JPEG = b"\xff\xd9"
PIECE = 256
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Adam7: first column and row, and the steps between columns and rows, of the seven passes.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def repaired_jpeg(data: bytes | memoryview) -> bytes:
    """With an end mark: libjpeg then fills in what is missing instead of waiting for it."""
    return bytes(data) + END_OF_JPEG


def repaired_png(data: bytes | memoryview, max_pixels: int) -> tuple[bytes, bool] | None:
    """The first image of a PNG, rebuilt from its header, palette, transparency and as much pixel data as inflates.

    Checksums and every other chunk are left out, so neither damage nor a bomb in them keeps the image from being seen.
    Returns the new file and whether pixel data was missing (its rows are zero); None when there is no usable header or
    no pixel data, or when the pixels would take more than 4 bytes for each of `max_pixels`.
    """
    header, palette, transparency = b"", b"", b""
    inflate = zlib.decompressobj()
    raw = bytearray()
    expected = 0
    for kind, body in chunks(memoryview(data)):
        if not header:
            if kind != b"IHDR" or len(body) != 13:
                return None
            header = bytes(body)
            expected = raw_size(header)
            if not 0 < expected <= 4 * max_pixels:
                return None
        elif kind == b"PLTE":
            palette = bytes(body[:768])
        elif kind == b"tRNS":
            transparency = bytes(body[:256])
        elif kind == b"IDAT" and not add_inflated(raw, inflate, body, expected):
            break
    if not raw:
        return None
    missing = len(raw) < expected
    raw += bytes(expected - len(raw))
    parts = [SIGNATURE, chunk(b"IHDR", header)]
    parts += [chunk(b"PLTE", palette)] if palette else []
    parts += [chunk(b"tRNS", transparency)] if transparency else []
    parts += [chunk(b"IDAT", zlib.compress(raw, 0)), chunk(b"IEND", b"")]
    return b"".join(parts), missing


def add_inflated(raw: bytearray, inflate: zlib._Decompress, body: memoryview, expected: int) -> bool:
    """Inflate `body` to the end of `raw`, which does not grow beyond `expected`; False when it is damaged.

    Piece by piece: what a piece before the damage has given is not lost.
    """
    for at in range(0, len(body), PIECE):
        if len(raw) >= expected:
            return True
        try:
            raw += inflate.decompress(body[at : at + PIECE], expected - len(raw))
        except zlib.error:
            return False
    return True


def chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Type and body of each chunk, the last one as far as it goes."""
    at = len(SIGNATURE)
    while at + 8 <= len(view):
        length = int.from_bytes(view[at : at + 4], "big")
        kind = bytes(view[at + 4 : at + 8])
        yield kind, view[at + 8 : at + 8 + length]
        at += 12 + length


def chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk with its length and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_size(header: bytes) -> int:
    """Bytes of the inflated pixel data that an IHDR announces, filter bytes included; 0 when it makes no sense."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if not width or not height or colour not in CHANNELS or depth not in (1, 2, 4, 8, 16) or interlaced > 1:
        return 0
    pixel_bits = depth * CHANNELS[colour]
    if not interlaced:
        return int(height * (1 + (width * pixel_bits + 7) // 8))
    total = 0
    for left, top, across, down in PASSES:
        columns = (width - left + across - 1) // across
        rows = (height - top + down - 1) // down
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * pixel_bits + 7) // 8)
    return total
