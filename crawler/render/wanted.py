"""Which pages are rendered: `auto` takes those whose static form has scripts and yields next to nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal

from crawler.records import Candidate, Kind, PageContent

Mode = Literal["never", "auto", "always"]

FEW_IMAGES: Final = 2
FEW_LINKS: Final = 12
"""A page with fewer images and fewer links than this yields next to nothing. A menu and a logo are little."""
_SCRIPT: Final = re.compile(rb"<script\b(?![^>]{0,200}type\s*=\s*[\"']?application/(?:ld\+)?json)", re.IGNORECASE)
_DECORATION: Final = frozenset({"icon", "pixel", "guess", "css", "script", "meta"})
"""Sources of images that are on a page whatever it is about, or are only believed to be."""


def wanted(mode: Mode, body: bytes, content: PageContent) -> bool:
    """Whether to render an HTML page. body: as received.  content: what discovery made of it.

    Without a script there is nothing that rendering could add, so `always` leaves such a page as well.
    """
    # UTF-16 shows its letters when the zero bytes are left out.
    text = body.replace(b"\0", b"") if b"\0" in body[:64] else body
    if mode == "never" or content.sketch is None or not _SCRIPT.search(text):
        return False
    return mode == "always" or _yields_little(content.candidates)


def _yields_little(candidates: Iterable[Candidate]) -> bool:
    images = links = 0
    for candidate in candidates:
        images += candidate.kind is Kind.IMAGE and candidate.source not in _DECORATION
        links += candidate.kind is Kind.PAGE
    return images < FEW_IMAGES and links < FEW_LINKS
