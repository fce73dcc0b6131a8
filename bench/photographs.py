"""Photographs to measure on: those of Debian's packages where they are installed, else scenes made in code.

apt-get install mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 opencv-doc
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.report import progress

ROOTS = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
FIGURES = Path("/usr/share/doc/opencv-doc")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
# A wallpaper of one colour is no photograph: its gradients, by PDQ's own measure.
LEAST_QUALITY = 50


@dataclass(frozen=True, slots=True)
class Photographs:
    """source: where they come from, for the rows.  images: RGB, at most `largest` pixels on the longer side."""

    source: str
    images: tuple[Image.Image, ...]


def photographs(largest: int, limit: int | None = None) -> Photographs:
    """Up to `limit` different photographs."""
    files = [path for root in ROOTS for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        progress("no photographs installed: measuring on scenes made in code (see bench/photographs.py)")
        return Photographs("made in code", tuple(scene(seed, largest) for seed in range(limit or 20)))
    found: list[Image.Image] = []
    for path in files:
        image = loaded(path, largest)
        if quality(image) >= LEAST_QUALITY:
            found.append(image)
        if limit and len(found) == limit:
            break
    return Photographs("photographs of Debian's packages", tuple(found))


def loaded(path: Path, largest: int) -> Image.Image:
    """An image of a file in RGB, reduced so that its longer side is at most `largest`."""
    with Image.open(path) as image:
        image.draft("RGB", (largest, largest))
        rgb = image.convert("RGB")
    rgb.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return rgb


def quality(image: Image.Image) -> int:
    """PDQ's quality of an image."""
    from crawler.fingerprint.pdq import hashes

    small = image.copy()
    small.thumbnail((512, 512))
    return hashes(np.asarray(small))[0].quality


def figures(limit: int) -> list[Image.Image]:
    """Up to `limit` figures of opencv-doc: drawings, plots and screenshots, which resemble one another."""
    files = sorted(path for path in FIGURES.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return [loaded(path, 512) for path in files[:: max(1, len(files) // limit)]][:limit] if files else []


def scene(seed: int, width: int) -> Image.Image:
    """Smooth masses, fine detail, a few edges and grain: what a photograph is like to a hash."""
    rng = np.random.default_rng(seed)
    height = width * 3 // 4
    layers = []
    for cells in (7, 41):
        noise = rng.integers(0, 256, (cells, cells * 4 // 3, 3), dtype=np.uint8)
        layers.append(np.asarray(Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)))
    pixels = layers[0] * 0.7 + layers[1] * 0.25 + rng.normal(0.0, 3.0, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def file_of(image: Image.Image, format: str, **options: object) -> bytes:
    """The image as a file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
