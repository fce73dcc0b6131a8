"""A sketch of what a page says and shows, by which two pages can be told to be the same but for details.

The sketch of the text is the smallest hashes of its sequences of three words, digits left out; two sketches share about
as much as the texts do. Source: Broder, "On the Resemblance and Containment of Documents", 1997 (bottom-k sketches).
Pages that show other images are never the same, whatever they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b
from heapq import nsmallest
from typing import Final
from zlib import crc32

from crawler.records import Candidate, Kind, PageSketch

HASHES: Final = 12
"""Of the text, 4 bytes each."""
_LENGTH: Final = 32_768
"""Characters of a page that are sketched, and ..."""
_MOST_WORDS: Final = 1_000
_ALIKE: Final = 0.8
_DECORATION: Final = frozenset(("icon", "pixel", "guess"))
_ASIDE: Final = re.compile(
    r"<(script|style|svg|template)\b[^>]*+>.*?(?:</\1\s*+>|\Z)|<!--.*?(?:-->|\Z)|<[^>]*+>?", re.S | re.I
)
_WORD: Final = re.compile(rb"[a-z\x80-\xff]+")
_HEADS: Final = re.compile(r"<(?:title|h1)\b[^<>]*+>([^<]{1,200}+)", re.I)
_MISSING: Final = re.compile(
    r"\b404\b|not found|niet gevonden|bestaat niet|no longer (?:exists|available)|nicht gefunden|page introuvable", re.I
)
_CONSENT: Final = re.compile(r"cookie", re.I), re.compile(r"accept|akkoord|consent|toestemming|agree", re.I)
_WALL_WORDS: Final = 250
_WALL_LINKS: Final = 12


def sketch(text: str, candidates: Iterable[Candidate]) -> PageSketch:
    """The sketch of a page's markup and of the images that it names."""
    found = tuple(candidates)
    shown = _ASIDE.sub(" ", text[:_LENGTH])
    words = _WORD.findall(shown.lower().encode("utf-8", "replace"))[:_MOST_WORDS]
    images = sorted({each.url.partition("?")[0] for each in found if _is_picture(each)})
    digest = blake2b("\n".join(images).encode(), digest_size=8).digest()
    missing = any(_MISSING.search(head) for head in _HEADS.findall(text[:_LENGTH]))
    return PageSketch(_smallest(words), digest, missing, not images and _is_wall(shown, len(words), found))


def alike(one: bytes, other: bytes) -> bool:
    """Whether two packed sketches are of pages that are the same but for details."""
    if one[:8] != other[:8]:
        return False
    left, right = ({each[i : i + 4] for i in range(8, len(each), 4)} for each in (one, other))
    return len(left & right) >= _ALIKE * max(len(left), len(right))


def _smallest(words: list[bytes]) -> bytes:
    """The smallest hashes of three words in a row; of fewer than three, of those that there are."""
    first = list(map(crc32, words)) or [0]
    second, third = first[1:] or [0], first[2:] or [0]
    hashes = {
        (a + 0x9E3779B1 * b + 0x85EBCA6B * c) * 0xC2B2AE35 & 0xFFFFFFFF
        for a, b, c in zip(first, second, third, strict=False)
    }
    return b"".join(each.to_bytes(4, "big") for each in nsmallest(HASHES, hashes))


def _is_picture(candidate: Candidate) -> bool:
    return candidate.kind is Kind.IMAGE and candidate.source not in _DECORATION


def _is_wall(shown: str, words: int, found: tuple[Candidate, ...]) -> bool:
    links = sum(each.kind is Kind.PAGE for each in found)
    return words <= _WALL_WORDS and links <= _WALL_LINKS and all(each.search(shown) for each in _CONSENT)
