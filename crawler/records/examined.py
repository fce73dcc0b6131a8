"""What a sandbox says of an image."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests over the bytes as received."""

    md5: bytes = field(repr=False)
    sha1: bytes = field(repr=False)
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """One PDQ code: 32 bytes, in the byte order of the hexadecimal form that the reference prints.

    transform: what was done to the image before, "+"-joined, "none" for nothing: "mirror", "rot90", "on-white",
    "exif", "trimmed", "frame-12", "512" (the squeezed convention) …
    quality: 0 to 100.
    """

    value: bytes = field(repr=False)
    quality: int
    transform: str = "none"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All that is computed for an image. Lives inside the sandbox, and in `vangnet fingerprint`.

    phash: 64-bit pHash, 8 bytes.  partial: the data ended before the image did.
    """

    digests: Digests
    format: str
    width: int
    height: int
    frames: int
    codes: tuple[Code, ...] = field(repr=False)
    phash: bytes = field(repr=False)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class RowMatch:
    """An entry of the index that the image agrees with. `entry` is the entry's number in the store.

    algorithm: "sha256", "sha1", "md5", "pdq", "phash".  distance, threshold: bits; 0 and 0 for digests.
    benign: the entry stands on a list of harmless images; reported beside a block match, never alone.
    """

    entry: int
    algorithm: str
    distance: int = 0
    threshold: int = 0
    transform: str = "none"
    benign: bool = False


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A matching image: the only thing about an image that leaves the sandbox.

    width, height, quality: None when only the digests matched because the image could not be decoded.
    """

    sha256: bytes = field(repr=False)
    md5: bytes = field(repr=False)
    size: int
    width: int | None
    height: int | None
    quality: int | None
    matches: tuple[RowMatch, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """What the sandbox answers for one image.

    decoded: False with a `reason` ("truncated", "not an image", "bomb", "unsupported(svg)", "deadline", …). True also
    where digests alone were looked up, so that there was nothing to decode.
    partial: decoded, but the data ended early.  found: None when nothing matched.
    against: index file and state of the lists that `found` rests on, as `crawler.match.names` writes them.
    """

    decoded: bool
    reason: str | None = None
    partial: bool = False
    found: FoundImage | None = None
    against: str | None = field(default=None, compare=False)
