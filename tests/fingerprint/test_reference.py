from __future__ import annotations

import numpy as np
import pdqhash
import pytest
from hypothesis import given, settings

from crawler.fingerprint.reference import coefficients, luma_of, reference_pdq
from tests.fingerprint.pictures import oracle, photographs, scene
from tests.fingerprint.test_pdq import synthetic


@settings(max_examples=120, deadline=None)
@given(synthetic())
def test_code_and_quality_are_the_references_in_every_bit(pixels):
    assert reference_pdq(pixels) == oracle(pixels)


@pytest.mark.parametrize("size", [(1500, 1100), (5, 2000), (64, 64), (128, 129)])
def test_also_for_large_and_lopsided_images(size):
    pixels = np.asarray(scene(20, *size))
    assert reference_pdq(pixels) == oracle(pixels)


def test_also_for_photographs():
    for image in photographs(6, 700):
        pixels = np.asarray(image)
        assert reference_pdq(pixels) == oracle(pixels)


def test_coefficients_are_the_references_to_the_last_digit():
    pixels = np.asarray(scene(21, 333, 222))
    theirs, _ = pdqhash.compute_float(np.ascontiguousarray(pixels))
    ours, _ = coefficients(luma_of(pixels))
    assert np.array_equal(ours.ravel()[::-1], theirs)


def test_grey_is_luma_as_it_is():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    tripled = np.repeat(grey[:, :, None], 3, axis=2)
    assert np.array_equal(luma_of(grey), luma_of(tripled))
    assert reference_pdq(grey) == oracle(tripled)


def test_turned_views_need_no_copy_by_the_caller():
    pixels = np.asarray(scene(22, 200, 150))
    assert reference_pdq(pixels[::-1, ::-1].swapaxes(0, 1)) == oracle(pixels[::-1, ::-1].swapaxes(0, 1))


def test_below_five_pixels_there_is_no_code():
    assert reference_pdq(np.zeros((4, 900, 3), dtype=np.uint8)) == (bytes(32), 0)
