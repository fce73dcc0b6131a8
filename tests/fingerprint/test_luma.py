from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from crawler.fingerprint import luma
from crawler.fingerprint.decode import Attempt, decode, orientation_of
from crawler.fingerprint.luma import short_way
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.views import Decoded
from crawler.records import Rejected
from tests.fingerprint.pictures import encoded, photographs, scene

OPTIONS = FingerprintOptions()
KINDS = [
    {},
    {"progressive": True},
    {"subsampling": 0},
    {"subsampling": 1},
    {"optimize": True, "quality": 95},
    {"restart_marker_blocks": 3},
    {"keep_rgb": True},
    {"quality": 5},
]


def long_way(data: bytes, short: Decoded) -> Decoded | Rejected:
    """In colour when the short way was."""
    return Attempt("JPEG", OPTIONS, short.full, None).run(data)


def said(found: Decoded | Rejected) -> object:
    """All of it, so that two ways can be compared."""
    if isinstance(found, Rejected):
        return found.reason
    facts = (found.width, found.height, found.frames, found.orientation, found.partial, found.scale, found.full)
    return facts, [view.grey.tobytes() for view in found.views], [view.pixels.tobytes() for view in found.views]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (17, 33), (640, 479)])
def test_both_ways_give_the_same_pixels(kind, size):
    data = encoded(scene(5, *size), **kind)
    short = short_way(data, OPTIONS)
    assert isinstance(short, Decoded)
    assert said(short) == said(long_way(data, short))


def test_both_ways_give_the_same_pixels_of_photographs():
    for image in photographs(4, 900):
        for picture in (image, image.convert("L")):
            data = encoded(picture, quality=80)
            short = short_way(data, OPTIONS)
            assert isinstance(short, Decoded)
            assert said(short) == said(long_way(data, short))


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_happened_to_a_file_both_ways_say_the_same(data):
    exif = Image.Exif()
    exif[0x0112] = data.draw(st.integers(0, 9))
    whole = bytearray(encoded(scene(7, 64, 48), exif=exif, **data.draw(st.sampled_from(KINDS))))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(2, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(len(whole) // 2, len(whole)))])
    short = short_way(cut, OPTIONS)
    if isinstance(short, Decoded):
        other = long_way(cut, short)
        # Pillow refuses some files for what stands before the picture; a picture that both see is the same.
        assert isinstance(other, Rejected) or said(short) == said(other)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_stands_in_either_byte_order(order, orientation):
    entries = [(0x010F, 2, 4, 0), (luma.ORIENTATION_TAG, 3, 1, orientation)]
    found = luma.orientation_of_tiff(memoryview(tiff(order, entries)))
    assert found == orientation


def tiff(order: str, entries: list[tuple[int, int, int, int]]) -> bytes:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    rows = b"".join(
        struct.pack(order + "HHI", tag, kind, n) + struct.pack(order + "HH", value, 0)
        for tag, kind, n, value in entries
    )
    return mark + struct.pack(order + "IH", 8, len(entries)) + rows + bytes(4)


@pytest.mark.parametrize(
    "entries",
    [
        [(luma.ORIENTATION_TAG, 4, 1, 3)],  # a long
        [(luma.ORIENTATION_TAG, 3, 2, 3)],  # two of them
        [(luma.ORIENTATION_TAG, 3, 1, 0)],
        [(luma.ORIENTATION_TAG, 3, 1, 9)],
    ],
)
def test_an_orientation_of_another_kind_takes_the_long_way(entries):
    assert luma.orientation_of_tiff(memoryview(tiff("<", entries))) is None


@given(content=st.binary(max_size=200))
def test_no_exif_makes_it_fail(content):
    plain = encoded(scene(3, 32, 32))
    segment = b"Exif\0\0" + content
    data = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + plain[2:]
    found = luma.head_of(data)
    assert found is None or 1 <= found.orientation <= 8
    assert isinstance(decode(data, OPTIONS), Decoded)


@pytest.mark.parametrize("tag", range(1, 9))
def test_pillow_reads_the_same_orientation(tag):
    exif = Image.Exif()
    exif[0x0112] = tag
    exif[0x010E] = "a description that stands before it"
    data = encoded(scene(3, 32, 32), exif=exif)
    with Image.open(__import__("io").BytesIO(data)) as image:
        head = luma.head_of(data)
        assert head is not None
        assert head.orientation == orientation_of(image) == tag
        assert head.step == max(sum(table) / 64 for table in image.quantization.values())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\xff\xd8" + b"\xff\xe0\x00\x02" * 600,
        encoded(scene(1, 40, 40).convert("CMYK")),
        encoded(scene(1, 40, 40))[:-40],
    ],
    ids=["nothing", "signature", "segments", "cmyk", "cut-off"],
)
def test_what_is_not_usual_takes_the_long_way(data):
    assert short_way(data, OPTIONS) is None


def test_too_many_pixels_are_refused_before_they_are_decoded():
    data = encoded(scene(1, 200, 100))
    found = short_way(data, FingerprintOptions(max_pixels=19_999))
    assert isinstance(found, Rejected)
    assert found.reason == "bomb"


def test_what_is_to_be_reduced_takes_the_long_way():
    assert short_way(encoded(scene(1, 1100, 1100)), FingerprintOptions(reduce_above=1_000_000)) is None


@given(octets=st.binary(max_size=300) | st.integers(0, 700).map(lambda pairs: b"\xff\xda" * pairs))
def test_pairs_are_counted_as_bytes_counts_them(octets):
    assert luma.count_pairs(octets, 0xFF, 0xDA) == octets.count(b"\xff\xda")
    assert luma.count_pairs(memoryview(octets), 0, 1) == octets.count(b"\x00\x01")


def test_a_plane_outlives_the_file():
    data = bytearray(encoded(scene(2, 300, 200)))
    found = short_way(memoryview(data), OPTIONS)
    assert isinstance(found, Decoded)
    before = found.views[0].grey.copy()
    data[:] = bytes(len(data))
    assert np.array_equal(found.views[0].grey, before)
