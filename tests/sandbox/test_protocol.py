"""Frames survive the way, and nothing that a child could send gets past the decoder as something else."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.records import Digests, Examination, FoundImage, Rejected, RowMatch
from crawler.sandbox.protocol import (
    MAX_FRAME,
    MAX_MATCHES,
    Frame,
    FrameKind,
    WholeFile,
    decode,
    encode,
    pack_announced,
    pack_answer,
    pack_file,
    unpack_announced,
    unpack_answer,
    unpack_failure,
    unpack_file,
    unpack_found,
    unpack_lengths,
)

counts = st.integers(0, 2**63 - 1)
matches = st.builds(
    RowMatch,
    entry=counts,
    algorithm=st.sampled_from(["sha256", "sha1", "md5", "pdq", "phash"]),
    distance=st.integers(0, 256),
    threshold=st.integers(0, 256),
    transform=st.sampled_from(["none", "mirror", "512+rot90", "frame-12", "on-white+mirror"]),
    benign=st.booleans(),
)
found_images = st.builds(
    FoundImage,
    sha256=st.binary(min_size=32, max_size=32),
    md5=st.binary(min_size=16, max_size=16),
    size=counts,
    width=st.none() | counts,
    height=st.none() | counts,
    quality=st.none() | st.integers(0, 100),
    matches=st.lists(matches, min_size=1, max_size=20).map(tuple),
)
reasons = st.sampled_from(["truncated", "not an image", "unsupported(svg)", "deadline", "failed(ValueError)"])


@given(found=st.none() | found_images, reason=st.none() | reasons, partial=st.booleans(), place=counts)
def test_an_answer_survives_the_way(found: FoundImage | None, reason: str | None, partial: bool, place: int) -> None:
    examination = Examination(reason is None, reason, partial, found)
    frame = decode(encode(FrameKind.ANSWER, 7, pack_answer(place, examination)))
    assert isinstance(frame, Frame)
    assert (frame.kind, frame.number) == (FrameKind.ANSWER, 7)
    assert unpack_answer(frame.payload) == (place, examination)


@given(found=found_images, place=counts)
def test_an_announcement_survives_the_way(found: FoundImage, place: int) -> None:
    frame = decode(encode(FrameKind.FOUND, 7, pack_announced(place, found)))
    assert isinstance(frame, Frame)
    assert unpack_announced(frame.payload) == (place, found)


@pytest.mark.parametrize("payload", [None, [], 7, [-1], [3, -1], [True], [1.0], ["1"], [6, 5], [2**64]])
def test_lengths_that_do_not_fit_are_rejected(payload: object) -> None:
    assert unpack_lengths([6, 0, 4], 10) == [6, 0, 4]
    assert isinstance(unpack_lengths(payload, 10), Rejected)


def test_the_largest_answer_fits_into_a_frame() -> None:
    widest = RowMatch(2**63 - 1, "a" * 32, 1024, 1024, "t" * 20, True)
    found = FoundImage(b"s" * 32, b"m" * 16, 2**40, 2**40, 2**40, 100, (widest,) * (MAX_MATCHES + 5))
    packet = encode(FrameKind.FOUND, 2**64 - 1, pack_announced(2**63 - 1, found))
    assert len(packet) <= MAX_FRAME
    frame = decode(packet)
    assert isinstance(frame, Frame)
    back = unpack_announced(frame.payload)
    assert not isinstance(back, Rejected)
    assert len(back[1].matches) == MAX_MATCHES


GOOD = [b"s" * 32, b"m" * 16, 7, None, None, None, [[5, "sha256", 0, 0, "none", False]]]


@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, b"short"),
        (0, "s" * 32),
        (1, b"m" * 17),
        (2, -1),
        (2, 2**63),
        (2, 7.0),
        (3, "wide"),
        (3, -1),
        (3, True),
        (4, 2**64 - 1),
        (6, []),
        (6, [[5, "sha256", 0, 0, "none", False]] * (MAX_MATCHES + 1)),
        (6, [[5, "sha256", 0, 0, "none"]]),
        (6, [[-1, "sha256", 0, 0, "none", False]]),
        (6, [[True, "sha256", 0, 0, "none", False]]),
        (6, [[5, "http://x/?leak", 0, 0, "none", False]]),
        (6, [[5, "sha256", -1, 0, "none", False]]),
        (6, [[5, "sha256", 0, 2**31, "none", False]]),
        (6, [[5, "sha256", 0, 0, "a b", False]]),
        (6, [[5, "sha256", 0, 0, "none", 1]]),
        (6, [["5", "sha256", 0, 0, "none", False]]),
    ],
)
def test_a_found_image_is_checked_field_by_field(position: int, value: object) -> None:
    assert isinstance(unpack_found(GOOD), FoundImage)
    bad = list(GOOD)
    bad[position] = value
    assert isinstance(unpack_found(bad), Rejected)
    assert isinstance(unpack_announced([0, bad]), Rejected)
    assert isinstance(unpack_answer([0, True, None, False, bad]), Rejected)


@pytest.mark.parametrize(
    "payload",
    [
        False,
        [],
        [0, True, None, False],
        [0, True, "a reason though decoded", False, None],
        [0, False, None, False, None],
        [0, False, "", False, None],
        [0, False, "line\nbreak", False, None],
        [0, False, "x" * 81, False, None],
        [0, False, b"bytes", False, None],
        [-1, True, None, False, None],
        [False, True, None, False, None],
        [0, 1, None, False, None],
        [0, True, None, None, None],
        {"decoded": True},
    ],
)
def test_an_answer_of_another_shape_is_rejected(payload: object) -> None:
    assert isinstance(unpack_answer(payload), Rejected)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_frame_or_rejected(packet: bytes) -> None:
    frame = decode(packet)
    assert isinstance(frame, Rejected) or encode(frame.kind, frame.number, frame.payload)[:10] == packet[:10]
    if isinstance(frame, Frame):
        unpack_answer(frame.payload)
        unpack_announced(frame.payload)
        unpack_lengths(frame.payload, 100)
        assert len(unpack_failure(frame.payload)) == 2


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x01\x03",
        b"\x01" + encode(FrameKind.READY)[1:],
        b"\x02\xff" + encode(FrameKind.READY)[2:],
        encode(FrameKind.READY)[:10] + b"\xc1",
        encode(FrameKind.READY)[:10] + b"\x91" * 5000 + b"\x00",
        encode(FrameKind.READY)[:10] + b"\xdd\xff\xff\xff\xff",
        encode(FrameKind.READY)[:10] + b"\xc6\xff\xff\xff\xff",
        encode(FrameKind.READY) + b"\x00",
        encode(FrameKind.READY)[:10] + msgpack.packb({1: 2}),
        encode(FrameKind.READY)[:10] + b"\x00" * MAX_FRAME,
    ],
)
def test_damaged_frames_are_rejected(packet: bytes) -> None:
    assert isinstance(decode(packet), Rejected)


def test_a_failure_is_one_bounded_line() -> None:
    name, message = unpack_failure(["IndexCorrupt", "first\nsecond " + "x" * 9000])
    assert name == "IndexCorrupt"
    assert message.startswith("first second x")
    assert len(message) == 500


def test_the_digests_of_a_file_survive_the_way() -> None:
    file = WholeFile(Digests(b"m" * 16, b"s" * 20, b"S" * 32), 2**40)
    frame = decode(encode(FrameKind.LOOK_UP, 3, pack_file(file)))
    assert isinstance(frame, Frame)
    assert unpack_file(frame.payload) == file
    for wrong in ([b"m", b"s" * 20, b"S" * 32, 1], [b"m" * 16, b"s" * 20, b"S" * 32, -1], [b"m" * 16], 7, None):
        assert isinstance(unpack_file(wrong), Rejected)
