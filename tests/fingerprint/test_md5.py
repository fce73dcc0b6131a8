from __future__ import annotations

import ctypes
import hashlib
import mmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fingerprint import md5
from crawler.fingerprint.md5 import LANES, MOST, md5_of

# The last block of a message holds its length too, from the 56th byte on; so these are where its form changes.
LENGTHS = st.sampled_from([0, 1, 55, 56, 63, 64, 65, 119, 120, 127, 128, 4096]) | st.integers(0, 3000)
MESSAGES = st.tuples(st.lists(LENGTHS, max_size=2 * MOST + 3), st.randoms(use_true_random=False))


def of_hashlib(messages: list[bytes]) -> list[bytes]:
    return [hashlib.md5(each).digest() for each in messages]


@given(MESSAGES)
@settings(max_examples=150)
def test_all_digests_are_those_of_hashlib(given_: tuple[list[int], object]) -> None:
    lengths, pick = given_
    messages = [pick.randbytes(length) for length in lengths]  # type: ignore[attr-defined]
    assert md5_of(messages) == of_hashlib(messages)


@pytest.mark.parametrize("count", [2, LANES - 1, LANES, LANES + 1, MOST, MOST + 1, 3 * MOST])
@pytest.mark.parametrize("length", [0, 55, 56, 64, 1000])
def test_as_many_of_one_length(count: int, length: int) -> None:
    messages = [bytes([n]) * length for n in range(count)]
    assert md5_of(messages) == of_hashlib(messages)


def test_vectors_of_the_standard() -> None:
    """RFC 1321, A.5, all in lanes."""
    found = md5_of([b"", b"a", b"abc", b"message digest", b"abcdefghijklmnopqrstuvwxyz"])
    assert [each.hex() for each in found] == [
        "d41d8cd98f00b204e9800998ecf8427e",
        "0cc175b9c0f1b6a831c399e269772661",
        "900150983cd24fb0d6963f7d28e17f72",
        "f96b697d7cb7938d525a2f31aaf161d0",
        "c3fcd3d76192e4007dfb496cca67e13b",
    ]


def test_parts_of_a_buffer_that_stand_anywhere() -> None:
    whole = memoryview(bytes(range(256)) * 40)
    parts = [whole[start : start + 1000 + start] for start in range(13)]
    assert md5_of(parts) == of_hashlib([bytes(part) for part in parts])
    assert md5_of([memoryview(bytearray(part)) for part in parts]) == of_hashlib([bytes(part) for part in parts])


def test_lanes_that_have_nothing_to_do_read_nothing() -> None:
    """Two long messages leave six lanes idle for so long that reading on would leave the process's memory."""
    messages = [bytes([n]) * (24 << 20) for n in range(2)]
    assert md5_of(messages) == of_hashlib(messages)


@pytest.mark.parametrize("length", [64, 100, 4096])
def test_nothing_is_read_before_a_message_or_beyond_it(length: int) -> None:
    page = mmap.PAGESIZE
    area = mmap.mmap(-1, 3 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    protect = ctypes.CDLL(None, use_errno=True).mprotect
    area[page : 2 * page] = bytes(range(256)) * (page // 256)
    for closed in (start, start + 2 * page):
        assert protect(ctypes.c_void_p(closed), ctypes.c_size_t(page), 0) == 0
    view = memoryview(area)
    messages = [view[page : page + length], view[2 * page - length : 2 * page], b"x" * length]
    assert md5_of(messages) == of_hashlib([bytes(message) for message in messages])


def test_one_that_is_as_long_as_all_others_goes_the_usual_way(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = md5.digest_all
    monkeypatch.setattr(md5, "digest_all", lambda *rest: (calls.append(rest[1]), real(*rest)))
    for messages in ([b"a" * 900], [b"a" * 900, b"b" * 800], [b"a" * 900, b"b" * 900], [b"a" * 100] * 5):
        assert md5_of(messages) == of_hashlib(messages)
    assert calls == [2, 5]
    assert md5_of([]) == []
