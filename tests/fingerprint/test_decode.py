from __future__ import annotations

import struct
import time
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from crawler.fingerprint.decode import can_decode, decode, known_formats, samples
from crawler.fingerprint.options import DEFAULT_FORMATS, DEFAULT_OPTIONS, EXTRA_FORMATS, FingerprintOptions
from crawler.fingerprint.repair import chunk
from crawler.fingerprint.views import Decoded
from crawler.records import Rejected
from tests.fingerprint.pictures import animated, encoded, scene

OPTIONS = FingerprintOptions()


def decoded(data: bytes | memoryview, options: FingerprintOptions = OPTIONS, **how: object) -> Decoded:
    found = decode(data, options, **how)
    assert isinstance(found, Decoded), found
    return found


def reason(data: bytes, options: FingerprintOptions = OPTIONS) -> str:
    found = decode(data, options)
    assert isinstance(found, Rejected)
    return found.reason


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "BMP"])
def test_other_formats_are_decoded_in_colour(format):
    image = scene(60, 90, 70)
    data = encoded(image, format, **({"lossless": True} if format == "WEBP" else {}))
    found = decoded(data)
    assert (found.format, found.width, found.height, found.frames, found.scale) == (format, 90, 70, 1, 1)
    assert found.full
    assert not found.partial
    (view,) = found.views
    assert view.pixels.shape == (70, 90, 3)
    if format != "GIF":
        assert np.array_equal(view.pixels, np.asarray(image))
        assert np.array_equal(view.grey, np.asarray(image.convert("L")))


def test_a_jpeg_gives_its_luma_plane_without_a_copy():
    image = scene(61, 300, 200)
    data = encoded(image, "JPEG", quality=95)
    found = decoded(data)
    (view,) = found.views
    assert not found.full
    assert view.pixels is view.grey
    assert not view.pixels.flags.owndata
    luma = np.asarray(Image.open(__import__("io").BytesIO(data)).convert("L")).astype(int)
    assert np.abs(luma - view.pixels).mean() < 1


def test_a_jpeg_is_decoded_in_full_when_asked():
    data = encoded(scene(62, 300, 200), "JPEG")
    assert decoded(data, full=True).views[0].pixels.shape == (200, 300, 3)
    assert decoded(data, FingerprintOptions(full_decode=True)).full


@pytest.mark.parametrize(
    ("size", "above", "scale"),
    [
        ((1100, 1030), 1_000_000, 2),
        ((1100, 1020), 1_000_000, 1),
        ((2200, 2060), 100_000, 4),
        ((1100, 1030), 2_000_000, 1),
    ],
)
def test_a_large_jpeg_is_reduced_as_long_as_512_pixels_stay(size, above, scale):
    found = decoded(encoded(scene(63, *size), "JPEG"), FingerprintOptions(reduce_above=above))
    assert (found.width, found.height, found.scale) == (*size, scale)
    assert found.views[0].grey.shape == (-(-size[1] // scale), -(-size[0] // scale))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_colour_spaces_of_jpeg(mode):
    found = decoded(encoded(scene(64, 240, 180).convert(mode), "JPEG"))
    assert found.full == (mode == "CMYK")
    assert found.views[0].grey.shape == (180, 240)


def test_sixteen_bits_are_scaled_not_clipped():
    levels = np.linspace(0, 65535, 100 * 80).astype(np.uint16).reshape(80, 100)
    view = decoded(encoded(Image.fromarray(levels), "PNG")).views[0]
    assert np.array_equal(view.pixels, (levels >> 8).astype(np.uint8))


@pytest.mark.parametrize(("mode", "format"), [("RGBA", "PNG"), ("RGBA", "WEBP"), ("LA", "PNG"), ("PA", "PNG")])
def test_transparency_is_dropped_and_flattened_on_white(mode, format):
    image = scene(65, 64, 48)
    alpha = Image.fromarray((np.indices((48, 64))[1] * 4).astype(np.uint8))
    layered = image.convert("RGBA")
    layered.putalpha(alpha)
    if mode == "PA":
        layered = image.quantize(32)
        layered.info["transparency"] = bytes([0] * 16 + [255] * 16)
        data = encoded(layered, "PNG", transparency=bytes([0] * 16 + [255] * 16))
    else:
        data = encoded(layered.convert(mode), format, **({"lossless": True, "exact": True} if format == "WEBP" else {}))
    dropped, on_white = decoded(data).views
    assert (dropped.on_white, on_white.on_white) == (False, True)
    assert (on_white.pixels.astype(int) >= dropped.pixels.astype(int) - 1).all()
    assert not np.array_equal(dropped.pixels, on_white.pixels)
    if mode == "RGBA":
        assert np.array_equal(dropped.pixels, np.asarray(image))
        assert (on_white.pixels[:, 0] == 255).all()


def test_an_opaque_alpha_channel_is_no_second_view():
    assert len(decoded(encoded(scene(66, 40, 30).convert("RGBA"), "PNG")).views) == 1


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animations_show_first_sampled_and_last_frame(format):
    frames = [scene(seed, 80, 60) for seed in range(9)]
    found = decoded(animated(frames, format))
    assert found.frames == 9
    assert [view.frame for view in found.views] == [0, 2, 4, 6, 8]
    assert [view.frame for view in decoded(animated(frames, format), only_frame=4).views] == [4]


def test_frames_are_bounded():
    data = animated([scene(seed, 80, 60) for seed in range(9)], "GIF")
    few = decoded(data, FingerprintOptions(max_frames=3))
    assert (few.frames, [view.frame for view in few.views]) == (9, [0, 1, 2])
    small = decoded(data, FingerprintOptions(max_pixels=80 * 60 * 2))
    assert [view.frame for view in small.views] == [0, 7]
    one = decoded(data, FingerprintOptions(sampled_frames=1))
    assert [view.frame for view in one.views] == [0]
    assert decode(data, OPTIONS, only_frame=9) == Rejected("corrupt", "no such frame")


def test_a_cut_off_animation_keeps_the_frames_it_has():
    data = animated([scene(seed, 80, 60) for seed in range(6)], "GIF")
    found = decoded(data[: len(data) * 6 // 10])
    assert found.partial
    assert found.views


@pytest.mark.parametrize("tag", [1, 3, 6, 8])
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_read_and_the_image_stays_as_stored(tag, format):
    exif = Image.Exif()
    exif[0x0112] = tag
    found = decoded(encoded(scene(67, 80, 60), format, exif=exif))
    assert (found.orientation, found.width, found.height) == (tag, 80, 60)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0" + bytes(40)])
def test_damaged_exif_is_ignored(exif):
    assert decoded(encoded(scene(68, 80, 60), "JPEG", exif=exif)).orientation == 1


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "BMP"])
def test_cut_off_files_are_decoded_as_far_as_they_go(format, tenth):
    image = scene(69, 160, 120)
    data = encoded(image, format)
    found = decode(data[: len(data) * tenth // 10], OPTIONS)
    if isinstance(found, Rejected):
        assert found.reason == "truncated"
        assert tenth < 3
        return
    assert found.partial
    rows = 120 * (tenth - 5) // 10
    seen, whole = found.views[0].grey.astype(int), np.asarray(image.convert("L"))
    if format == "BMP":
        seen, whole = seen[::-1], whole[::-1]
    assert rows <= 0 or np.abs(seen[:rows] - whole[:rows]).mean() < 12


def test_a_progressive_jpeg_shows_all_of_itself_early():
    image = scene(70, 320, 240)
    data = encoded(image, "JPEG", progressive=True, quality=85)
    found = decoded(data[: len(data) // 2])
    assert found.partial
    assert np.abs(found.views[0].grey.astype(int) - np.asarray(image.convert("L"))).mean() < 12


def test_a_cut_off_webp_says_so():
    data = encoded(scene(71, 160, 120), "WEBP")
    assert reason(data[: len(data) // 2]) == "truncated"


def test_nothing_but_a_header_is_truncated_not_a_grey_picture():
    data = encoded(scene(72, 160, 120), "JPEG")
    scan = data.index(b"\xff\xda")
    assert reason(data[: scan + 14]) == "truncated"
    assert reason(b"\xff\xd8\xff") == "truncated"
    assert reason(b"GIF89a") == "truncated"


def test_damage_in_the_middle_is_corrupt_or_still_seen():
    data = bytearray(encoded(scene(73, 160, 120), "PNG"))
    data[33:60] = bytes(27)
    assert reason(bytes(data)) == "corrupt"


def test_a_bomb_in_a_text_chunk_does_not_hide_the_image():
    data = encoded(scene(74, 60, 50), "PNG")
    bomb = chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(5_000_000)))
    found = decoded(data[:33] + bomb + data[33:])
    assert not found.partial
    assert np.array_equal(found.views[0].pixels, np.asarray(scene(74, 60, 50)))


def test_pixels_are_bounded_before_they_are_decoded():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
    gif = b"GIF89a" + struct.pack("<HHBBB", 65_000, 65_000, 0, 0, 0) + b"\x2c" + bytes(9) + b"\x02\x01\x00\x00\x3b"
    webp = b"RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00" + bytes(4) + b"\xfe\x3f\x00\xfe\x3f\x00"
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 50_000, 50_000, 1, 24, 0, 0, 0, 0, 0, 0)
    jpeg = bytearray(encoded(scene(75, 64, 64), "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    for data in (png, gif, webp, bmp, bytes(jpeg)):
        assert reason(data) == "bomb"
    assert reason(encoded(scene(76, 50, 50), "WEBP"), FingerprintOptions(max_pixels=2499)) == "bomb"


def test_what_a_jpeg_has_no_data_for_is_not_taken_for_a_picture():
    whole = scene(40, 640, 480)
    data = bytearray(encoded(whole, "JPEG", quality=10))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = (8000).to_bytes(2, "big") + (640).to_bytes(2, "big")
    assert isinstance(decode(bytes(data), DEFAULT_OPTIONS), Decoded)
    data[at : at + 4] = (60_000).to_bytes(2, "big") + (640).to_bytes(2, "big")
    assert decode(bytes(data), DEFAULT_OPTIONS) == Rejected("corrupt", "next to nothing was decoded")
    data[at : at + 4] = (9000).to_bytes(2, "big") + (640).to_bytes(2, "big")
    some = decode(bytes(data), DEFAULT_OPTIONS)
    assert isinstance(some, Decoded)
    assert some.partial
    flat = Image.new("L", (8000, 8000), 99)
    plain = decode(encoded(flat, "JPEG", optimize=True), DEFAULT_OPTIONS)
    assert isinstance(plain, Decoded)
    assert not plain.partial


def test_scans_are_bounded():
    data = encoded(scene(41, 64, 48), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert isinstance(decode(data[:last] + data[last:-2] * 200 + data[-2:], DEFAULT_OPTIONS), Decoded)
    assert decode(data[:last] + data[last:-2] * 300 + data[-2:], DEFAULT_OPTIONS) == Rejected("bomb")


def test_bytes_are_bounded():
    data = encoded(scene(77, 50, 50), "PNG")
    assert reason(data, FingerprintOptions(max_bytes=len(data) - 1)) == "too-large"
    assert decoded(data, FingerprintOptions(max_bytes=len(data)))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "not-an-image"),
        (b"hello", "not-an-image"),
        (b"<svg/>", "unsupported(svg)"),
        (b"%PDF-1.5", "unsupported(pdf)"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isommp42", "unsupported(video)"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf", "unsupported(avif)"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "unsupported(heif)"),
        (b"\xff\x0a\xfa\x00", "unsupported(jxl)"),
        (b"II*\x00\x08\x00\x00\x00", "unsupported(tiff)"),
    ],
)
def test_other_content_has_a_reason(data, expected):
    assert reason(data) == expected


def test_extras_are_decoded_where_this_pillow_can():
    wanted = FingerprintOptions(formats=DEFAULT_FORMATS | {"AVIF", "HEIF", "JXL"})
    assert known_formats(wanted) == DEFAULT_FORMATS | {name for name in ("AVIF", "HEIF", "JXL") if can_decode(name)}
    if can_decode("AVIF"):
        found = decoded(encoded(scene(78, 64, 48), "AVIF"), wanted)
        assert (found.format, found.width, found.height) == ("AVIF", 64, 48)
    if not can_decode("JXL"):
        assert reason(b"\xff\x0a\xfa\x00", wanted) == "unsupported(jxl)"


def test_nothing_is_printed_and_no_filter_of_warnings_is_left_behind():
    image = scene(79, 40, 30).quantize(8)
    data = encoded(image, "PNG", transparency=bytes([0, 255, 0, 255]))
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        decoded(data)
    assert not caught
    assert list(warnings.filters) == before


def test_pixels_outlive_their_image():
    views = [decoded(encoded(scene(seed, 200, 150), "JPEG")).views[0] for seed in range(8)]
    sums = [int(view.grey.sum()) for view in views]
    assert sums == [int(decoded(encoded(scene(seed, 200, 150), "JPEG")).views[0].grey.sum()) for seed in range(8)]


def test_memory_is_taken_as_well_as_bytes():
    data = encoded(scene(80, 60, 40), "PNG")
    assert np.array_equal(decoded(memoryview(data)).views[0].pixels, decoded(data).views[0].pixels)


def test_damaged_bytes_are_outcomes():
    rng = np.random.default_rng(81)
    for format in ("JPEG", "PNG", "GIF", "WEBP", "BMP"):
        data = encoded(scene(82, 48, 36), format)
        for _ in range(150):
            damaged = bytearray(data)
            for _ in range(int(rng.integers(1, 6))):
                damaged[int(rng.integers(0, len(damaged)))] = int(rng.integers(0, 256))
            assert isinstance(decode(bytes(damaged), OPTIONS), Decoded | Rejected)


def test_the_samples_that_a_sandbox_begins_with_are_of_every_kind_and_soon_made():
    def seconds() -> float:
        before = time.process_time()
        samples()
        return time.process_time() - before

    assert min(seconds() for _ in range(3)) < 0.3  # it is 0.04 on a quiet core; choosing palettes takes one
    options = FingerprintOptions(formats=DEFAULT_FORMATS | EXTRA_FORMATS)
    views = [decode(sample, options) for sample in samples()]
    assert all(isinstance(each, Decoded) for each in views)
    assert {each.format for each in views} >= {"PNG", "WEBP", "JPEG", "BMP", "GIF"}
    assert max(each.frames for each in views) == 2
