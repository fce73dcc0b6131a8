"""Guards against entries that would flood: values that harmless files have, or that no real image has.

A list with the digest of the empty file, of a tracking pixel, or with the code of a blank image would raise a hit on
every second page. Such entries are refused when a list is imported, each with its reason.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import struct
import zlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from crawler.match.entries import DIGEST_BYTES, Entry
from crawler.records import Rejected

PDQ_ONES = "the number of one bits is not within 80 to 176"
"""The reference compares with the median, so that nearly all PDQ codes have 128 ones."""

DISTINCT_BYTES = {"md5": 5, "sha1": 5, "sha256": 7, "pdq": 8, "photodna": 8}
"""Fewer distinct bytes are a made-up value. A random digest of 16 bytes has so few in one of 10**17."""

LONGEST_PERIOD = 8
"""Bytes. A value whose first eight come a second time is made up, or the code of a pattern; by chance, one in 2**64."""


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG file (PNG specification, section 5.3)."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_pixels() -> Iterator[bytes]:
    """PNGs of one pixel, black and white, opaque and transparent, as encoders write them: at the usual levels and
    strategies of compression, with any filter. Colour types: 0 grey, 2 RGB, 4 grey and alpha, 6 RGBA."""
    shades = (b"\0", b"\xff")
    pixels = [(0, shade) for shade in shades] + [(2, shade * 3) for shade in shades]
    pixels += [(4, shade + alpha) for shade in shades for alpha in shades]
    pixels += [(6, shade * 3 + alpha) for shade in shades for alpha in shades]
    strategies = (zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_RLE)
    usual = itertools.product(pixels, (0, 1, 6, 9), strategies, range(5))
    for (colour_type, pixel), level, strategy, filter_type in usual:
        header = struct.pack(">IIBBBBB", 1, 1, 8, colour_type, 0, 0, 0)
        encoder = zlib.compressobj(level, strategy=strategy)
        data = encoder.compress(bytes([filter_type]) + pixel) + encoder.flush()
        yield b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif_pixels() -> Iterator[bytes]:
    """GIFs of one pixel and two colours (GIF89a specification), as servers' modules, trackers and spacers write them:
    every usual combination of flags, background, colours, transparency and compressed data."""
    black, white, grey = b"\0\0\0", b"\xff\xff\xff", b"\xc0\xc0\xc0"
    colours = (black + white, white + black, white + white, black + black, grey + white)
    controls = (b"", *(b"!\xf9\x04" + bytes([flag, 0, 0, index, 0]) for flag, index in ((0, 0), (1, 0), (1, 1))))
    bodies = (b"\x02\x02D\x01\0", b"\x02\x02L\x01\0", b"\x02\x01D\0", b"\x02\x01L\0")
    usual = itertools.product((b"87a", b"89a"), (0x80, 0xF0), (0, 1), colours, controls, bodies)
    for version, flags, background, table, control, body in usual:
        screen = struct.pack("<HHBBB", 1, 1, flags, background, 0)
        image = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
        yield b"GIF" + version + screen + table + control + image + body + b";"


def placeholders() -> Iterator[tuple[str, bytes]]:
    """Files that stand everywhere on the web, as (what, bytes), made here."""
    yield "empty content", b""
    for what, body in (("a line feed", b"\n"), ("a line break", b"\r\n"), ("a space", b" "), ("a zero byte", b"\0")):
        yield f"content of {what}", body
    for size in (512, 1024, 4096, 65_536, 1_048_576):
        yield "content of zero bytes", bytes(size)
    for text in (b"0", b"1", b"OK", b"null", b"{}", b"[]", b"404 page not found\n", b"Not Found", b"File not found."):
        yield "a server's short answer", text

    for body in gif_pixels():
        yield "a GIF of one pixel", body
    # Without a colour table, or with four colours: from lazy-loading scripts, where they stand as data URLs.
    for pixel in (
        "R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==",
        "R0lGODlhAQABAAAAACwAAAAAAQABAAA=",
        "R0lGODlhAQABAAD/ACwAAAAAAQABAAACADs=",
        "R0lGODlhAQABAJEAAAAAAP///////////yH5BAEAAAIALAAAAAABAAEAAAICVAEAOw==",
    ):
        yield "a GIF of one pixel", base64.b64decode(pixel)
    for body in png_pixels():
        yield "a PNG of one pixel", body
    # The transparent pixel that style sheets and mail carry as a data URL (from a common PNG optimiser).
    for pixel in (
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=",
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAAC0lEQVR42mNgAAIAAAUAAen63NgAAAAASUVORK5CYII=",
    ):
        yield "a PNG of one pixel", base64.b64decode(pixel)


def digests() -> Mapping[bytes, str]:
    """Digest of each placeholder, by every algorithm -> what it is. The lengths tell the algorithms apart."""
    found = {}
    for what, body in placeholders():
        for algorithm in DIGEST_BYTES:
            found[hashlib.new(algorithm, body, usedforsecurity=False).digest()] = what
    return MappingProxyType(found)


KNOWN = digests()


def guard(entry: Entry) -> Rejected | None:
    """Why an entry is refused, or None. The reason is "poison", the detail says which guard."""
    detail = flaw(entry.algorithm, entry.value)
    return None if detail is None else Rejected("poison", detail)


def flaw(algorithm: str, value: bytes) -> str | None:
    """The guard that a value fails, in words, or None."""
    if value in KNOWN:
        return f"digest of {KNOWN[value]}"
    if algorithm == "phash":
        return "all bits are equal" if value in (bytes(8), b"\xff" * 8) else None
    if algorithm == "pdq" and not 80 <= int.from_bytes(value).bit_count() <= 176:
        return PDQ_ONES if value.strip(value[:1]) else "all bits are equal"
    if len(set(value)) < DISTINCT_BYTES[algorithm]:
        return "low entropy" if value.strip(value[:1]) or value[0] not in (0, 255) else "all bits are equal"
    return "low entropy" if value[:LONGEST_PERIOD] == value[LONGEST_PERIOD : 2 * LONGEST_PERIOD] else None
