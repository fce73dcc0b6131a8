"""Photographs to measure on: those of Debian's packages where they are installed, else scenes made in code.

apt-get install mate-backgrounds lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 opencv-doc
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.report import progress

ROOTS = (Path("/usr/share/backgrounds"), Path("/usr/share/wallpapers"))
FIGURES = Path("/usr/share/doc/opencv-doc")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
DIAGRAM = re.compile(r"^(class|struct|union|group__|dir_|interface)|graph|_dep_|inherit")
# Figures that show the same picture under another name (looked at one by one), and the name that they share it with.
SAME = {
    "gray": "notes",
    "j": "Morphology_1_Tutorial_Theory_Original_Image",
    "black_bg": "bin",
    "circumcircle": "boundingrect",
    "diamondsaxis": "detecteddiamonds",
    "lapsrn_div2k": "lanczos_div2k",
    "nearest_div2k": "lanczos_div2k",
    "opencv_resnet50_test_res_c": "squirrel_cls",
    "blur": "filter",
}
# A wallpaper of a few plain colours is no photograph: by PDQ's own measure, which counts gradients up to 100.
LEAST_QUALITY = 70


@dataclass(frozen=True, slots=True)
class Photographs:
    """source: where they come from, for the rows.  images: RGB, at most `largest` pixels on the longer side.

    names: file names without suffix, of each image.
    """

    source: str
    images: tuple[Image.Image, ...]
    names: tuple[str, ...]


def photographs(largest: int, limit: int | None = None) -> Photographs:
    """Up to `limit` different photographs."""
    files = [path for root in ROOTS for path in sorted(root.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        progress("no photographs installed: measuring on scenes made in code (see bench/photographs.py)")
        seeds = range(limit or 20)
        names = tuple(f"{chr(97 + seed % 26) * 4}{seed // 26}" for seed in seeds)
        return Photographs("scenes made in code", tuple(scene(seed, largest) for seed in seeds), names)
    found: list[Image.Image] = []
    names_found: list[str] = []
    for path in files:
        image = loaded(path, largest)
        if quality(image) >= LEAST_QUALITY:
            found.append(image)
            names_found.append(path.stem)
        if limit and len(found) == limit:
            break
    return Photographs("photographs of Debian's packages", tuple(found), tuple(names_found))


def loaded(path: Path, largest: int) -> Image.Image:
    """An image of a file in RGB, reduced so that its longer side is at most `largest`."""
    with Image.open(path) as image:
        image.draft("RGB", (largest, largest))
        rgb = image.convert("RGBA").convert("RGB")
    rgb.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return rgb


def quality(image: Image.Image) -> int:
    """PDQ's quality of an image."""
    from crawler.fingerprint.pdq import hashes

    small = image.copy()
    small.thumbnail((512, 512))
    return hashes(np.asarray(small))[0].quality


def figures(limit: int) -> list[tuple[str, Image.Image]]:
    """Up to `limit` figures of opencv-doc with their names: drawings, plots, screenshots, which resemble one another.

    Without the diagrams that Doxygen draws of classes: those differ in a word only, so they are the same picture.
    """
    files = sorted(path for path in FIGURES.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    drawn = [path for path in files if not DIAGRAM.search(path.name)]
    return [(SAME.get(path.stem, path.stem), loaded(path, 512)) for path in drawn[:: max(1, len(drawn) // limit)]][
        :limit
    ]


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
