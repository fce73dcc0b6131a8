from __future__ import annotations

import hashlib

from crawler.fingerprint.exact import digests


def test_digests_are_those_of_hashlib():
    for data in (b"", b"abc", bytes(range(256)) * 100):
        found = digests(data)
        assert found.md5 == hashlib.md5(data).digest()
        assert found.sha1 == hashlib.sha1(data).digest()
        assert found.sha256 == hashlib.sha256(data).digest()


def test_a_view_of_memory_gives_the_same_digests():
    assert digests(memoryview(b"abc")) == digests(b"abc")


def test_digests_stay_out_of_their_repr():
    assert "md5" not in repr(digests(b"abc"))
