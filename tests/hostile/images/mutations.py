"""Files that were made wrong on purpose, the same ones for the same number.

JPEG and PNG are changed with knowledge of their structure: lengths and checksums are mended after the change, so that
decoders do not stop at the door. The others, and sometimes these too, are changed byte by byte.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from tests.fingerprint.pictures import encoded, scene
from tests.hostile.images.containers import Jpeg, Png, riff, webp_part, webp_parts

ODD = (0, 1, 2, 3, 7, 8, 15, 16, 63, 64, 127, 128, 254, 255)
ODD_SIDES = (0, 1, 2, 7, 8, 9, 63, 70, 90, 91, 255, 256, 1000, 1025, 32_767, 32_768, 65_500, 65_535)
MARKERS = (0xC0, 0xC1, 0xC2, 0xC4, 0xC9, 0xCC, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xE2, 0xEE, 0xFE)
KINDS = (
    b"PLTE",
    b"tRNS",
    b"IDAT",
    b"acTL",
    b"fcTL",
    b"fdAT",
    b"iCCP",
    b"eXIf",
    b"zTXt",
    b"iTXt",
    b"gAMA",
    b"cHRM",
    b"IEND",
)


@cache
def originals() -> dict[str, tuple[bytes, ...]]:
    """Small harmless files: format -> one of each kind that a decoder treats in a way of its own."""
    image = scene(300, 90, 70)
    layered = image.copy()
    layered.putalpha(scene(301, 90, 70).convert("L"))
    frames = [scene(seed, 90, 70) for seed in (302, 303)]
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description"
    palette = image.quantize(16)
    return {
        "JPEG": (
            encoded(image, "JPEG", quality=80),
            encoded(image, "JPEG", progressive=True, subsampling=0),
            encoded(image.convert("L"), "JPEG", restart_marker_rows=2),
            encoded(image.convert("CMYK"), "JPEG"),
            encoded(image, "JPEG", exif=exif, icc_profile=bytes(range(256)) * 2),
        ),
        "PNG": (
            encoded(image, "PNG"),
            encoded(layered, "PNG", exif=exif),
            encoded(palette, "PNG", transparency=0),
            encoded(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 256), "PNG"),
            encoded(image.convert("1"), "PNG", icc_profile=bytes(300)),
            encoded(image, "PNG", save_all=True, append_images=frames),
        ),
        "GIF": (encoded(palette, "GIF"), encoded(image, "GIF", save_all=True, append_images=frames, transparency=0)),
        "WEBP": (
            encoded(image, "WEBP", quality=70),
            encoded(image, "WEBP", lossless=True),
            encoded(layered, "WEBP", exif=exif),
            encoded(image, "WEBP", save_all=True, append_images=frames),
        ),
        "BMP": (encoded(image, "BMP"), encoded(palette, "BMP"), encoded(image.convert("1"), "BMP"), run_lengths()),
    }


def run_lengths() -> bytes:
    """A BMP of 90 x 20 pixels in runs (RLE8), which Pillow reads but does not write.

    Low: where a mutation makes it wide, Pillow fills up every row byte by byte in Python, and of 70 rows that took more
    time than all other mutated files together.
    """
    rows = b"".join(bytes([30, row % 4, 30, 1, 30, row % 3]) + b"\0\0" for row in range(20)) + b"\0\1"
    palette = bytes(range(16))
    head = struct.pack("<IiiHHIIiiII", 40, 90, 20, 1, 8, 1, len(rows), 0, 0, 4, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + palette + rows


def mutated(number: int) -> tuple[str, bytes]:
    """The mutated file of this number: its format before the change, and its bytes."""
    rng = random.Random(number)
    name = rng.choice(("JPEG", "JPEG", "JPEG", "PNG", "PNG", "PNG", "GIF", "WEBP", "BMP"))
    data = rng.choice(originals()[name])
    change = CHANGES.get(name)
    if change is not None and rng.random() < 0.8:
        data = change(rng, data)
    if change is None or rng.random() < 0.3:
        data = scrambled(rng, data)
    return name, data


def scrambled(rng: random.Random, data: bytes) -> bytes:
    """Bytes changed, taken out, doubled and cut off, near the front more often: there the headers stand."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not changed:
            break
        at = rng.randrange(min(len(changed), rng.choice((40, 200, 1_000_000))))
        match rng.randrange(6):
            case 0:
                changed[at] = rng.choice(ODD)
            case 1:
                changed[at] ^= 1 << rng.randrange(8)
            case 2:
                changed[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\1\0"))
            case 3:
                del changed[at : at + rng.randint(1, 40)]
            case 4:
                changed[at:at] = changed[at : at + rng.randint(1, 40)]
            case 5 if rng.random() < 0.2:
                del changed[at:]
    return bytes(changed)


def body_changed(rng: random.Random, body: bytes) -> bytes:
    """One part with other values in it, or of another length."""
    changed = bytearray(body)
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(4):
            case 0 if changed:
                changed[rng.randrange(len(changed))] = rng.choice(ODD)
            case 1 if changed:
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            case 2:
                del changed[rng.randrange(len(changed) + 1) :]
            case 3:
                changed += rng.randbytes(rng.choice((1, 3, 60, 800)))
    return bytes(changed)


def jpeg_changed(rng: random.Random, data: bytes) -> bytes:
    jpeg = Jpeg.of(data)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(jpeg.segments))
        marker, body = jpeg.segments[place]
        match rng.randrange(8):
            case 0:
                jpeg.segments[place] = (marker, body_changed(rng, body))
            case 1:
                jpeg.segments.insert(place, rng.choice(jpeg.segments))
            case 2 if len(jpeg.segments) > 1:
                del jpeg.segments[place]
            case 3:
                jpeg.segments[place] = (rng.choice(MARKERS), body)
            case 4:
                frame_changed(rng, jpeg)
            case 5:
                jpeg.scan = scan_changed(rng, jpeg.scan)
            case 6:
                jpeg.segments.insert(place, (0xE1, b"Exif\0\0" + odd_exif(rng)))
            case 7:
                jpeg.segments.insert(place, (0xDD, struct.pack(">H", rng.choice(ODD_SIDES))))
    return jpeg.bytes()


def frame_changed(rng: random.Random, jpeg: Jpeg) -> None:
    """Precision, size, number of components, or one component's sampling and tables."""
    places = jpeg.find(0xC0, 0xC1, 0xC2)
    if not places:
        return
    marker, body = jpeg.segments[places[0]]
    changed = bytearray(body.ljust(15, b"\0"))
    match rng.randrange(4):
        case 0:
            changed[0] = rng.choice((2, 8, 12, 16))
        case 1:
            struct.pack_into(">HH", changed, 1, rng.choice(ODD_SIDES), rng.choice(ODD_SIDES))
        case 2:
            changed[5] = rng.choice((0, 1, 2, 3, 4, 5, 255))
        case 3:
            changed[6 + rng.randrange(9)] = rng.choice((0, 0x11, 0x12, 0x14, 0x21, 0x22, 0x41, 0x44, 0xFF))
    jpeg.segments[places[0]] = (marker, bytes(changed))


def scan_changed(rng: random.Random, scan: bytes) -> bytes:
    changed = bytearray(scan)
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = rng.randbytes(1)
            case 1:
                changed[at:at] = bytes([0xFF, rng.choice((*MARKERS, *range(0xD0, 0xDA)))])
            case 2:
                changed[at:at] = rng.randbytes(rng.choice((1, 20, 300)))
            case 3:
                del changed[at : at + rng.choice((1, 20, 300))]
    return bytes(changed)


def odd_exif(rng: random.Random) -> bytes:
    """A directory of tags whose counts and offsets lead anywhere, to itself too."""
    count = rng.randint(1, 6)
    rows = b"".join(
        struct.pack(
            ">HHII", rng.choice((0x0112, 0x010E, 0x8769, 0x014A, 0x927C)), rng.randrange(14), *rng.choices(ODD, k=2)
        )
        for _ in range(count)
    )
    return (
        b"MM\0*" + struct.pack(">IH", 8, rng.choice((count, 0, 65_535))) + rows + struct.pack(">I", rng.choice((0, 8)))
    )


def png_changed(rng: random.Random, data: bytes) -> bytes:
    png = Png.of(data)
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(png.chunks))
        kind, body = png.chunks[place]
        match rng.randrange(8):
            case 0:
                png.chunks[place] = (kind, body_changed(rng, body))
            case 1:
                png.chunks.insert(place, rng.choice(png.chunks))
            case 2 if len(png.chunks) > 1:
                del png.chunks[place]
            case 3:
                png.chunks[place] = (rng.choice(KINDS), body)
            case 4:
                header_changed(rng, png)
            case 5:
                pixels_changed(rng, png)
            case 6:
                png.chunks.insert(place, (rng.choice(KINDS), rng.randbytes(rng.choice((0, 1, 8, 26, 768, 2000)))))
            case 7:
                other = rng.randrange(len(png.chunks))
                png.chunks[place], png.chunks[other] = png.chunks[other], png.chunks[place]
    return png.bytes()


def header_changed(rng: random.Random, png: Png) -> None:
    places = png.find(b"IHDR")
    if not places:
        return
    body = bytearray(png.chunks[places[0]][1].ljust(13, b"\0"))
    if rng.random() < 0.4:
        struct.pack_into(">II", body, 0, rng.choice((*ODD_SIDES, 2**31 - 1, 2**32 - 1)), rng.choice(ODD_SIDES))
    else:
        body[8 + rng.randrange(5)] = rng.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    png.chunks[places[0]] = (b"IHDR", bytes(body))


def pixels_changed(rng: random.Random, png: Png) -> None:
    """What inflates is other than it was (filter bytes among it), or there is more or less of it."""
    places = png.find(b"IDAT")
    try:
        raw = bytearray(zlib.decompress(b"".join(png.chunks[place][1] for place in places)))
    except zlib.error:
        return
    for _ in range(rng.randint(1, 20)):
        if raw:
            raw[rng.randrange(len(raw))] = rng.choice(ODD)
    match rng.randrange(4):
        case 0:
            del raw[rng.randrange(len(raw) + 1) :]
        case 1:
            raw += bytes(rng.choice((1, 1000, 200_000)))
    if places:
        png.chunks[places[0]] = (b"IDAT", zlib.compress(raw, 1))


def webp_changed(rng: random.Random, data: bytes) -> bytes:
    parts = webp_parts(data)
    place = rng.randrange(len(parts))
    kind, body = parts[place]
    match rng.randrange(3):
        case 0:
            parts[place] = (kind, body_changed(rng, body[:60]) + body[60:])
        case 1:
            parts.insert(place, rng.choice(parts))
        case 2:
            parts[place] = (rng.choice((b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF")), body)
    return riff(*(webp_part(kind, body) for kind, body in parts))


CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "JPEG": jpeg_changed,
    "PNG": png_changed,
    "WEBP": webp_changed,
}
