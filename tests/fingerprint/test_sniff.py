from __future__ import annotations

import struct

import pytest

from crawler.fingerprint.sniff import gif_frames, looks_cut_off, sniff, webp_size
from tests.fingerprint.pictures import animated, encoded, scene


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_images_are_known_by_their_content(format):
    assert sniff(encoded(scene(1, 64, 48), format)) == format


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n", "pdf"),
        (b"\n\n%PDF-1.4", "pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by hand -->\n<SVG >", "svg"),
        (b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>\n<svg\n>", "svg"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", "video"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ", "video"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01", "video"),
        (b"RIFF\x10\x00\x00\x00AVI LIST", "video"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf", "AVIF"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf", "AVIF"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIF"),
        (b"\xff\x0a\xfa\x00", "JXL"),
        (b"II*\x00\x08\x00\x00\x00", "tiff"),
        (b"", None),
        (b"BM is how this sentence starts", None),
        (b"<html><body><svg></svg></body></html>", None),
        (b"RIFF\x10\x00\x00\x00WAVEfmt ", None),
        (b"plain text", None),
    ],
)
def test_kinds(data, kind):
    assert sniff(data) == kind
    assert sniff(memoryview(data)) == kind


def test_a_hostile_head_does_not_slow_the_svg_test_down():
    assert sniff(b"<!--" * 256) is None
    assert sniff(b" <?xml" * 170) is None


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_a_file_that_lost_its_end_looks_cut_off(format):
    data = encoded(scene(2, 96, 80), format)
    assert not looks_cut_off(format, data)
    assert looks_cut_off(format, data[: len(data) // 2])


@pytest.mark.parametrize("options", [{"quality": 80}, {"lossless": True}])
def test_the_size_of_a_webp_is_read_from_its_header(options):
    assert webp_size(encoded(scene(3, 123, 45), "WEBP", **options)) == (123, 45)


def test_the_size_of_a_webp_with_alpha_is_that_of_its_canvas():
    assert webp_size(encoded(scene(3, 123, 45).convert("RGBA"), "WEBP", quality=80, exif=b"Exif\0\0")) == (123, 45)
    assert webp_size(b"RIFF\x00\x00\x00\x00WEBPVP8Q" + bytes(20)) is None


def test_frames_of_a_gif_are_counted_without_decoding():
    frames = [scene(seed, 60, 40).quantize(16) for seed in range(5)]
    data = animated(frames, "GIF")
    assert gif_frames(data, 100) == 5
    assert gif_frames(data, 3) == 3
    assert gif_frames(data[:10], 100) == 0


def test_a_gif_of_empty_frames_is_counted_no_further_than_the_limit():
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x00"
    assert gif_frames(head + frame * 50_000, 10_000) == 10_000
