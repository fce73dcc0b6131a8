"""Text without the images in it: what the browser is handed holds blank ones of the same size in their place."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

from crawler.discover.dataimages import MAX_IMAGES, DataImages
from crawler.records import DataImage
from crawler.render.blank import DEFAULT, Size, blank, size_of

_DATA: Final = re.compile(
    rb"data:image\\?/(?!svg)[\w.+-]{1,40}(?:; *[\w.= \"\\-]{0,40}){0,4}; *base64 *,[A-Za-z0-9+/=\\%\s]{32}"
    rb"(?:[A-Za-z0-9+/=\\%]++|\s(?!data:))*+",
    re.IGNORECASE,
)
"""As it stands in markup, in style sheets and in strings of scripts and JSON, where slashes may be escaped. What
is parted from the next one by white space alone ends before that one begins."""
_LOOSE: Final = re.compile(rb"[\s\"\\]+")
_REPLACED: Final = 1_000
"""Images of one text that are replaced by blank ones; the rest by nothing."""


def stripped(body: bytes) -> tuple[bytes, tuple[DataImage, ...], dict[str, int]]:
    """The text, the images that were in it, in their order and within the bounds of `dataimages.py`, and how many
    were not, by reason."""
    if b"data:image" not in body.lower():
        return body, (), {}
    found = DataImages()
    sizes: set[Size] = set()
    seen = 0

    def replaced(match: re.Match[bytes]) -> bytes:
        nonlocal seen
        seen += 1
        if seen > _REPLACED:
            found.rejected["data-cut"] = found.rejected.get("data-cut", 0) + 1
            return b"data:,"
        head, _, data = match[0].replace(b"\\/", b"/").partition(b",")
        # Browsers do not mind capitals, blanks and quotes there.
        url = (_LOOSE.sub(b"", head).lower() + b"," + data).decode("latin-1")
        one = DataImages()
        one.add(url)
        found.add(url)
        images = one.found()
        size = (size_of(images[0].body) if images else None) or DEFAULT
        # A blank one of a new size costs milliseconds to make.
        size = size if size in sizes or len(sizes) < MAX_IMAGES else DEFAULT
        sizes.add(size)
        return b"data:image/png;base64," + base64.b64encode(blank(size))

    return _DATA.sub(replaced, body), found.found(), found.rejected


def genuine(images: Iterable[DataImage]) -> tuple[DataImage, ...]:
    """Those that are no blank ones of ours."""
    return tuple(image for image in images if not _is_blank(image.body))


def _is_blank(body: bytes) -> bool:
    size = size_of(body)
    return size is not None and len(body) < 65_536 and body == blank(size)
