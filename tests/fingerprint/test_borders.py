from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from crawler.fingerprint.borders import Box, inner_box
from tests.fingerprint.pictures import scene


def framed(top: int, bottom: int, left: int, right: int, colour: int = 0, noise: int = 0) -> np.ndarray:
    inside = np.asarray(scene(40, 200, 120).convert("L"))
    whole = np.full((120 + top + bottom, 200 + left + right), colour, dtype=np.int64)
    whole += np.random.default_rng(1).integers(-noise, noise + 1, whole.shape)
    whole[top : top + 120, left : left + 200] = inside
    return np.clip(whole, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("sides", [(30, 30, 0, 0), (0, 0, 25, 40), (10, 20, 30, 5), (0, 50, 0, 0)])
@pytest.mark.parametrize("colour", [0, 255])
def test_bars_are_found_on_any_side(sides, colour):
    top, _, left, _ = sides
    box = inner_box(framed(*sides, colour))
    assert box is not None
    assert abs(box.top - top) <= 2
    assert abs(box.bottom - top - 120) <= 2
    assert abs(box.left - left) <= 2
    assert abs(box.right - left - 200) <= 2


def test_slightly_noisy_bars_are_found():
    assert inner_box(framed(30, 30, 0, 0, 20, noise=4)) is not None


def test_bars_of_two_colours_are_both_found():
    grey = framed(0, 0, 30, 30, 0)
    grey = np.vstack([np.full((20, grey.shape[1]), 255, dtype=np.uint8), grey])
    box = inner_box(grey)
    assert box is not None
    assert box.top == 20
    assert abs(box.left - 30) <= 2


def test_a_picture_without_bars_is_left_alone():
    assert inner_box(np.asarray(scene(41, 300, 200).convert("L"))) is None


def test_bars_that_hardly_matter_are_left_alone():
    assert inner_box(framed(1, 1, 1, 1)) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 500), (500, 2), (64, 64)])
def test_a_flat_image_has_nothing_inside(size):
    assert inner_box(np.asarray(Image.new("L", size, 77))) is None


def test_a_box_grows_with_the_scale_it_was_found_at():
    box = Box(10, 50, 0, 63)
    assert box.enlarged(4, 199, 250) == Box(40, 199, 0, 250)
    assert box.enlarged(4, 199, 250).size == (159, 250)
    assert box.cut(np.zeros((60, 70), dtype=np.uint8)).shape == box.size
