"""Benign pictures made in code: the same numbers give the same pixels and the same file, on every run.

A picture is noise of several octaves under a palette of its own, with a gradient and flat shapes on it: enough texture
for a PDQ quality of 100, and any two of them about 128 bits apart. A look-alike keeps palette, shapes, gradient and a
part of the texture of another picture, and is nevertheless more than 60 bits away from it.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

OCTAVES = ((3, 0.5), (6, 1.0), (11, 1.0), (19, 0.9), (34, 0.6), (80, 0.3))
"""Cells along the longer side, and weight, of each layer of noise."""

LIKENESS = 0.5
"""Share of the other picture's texture in a look-alike: as near as possible with a safe margin above 60 bits."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture. width, height: pixels.  like: the seed of the picture that it resembles, None for none."""

    seed: int
    width: int = 640
    height: int = 480
    like: int | None = None


class Derivative(StrEnum):
    """What was done to a listed original before it was planted."""

    AS_IS = "as is"
    RESIZED = "resized"
    RECOMPRESSED = "recompressed"
    MIRRORED = "mirrored"
    WATERMARKED = "watermarked"


@dataclass(frozen=True, slots=True)
class File:
    """One file of a picture.

    format: JPEG, PNG, GIF or WEBP.  quality: of JPEG and WebP, 1 to 100.  scale: of width and height, for RESIZED.
    """

    picture: Picture
    format: str = "JPEG"
    derivative: Derivative = Derivative.AS_IS
    quality: int = 88
    scale: float = 1.0


def pixels(picture: Picture) -> NDArray[np.uint8]:
    """The picture as (height, width, 3) uint8, RGB."""
    kin = picture.seed if picture.like is None else picture.like
    layout = np.random.default_rng((kin, 1))
    texture = _texture(np.random.default_rng((kin, 2)), picture)
    if picture.like is not None:
        own = _texture(np.random.default_rng((picture.seed, 2)), picture)
        texture = LIKENESS * texture + np.sqrt(1 - LIKENESS**2) * own
    tone = _with_shapes(layout, texture, picture) + _gradient(layout, picture)
    found: NDArray[np.uint8] = _palette(layout)[np.clip(tone * 42 + 128, 0, 255).astype(np.uint8)]
    return found


@lru_cache(maxsize=2048)
def encoded(file: File) -> bytes:
    """The bytes of a file; kept, since a lab asks for the same ones again."""
    image = _derived(Image.fromarray(pixels(file.picture)), file)
    buffer = io.BytesIO()
    match file.format:
        case "JPEG":
            image.save(buffer, "JPEG", quality=file.quality)
        case "WEBP":
            image.save(buffer, "WEBP", quality=file.quality, method=0)
        case "PNG":
            image.save(buffer, "PNG", compress_level=1)
        case _:
            image.save(buffer, file.format)
    return buffer.getvalue()


def decoded(data: bytes) -> NDArray[np.uint8]:
    """The pixels of a file that `encoded` made, (height, width, 3) uint8, RGB."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def steady_number(text: str) -> int:
    """A number for a text, the same on every run; clear of those that are given by hand (below 1,000,000)."""
    return 1_000_000 + zlib.crc32(text.encode())


def extension(format: str) -> str:
    """The usual extension of a format, without the dot."""
    return "jpg" if format == "JPEG" else format.lower()


def media_type(format: str) -> str:
    """The Content-Type of a format."""
    return f"image/{format.lower()}"


def _derived(image: Image.Image, file: File) -> Image.Image:
    match file.derivative:
        case Derivative.RESIZED:
            size = (round(image.width * file.scale), round(image.height * file.scale))
            return image.resize(size, Image.Resampling.LANCZOS)
        case Derivative.MIRRORED:
            return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        case Derivative.WATERMARKED:
            return _watermarked(image)
        case _:
            return image


def _watermarked(image: Image.Image) -> Image.Image:
    mark = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(mark)
    for row in range(4):
        draw.text(
            (20 + row * 60, image.height * (row + 0.5) / 4), "proef.example", fill=(255, 255, 255, 110), font_size=26
        )
    return Image.alpha_composite(image.convert("RGBA"), mark).convert("RGB")


def _texture(rng: np.random.Generator, picture: Picture) -> NDArray[np.float32]:
    # Half the size is enough for noise, and four times as fast.
    height, width = picture.height // 2, picture.width // 2
    total = np.zeros((height, width), np.float32)
    for cells, weight in OCTAVES:
        unit = max(height, width) / cells
        grid = rng.random((round(height / unit) + 2, round(width / unit) + 2), dtype=np.float32) - np.float32(0.5)
        layer = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.float32(weight) * np.asarray(layer)
    even: NDArray[np.float32] = total / total.std()
    return even


def _with_shapes(rng: np.random.Generator, texture: NDArray[np.float32], picture: Picture) -> NDArray[np.float32]:
    width, height = picture.width, picture.height
    image = Image.fromarray(texture).resize((width, height), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = rng.random() * width, rng.random() * height
        radius = (0.04 + 0.12 * rng.random()) * min(width, height)
        tone = float(rng.random() * 4 - 2)
        match int(rng.integers(3)):
            case 0:
                draw.ellipse([x - radius, y - radius * 0.7, x + radius, y + radius * 0.7], fill=tone)
            case 1:
                angles = rng.random() * 6.28 + np.array([0, 1.9, 4.1])
                draw.polygon([(x + radius * np.cos(a), y + radius * np.sin(a)) for a in angles], fill=tone)
            case _:
                draw.rectangle([x - radius, y - radius * 0.4, x + radius, y + radius * 0.4], fill=tone)
    return np.asarray(image)


def _gradient(rng: np.random.Generator, picture: Picture) -> NDArray[np.float32]:
    angle = rng.random() * 6.28
    across = np.linspace(-1, 1, picture.width, dtype=np.float32)[None]
    down = np.linspace(-1, 1, picture.height, dtype=np.float32)[:, None]
    slope: NDArray[np.float32] = (0.6 * (np.cos(angle) * across + np.sin(angle) * down)).astype(np.float32)
    return slope


def _palette(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(256, 3) uint8: from a dark tone over two colours to a light one."""
    stops = [0.0, *(np.sort(rng.random(2)) * 0.5 + 0.25), 1.0]
    dark, first, second = rng.random(3) * 50, rng.random(3) * 140 + 40, rng.random(3) * 140 + 80
    colours = np.stack([dark, first, second, 255 - rng.random(3) * 60])
    steps = np.linspace(0, 1, 256)
    return np.stack([np.interp(steps, stops, colours[:, i]) for i in range(3)], axis=-1).astype(np.uint8)
