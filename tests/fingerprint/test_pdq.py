from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fingerprint.bands import LARGEST_KEPT, TABLES_KEPT, axes, kept_tables, tables, window_size
from crawler.fingerprint.cuts import UNCUT
from crawler.fingerprint.pdq import EPSILON, hashes
from crawler.fingerprint.reference import coefficients, luma_of
from tests.fingerprint.pictures import (
    bits_apart,
    encoded,
    in_orientation,
    oracle,
    oracle_squeezed,
    photographs,
    scene,
)

SIDES = st.integers(5, 300)


@st.composite
def synthetic(draw: st.DrawFn) -> np.ndarray:
    """(H, W, 3) pixels of every odd kind: flat, noise, gradients, boards, boxes."""
    height, width = draw(SIDES), draw(SIDES)
    rows, columns = np.indices((height, width))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["flat", "noise", "gradient", "board", "box", "scene"]))
    if kind == "noise":
        return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if kind == "scene":
        return np.asarray(scene(int(rng.integers(1000)), width, height))
    if kind == "gradient":
        grey = (rows * draw(st.integers(0, 5)) + columns * draw(st.integers(0, 5))) % 256
    elif kind == "board":
        grey = ((rows // draw(st.integers(1, 40)) + columns // draw(st.integers(1, 40))) % 2) * 255
    else:
        grey = np.full((height, width), draw(st.integers(0, 255)))
        if kind == "box":
            grey[height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = draw(st.integers(0, 255))
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def doubtful_bits(pixels: np.ndarray) -> np.ndarray:
    """256 booleans in the order of the code's bits: whether the reference's own rounding may decide a bit."""
    found, _ = coefficients(luma_of(pixels))
    return (np.abs(found - np.sort(found, axis=None)[127]) <= EPSILON).ravel()[::-1]


def as_bits(code: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(code, dtype=np.uint8))


@settings(max_examples=120, deadline=None)
@given(synthetic())
def test_every_bit_that_rounding_does_not_decide_is_the_references(pixels):
    code, quality = oracle(pixels)
    (ours,) = [each for each in hashes(pixels) if not each.squeezed]
    differing = as_bits(ours.value) != as_bits(code)
    assert not (differing & ~doubtful_bits(pixels)).any()
    assert abs(ours.quality - quality) <= 1


@pytest.mark.parametrize("side", [320, 900])
def test_photographs_differ_in_no_bit_in_either_convention(side):
    for image in photographs(8, side):
        pixels = np.asarray(image)
        code, quality = oracle(pixels)
        found = hashes(pixels)
        if quality < 50 or doubtful_bits(pixels).sum() > 1:
            continue
        assert (found[0].value, found[0].quality) == (code, quality)
        if side > 512:
            assert (found[1].value, found[1].quality, found[1].squeezed) == (*oracle_squeezed(pixels), True)
        else:
            assert len(found) == 1


@pytest.mark.parametrize("size", [(640, 480), (481, 700), (300, 200)])
def test_all_orientations_are_those_of_the_turned_image(size):
    pixels = np.asarray(scene(7, *size))
    for each in hashes(pixels, range(8)):
        turned = in_orientation(pixels, each.orientation)
        code, quality = oracle_squeezed(turned) if each.squeezed else oracle(turned)
        assert bits_apart(each.value, code) == 0
        assert each.quality == quality


def test_results_come_in_the_order_asked_for_and_only_those():
    pixels = np.asarray(scene(8, 600, 300))
    found = [(each.orientation, each.squeezed) for each in hashes(pixels, (6, 0))]
    assert found == [(6, False), (0, False), (6, True), (0, True)]


def test_a_luma_plane_gives_what_its_grey_image_gives():
    grey = np.asarray(scene(9, 700, 500).convert("L"))
    tripled = np.repeat(grey[:, :, None], 3, axis=2)
    for plane, colour in zip(hashes(grey, range(8)), hashes(tripled, range(8)), strict=True):
        assert bits_apart(plane.value, colour.value) == 0
        assert plane.quality == colour.quality


@pytest.mark.parametrize("size", [(1, 1), (4, 300), (300, 4)])
def test_tiny_images_have_the_zero_code_of_the_reference(size):
    pixels = np.asarray(scene(10, *size))
    (found,) = hashes(pixels)
    assert (found.value, found.quality) == oracle(pixels) == (bytes(32), 0)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_reduced_decode_keeps_the_code_of_the_full_one(scale):
    """JPEG decoders reduce by averaging blocks, nearly; the last blocks are partial."""
    for seed in range(4):
        image = scene(seed, 203 * scale + 3, 190 * scale + 1)
        whole = np.asarray(image.convert("L"))
        reduced = np.asarray(image.convert("L").reduce(scale))
        plain, _ = hashes(whole, (0, 3))[:2]
        close, _ = hashes(reduced, (0, 3), scale=scale, size=whole.shape)[:2]
        assert bits_apart(plain.value, close.value) <= 8


def test_read_only_pixels_are_taken_as_they_are():
    pixels = np.asarray(scene(11, 50, 40))
    assert not pixels.flags.writeable
    assert hashes(pixels) == hashes(pixels.copy())


@given(st.integers(5, 20_000))
@settings(max_examples=60, deadline=None)
def test_bands_are_narrow_and_sum_to_one(pixels):
    table = tables(pixels, 1, UNCUT, False)
    assert table.weights.shape == (64, 2 * window_size(pixels) - 1)
    assert np.allclose(table.weights.sum(axis=1), 1.0, atol=1e-5)
    ends = table.start + table.length
    assert (table.start >= 0).all()
    assert (ends <= pixels).all()
    assert np.array_equal(table.mirrored, table.straight[::-1])


def test_tables_are_kept_and_their_number_is_bounded():
    kept_tables.cache_clear()
    for pixels in range(5, 5 + 2 * TABLES_KEPT):
        axes(pixels)
    assert kept_tables.cache_info().currsize == TABLES_KEPT
    assert axes(300) is axes(300)
    assert axes(LARGEST_KEPT + 1) is not axes(LARGEST_KEPT + 1)


def test_hash_of_a_saved_photograph_is_near_the_original():
    image = photographs(1, 640)[0]
    from io import BytesIO

    from PIL import Image

    again = np.asarray(Image.open(BytesIO(encoded(image, "JPEG", quality=60))).convert("RGB"))
    assert bits_apart(hashes(np.asarray(image))[0].value, hashes(again)[0].value) <= 16
