"""Text without the images in it: what the browser is handed holds blank ones of the same size in their place."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from typing import Final

from crawler.discover.dataimages import DataImages
from crawler.records import DataImage
from crawler.render.blank import DEFAULT, blank, size_of

_DATA: Final = re.compile(
    rb"data:image\\?/(?!svg)[\w.+-]{1,40}(?:;[\w.=-]{1,40}){0,4};base64,[A-Za-z0-9+/=\\%\s]{32,}", re.IGNORECASE
)
"""As it stands in markup, in style sheets and in strings of scripts and JSON, where slashes may be escaped."""


def stripped(body: bytes) -> tuple[bytes, tuple[DataImage, ...]]:
    """The text, and the images that were in it, in their order and within the bounds of `dataimages.py`."""
    if b"data:image" not in body and b"DATA:" not in body:
        return body, ()
    found = DataImages()

    def replaced(match: re.Match[bytes]) -> bytes:
        url = match[0].replace(b"\\/", b"/").decode("latin-1")
        one = DataImages()
        one.add(url)
        found.add(url)
        images = one.found()
        size = (size_of(images[0].body) if images else None) or DEFAULT
        return b"data:image/png;base64," + base64.b64encode(blank(size))

    return _DATA.sub(replaced, body), found.found()


def genuine(images: Iterable[DataImage]) -> tuple[DataImage, ...]:
    """Those that are no blank ones of ours."""
    return tuple(image for image in images if not _is_blank(image.body))


def _is_blank(body: bytes) -> bool:
    size = size_of(body)
    return size is not None and len(body) < 65_536 and body == blank(size)
