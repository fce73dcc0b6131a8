"""Harmless pictures made in code, for the tests of the sandbox."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image


def picture(seed: int, width: int = 800, height: int = 600) -> Image.Image:
    """Coloured clouds, different for every seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(2, height // 48), max(2, width // 48), 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def every_kind() -> dict[str, bytes]:
    """What a crawler meets: name -> file."""
    plain = picture(1)
    small = picture(2, 160, 120)
    layered = small.copy()
    layered.putalpha(picture(3, 160, 120).convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = Image.fromarray((np.arange(19_200).reshape(120, 160) * 3).astype(np.uint16))
    frames = [picture(seed, 160, 120) for seed in (5, 6, 7)]
    kinds = {
        "jpeg": encoded(plain, "JPEG", quality=85),
        "jpeg progressive": encoded(plain, "JPEG", progressive=True),
        "jpeg grey": encoded(small.convert("L"), "JPEG"),
        "jpeg cmyk": encoded(small.convert("CMYK"), "JPEG"),
        "jpeg turned": encoded(small, "JPEG", exif=exif.tobytes()),
        "jpeg several": encoded(small, "MPO", save_all=True, append_images=[frames[0]]),
        "jpeg large": encoded(picture(4, 1600, 1200), "JPEG", quality=70),
        "png": encoded(plain, "PNG"),
        "png transparent": encoded(layered, "PNG"),
        "png palette": encoded(small.quantize(16), "PNG", transparency=0),
        "png 16 bits": encoded(deep, "PNG"),
        "png animated": encoded(small, "PNG", save_all=True, append_images=frames),
        "gif": encoded(small, "GIF"),
        "gif animated": encoded(small, "GIF", save_all=True, append_images=frames),
        "webp": encoded(plain, "WEBP", quality=80),
        "webp lossless": encoded(plain, "WEBP", lossless=True),
        "webp large": encoded(picture(4, 1600, 1200), "WEBP", quality=70),
        "webp transparent": encoded(layered.resize((1200, 900)), "WEBP"),
        "webp animated": encoded(small, "WEBP", save_all=True, append_images=frames),
        "bmp": encoded(small, "BMP"),
        "bmp palette": encoded(small.quantize(16), "BMP"),
        "tiff": encoded(small, "TIFF"),
        "svg": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
        "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
        "html": b"<!doctype html><title>not an image</title>",
        "empty": b"",
        "one byte": b"\xff",
    }
    jpeg, png = kinds["jpeg"], kinds["png"]
    for tenth in range(1, 10):
        kinds[f"jpeg cut at {tenth}0 %"] = jpeg[: len(jpeg) * tenth // 10]
        kinds[f"png cut at {tenth}0 %"] = png[: len(png) * tenth // 10]
    return kinds


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that claims this size, 8-bit grey, with these chunks."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Small files that want much memory or time."""
    zeroes = zlib.compress(bytes(40_000_000), 1)
    text = zlib.compress(bytes(100_000_000), 1)
    huge = bytearray(encoded(picture(8, 64, 64), "JPEG"))
    at = huge.index(b"\xff\xc0") + 5
    huge[at : at + 4] = struct.pack(">HH", 65_500, 65_500)
    gif = bytearray(encoded(picture(8, 64, 64), "GIF"))
    gif[6:10] = struct.pack("<HH", 65_535, 65_535)
    bmp = bytearray(encoded(picture(8, 64, 64), "BMP"))
    bmp[18:26] = struct.pack("<ii", 60_000, 60_000)
    many = encoded(picture(8, 64, 64).quantize(4), "GIF")
    body = many[many.index(b"\x2c") : -1]
    return {
        "png of 900 Mpx": png_of(30_000, 30_000, chunk(b"IDAT", zeroes)),
        "png with much text": png_of(64, 64, *[chunk(b"zTXt", b"k\0\0" + text)] * 20, chunk(b"IDAT", zeroes[:2000])),
        "png with much colour profile": png_of(64, 64, chunk(b"iCCP", b"k\0\0" + text), chunk(b"IDAT", zeroes[:2000])),
        "png with many chunks": png_of(64, 64, *[chunk(b"tEXt", b"k\0v")] * 200_000),
        "jpeg of 4 Gpx": bytes(huge),
        "gif of 4 Gpx": bytes(gif),
        "gif of 3000 frames": many[: many.index(b"\x2c")] + body * 3000 + b";",
        "bmp of 3.6 Gpx": bytes(bmp),
    }
