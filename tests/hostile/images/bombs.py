"""Small files that want much memory or much time, of every format."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator

from PIL import Image

from tests.fingerprint.pictures import encoded, scene
from tests.hostile.images.containers import (
    PNG_SIGNATURE,
    Jpeg,
    chunk,
    header,
    riff,
    webp_part,
    webp_parts,
)

SMALL = scene(400, 64, 64)
SIDE = 8190
"""Pixels: a square of this side is just within the bound that is set on pixels."""


GREY = chunk(b"IDAT", zlib.compress(bytes(range(65)) * 64))
"""Pixels of a grey image of 64 x 64."""


def png(size: bytes, *chunks: bytes) -> bytes:
    return PNG_SIGNATURE + chunk(b"IHDR", size) + b"".join(chunks) + chunk(b"IEND", b"")


def zeroes(count: int) -> bytes:
    """What inflates to so many zeroes: a thousandth of them. The same deflated block again and again, so that making it
    takes no time; the sum of n zeroes (Adler-32) is known."""
    whole, rest = divmod(count, 1 << 20)
    block, end = zlib.compressobj(9, wbits=-15), zlib.compressobj(9, wbits=-15)
    mebibyte = block.compress(bytes(1 << 20)) + block.flush(zlib.Z_FULL_FLUSH)
    return b"x\x9c" + mebibyte * whole + end.compress(bytes(rest)) + end.flush() + struct.pack(">HH", count % 65_521, 1)


def jpeg_of_sides(width: int, height: int, **how: object) -> bytes:
    jpeg = Jpeg.of(encoded(SMALL, "JPEG", **how))
    place = jpeg.find(0xC0, 0xC2)[0]
    marker, body = jpeg.segments[place]
    jpeg.segments[place] = (marker, body[:1] + struct.pack(">HH", height, width) + body[5:])
    return jpeg.bytes()


def jpeg_with(marker: int, bodies: list[bytes]) -> bytes:
    jpeg = Jpeg.of(encoded(SMALL, "JPEG"))
    place = jpeg.find(0xC0)[0]
    jpeg.segments[place:place] = [(marker, body) for body in bodies]
    return jpeg.bytes()


def jpeg_of_scans(count: int) -> bytes:
    data = encoded(SMALL.resize((2000, 1500)), "JPEG", progressive=True, quality=20)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def jpeg_of_icc(depth: int) -> bytes:
    """A colour profile in 255 parts, that is a JPEG with a colour profile, and so on."""
    profile = bytes(100)
    for _ in range(depth):
        parts = [profile[at : at + 65_000] for at in range(0, len(profile), 65_000)][:255]
        head = b"ICC_PROFILE\0"
        bodies = [head + bytes([place + 1, len(parts)]) + part for place, part in enumerate(parts)]
        profile = jpeg_with(0xE2, bodies[::-1]) * 20
    return profile


def jpeg_of_exif() -> bytes:
    """Directories that lead to themselves, with counts of billions."""
    row = struct.pack(">HHII", 0x8769, 4, 2**32 - 1, 8) + struct.pack(">HHII", 0x927C, 7, 2**31, 8)
    body = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + row + struct.pack(">I", 8)
    return jpeg_with(0xE1, [body] * 50)


def jpeg_of_many_pictures() -> bytes:
    """An index of two billion pictures behind the first one (Multi-Picture Format)."""
    rows = struct.pack(">HHI4s", 0xB000, 7, 4, b"0100") + struct.pack(">HHII", 0xB001, 4, 1, 2**31 - 1)
    rows += struct.pack(">HHII", 0xB002, 7, 16 * (2**27), 50)
    return jpeg_with(0xE2, [b"MPF\0MM\0*" + struct.pack(">IH", 8, 3) + rows + struct.pack(">I", 0)])


def png_profile(depth: int) -> bytes:
    """A colour profile that inflates to a hundred million zeroes, or to a PNG with such a profile, and so on."""
    inner = zeroes(100_000_000)
    for _ in range(depth):
        outer = png(header(64, 64), chunk(b"iCCP", b"k\0\0" + inner), GREY)
        inner = zlib.compress(outer)
    return png(header(64, 64), chunk(b"iCCP", b"k\0\0" + inner), GREY)


def apng(frames: int, said: int, side: int = 64) -> bytes:
    """An animation of `side` pixels square that says that it has `said` frames."""
    row = zlib.compress(bytes((side + 1) * side), 9)
    control = struct.pack(">IIIIHHBB", side, side, 0, 0, 1, 10, 2, 1)
    parts = [chunk(b"acTL", struct.pack(">II", said, 0)), chunk(b"fcTL", struct.pack(">I", 0) + control)]
    parts.append(chunk(b"IDAT", row))
    for number in range(1, frames):
        parts.append(chunk(b"fcTL", struct.pack(">I", 2 * number - 1) + control))
        parts.append(chunk(b"fdAT", struct.pack(">I", 2 * number) + row))
    return png(header(side, side), *parts)


def gif_parts(data: bytes) -> tuple[bytes, bytes]:
    """The screen with its colours, and the frame."""
    start = 13 + (3 << ((data[10] & 7) + 1))
    return data[:start], data[start:-1]


def gif(width: int, height: int, frames: int) -> bytes:
    """Frames of real pixels, on a screen of any size."""
    head, frame = gif_parts(encoded(SMALL, "GIF"))
    return head[:6] + struct.pack("<HH", width, height) + head[10:] + frame * frames + b";"


def gif_full(frames: int) -> bytes:
    """Frames as large as may be, each of one colour."""
    head, frame = gif_parts(encoded(Image.new("P", (SIDE, SIDE)), "GIF"))
    return head + frame * frames + b";"


def bmp(width: int, height: int, compression: int = 0) -> bytes:
    data = bytearray(encoded(SMALL.quantize(16), "BMP"))
    struct.pack_into("<ii", data, 18, width, height)
    struct.pack_into("<I", data, 30, compression)
    return bytes(data)


def webp_lossless() -> bytes:
    """One colour. As libwebp wrote it once: encoding such a size takes a second and half a gigabyte."""
    return bytes.fromhex("524946461e000000574542505650384c110000002ffd5fff070750b9e635afff8188e87f0000")


def webp_animation(frames: int, side: int) -> bytes:
    """Frames of one pixel on a canvas of `side` pixels square."""
    pixel = b"".join(webp_part(*part) for part in webp_parts(encoded(SMALL.resize((1, 1)), "WEBP", lossless=True)))
    frame = bytes(6) + bytes(6) + (10).to_bytes(3, "little") + b"\0" + pixel
    canvas = bytes([2, 0, 0, 0]) + (side - 1).to_bytes(3, "little") * 2
    parts = [webp_part(b"VP8X", canvas), webp_part(b"ANIM", bytes(6))]
    return riff(*parts, *[webp_part(b"ANMF", frame)] * frames)


def webp_of_side(side: int) -> bytes:
    """A lossless file that says that it is so large."""
    data = bytearray(encoded(SMALL, "WEBP", lossless=True))
    at = data.index(b"VP8L") + 9
    kept = int.from_bytes(data[at : at + 4], "little") >> 28
    data[at : at + 4] = ((side - 1) | (side - 1) << 14 | kept << 28).to_bytes(4, "little")
    return bytes(data)


def avif(side: int) -> bytes:
    """The size that the container tells; that of the picture inside is another."""
    data = bytearray(encoded(SMALL, "AVIF"))
    at = data.index(b"ispe") + 8
    struct.pack_into(">II", data, at, side, side)
    return bytes(data)


def text_chunks(count: int) -> bytes:
    inner = b"k\0\0" + zeroes(100_000_000)
    return png(header(64, 64), *[chunk(b"zTXt", inner)] * count, GREY)


BOMBS: dict[str, Callable[[], bytes]] = {
    "jpeg of 4 Gpx": lambda: jpeg_of_sides(65_500, 65_500),
    "jpeg of 67 Mpx without data": lambda: jpeg_of_sides(SIDE, SIDE),
    "jpeg of 67 Mpx without data, progressive": lambda: jpeg_of_sides(SIDE, SIDE, progressive=True),
    "jpeg of 1000 scans": lambda: jpeg_of_scans(1000),
    "jpeg of 200 scans": lambda: jpeg_of_scans(200),
    "jpeg of 100,000 segments": lambda: jpeg_with(0xFE, [b""] * 100_000),
    "jpeg of large segments": lambda: jpeg_with(0xED, [b"Photoshop 3.0\0" + b"8BIM" * 16_000] * 200),
    "jpeg of nested profiles": lambda: jpeg_of_icc(3),
    "jpeg of looping directories": jpeg_of_exif,
    "jpeg of two billion pictures": jpeg_of_many_pictures,
    "png of 900 Mpx": lambda: png(header(30_000, 30_000), chunk(b"IDAT", zeroes(40_000_000))),
    "png of 4 Gpx in one row": lambda: png(header(2**31 - 1, 2), chunk(b"IDAT", zeroes(40_000_000))),
    "png of 67 Mpx": lambda: png(header(SIDE, SIDE), chunk(b"IDAT", zeroes(SIDE * (SIDE + 1)))),
    "png of 67 Mpx in 16-bit RGBA": lambda: png(header(SIDE, SIDE, 16, 6), chunk(b"IDAT", zeroes(SIDE * SIDE * 8))),
    "png of 67 Mpx, interlaced": lambda: png(header(SIDE, SIDE, 8, 2, 1), chunk(b"IDAT", zeroes(50_000_000))),
    "png that inflates without end": lambda: png(header(64, 64), chunk(b"IDAT", zeroes(400_000_000))),
    "png of text": lambda: text_chunks(20),
    "png of profile": lambda: png_profile(0),
    "png of nested profiles": lambda: png_profile(3),
    "png of 300,000 chunks": lambda: png(header(64, 64), *[chunk(b"tEXt", b"k\0v")] * 300_000, GREY),
    "png of empty pixel chunks": lambda: png(header(64, 64), *[chunk(b"IDAT", b"")] * 300_000, GREY),
    "png of two billion frames": lambda: apng(3, 2**31 - 1),
    "png of 3000 frames": lambda: apng(3000, 3000),
    "png of large frames": lambda: apng(70, 70, 4000),
    "gif of 4 Gpx": lambda: gif(65_535, 65_535, 1),
    "gif of 67 Mpx": lambda: gif(SIDE, SIDE, 5),
    "gif of 3000 frames": lambda: gif(64, 64, 3000),
    "gif of 67 Mpx in each of 70 frames": lambda: gif_full(70),
    "gif of 3 million empty frames": lambda: gif(64, 64, 1)[:-1] + b"\x2c\0\0\0\0\1\0\1\0\0\2\0" * 2_700_000,
    "webp of 268 Mpx": lambda: webp_of_side(16_384),
    "webp of 67 Mpx without data": lambda: webp_of_side(SIDE),
    "webp of 67 Mpx": webp_lossless,
    "webp of 67 Mpx in each of 1000 frames": lambda: webp_animation(1000, SIDE),
    "webp of 100,000 frames": lambda: webp_animation(100_000, 64),
    "webp of 280 Tpx": lambda: webp_animation(2, 16_777_216),
    "bmp of 3.6 Gpx": lambda: bmp(60_000, 60_000),
    "bmp of 67 Mpx without data": lambda: bmp(SIDE, SIDE),
    "bmp of 67 Mpx in runs without data": lambda: bmp(SIDE, SIDE, 1),
    "bmp upside down": lambda: bmp(64, -(2**31)),
    "avif of 4 Gpx": lambda: avif(65_000),
}


def bombs() -> Iterator[tuple[str, bytes]]:
    """One after the other: together they would be a bomb themselves."""
    for name, make in BOMBS.items():
        yield name, make()
