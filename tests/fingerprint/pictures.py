"""Benign pictures for the tests of fingerprints: made in code, and photographs where Debian's packages put them."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path

import numpy as np
import pdqhash
from PIL import Image

INSTALLED = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))


def scene(seed: int, width: int = 640, height: int = 480) -> Image.Image:
    """What a photograph is like to a hash: smooth masses, a few edges, fine grain."""
    return painted(seed, width, height).copy()


@lru_cache(maxsize=64)
def painted(seed: int, width: int, height: int) -> Image.Image:
    """The scene of this seed and size, painted once."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    fine = Image.fromarray(rng.integers(0, 256, (41, 53, 3), dtype=np.uint8)).resize((width, height), Image.BICUBIC)
    pixels = np.asarray(coarse) * 0.7 + np.asarray(fine) * 0.25 + rng.normal(0.0, 3.0, (height, width, 3))
    rows, columns = np.indices((height, width))
    for _ in range(4):
        y, x, radius = rng.uniform(0, height), rng.uniform(0, width), rng.uniform(0.05, 0.2) * min(height, width)
        pixels[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] *= rng.uniform(0.4, 1.3)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@lru_cache(maxsize=8)
def photographs(limit: int, side: int) -> list[Image.Image]:
    """Installed photographs whose longer side is reduced to `side`; scenes where none are installed."""
    files = [path for root in INSTALLED for path in sorted(root.glob("**/*.jpg"))]
    if not files:
        return [scene(seed, side, side * 3 // 4) for seed in range(limit)]
    found = []
    for path in files[:: max(1, len(files) // limit)][:limit]:
        with Image.open(path) as image:
            image.draft("RGB", (side, side))
            small = image.convert("RGB")
        small.thumbnail((side, side))
        found.append(small)
    return found


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    """The image as a file of this format."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def animated(frames: list[Image.Image], format: str) -> bytes:
    """An animation of these frames."""
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=100)


def bits_apart(one: bytes, other: bytes) -> int:
    """Hamming distance."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def oracle(pixels: np.ndarray) -> tuple[bytes, int]:
    """What `pdqhash` computes: code in the byte order of its hexadecimal form, and quality."""
    vector, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(vector.astype(np.uint8)).tobytes(), quality


def oracle_squeezed(pixels: np.ndarray) -> tuple[bytes, int]:
    """What the reference's command-line tool computes: 512 x 512 by nearest neighbours first."""
    height, width = pixels.shape[:2]
    rows, columns = [p * height // 512 for p in range(512)], [p * width // 512 for p in range(512)]
    return oracle(pixels[np.ix_(rows, columns)])


def in_orientation(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The eight orientations by their definition: mirror (1), flip (2), then transpose (4)."""
    if orientation & 1:
        pixels = np.fliplr(pixels)
    if orientation & 2:
        pixels = np.flipud(pixels)
    return pixels.swapaxes(0, 1) if orientation & 4 else pixels
