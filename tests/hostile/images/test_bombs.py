"""Small files that want much: each is an outcome within its deadline and the memory that a child may have."""

from __future__ import annotations

import asyncio
import struct
import zlib

import pytest

from crawler.fingerprint.decode import can_decode
from crawler.fingerprint.options import DEFAULT_FORMATS, FingerprintOptions
from crawler.fingerprint.sniff import sniff
from crawler.sandbox.settings import SandboxSettings
from tests.fingerprint.pictures import encoded, scene
from tests.hostile.images.bombs import BOMBS, bombs, jpeg_of_exif, png, zeroes
from tests.hostile.images.conftest import MOST_RESIDENT, running
from tests.hostile.images.containers import Jpeg, Png, chunk, header
from tests.hostile.images.test_mutations import RESTART, expected
from tests.hostile.images.watch import Watch

DEADLINE = 15.0
"""Seconds. The slowest takes two of a quiet core."""

SEEN = {
    "jpeg of 200 scans",
    "jpeg of 100,000 segments",
    "jpeg of large segments",
    "jpeg of looping directories",
    "jpeg of two billion pictures",
    "png of 67 Mpx",
    "png that inflates without end",
    "png of text",
    "png of profile",
    "png of nested profiles",
    "png of 300,000 chunks",
    "png of empty pixel chunks",
    "png of two billion frames",
    "png of 3000 frames",
    "gif of 3000 frames",
    "gif of 3 million empty frames",
    "webp of 100,000 frames",
}
"""Where there is a picture all the same, it is looked at: a bomb beside it does not hide it."""


async def test_every_bomb_is_an_outcome_within_its_bounds(settings: SandboxSettings) -> None:
    formats = DEFAULT_FORMATS | ({"AVIF"} if can_decode("AVIF") else frozenset())
    options = FingerprintOptions(formats=formats)
    clean = encoded(scene(401, 320, 240), "JPEG")
    async with running(settings, options=options, image_deadline=DEADLINE) as sandbox, Watch(sandbox) as watch:
        loop, answers = asyncio.get_running_loop(), {}
        for name, data in bombs():
            begun = loop.time()
            answers[name] = answer = await sandbox.examine(data)
            assert loop.time() - begun < DEADLINE + RESTART, name
            assert expected(answer) or answer.reason == "deadline", (name, answer)
            assert answer.found is None, name
            assert (await sandbox.examine(clean)).decoded, name
        counts = sandbox.counts
    assert (counts.crashed, counts.violation, counts.zygotes) == (0, 0, 1)
    assert counts.answered == 2 * len(BOMBS)
    assert {name for name in SEEN if not answers[name].decoded} == set()
    assert watch.missing < RESTART
    assert watch.address_space <= 1.0
    assert watch.resident < MOST_RESIDENT


def test_bombs_are_what_they_say() -> None:
    """A bomb that is none proves nothing."""
    for count in (0, 1, 65_521, 1 << 20, (5 << 20) + 12_345):
        assert zlib.decompress(zeroes(count)) == bytes(count)
    for name, make in BOMBS.items():
        data = make()
        assert sniff(data) == name.split()[0].upper(), name
        assert len(data) <= 33_554_432, name  # more would not even be looked at


@pytest.mark.parametrize("data", [encoded(scene(402, 40, 30), "JPEG"), jpeg_of_exif()], ids=["plain", "odd"])
def test_a_jpeg_is_put_together_as_it_was_taken_apart(data: bytes) -> None:
    assert Jpeg.of(data).bytes() == data


def test_a_png_is_put_together_as_it_was_taken_apart() -> None:
    data = encoded(scene(402, 40, 30), "PNG")
    assert Png.of(data).bytes() == data
    assert Png.of(png(header(3, 4), chunk(b"tEXt", b"k\0v"))).chunks == [
        (b"IHDR", struct.pack(">IIBBBBB", 3, 4, 8, 0, 0, 0, 0)),
        (b"tEXt", b"k\0v"),
        (b"IEND", b""),
    ]
