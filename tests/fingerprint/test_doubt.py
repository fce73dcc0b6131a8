from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from crawler.fingerprint import compute, luma
from crawler.fingerprint.compute import fingerprint, reference_code
from crawler.fingerprint.decode import decode
from crawler.fingerprint.doubt import AVERAGED, COARSE, LEAST_QUALITY, SMALL, in_doubt, possible_error, times
from crawler.fingerprint.kernels import BITS_ALLOWED
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.pdq import hashes
from crawler.fingerprint.reference import coefficients, luma_of
from crawler.fingerprint.views import Decoded
from crawler.records import Code, Fingerprint
from tests.fingerprint.pictures import bits_apart, encoded, photographs, scene

OPTIONS = FingerprintOptions()


def decoded(data: bytes, **how: bool) -> Decoded:
    found = decode(data, OPTIONS, **how)
    assert isinstance(found, Decoded)
    return found


def prints(data: bytes) -> Fingerprint:
    found = fingerprint(data)
    assert isinstance(found, Fingerprint)
    return found


def copies() -> list[bytes]:
    """What moves the luma: vivid colours, poor files, thumbnails."""
    found = []
    for number, image in enumerate([*photographs(6, 700), scene(31, 640, 480)]):
        vivid = ImageEnhance.Color(image).enhance(2.0)
        for step, side in enumerate((75, 120, 205, 320, 640)):
            small = vivid.copy()
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            for turn, quality in enumerate((10, 15, 30, 45, 60, 85)):
                kind = (number + step + turn) % 3
                found.append(encoded(small, quality=quality, subsampling=kind, progressive=turn % 2 == 1))
    return found


def test_no_code_of_use_is_more_than_eight_bits_off():
    exact, plain = [], []
    for data in copies():
        evidence = reference_code(data, "none")
        assert isinstance(evidence, Code)
        if evidence.quality >= 50:
            exact.append(bits_apart(prints(data).codes[0].value, evidence.value))
            plain.append(bits_apart(hashes(luma.view_of_luma(data).pixels)[0].value, evidence.value))
    assert max(exact) <= BITS_ALLOWED
    assert sum(exact) / len(exact) <= 1.5
    assert max(plain) > BITS_ALLOWED  # or this would prove nothing


def test_small_and_coarse_files_are_decoded_in_colour_and_the_others_are_not():
    small, large = scene(32, 200, 200), scene(32, 330, 250)
    for image, quality, full, in_question in [
        (small, 90, True, False),
        (small.convert("L"), 90, False, False),
        (large, 30, True, False),
        (large, 85, False, True),
        (large.convert("L"), 10, False, False),
    ]:
        data = encoded(image, quality=quality)
        found = decoded(data)
        assert found.full is full
        assert (found.error > 0.0) is in_question
        if full:
            whole = decoded(data, full=True).views[0]
            assert np.array_equal(found.views[0].pixels, whole.pixels)
            assert np.array_equal(found.views[0].grey, whole.grey)
    assert 0.0 < decoded(encoded(large, quality=95)).error < decoded(encoded(large, quality=60)).error < 0.5
    assert decoded(encoded(large.convert("L"))).error == 0.0


def test_a_luma_plane_that_took_the_long_way_has_its_error_too():
    data = encoded(scene(33, 330, 250), quality=85)
    cut = decoded(data[:-40])
    assert cut.partial
    assert cut.error == decoded(data).error > 0.0


@pytest.mark.parametrize("cut", [0, 40], ids=["whole", "cut-off"])
def test_what_is_in_doubt_is_hashed_from_its_colours(cut, monkeypatch):
    whole = encoded(scene(34, 700, 520), quality=70)
    data = whole[: len(whole) - cut]
    before = prints(data)
    monkeypatch.setattr(compute, "in_doubt", lambda *_: True)
    after = prints(data)
    pixels = decoded(data, full=True).views[0].pixels
    assert [code.value for code in after.codes] == [
        each.value for each in sorted(hashes(pixels, (0, 1)), key=lambda each: each.squeezed)
    ]
    assert [code.transform for code in after.codes] == [code.transform for code in before.codes]
    assert (after.phash, after.partial) == (before.phash, before.partial)


def test_without_memory_for_the_colours_the_fast_codes_stand(monkeypatch):
    data = encoded(scene(35, 330, 250), quality=70)
    before = prints(data)

    def none_left(_):
        raise MemoryError

    monkeypatch.setattr(compute, "in_doubt", lambda *_: True)
    monkeypatch.setattr(compute, "colours_of", none_left)
    assert prints(data) == before


def test_a_margin_is_the_distance_of_the_ninth_nearest_coefficient():
    for pixels in (np.asarray(scene(36, 300, 200)), np.zeros((50, 60, 3), dtype=np.uint8)):
        values = np.sort(coefficients(luma_of(pixels))[0], axis=None)
        expected = np.sort(np.abs(values - values[127]))[BITS_ALLOWED]
        for each in hashes(pixels, (0, 4)):
            assert each.margin == pytest.approx(min(expected, 255 / 256), abs=1 / 128)


def test_what_counts_as_doubt():
    assert possible_error(None) == possible_error(COARSE + 1) == times(SMALL) == math.inf
    assert possible_error(10.0) < possible_error(COARSE) < 1.0
    assert times(SMALL + 1) > times(AVERAGED) == 1.0
    assert in_doubt([(0.9, 100, 10**6), (0.2, 60, 10**6)], 0.3)
    assert in_doubt([(0.4, 60, 10**5)], 0.3)
    assert in_doubt([(0.9, 60, SMALL)], 0.3)
    assert not in_doubt([(0.4, 60, 10**6), (0.2, LEAST_QUALITY - 1, 10)], 0.3)
    assert not in_doubt([(0.0, 100, SMALL)], 0.0)
    assert in_doubt([(1.0, 100, 10**6)], math.inf)


def test_what_is_left_within_a_border_may_be_small_too(monkeypatch):
    boxed = Image.new("RGB", (640, 400))
    boxed.paste(scene(37, 180, 160), (200, 100))
    data = encoded(boxed, quality=90)
    seen = []
    monkeypatch.setattr(compute, "colours_of", lambda given: seen.append(1) or luma.colours_of(given))
    by_name = {code.transform: code for code in prints(data).codes}
    assert seen
    assert by_name["trimmed"] == reference_code(data, "trimmed")


def test_quantization_tables_are_read_in_either_precision():
    eight, sixteen = bytes([0]) + bytes([7] * 64), bytes([0x11]) + struct.pack(">64H", *[300] * 64)
    assert luma.coarsest(memoryview(eight)) == 7.0
    assert luma.coarsest(memoryview(eight + sixteen)) == 300.0
    assert luma.coarsest(memoryview(eight[:-1])) == 0.0
