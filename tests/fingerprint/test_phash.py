from __future__ import annotations

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crawler.fingerprint.lanczos import COSINES, average_blocks, resize_averages
from crawler.fingerprint.phash import EXACT_PIXELS, phash, resized, rough_phash
from crawler.fingerprint.taps import LANES, Spread, spread
from tests.fingerprint.pictures import bits_apart, photographs, scene


def peer(image: Image.Image) -> bytes:
    return np.packbits(imagehash.phash(image).hash).tobytes()


def doubtful_bits(image: Image.Image) -> np.ndarray:
    """64 booleans: coefficients that equal the median up to rounding, as where they are zero by symmetry."""
    small = np.asarray(image.resize((32, 32), Image.Resampling.LANCZOS), dtype=np.float64)
    found = (COSINES @ small @ COSINES.T).ravel()
    return np.abs(found - np.median(found)) < 1e-6


def as_bits(code: bytes) -> np.ndarray:
    return np.unpackbits(np.frombuffer(code, dtype=np.uint8)).astype(bool)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 400), st.booleans())
def test_equal_to_imagehash(seed, height, width, smooth):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    image = scene(seed % 1000, width, height).convert("L") if smooth else Image.fromarray(noise)
    differing = as_bits(phash(np.asarray(image))) != as_bits(peer(image))
    assert not (differing & ~doubtful_bits(image)).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 500), st.integers(1, 500))
def test_the_resize_is_pillows_to_the_last_grey_value(seed, height, width):
    noise = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    if height > 32 and height - 32 > 2 * (width - 32):
        noise = np.ascontiguousarray(noise.T)
    expected = np.asarray(Image.fromarray(noise).resize((32, 32), Image.Resampling.LANCZOS))
    assert np.array_equal(resized(noise), expected)


@pytest.mark.parametrize("level", [0, 1, 100, 255])
def test_a_flat_image_has_the_code_of_imagehash(level):
    image = Image.new("L", (90, 70), level)
    assert phash(np.asarray(image)) == peer(image)


def test_photographs_are_equal_and_the_rough_code_is_near():
    apart = []
    for image in photographs(10, 900):
        grey = image.convert("L")
        pixels = np.asarray(grey)
        assert phash(pixels) == peer(image)
        apart.append(bits_apart(rough_phash(pixels), peer(image)))
    assert max(apart) <= 2
    assert sum(apart) / len(apart) <= 0.5


def test_the_rough_code_is_near_for_any_cut_of_a_photograph():
    """Two in a hundred were four bits and more off before those in doubt were hashed exactly."""
    random = np.random.default_rng(3)
    apart = []
    for image in photographs(10, 1200):
        pixels = np.asarray(image.convert("L"))
        for _ in range(12):
            height, width = random.integers(401, np.array(pixels.shape) + 1)
            top, left = random.integers(0, np.array(pixels.shape) - (height, width) + 1)
            cut = np.ascontiguousarray(pixels[top : top + height, left : left + width])
            apart.append(bits_apart(rough_phash(cut), phash(cut)))
    assert max(apart) == 2


def test_small_images_are_hashed_exactly():
    small = np.asarray(scene(30, 400, 300).convert("L"))
    assert small.size <= EXACT_PIXELS
    assert rough_phash(small) == phash(small)


def test_very_long_images_can_be_averaged_too():
    for size in ((20_000, 20), (20, 20_000)):
        grey = np.asarray(scene(31, *size).convert("L"))
        assert bits_apart(rough_phash(grey), phash(grey)) <= 8


def by_output(pixels: int) -> np.ndarray:
    """(32, pixels) weights, from Pillow's formula in plain Python."""
    scale = pixels / 32
    stretch = max(scale, 1.0)
    found = np.zeros((32, pixels))
    for output in range(32):
        centre = (output + 0.5) * scale
        first = max(0, int(centre - 3 * stretch + 0.5))
        last = min(pixels, int(centre + 3 * stretch + 0.5))
        x = (np.arange(first, last) - centre + 0.5) / stretch
        weights = np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)
        found[output, first:last] = weights / weights.sum()
    return found


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3000))
def test_weights_by_pixel_are_those_by_output(pixels):
    table = spread(pixels)
    assert np.allclose(dense(table, pixels) / 2**22, by_output(pixels), rtol=0, atol=1e-6)
    assert not table.runs.flags.writeable
    assert not table.rows.flags.writeable


def dense(table: Spread, pixels: int) -> np.ndarray:
    """(32, pixels) weights, as they stand in a table."""
    found = np.zeros((32, pixels), dtype=np.int64)
    for first, count, output, row in table.runs:
        found[output : output + LANES, first : first + count] += table.rows[row : row + count].T
    return found


def means(grey: np.ndarray, high: int, wide: int) -> np.ndarray:
    """Of each block, in 64ths of a grey value."""
    down, across = np.arange(0, grey.shape[0], high), np.arange(0, grey.shape[1], wide)
    sums = np.add.reduceat(np.add.reduceat(grey.astype(np.int64), down, axis=0), across, axis=1)
    return 64 * sums / np.outer(np.diff([*down, grey.shape[0]]), np.diff([*across, grey.shape[1]]))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 200), st.integers(1, 300), st.integers(0, 5))
def test_blocks_are_averaged(seed, height, width, high, doublings):
    grey = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    expected = means(grey, high, 2**doublings)
    found = np.zeros(expected.shape, dtype=np.int32)
    average_blocks(grey, high, 2**doublings, found)
    assert np.abs(found - expected).max() <= 0.5 + 1e-2


def test_high_blocks_of_white_are_white():
    """20,000 rows are added up in sums of 16 bits, 256 at a time."""
    found = np.zeros((2, 3), dtype=np.int32)
    average_blocks(np.full((20_000, 9), 255, dtype=np.uint8), 10_000, 4, found)
    assert (found == 255 * 64).all()


def test_averages_are_resized_in_whole_numbers():
    random = np.random.default_rng(8)
    for height, width in ((64, 80), (72, 100), (8, 65), (200, 3)):
        averages = (random.integers(0, 2, (height, width)) * 255 * 64).astype(np.int32)
        across, down = spread(width, 1, 16), spread(height, 1, 16)
        narrow = np.clip((averages @ dense(across, width).T + 2**15) >> 16, 0, 255 * 64)
        expected = np.clip((dense(down, height) @ narrow + 2**21) >> 22, 0, 255)
        found = np.empty((32, 32))
        resize_averages(averages, across, down, found)
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(("size", "block"), [(1280, 16), (853, 13), (450, 7), (129, 2)])
def test_weights_of_blocks_are_the_sums_of_their_pixels(size, block):
    found = dense(spread(size, block, 16), -(-size // block))
    expected = np.add.reduceat(by_output(size), np.arange(0, size, block), axis=1)
    assert np.abs(found - expected * 2**16).max() <= 0.55  # rounded, and not cut off
