"""A fingerprint as plain data, for `vangnet fingerprint FILE --json`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from crawler.fingerprint.compute import Undecodable
from crawler.records import Digests, Fingerprint, Rejected

NONE: Mapping[str, bytes | None] = MappingProxyType({})


def describe(found: Fingerprint | Undecodable, plugged: Mapping[str, bytes | None] = NONE) -> dict[str, object]:
    """Every key is always there; null means unknown. Digests and codes are lower-case hexadecimal.

    {"md5", "sha1", "sha256", "decoded", "reason", "format", "width", "height", "frames", "partial", "phash",
     "codes": [{"algorithm": "pdq", "value", "quality", "transform"}]}
    plugged: codes of plug-in hashers, by algorithm; they stand behind ours, without a quality. None: it failed.
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
    codes: list[dict[str, object]] = [
        {"algorithm": "pdq", "value": code.value.hex(), "quality": code.quality, "transform": code.transform}
        for code in found.codes
    ]
    codes += [
        {"algorithm": name, "value": code and code.hex(), "quality": None, "transform": "none"}
        for name, code in plugged.items()
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


def read_back(payload: object, digests: Digests) -> dict[str, object] | Rejected:
    """A description that was made from hostile bytes elsewhere, checked field by field.

    digests: as they were computed here; they take the place of those in `payload`. Rejected: "description".
    """
    if not isinstance(payload, dict) or payload.keys() != describe(Undecodable(digests, "")).keys():
        return Rejected("description")
    numbers = [payload[name] for name in ("width", "height", "frames")]
    words = [payload[name] for name in ("reason", "format", "phash")]
    flags = [payload["decoded"], payload["partial"] or False]
    codes = payload["codes"]
    if (
        not all(each is None or is_count(each) for each in numbers)
        or not all(each is None or is_word(each) for each in words)
        or not all(isinstance(each, bool) for each in flags)
        or not (isinstance(codes, list) and all(is_code(each) for each in codes))
    ):
        return Rejected("description")
    return {**payload, **described_digests(digests)}


def is_code(value: object) -> bool:
    match value:
        case {"algorithm": algorithm, "value": code, "quality": quality, "transform": transform, **rest}:
            plain = is_word(algorithm) and is_word(transform) and (quality is None or is_count(quality))
            return plain and not rest and (code is None or is_word(code))
    return False


def is_word(value: object) -> bool:
    """Nothing that could steer a terminal."""
    return isinstance(value, str) and value.isascii() and value.isprintable()


def is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def described_digests(digests: Digests) -> dict[str, object]:
    """The three digests in hexadecimal."""
    return {"md5": digests.md5.hex(), "sha1": digests.sha1.hex(), "sha256": digests.sha256.hex()}
