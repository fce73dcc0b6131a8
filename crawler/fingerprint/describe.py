"""A fingerprint as plain data, for `vangnet fingerprint FILE --json`."""

from __future__ import annotations

from crawler.fingerprint.compute import Undecodable
from crawler.records import Digests, Fingerprint


def describe(found: Fingerprint | Undecodable) -> dict[str, object]:
    """Every key is always there; null means unknown. Digests and codes are lower-case hexadecimal.

    {"md5", "sha1", "sha256", "decoded", "reason", "format", "width", "height", "frames", "partial", "phash",
     "codes": [{"algorithm": "pdq", "value", "quality", "transform"}]}
    """
    if isinstance(found, Undecodable):
        return {
            **described_digests(found.digests),
            "decoded": False,
            "reason": found.reason,
            "format": None,
            "width": None,
            "height": None,
            "frames": None,
            "partial": None,
            "phash": None,
            "codes": [],
        }
    codes = [
        {"algorithm": "pdq", "value": code.value.hex(), "quality": code.quality, "transform": code.transform}
        for code in found.codes
    ]
    return {
        **described_digests(found.digests),
        "decoded": True,
        "reason": None,
        "format": found.format,
        "width": found.width,
        "height": found.height,
        "frames": found.frames,
        "partial": found.partial,
        "phash": found.phash.hex(),
        "codes": codes,
    }


def described_digests(digests: Digests) -> dict[str, object]:
    """The three digests in hexadecimal."""
    return {"md5": digests.md5.hex(), "sha1": digests.sha1.hex(), "sha256": digests.sha256.hex()}
