"""Image files taken apart into their parts, and put together again from parts that nobody would write."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass
class Jpeg:
    """segments: (marker, payload) up to and with the first SOS.  scan: everything after it."""

    segments: list[tuple[int, bytes]]
    scan: bytes

    @classmethod
    def of(cls, data: bytes) -> Jpeg:
        segments, at = [], 2
        while True:
            marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
            segments.append((marker, data[at + 4 : at + 2 + length]))
            at += 2 + length
            if marker == 0xDA:
                return cls(segments, data[at:])

    def bytes(self) -> bytes:
        return b"\xff\xd8" + b"".join(segment(marker, body) for marker, body in self.segments) + self.scan

    def find(self, *markers: int) -> list[int]:
        """The places of segments with one of these markers."""
        return [place for place, (marker, _) in enumerate(self.segments) if marker in markers]


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", min(65_535, len(body) + 2)) + body


@dataclass
class Png:
    """chunks: (type, body), IHDR and IEND among them."""

    chunks: list[tuple[bytes, bytes]]

    @classmethod
    def of(cls, data: bytes) -> Png:
        chunks, at = [], 8
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
            at += 12 + length
        return cls(chunks)

    def bytes(self) -> bytes:
        return PNG_SIGNATURE + b"".join(chunk(kind, body) for kind, body in self.chunks)

    def find(self, *kinds: bytes) -> list[int]:
        return [place for place, (kind, _) in enumerate(self.chunks) if kind in kinds]


def chunk(kind: bytes, body: bytes) -> bytes:
    """With its length and checksum, which are right, so that a decoder goes on to what is inside."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    """The body of an IHDR."""
    return struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)


def riff(*parts: bytes) -> bytes:
    """A WebP file of these chunks."""
    body = b"WEBP" + b"".join(parts)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_part(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def webp_parts(data: bytes) -> list[tuple[bytes, bytes]]:
    """(type, body) of each chunk of a WebP file."""
    parts, at = [], 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        parts.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
        at += 8 + length + length % 2
    return parts
