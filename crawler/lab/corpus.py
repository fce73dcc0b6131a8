"""Harmless pictures on which a hash list is tried before it is enabled. None of them is on the lab's own list.

Pictures made in code in the usual formats, look-alikes of listed ones, plain and nearly plain ones (gradients, stripes,
frames, text on a ground), as pages are full of, and the placeholders that the poison guards know.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image, ImageDraw

from crawler.lab.images import File, Picture, encoded
from crawler.lab.listed import FIRST_SEED
from crawler.match.poison import placeholders

PICTURES = 60
LOOK_ALIKES = 12
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF")
_SIZES = ((480, 360), (360, 480), (400, 400))
_SEED = 70_000
_SIDE = 256


def corpus() -> Iterator[tuple[str, bytes]]:
    """(What it is, its file) for each, the same ones at every call."""
    for number in range(PICTURES):
        picture = Picture(_SEED + number, *_SIZES[number % len(_SIZES)])
        yield f"picture {number}", encoded(File(picture, _FORMATS[number % len(_FORMATS)]))
    for number in range(LOOK_ALIKES):
        picture = Picture(_SEED + 1_000 + number, 480, 360, like=FIRST_SEED + number)
        yield f"look-alike {number}", encoded(File(picture))
    yield from _plain()
    # Every one of a kind would be refused or found alike; the first of each kind stands for it.
    yield from {what: body for what, body in placeholders() if body}.items()


def _plain() -> Iterator[tuple[str, bytes]]:
    """What pages are full of."""
    for name in ("across", "down", "frame", "stripes", "checks", "disc", "text"):
        image = Image.new("RGB", (_SIDE, _SIDE), (236, 236, 236))
        _draw(name, image)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        yield f"graphic: {name}", buffer.getvalue()


def _draw(name: str, image: Image.Image) -> None:
    draw, last = ImageDraw.Draw(image), _SIDE - 1
    match name:
        case "across" | "down":
            for at in range(_SIDE):
                line = (at, 0, at, last) if name == "across" else (0, at, last, at)
                draw.line(line, fill=(at, at, 255 - at // 2))
        case "frame":
            draw.rectangle((8, 8, last - 8, last - 8), outline=(40, 40, 40), width=6)
        case "stripes":
            for at in range(0, _SIDE, 32):
                draw.rectangle((at, 0, at + 15, last), fill=(90, 120, 160))
        case "checks":
            for at in range(64):
                x, y = at % 8 * 32, at // 8 * 32
                draw.rectangle((x, y, x + 31, y + 31), fill=(200, 200, 200) if (at + at // 8) % 2 else (255, 255, 255))
        case "disc":
            draw.ellipse((48, 48, last - 48, last - 48), fill=(200, 60, 40))
        case _:
            draw.text((20, 100), "Geen afbeelding beschikbaar", fill=(90, 90, 90), font_size=16)
