"""Digests over the bytes as received."""

from __future__ import annotations

import hashlib

from crawler.records import Digests


def digests(data: bytes | memoryview) -> Digests:
    """MD5, SHA-1 and SHA-256 of `data`: 16, 20 and 32 bytes.

    MD5 and SHA-1 are here because hash lists carry them, not because they are secure.
    """
    return Digests(
        md5=hashlib.md5(data, usedforsecurity=False).digest(),
        sha1=hashlib.sha1(data, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(data).digest(),
    )
