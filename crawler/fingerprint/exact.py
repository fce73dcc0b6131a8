"""Digests over the bytes as received."""

from __future__ import annotations

import hashlib

from crawler.records import Digests


def digests(data: bytes | memoryview, md5: bytes | None = None) -> Digests:
    """MD5, SHA-1 and SHA-256 of `data`: 16, 20 and 32 bytes.

    MD5 and SHA-1 are here because hash lists carry them, not because they are secure.
    md5: that of `data`, where it has been computed with others' already (`md5.py`).
    """
    return Digests(
        md5=md5 or hashlib.md5(data, usedforsecurity=False).digest(),
        sha1=hashlib.sha1(data, usedforsecurity=False).digest(),
        sha256=hashlib.sha256(data).digest(),
    )
