from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fingerprint.cuts import SIDES, Cut
from crawler.fingerprint.transforms import ORIENTATIONS, UPRIGHT, Transform, after, parse_transform
from tests.fingerprint.pictures import in_orientation, scene

TRANSFORMS = st.builds(
    Transform,
    frame=st.integers(0, 999_999),
    on_white=st.booleans(),
    trimmed=st.booleans(),
    uncropped=st.none() | st.builds(Cut, st.integers(1, 99), st.sampled_from(sorted(SIDES))),
    exif=st.booleans(),
    orientation=st.integers(0, 7),
    squeezed=st.booleans(),
)


@given(TRANSFORMS)
def test_every_name_reads_back(transform):
    assert parse_transform(str(transform)) == transform


def test_names_are_those_of_the_records():
    assert str(Transform()) == "none"
    assert str(Transform(squeezed=True)) == "512"
    every = Transform(12, True, True, Cut(5), True, 5, True)
    assert str(every) == "frame-12+on-white+trimmed+uncropped-5+exif+rot90+512"
    assert str(Transform(uncropped=Cut(2, "top-left"), orientation=1)) == "uncropped-2-top-left+mirror"


ODD_TURNS = (
    "",
    "+",
    "none+mirror",
    "mirror+",
    "+mirror",
    "mirror+mirror",
    "512+mirror",
    "frame-0",
    "frame--1",
    "mirror512",
)
ODD_CUTS = ("uncropped", "uncropped-0", "uncropped-5-", "uncropped-5-middle", "uncropped-5-top-down", "uncropped-100")


@pytest.mark.parametrize("text", ODD_TURNS + ODD_CUTS)
def test_other_names_are_refused(text):
    assert parse_transform(text) is None


@given(st.integers(0, 7), st.integers(0, 7))
def test_orientations_compose(first, second):
    pixels = np.arange(6).reshape(2, 3)
    expected = in_orientation(in_orientation(pixels, first), second)
    assert np.array_equal(in_orientation(pixels, after(first, second)), expected)


def test_turns_are_counter_clockwise():
    pixels = np.arange(6).reshape(2, 3)
    for name, turns in (("rot90", 1), ("rot180", 2), ("rot270", 3)):
        assert np.array_equal(in_orientation(pixels, ORIENTATIONS.index(name)), np.rot90(pixels, turns))


@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientations_are_those_of_pillow(tag):
    from PIL import Image, ImageOps

    image = scene(4, 30, 20)
    exif = Image.Exif()
    exif[0x0112] = tag
    image.info["exif"] = exif.tobytes()
    upright = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(in_orientation(np.asarray(image), UPRIGHT[tag]), upright)
