from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from PIL import Image

from crawler.fingerprint import compute
from crawler.fingerprint.compute import Undecodable, fingerprint, reference_code, reference_phash, warm
from crawler.fingerprint.describe import describe, read_back
from crawler.fingerprint.exact import digests
from crawler.fingerprint.options import DEFAULT_OPTIONS, FingerprintOptions
from crawler.fingerprint.transforms import ORIENTATIONS
from crawler.records import Code, Fingerprint, Rejected
from tests.fingerprint.pictures import (
    animated,
    bits_apart,
    encoded,
    in_orientation,
    oracle,
    oracle_squeezed,
    photographs,
    scene,
)

FULL = FingerprintOptions(full_decode=True)


def prints(data: bytes, options: FingerprintOptions = DEFAULT_OPTIONS) -> Fingerprint:
    found = fingerprint(data, options)
    assert isinstance(found, Fingerprint), found
    return found


def by_transform(found: Fingerprint) -> dict[str, Code]:
    return {code.transform: code for code in found.codes}


def test_what_is_known_of_a_jpeg():
    data = encoded(scene(100, 700, 500), "JPEG")
    found = prints(data)
    assert found.digests == digests(data)
    assert (found.format, found.width, found.height, found.frames, found.partial) == ("JPEG", 700, 500, 1, False)
    assert [code.transform for code in found.codes] == ["none", "mirror", "512", "mirror+512"]
    assert len(found.phash) == 8


@pytest.mark.parametrize(("orientations", "number"), [("none", 1), ("mirror", 2), ("all", 8)])
def test_orientations_are_a_choice(orientations, number):
    found = prints(encoded(scene(101, 300, 200), "PNG"), FingerprintOptions(orientations=orientations))
    assert [code.transform for code in found.codes] == list(ORIENTATIONS[:number])


def test_codes_of_a_full_decode_are_those_of_pdqhash():
    for image in photographs(4, 700):
        pixels = np.asarray(image)
        code, quality = oracle(pixels)
        if quality < 50:
            continue
        found = by_transform(prints(encoded(image, "PNG")))
        assert (found["none"].value, found["none"].quality) == (code, quality)
        assert found["512"].value == oracle_squeezed(pixels)[0]
        assert found["mirror"].value == oracle(np.fliplr(pixels))[0]


def test_codes_of_a_luma_plane_are_near_the_evidence():
    apart = []
    for image in [*photographs(8, 1000), scene(102, 640, 480)]:
        data = encoded(image, "JPEG", quality=80)
        for code in prints(data).codes:
            evidence = reference_code(data, code.transform)
            assert isinstance(evidence, Code)
            if evidence.quality >= 50:
                apart.append(bits_apart(code.value, evidence.value))
    assert max(apart) <= 8
    assert sum(apart) / len(apart) <= 1.5


KINDS = ("alpha", "animation", "cmyk", "exif", "grey", "letterbox", "webp")


@cache
def every_kind() -> dict[str, bytes]:
    """A file of each of `KINDS`."""
    image = scene(103, 640, 400)
    layered = image.convert("RGBA")
    layered.putalpha(Image.fromarray((np.indices((400, 640))[1] % 256).astype(np.uint8)))
    boxed = Image.new("RGB", (640, 640))
    boxed.paste(image, (0, 120))
    turned = Image.Exif()
    turned[0x0112] = 6
    return {
        "exif": encoded(image, "JPEG", exif=turned),
        "alpha": encoded(layered, "PNG"),
        "letterbox": encoded(boxed, "JPEG"),
        "animation": animated([scene(seed, 320, 200) for seed in range(4)], "GIF"),
        "webp": encoded(image, "WEBP"),
        "cmyk": encoded(image.convert("CMYK"), "JPEG"),
        "grey": encoded(image.convert("L"), "PNG"),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_every_code_has_evidence_close_by(kind):
    data = every_kind()[kind]
    for orientations in ("mirror", "all"):
        found = prints(data, FingerprintOptions(orientations=orientations))
        for code in found.codes:
            evidence = reference_code(data, code.transform)
            assert isinstance(evidence, Code)
            assert evidence.transform == code.transform
            assert bits_apart(code.value, evidence.value) <= 6


def test_variants_are_named():
    kinds = {kind: [code.transform for code in prints(data).codes] for kind, data in every_kind().items()}
    assert sorted(kinds) == list(KINDS)
    assert {"none", "mirror", "exif", "exif+mirror", "exif+512"} <= set(kinds["exif"])
    assert {"none", "on-white", "on-white+mirror"} <= set(kinds["alpha"])
    assert {"none", "trimmed", "trimmed+mirror", "trimmed+512"} <= set(kinds["letterbox"])
    assert {"none", "frame-1", "frame-2", "frame-3", "frame-3+mirror"} <= set(kinds["animation"])


def test_variants_find_the_image_they_hide():
    image = scene(103, 640, 400)
    plain = oracle(np.asarray(image))[0]
    kinds = {kind: by_transform(prints(data)) for kind, data in every_kind().items()}
    upright = oracle(np.rot90(np.asarray(image), 3))[0]
    assert bits_apart(kinds["letterbox"]["trimmed"].value, plain) <= 10
    assert bits_apart(kinds["letterbox"]["none"].value, plain) > 60
    assert bits_apart(kinds["exif"]["exif"].value, upright) <= 8
    assert bits_apart(kinds["alpha"]["none"].value, plain) == 0
    assert bits_apart(kinds["alpha"]["on-white"].value, plain) > 15
    assert bits_apart(kinds["animation"]["frame-3"].value, oracle(np.asarray(scene(3, 320, 200)))[0]) <= 20


def test_an_evenly_cropped_copy_is_found_when_asked_for():
    image = scene(111, 700, 500)
    plain = oracle(np.asarray(image))[0]
    cropped = encoded(image.crop((17, 12, 683, 488)), "JPEG", quality=85)
    found = by_transform(prints(cropped, FingerprintOptions(uncropped=(5, 10))))
    assert {"uncropped-5", "uncropped-5+mirror", "uncropped-10"} <= set(found)
    assert bits_apart(found["none"].value, plain) > 31
    assert bits_apart(found["uncropped-5"].value, plain) <= 26
    for name, code in found.items():
        evidence = reference_code(cropped, name)
        assert isinstance(evidence, Code)
        assert bits_apart(evidence.value, code.value) <= 6


def test_an_exif_orientation_is_one_of_all_eight_and_not_hashed_twice():
    found = prints(every_kind()["exif"], FingerprintOptions(orientations="all"))
    assert not [code for code in found.codes if "exif" in code.transform]


def test_no_code_stands_twice():
    found = prints(encoded(Image.new("RGB", (100, 100), "white"), "PNG"), FingerprintOptions(orientations="all"))
    values = [code.value for code in found.codes]
    assert len(values) == len(set(values))


def test_evidence_is_what_pdqhash_computes_on_a_full_decode():
    image = scene(104, 720, 540)
    data = encoded(image, "JPEG", quality=85)
    with Image.open(__import__("io").BytesIO(data)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    for number, name in enumerate(ORIENTATIONS):
        turned = in_orientation(pixels, number)
        assert reference_code(data, name) == Code(*oracle(turned), name)
        squeezed = f"{name}+512" if number else "512"
        assert reference_code(data, squeezed) == Code(*oracle_squeezed(turned), squeezed)


def test_evidence_for_what_is_not_there_is_refused():
    data = encoded(scene(105, 80, 60), "PNG")
    assert reference_code(data, "sideways") == Rejected("unknown-transform", "sideways")
    assert reference_code(data, "on-white") == Rejected("no-such-view", "on-white")
    assert reference_code(data, "trimmed") == Rejected("no-such-view", "trimmed")
    assert reference_code(data, "frame-3") == Rejected("corrupt", "no such frame")
    assert reference_code(b"text", "none") == Rejected("not-an-image")
    assert reference_phash(b"text") == Rejected("not-an-image")


def test_a_border_that_cannot_be_looked_for_says_why(monkeypatch):
    real = compute.decode

    def tight(data, options, *, full=False, only_frame=None):
        return real(data, options, full=full, only_frame=only_frame) if full else Rejected("bomb")

    monkeypatch.setattr(compute, "decode", tight)
    assert reference_code(every_kind()["letterbox"], "trimmed") == Rejected("bomb")


def test_phash_is_that_of_imagehash():
    import imagehash

    image = scene(106, 800, 600)
    expected = np.packbits(imagehash.phash(image).hash).tobytes()
    assert prints(encoded(image, "PNG")).phash == expected
    data = encoded(image, "JPEG", quality=90)
    with Image.open(__import__("io").BytesIO(data)) as opened:
        saved = np.packbits(imagehash.phash(opened).hash).tobytes()
    assert reference_phash(data) == saved
    assert prints(data, FULL).phash == saved
    assert bits_apart(prints(data).phash, saved) <= 2


def test_digests_survive_what_cannot_be_decoded():
    for data in (b"", b"no image", b"\xff\xd8\xff", b"%PDF-1.4"):
        found = fingerprint(data)
        assert isinstance(found, Undecodable)
        assert found.digests == digests(data)
        assert found.reason


def test_digests_that_are_known_are_not_computed_again(monkeypatch):
    data = encoded(scene(112, 90, 60), "PNG")
    known, plain = digests(data), fingerprint(data)
    monkeypatch.setattr(compute, "digests", lambda _: pytest.fail("computed again"))
    assert fingerprint(data, known=known) == plain
    assert fingerprint(b"text", known=known) == Undecodable(known, "not-an-image")


def test_a_partial_image_is_fingerprinted_and_marked():
    data = encoded(scene(107, 640, 480), "JPEG", progressive=True)
    whole, part = prints(data), prints(data[: len(data) * 7 // 10])
    assert part.partial
    assert part.digests != whole.digests
    assert bits_apart(part.codes[0].value, whole.codes[0].value) <= 12
    evidence = reference_code(data[: len(data) * 7 // 10], "none")
    assert isinstance(evidence, Code)
    assert bits_apart(part.codes[0].value, evidence.value) <= 6


def test_tiny_images_have_codes_of_no_quality():
    found = prints(encoded(Image.new("RGB", (1, 1)), "GIF"))
    assert [(code.value, code.quality) for code in found.codes] == [(bytes(32), 0)]


def test_a_view_of_memory_is_enough():
    data = encoded(scene(108, 90, 60), "WEBP")
    assert fingerprint(memoryview(data)) == fingerprint(data)


def test_warming_up_again_changes_nothing():
    data = encoded(scene(109, 90, 60), "PNG")
    before = fingerprint(data)
    warm()
    assert fingerprint(data) == before


def test_described_as_plain_data():
    data = encoded(scene(110, 90, 60), "PNG")
    found = describe(prints(data))
    lost = describe(fingerprint(b"text"))
    assert set(found) == set(lost)
    assert found["decoded"] is True
    assert found["reason"] is None
    assert found["sha256"] == digests(data).sha256.hex()
    codes = found["codes"]
    assert isinstance(codes, list)
    assert codes[0] == {
        "algorithm": "pdq",
        "value": prints(data).codes[0].value.hex(),
        "quality": codes[0]["quality"],
        "transform": "none",
    }
    assert (lost["decoded"], lost["reason"], lost["width"], lost["codes"]) == (False, "not-an-image", None, [])


def test_a_description_from_elsewhere_is_checked():
    data = encoded(scene(113, 90, 60), "PNG")
    found, own = describe(prints(data), {"photodna": b"code", "other": None}), digests(data)
    assert found["codes"][-2:] == [
        {"algorithm": "photodna", "value": b"code".hex(), "quality": None, "transform": "none"},
        {"algorithm": "other", "value": None, "quality": None, "transform": "none"},
    ]
    assert read_back(found, own) == found
    assert read_back(found, digests(b""))["sha256"] == digests(b"").sha256.hex()
    assert read_back(describe(fingerprint(b"text")), digests(b"text")) == describe(fingerprint(b"text"))
    code = found["codes"][0]
    bad = [None, [], {}, {**found, "more": 1}, {**found, "width": -1}, {**found, "frames": True}]
    bad += [{**found, "format": "a\x1b[2Jb"}, {**found, "decoded": 1}, {**found, "reason": 7}, {**found, "codes": {}}]
    bad += [{**found, "codes": [each]} for each in (None, {}, {**code, "more": 1}, {**code, "value": "a\nb"})]
    bad += [{**found, "codes": [{**code, name: b"x"}]} for name in code]
    for each in bad:
        assert read_back(each, own) == Rejected("description")
