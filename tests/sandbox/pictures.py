"""Harmless pictures made in code, for the tests of the sandbox."""

from __future__ import annotations

import io

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
