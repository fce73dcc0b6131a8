"""Benign pictures made in code: smooth noise in colour, each seed another one, far apart by PDQ."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (400, 300)) -> Image.Image:
    noise = np.random.default_rng(seed).normal(size=(9, 12, 3))
    low, high = noise.min(), noise.max()
    return Image.fromarray(((noise - low) / (high - low) * 255).astype("uint8")).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
