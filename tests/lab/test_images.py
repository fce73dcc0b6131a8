from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from crawler.lab.images import Derivative, File, Picture, encoded, pixels, steady_number
from crawler.lab.listed import LISTED, with_pdq
from crawler.lab.plan import build_plan
from tests.lab.seen import all_bits, bits_of, decode, distance, pdq


def test_the_same_numbers_give_the_same_file() -> None:
    file = File(Picture(4, 320, 240), "PNG")
    first = encoded(file)
    encoded.cache_clear()
    assert encoded(file) == first
    assert encoded(File(Picture(5, 320, 240), "PNG")) != first


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_file_is_of_its_format_and_size(format: str) -> None:
    data = encoded(File(Picture(6, 300, 200), format))
    assert decode(data).size == (300, 200)
    assert {"JPEG": b"\xff\xd8", "PNG": b"\x89P", "GIF": b"GI", "WEBP": b"RI"}[format] == data[:2]


def test_all_pictures_of_the_plan_are_rich_and_far_apart() -> None:
    pictures = {file.picture for file in build_plan(80).files if file.picture.like is None}
    pictures |= {entry.picture for entry in LISTED.values() if isinstance(entry.source, File)}
    assert len(pictures) > 100
    arrays = [pixels(picture) for picture in sorted(pictures, key=lambda picture: picture.seed)]
    hashed = [pdq(array) for array in arrays]
    assert min(quality for _, quality in hashed) >= 50
    codes = np.array([bits for bits, _ in hashed])
    mirrored = np.array([pdq(array[:, ::-1])[0] for array in arrays])
    # Mirrored against as is covers a mirrored pair too: mirroring both changes no distance but for rounding.
    for number, code in enumerate(codes):
        apart = np.concatenate([(codes[number + 1 :] != code).sum(axis=1), (mirrored != code).sum(axis=1)])
        assert apart.min() > 84


ANY = Picture(0)


@pytest.mark.parametrize(
    "change",
    [
        File(ANY, derivative=Derivative.RESIZED, scale=0.5),
        File(ANY, derivative=Derivative.RESIZED, scale=0.75),
        File(ANY, derivative=Derivative.RECOMPRESSED, quality=40),
        File(ANY, derivative=Derivative.RECOMPRESSED, quality=90),
        File(ANY, derivative=Derivative.WATERMARKED),
        File(ANY, derivative=Derivative.MIRRORED),
        File(ANY, "GIF"),
        File(ANY, "WEBP"),
    ],
    ids=lambda file: f"{file.derivative}-{file.format}-{file.quality}-{file.scale}",
)
def test_derivatives_stay_near(change: File) -> None:
    for entry in with_pdq()[:5]:
        found = all_bits(encoded(replace(change, picture=entry.picture)))
        assert min(distance(bits_of(entry.content()), bits) for bits in found) <= 20


def test_lookalikes_resemble_and_are_far() -> None:
    for number, entry in enumerate(with_pdq()):
        original = entry.picture
        kin = Picture(steady_number(f"kin {number}"), original.width, original.height, original.seed)
        codes = [bits_of(entry.content()), *all_bits(encoded(File(kin)))]
        assert min(distance(codes[0], code) for code in codes[1:]) > 60
        # Same palette: the mean colour hardly moves, while that of two other pictures does.
        ours, theirs = (pixels(picture).mean(axis=(0, 1)) for picture in (original, kin))
        assert np.abs(ours - theirs).max() < 25


def test_entries_differ() -> None:
    contents = [entry.content() for entry in LISTED.values()]
    assert len(set(contents)) == len(contents)
    pairs = combinations([bits_of(entry.content()) for entry in with_pdq()], 2)
    assert min(distance(*pair) for pair in pairs) > 90
