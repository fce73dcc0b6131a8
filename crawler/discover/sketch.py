"""A sketch of what a page says and shows, by which two pages can be told to be the same but for details.

The sketch of the text is the smallest hashes of its sequences of twelve letters, about three words; two sketches share
about as much as the texts do. Source: Broder, "On the Resemblance and Containment of Documents", 1997 (bottom-k
sketches). Pages that show other images are never the same, whatever they say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import blake2b
from struct import pack
from typing import Final

import numpy as np
from numpy.typing import NDArray

from crawler.records import Candidate, Kind, PageSketch

HASHES: Final = 12
"""Of the text, 4 bytes each."""
_LENGTH: Final = 32_768
"""Bytes of a page that are sketched, and ..."""
_MOST_LETTERS: Final = 6_000
_WINDOW: Final = 12
_AMPLE: Final = 48
"""Smallest windows among which the smallest distinct ones are looked for first: texts repeat themselves."""
_ALIKE: Final = 0.8
_DECORATION: Final = frozenset(("icon", "pixel", "guess"))
# Of text in lower case, which is the quicker.
_ASIDE: Final = re.compile(
    rb"<(?:s(?:cript\b(?:[^<]++|<(?!/script))*+|tyle\b(?:[^<]++|<(?!/style))*+|vg\b(?:[^<]++|<(?!/svg))*+)"
    rb"|template\b(?:[^<]++|<(?!/template))*+|!--(?:[^-]++|-(?!->))*+)"
)
_SHOWN: Final = re.compile(rb">[^<>a-z\x80-\xff]*+([a-z\x80-\xff][^<]*+)")
_NO_LETTERS: Final = bytes(code for code in range(0x80) if not chr(code).isalpha())
_HEADS: Final = re.compile(rb"<(?:title|h1)\b[^<>]*+>([^<]{1,200}+)")
_MISSING: Final = re.compile(
    rb"\b404\b|not found|niet gevonden|bestaat niet|no longer (?:exists|available)|nicht gefunden|page introuvable"
)
_CONSENT: Final = re.compile(rb"accept|akkoord|consent|toestemming|agree")
_WALL_LETTERS: Final = 1_500
_WALL_LINKS: Final = 12

_EIGHT: Final = np.dtype("<u8")  # eight letters as one number, the same on every machine
_ODD: Final = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_HALF: Final = np.uint64(32)


def sketch(markup: bytes, found: Sequence[Candidate]) -> PageSketch:
    """The sketch of a page's markup, in an encoding that has ASCII in it, and of the images that it names."""
    page = markup[:_LENGTH].lower()
    shown = b" ".join(_SHOWN.findall(b">" + _ASIDE.sub(b">", page)))
    letters = shown.translate(None, _NO_LETTERS)[:_MOST_LETTERS]
    image = Kind.IMAGE
    shown_images = [each.url for each in found if each.kind is image and each.source not in _DECORATION]
    images = sorted({url.partition("?")[0] for url in shown_images})
    digest = blake2b("\n".join(images).encode(), digest_size=8).digest()
    missing = any(map(_MISSING.search, _HEADS.findall(page)))
    return PageSketch(_smallest(letters), digest, missing, not images and _is_wall(shown, len(letters), found))


def alike(one: bytes, other: bytes) -> bool:
    """Whether two packed sketches are of pages that are the same but for details."""
    if one[:8] != other[:8]:
        return False
    left, right = ({each[i : i + 4] for i in range(8, len(each), 4)} for each in (one, other))
    return len(left & right) >= _ALIKE * max(len(left), len(right))


def _smallest(letters: bytes) -> bytes:
    """The smallest distinct hashes of the windows of `letters`; of a shorter text, that of the whole."""
    hashes = _of_windows(letters.ljust(_WINDOW, b"\0"))
    few: set[int] = set((np.partition(hashes, _AMPLE)[:_AMPLE] if len(hashes) > _AMPLE else hashes).tolist())
    if len(few) < HASHES:
        few = set(hashes.tolist())
    smallest = sorted(few)[:HASHES]
    return pack(f">{len(smallest)}I", *(each >> 32 for each in smallest))


def _of_windows(letters: bytes) -> NDArray[np.uint64]:
    """The hash of each sequence of twelve letters: of its first eight and its last eight."""
    count = len(letters) - _WINDOW + 1
    first, second, third = _ODD
    hashes: NDArray[np.uint64] = np.ndarray((count,), _EIGHT, letters, 0, (1,)) * first
    hashes += np.ndarray((count,), _EIGHT, letters, _WINDOW - 8, (1,)) * second
    hashes ^= hashes >> _HALF
    hashes *= third
    return hashes


def _is_wall(shown: bytes, letters: int, found: Sequence[Candidate]) -> bool:
    if letters > _WALL_LETTERS or b"cookie" not in shown or not _CONSENT.search(shown):
        return False
    return sum(each.kind is Kind.PAGE for each in found) <= _WALL_LINKS
