"""What happens to pictures on their way through the web, each as a function from an image to the bytes of a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from bench.photographs import file_of

Change = Callable[[Image.Image], bytes]


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    return file_of(image.convert("RGB"), "JPEG", quality=quality)


def resized(image: Image.Image, share: float) -> Image.Image:
    return image.resize(
        (max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.LANCZOS
    )


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((x, y, image.width - x, image.height - y))


def cropped_unevenly(image: Image.Image, share: float) -> Image.Image:
    """Cut away on one side of each axis only."""
    return image.crop((0, 0, image.width - round(image.width * share), image.height - round(image.height * share)))


def padded(image: Image.Image, across: float, down: float, colour: str) -> Image.Image:
    x, y = round(image.width * across), round(image.height * down)
    return ImageOps.expand(image, (x, y), colour)


def watermarked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    size = max(12, image.height // 12)
    for step in range(3):
        at = (image.width // 12, image.height * (2 * step + 1) // 6)
        draw.text(at, "example.org  example.org", fill=(255, 255, 255, 140), font_size=size)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(7).normal(0.0, 8.0, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def brighter(image: Image.Image, by: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(by)


CHANGES: dict[str, Change] = {
    "JPEG of quality 85": jpeg,
    "JPEG of quality 60": lambda image: jpeg(image, 60),
    "JPEG of quality 30": lambda image: jpeg(image, 30),
    "PNG": lambda image: file_of(image, "PNG", compress_level=1),
    "WebP of quality 75": lambda image: file_of(image, "WEBP", quality=75),
    "GIF of 256 colours": lambda image: file_of(image.quantize(256), "GIF"),
    "resized to 75 %": lambda image: jpeg(resized(image, 0.75)),
    "resized to 50 %": lambda image: jpeg(resized(image, 0.5)),
    "resized to 200 %": lambda image: jpeg(resized(image, 2.0)),
    "watermark": lambda image: jpeg(watermarked(image)),
    "mirrored": lambda image: jpeg(ImageOps.mirror(image)),
    "turned by 90 degrees": lambda image: jpeg(image.transpose(Image.Transpose.ROTATE_90)),
    "cropped by 2 %": lambda image: jpeg(cropped(image, 0.02)),
    "cropped by 5 %": lambda image: jpeg(cropped(image, 0.05)),
    "cropped by 10 %": lambda image: jpeg(cropped(image, 0.1)),
    "cropped by 2 % on one side": lambda image: jpeg(cropped_unevenly(image, 0.02)),
    "black bars above and below, 10 % each": lambda image: jpeg(padded(image, 0.0, 0.1, "black")),
    "white frame of 5 %": lambda image: jpeg(padded(image, 0.05, 0.05, "white")),
    "brighter by 20 %": lambda image: jpeg(brighter(image, 1.2)),
    "darker by 20 %": lambda image: jpeg(brighter(image, 0.8)),
    "noise": lambda image: jpeg(noisy(image)),
    "greyscale": lambda image: file_of(image.convert("L"), "JPEG", quality=85),
    "resized to 50 %, watermark, JPEG of quality 60": lambda image: jpeg(watermarked(resized(image, 0.5)), 60),
    "mirrored, cropped by 2 %, JPEG of quality 60": lambda image: jpeg(cropped(ImageOps.mirror(image), 0.02), 60),
    "greyscale, darker, WebP": lambda image: file_of(brighter(image.convert("L"), 0.8), "WEBP", quality=75),
    "mirrored, white frame, resized to 75 %": lambda image: jpeg(
        resized(padded(ImageOps.mirror(image), 0.05, 0.05, "white"), 0.75)
    ),
}


def to_thumbnail(side: int) -> Change:
    return lambda image: jpeg(thumbnail(image, side))


THUMBNAILS: dict[str, Change] = {f"thumbnail of {side} px": to_thumbnail(side) for side in (200, 150, 100, 75)}
