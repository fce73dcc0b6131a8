from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch.decompress import Decompressor
from crawler.records import Rejected

MOST = 4_000_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
}


def unpack(encoding: str, packed: bytes, step: int = 65_536, most: int = MOST, ratio: int = 250) -> bytes | Rejected:
    decompressor = Decompressor(encoding, most, ratio)
    out = []
    for start in range(0, len(packed), step):
        pieces = decompressor.feed(packed[start : start + step])
        if isinstance(pieces, Rejected):
            return pieces
        out += pieces
    return decompressor.finish() or b"".join(out)


@pytest.mark.parametrize("name", PACKERS)
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=5000), step=st.integers(1, 600), repeat=st.integers(1, 30))
def test_what_was_packed_comes_out(name: str, data: bytes, step: int, repeat: int) -> None:
    encoding, pack = PACKERS[name]
    assert unpack(encoding, pack(data * repeat), step, ratio=10**9) == data * repeat


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=2000), order=st.lists(st.sampled_from(["gzip", "deflate", "br", "zstd"]), max_size=3))
def test_layers(data: bytes, order: list[str]) -> None:
    packed = data
    for name in order:
        packed = PACKERS[name][1](packed)
    assert unpack(", ".join(order), packed, 7) == data


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, br"])
@settings(max_examples=50, deadline=None)
@given(rubbish=st.binary(max_size=300))
def test_rubbish_never_raises(encoding: str, rubbish: bytes) -> None:
    result = unpack(encoding, rubbish, 11)
    assert isinstance(result, bytes) or result.reason == "decompression"


def test_several_gzip_members_and_rubbish_behind_them() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two") + b"rubbish"
    for step in (1, 3, 10, 1000):
        assert unpack("gzip", packed, step) == b"one two"


def test_what_browsers_forgive() -> None:
    assert unpack("gzip", b"plain text") == b"plain text"
    assert unpack("identity", b"plain text") == b"plain text"
    assert unpack("pack200-gzip, UTF-8", b"plain text") == b"plain text"
    assert unpack("gzip", b"") == b""
    assert unpack("gzip", b"\x1e") == b"\x1e"
    assert unpack("deflate", zlib.compress(b"x") + b"rubbish") == b"x"
    assert not Decompressor("identity", 1, 1)


@pytest.mark.parametrize("name", ["gzip", "deflate", "raw deflate", "br"])
def test_an_early_end_is_noticed(name: str) -> None:
    encoding, pack = PACKERS[name]
    result = unpack(encoding, pack(bytes(range(256)) * 20)[:-5])
    assert isinstance(result, Rejected)
    assert result.reason == "decompression"


def test_too_many_layers() -> None:
    result = unpack("gzip, gzip, gzip, gzip", b"x")
    assert isinstance(result, Rejected)
    assert result.reason == "decompression"


@pytest.mark.parametrize("name", PACKERS)
def test_the_cap_is_exact(name: str) -> None:
    encoding, pack = PACKERS[name]
    data = bytes(range(256)) * 40
    assert unpack(encoding, pack(data), most=len(data), ratio=10**9) == data
    over = unpack(encoding, pack(data), most=len(data) - 1, ratio=10**9)
    assert isinstance(over, Rejected)
    assert over.reason == "too-large"


@pytest.mark.parametrize("name", PACKERS)
def test_bombs_cost_no_memory(name: str) -> None:
    encoding, pack = PACKERS[name]
    bomb = brotli.compress(bytes(1 << 26), quality=1) if name == "br" else pack(bytes(1 << 26))
    tracemalloc.start()
    try:
        result = unpack(encoding, bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(result, Rejected)
    assert result.reason == "decompression-bomb"
    assert peak < 3 * MOST


def test_a_bomb_between_layers_stops_at_the_cap() -> None:
    """The outer layer unpacks to far more than the inner one would ever yield."""
    inner = gzip.compress(b"tiny") + bytes(50_000_000)
    result = unpack("gzip, gzip", gzip.compress(inner), ratio=10**9)
    assert isinstance(result, Rejected)
    assert result.reason == "too-large"
