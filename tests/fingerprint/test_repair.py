from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from crawler.fingerprint.repair import chunk, chunks, raw_size, repaired_jpeg, repaired_png
from tests.fingerprint.pictures import encoded, scene

PIXELS = 1_000_000


def interlaced(image: Image.Image) -> bytes:
    """An Adam7 PNG, which Pillow reads but does not write: the seven passes, each row without a filter."""
    pixels = np.asarray(image)
    raw = b""
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = pixels[top::down, left::across]
        raw += b"".join(b"\0" + row.tobytes() for row in part if row.size)
    header = struct.pack(">IIBBBBB", image.width, image.height, 8, 2, 0, 0, 1)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(raw)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def opened(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        return np.asarray(image.convert("RGBA"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1"])
def test_an_undamaged_png_keeps_its_pixels(mode):
    data = encoded(scene(50, 61, 47).convert(mode), "PNG")
    found = repaired_png(data, PIXELS)
    assert found is not None
    assert not found[1]
    assert np.array_equal(opened(found[0]), opened(data))


def test_an_interlaced_png_keeps_its_pixels():
    image = scene(51, 61, 47)
    data = interlaced(image)
    found = repaired_png(data, PIXELS)
    assert found is not None
    assert not found[1]
    assert np.array_equal(opened(found[0]), np.asarray(image.convert("RGBA")))


def test_a_small_interlaced_png_has_passes_without_pixels():
    image = scene(52, 3, 2)
    found = repaired_png(interlaced(image), PIXELS)
    assert found is not None
    assert np.array_equal(opened(found[0]), np.asarray(image.convert("RGBA")))


def test_a_cut_off_png_keeps_its_first_rows():
    data = encoded(scene(53, 120, 90), "PNG")
    found = repaired_png(data[: len(data) * 6 // 10], PIXELS)
    assert found is not None
    assert found[1]
    whole, part = opened(data), opened(found[0])
    assert np.array_equal(part[:40], whole[:40])
    assert not part[-1, :, :3].any()


def test_checksums_and_other_chunks_are_left_out():
    data = encoded(scene(54, 60, 50), "PNG")
    bomb = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(5_000_000)))
    damaged = data[:33] + bomb + data[33:-8] + b"\0\0\0\0" + data[-4:]
    found = repaired_png(damaged, PIXELS)
    assert found is not None
    assert [kind for kind, _ in chunks(memoryview(found[0]))] == [b"IHDR", b"IDAT", b"IEND"]
    assert np.array_equal(opened(found[0]), opened(data))


def test_pixel_data_that_inflates_without_end_stops_at_the_size_of_the_image():
    header = struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 0)
    idat = chunk(b"IDAT", zlib.compress(bytes(50_000_000), 9))
    found = repaired_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + idat, PIXELS)
    assert found is not None
    assert len(found[0]) < 300


@pytest.mark.parametrize(
    "header",
    [
        struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0),
        struct.pack(">IIBBBBB", 0, 10, 8, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 10, 10, 8, 5, 0, 0, 0),
        struct.pack(">IIBBBBB", 10, 10, 3, 0, 0, 0, 0),
        struct.pack(">IIBBBBB", 10, 10, 8, 0, 0, 0, 2),
        b"short",
    ],
)
def test_headers_that_make_no_sense_or_too_much_are_refused(header):
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    assert repaired_png(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body, PIXELS) is None


def test_without_header_or_pixels_there_is_nothing_to_rebuild():
    data = encoded(scene(55, 30, 30), "PNG")
    assert repaired_png(data[:8], PIXELS) is None
    assert repaired_png(data[:33], PIXELS) is None
    assert repaired_png(data[:8] + data[33:], PIXELS) is None


def test_raw_size_counts_a_filter_byte_for_every_row():
    assert raw_size(struct.pack(">IIBBBBB", 9, 4, 1, 0, 0, 0, 0)) == 4 * (1 + 2)
    assert raw_size(struct.pack(">IIBBBBB", 10, 4, 16, 6, 0, 0, 0)) == 4 * (1 + 80)


def test_a_jpeg_gets_its_end_mark_back():
    data = encoded(scene(56, 80, 60), "JPEG")
    assert repaired_jpeg(data[:-2]) == data
