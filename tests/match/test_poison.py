"""Values that would flood are refused, each with its reason; real ones pass."""

from __future__ import annotations

import base64
import hashlib
import io
import random

import pytest
from PIL import Image

from crawler.match.entries import DIGEST_BYTES, VALUE_BYTES, Entry
from crawler.match.importers.synthetic import pdq
from crawler.match.poison import guard

NGINX_EMPTY_GIF = bytes.fromhex(
    "47494638396101000100800100000000ffffff21f90401000001002c00000000010001000002024c01003b"
)
SPACER_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")


def refused(algorithm: str, value: bytes) -> str | None:
    found = guard(Entry(algorithm, value))
    if found is None:
        return None
    assert found.reason == "poison"
    return found.detail


@pytest.mark.parametrize("algorithm", list(DIGEST_BYTES))
@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "empty content"),
        (b"\n", "a line feed"),
        (bytes(4096), "zero bytes"),
        (NGINX_EMPTY_GIF, "a GIF of one pixel"),
        (SPACER_GIF, "a GIF of one pixel"),
    ],
)
def test_digests_of_placeholders_are_refused(algorithm: str, body: bytes, what: str) -> None:
    assert what in (refused(algorithm, hashlib.new(algorithm, body).digest()) or "")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("colour", [0, 255])
def test_single_pixels_as_a_common_encoder_writes_them_are_refused(mode: str, colour: int) -> None:
    file = io.BytesIO()
    bands = len(mode)
    Image.new(mode, (1, 1), (colour,) * bands if bands > 1 else colour).save(file, "PNG")
    assert refused("sha256", hashlib.sha256(file.getvalue()).digest()) == "digest of a PNG of one pixel"


@pytest.mark.parametrize("algorithm", ["pdq", "phash", "md5", "sha256"])
@pytest.mark.parametrize("byte", [0, 255])
def test_codes_of_equal_bits_are_refused(algorithm: str, byte: int) -> None:
    assert refused(algorithm, bytes([byte]) * VALUE_BYTES[algorithm]) == "all bits are equal"


def test_popcounts_far_from_half_are_refused_at_the_stated_limits() -> None:
    rng = random.Random(1)
    for ones, passes in ((79, False), (80, True), (128, True), (176, True), (177, False)):
        value = sum(1 << place for place in rng.sample(range(256), ones)).to_bytes(32, "big")
        assert (refused("pdq", value) is None) is passes


@pytest.mark.parametrize(
    ("algorithm", "value"),
    [
        ("pdq", b"\xaa" * 32),
        ("pdq", b"\x0f\xf0" * 16),
        ("pdq", bytes.fromhex("0123456789abcdef") * 4),
        ("md5", b"\xde\xad\xbe\xef" * 4),
        ("sha1", bytes.fromhex("0123456789abcdef" * 3)[:20]),
        ("sha256", b"\x01" * 31 + b"\x02"),
    ],
)
def test_values_of_low_entropy_are_refused(algorithm: str, value: bytes) -> None:
    assert refused(algorithm, value) == "low entropy"


def test_values_of_images_pass() -> None:
    rng = random.Random(2)
    assert all(refused("pdq", pdq(rng)) is None for _ in range(2000))
    for algorithm, width in VALUE_BYTES.items():
        if algorithm != "pdq":
            assert all(refused(algorithm, rng.randbytes(width)) is None for _ in range(2000))


def test_no_refusal_shows_the_value() -> None:
    value = hashlib.sha256(b"").digest()
    assert value.hex() not in repr(guard(Entry("sha256", value)))
    assert value.hex() not in repr(Entry("sha256", value))
