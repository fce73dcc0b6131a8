"""The image buffer: what is written is seen, only readable on the other side, and gone afterwards."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.sandbox.buffer import ImageBuffer, map_for_reading

SIZE = 3_000_000


@pytest.fixture
def buffer() -> Iterator[ImageBuffer]:
    made = ImageBuffer(SIZE)
    yield made
    made.close()


@pytest.mark.parametrize("length", [0, 1, 150_000, 1_048_576, 1_048_577, SIZE])
def test_bytes_arrive_and_nothing_remains(buffer: ImageBuffer, length: int) -> None:
    seen = map_for_reading(buffer.descriptor)
    body = os.urandom(length)
    assert buffer.put([memoryview(body)]) == [length]
    assert seen[:length] == body
    assert seen[length:].tobytes().count(0) == len(seen) - length
    buffer.wipe()
    assert seen.tobytes().count(0) == len(seen)


def test_several_stand_one_after_the_other_and_nothing_remains(buffer: ImageBuffer) -> None:
    seen = map_for_reading(buffer.descriptor)
    assert buffer.put([b"one", b"", bytearray(b"three")]) == [3, 0, 5]
    assert seen[:9].tobytes() == b"onethree\0"
    buffer.wipe()
    assert seen.tobytes().count(0) == len(seen)
    assert buffer.put([b"z"]) == [1]
    assert seen[:2].tobytes() == b"z\0"


def test_the_size_is_sealed_and_the_other_side_cannot_write(buffer: ImageBuffer) -> None:
    seen = map_for_reading(buffer.descriptor)
    assert seen.readonly
    for size in (0, SIZE * 2):
        with pytest.raises(OSError, match=r"Invalid argument|Operation not permitted"):
            os.ftruncate(buffer.descriptor, size)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(buffer.descriptor, b"x")
    with pytest.raises(OSError, match="Permission denied"):
        mmap.mmap(buffer.descriptor, buffer.size, mmap.MAP_SHARED, mmap.PROT_WRITE)


def test_a_read_only_mapping_cannot_become_writable(buffer: ImageBuffer) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    size = ctypes.c_size_t(mmap.PAGESIZE)
    address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, buffer.descriptor, ctypes.c_long(0))
    assert libc.mprotect(ctypes.c_void_p(address), size, mmap.PROT_READ | mmap.PROT_WRITE) == -1
    libc.munmap(ctypes.c_void_p(address), size)


def test_large_images_give_their_pages_back(buffer: ImageBuffer) -> None:
    def resident() -> int:
        return os.fstat(buffer.descriptor).st_blocks * 512

    buffer.put([b"x" * SIZE])
    assert resident() >= SIZE
    buffer.wipe()
    assert resident() <= 1_048_576


def test_longer_than_the_buffer_is_refused(buffer: ImageBuffer) -> None:
    with pytest.raises((ValueError, IndexError)):
        buffer.put([b"abc", bytes(buffer.size)])


def test_closing_frees_the_descriptors() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    made = ImageBuffer(4096)
    made.put([b"x"])
    made.close()
    made.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
