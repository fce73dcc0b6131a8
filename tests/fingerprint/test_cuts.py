from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fingerprint import compute
from crawler.fingerprint.bands import GROWN_KEPT, axes, grown_tables, kept_tables
from crawler.fingerprint.compute import fingerprint, grown_by, reference_code, uncropped_codes
from crawler.fingerprint.cuts import SIDES, USUAL, Cut
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.pdq import hashes
from crawler.records import Code, Fingerprint, Rejected
from tests.fingerprint.pictures import bits_apart, encoded, in_orientation, oracle, oracle_squeezed, scene


@given(st.integers(5, 3000), st.integers(5, 3000), st.integers(1, 90), st.sampled_from(sorted(SIDES)))
def test_margins_make_up_for_what_was_cut(height, width, share, sides):
    rows, columns = Cut(share, sides).margins(height, width)
    for left, margins, side in zip((height, width), (rows, columns), SIDES[sides], strict=True):
        assert min(margins) >= 0
        if side:
            whole = left + sum(margins)
            assert abs(sum(margins) - whole * share / 100) <= 1
    assert any(rows) == bool(SIDES[sides][0]) or height * share < 200
    assert any(columns) == bool(SIDES[sides][1]) or width * share < 200


@pytest.mark.parametrize(
    "cut", [Cut(5), Cut(2, "top-left"), Cut(3, "bottom-right"), Cut(4, "left"), Cut(8, "down")], ids=str
)
@pytest.mark.parametrize("size", [(300, 200), (640, 480)])
def test_codes_are_those_of_the_grown_image_in_every_orientation(cut, size):
    pixels = np.asarray(scene(21, *size))
    grown = grown_by(pixels, cut)
    for each in hashes(pixels, range(8), grown=cut.margins(*pixels.shape[:2])):
        turned = in_orientation(grown, each.orientation)
        code, quality = oracle_squeezed(turned) if each.squeezed else oracle(turned)
        assert bits_apart(each.value, code) == 0
        assert each.quality == quality


@pytest.mark.parametrize("cut", USUAL, ids=str)
def test_a_cut_picture_is_known_again_by_its_guess(cut):
    image = scene(22, 900, 700)
    plain = oracle(np.asarray(image))[0]
    rows, columns = Cut(cut.share, cut.sides).margins(
        round(700 * (1 - cut.share / 100)), round(900 * (1 - cut.share / 100))
    )
    left = image.crop((columns[0], rows[0], 900 - columns[1], 700 - rows[1]))
    data = encoded(left, "JPEG", quality=85)
    found = uncropped_codes(data)
    assert not isinstance(found, Rejected)
    named = {code.transform: code for code in found}
    undone, usual = named[f"uncropped-{cut}"], fingerprint(data)
    assert isinstance(usual, Fingerprint)
    apart = bits_apart(undone.value, plain)
    assert apart <= (40 if cut.share == 10 else 31)
    assert apart < bits_apart(usual.codes[0].value, plain)
    evidence = reference_code(data, undone.transform)
    assert isinstance(evidence, Code)
    assert bits_apart(evidence.value, undone.value) <= 8


def test_every_guess_has_evidence_in_either_convention():
    data = encoded(scene(23, 700, 520), "JPEG", quality=80)
    found = uncropped_codes(data, cuts=(Cut(2, "bottom-left"), Cut(8, "across")))
    assert not isinstance(found, Rejected)
    assert [code.transform for code in found[:4]] == [
        "uncropped-2-bottom-left",
        "uncropped-2-bottom-left+mirror",
        "uncropped-2-bottom-left+512",
        "uncropped-2-bottom-left+mirror+512",
    ]
    for code in found:
        evidence = reference_code(data, code.transform)
        assert isinstance(evidence, Code)
        assert bits_apart(evidence.value, code.value) <= 6


def test_orientations_are_the_options():
    found = uncropped_codes(encoded(scene(24, 90, 60), "PNG"), FingerprintOptions(orientations="none"))
    assert not isinstance(found, Rejected)
    assert {code.transform for code in found} <= {f"uncropped-{cut}" for cut in USUAL}


@pytest.mark.parametrize(("kind", "shape"), [("JPEG", (526, 601)), ("PNG", (263, 301))])
def test_a_large_image_is_looked_at_reduced(kind, shape, monkeypatch):
    monkeypatch.setattr(compute, "LOOK_PIXELS", 60_000)
    monkeypatch.setattr(compute, "LOOK_SHORT", 200)
    seen = []
    monkeypatch.setattr(
        compute, "hashes", lambda pixels, *rest, **named: seen.append(pixels.shape) or hashes(pixels, *rest, **named)
    )
    data = encoded(scene(25, 1201, 1051), kind)
    found = uncropped_codes(data, cuts=(Cut(5), Cut(4, "left")))
    assert not isinstance(found, Rejected)
    assert set(seen) == {shape}
    for code in found:
        evidence = reference_code(data, code.transform)
        assert isinstance(evidence, Code)
        assert bits_apart(evidence.value, code.value) <= (20 if "512" in code.transform else 10)


def test_a_long_and_narrow_image_gets_no_second_look(monkeypatch):
    monkeypatch.setattr(compute, "LOOK_MOST", 10_000)
    assert uncropped_codes(encoded(scene(26, 800, 20), "PNG")) == ()


def test_what_cannot_be_decoded_has_no_guesses():
    assert uncropped_codes(b"text") == Rejected("not-an-image")


def test_guesses_do_not_drive_the_usual_tables_out():
    kept_tables.cache_clear()
    usual = axes(300)
    for before in range(2 * GROWN_KEPT):
        axes(300, grown=(before + 1, 0))
    assert axes(300) is usual
    assert kept_tables.cache_info().currsize == 1
    assert grown_tables.cache_info().currsize == GROWN_KEPT
