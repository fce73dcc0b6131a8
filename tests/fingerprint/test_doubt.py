from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from crawler.fingerprint import compute, luma
from crawler.fingerprint.compute import fingerprint, reference_code
from crawler.fingerprint.decode import decode
from crawler.fingerprint.doubt import BITS_ALLOWED, COARSE, SMALL, needs_colour
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.pdq import hashes
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
    for image, quality, full in [
        (small, 90, True),
        (small.convert("L"), 90, False),
        (large, 30, True),
        (large, 85, False),
        (large.convert("L"), 10, False),
    ]:
        data = encoded(image, quality=quality)
        found = decoded(data)
        assert found.full is full
        if full:
            whole = decoded(data, full=True).views[0]
            assert np.array_equal(found.views[0].pixels, whole.pixels)
            assert np.array_equal(found.views[0].grey, whole.grey)


@pytest.mark.parametrize(("quality", "full"), [(30, True), (85, False)])
def test_what_takes_the_long_way_goes_by_the_same_rule(quality, full):
    cut = decoded(encoded(scene(33, 330, 250), quality=quality)[:-40])
    assert cut.partial
    assert cut.full is full


def test_what_needs_its_colours():
    assert needs_colour(SMALL, 1.0)
    assert needs_colour(10**6, None)
    assert needs_colour(10**6, COARSE + 1)
    assert not needs_colour(SMALL + 1, COARSE)


def test_what_is_left_within_a_border_may_be_small_too(monkeypatch):
    boxed = Image.new("RGB", (640, 400))
    boxed.paste(ImageEnhance.Color(scene(37, 180, 160)).enhance(6.0), (200, 100))
    data = encoded(boxed, quality=75, subsampling=2)
    assert not decoded(data).full
    evidence = reference_code(data, "trimmed")
    assert {code.transform: code for code in prints(data).codes}["trimmed"] == evidence
    monkeypatch.setattr(compute, "is_little_left", lambda *_: False)
    assert {code.transform: code for code in prints(data).codes}["trimmed"] != evidence  # or this would prove nothing


def test_quantization_tables_are_read_in_either_precision():
    eight, sixteen = bytes([0]) + bytes([7] * 64), bytes([0x11]) + struct.pack(">64H", *[300] * 64)
    assert luma.coarsest(memoryview(eight)) == 7.0
    assert luma.coarsest(memoryview(eight + sixteen)) == 300.0
    assert luma.coarsest(memoryview(eight[:-1])) == 0.0
