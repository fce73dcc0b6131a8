"""The entries of the lab's hash list, and the files whose digests and codes they are."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.lab.images import Derivative, File, Picture, encoded

PDQ = "pdq"
FIRST_SEED = 9000


@dataclass(frozen=True, slots=True)
class Listed:
    """One listed image.

    algorithms: what the list holds of it: "md5", "sha1", "sha256", "pdq".
    source: the original, or raw bytes for what is no image at all but is listed all the same.
    """

    key: str
    algorithms: tuple[str, ...]
    source: File | bytes

    def content(self) -> bytes:
        """The bytes of the original."""
        return self.source if isinstance(self.source, bytes) else encoded(self.source)

    @property
    def picture(self) -> Picture:
        """The picture of the original. Raises TypeError for what is no image."""
        if isinstance(self.source, bytes):
            raise TypeError(f"{self.key} is no image")
        return self.source.picture

    def matches(self, derivative: Derivative) -> bool:
        """Whether a matcher with a PDQ distance of 31 and mirrored codes finds this derivative by this entry."""
        return derivative is Derivative.AS_IS or PDQ in self.algorithms


_SIZES = ((640, 480), (480, 640), (600, 450), (512, 512), (720, 480), (560, 700))
_FORMATS = ("JPEG", "JPEG", "PNG", "JPEG", "WEBP", "JPEG", "GIF", "JPEG")
_HOLDINGS = (
    ("pdq",),
    ("sha256",),
    ("pdq", "sha256"),
    ("pdq",),
    ("md5",),
    ("pdq",),
    ("pdq", "sha1"),
    ("sha1",),
)


def _picture_entry(number: int) -> Listed:
    width, height = _SIZES[number % len(_SIZES)]
    picture = Picture(FIRST_SEED + number, width, height)
    return Listed(f"L{number:02}", _HOLDINGS[number % 8], File(picture, _FORMATS[(number // 2) % 8]))


_NOT_AN_IMAGE = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 24
"""Begins as a JPEG and is none: only its digest can match."""

LISTED: dict[str, Listed] = {entry.key: entry for entry in map(_picture_entry, range(24))} | {
    "L24": Listed("L24", ("md5", "sha256"), _NOT_AN_IMAGE),
}


def with_pdq() -> tuple[Listed, ...]:
    """The entries whose derivatives match too."""
    return tuple(entry for entry in LISTED.values() if PDQ in entry.algorithms)


def digest_only() -> tuple[Listed, ...]:
    """The entries that only their original matches."""
    return tuple(entry for entry in LISTED.values() if PDQ not in entry.algorithms)
