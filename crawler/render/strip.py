"""Text without the images in it: what the browser is handed holds blank ones of the same size in their place."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from crawler.discover.dataimages import DataImages
from crawler.discover.encoding import decode
from crawler.discover.tokens import unescape_text
from crawler.records import DataImage
from crawler.render.blank import DEFAULT, Size, blank, size_of

_HEAD: Final = re.compile(
    rb"data: *+([\w.+*-]{0,60}+)(?:(?:\\*+/|\\++(?:u002f|x2f)|&(?:sol|#47|#x2f);)([\w.+*\\-]{0,60}+))?"
    rb"((?:;[\w.=%+/@~ \"\\-]{0,80}+){0,5}) *+,",
    re.IGNORECASE,
)
"""Browsers do not mind capitals, blanks and quotes there. In strings of scripts and JSON slashes may be escaped."""
_SHOWN: Final = re.compile(
    rb"(?:(?:\\*+/|\\++(?:u002f|x2f)|&(?:sol|#47|#x2f);)9j|iVBORw0KG|R0lGOD|UklGR)", re.IGNORECASE
)
"""How images begin in base64: browsers show them whatever type the URL names."""
_ENDS: Final = rb"(?!u00(?:2[27]|3[ce]|60)|x(?:2[27]|3[ce]|60))"
"""Behind a backslash: not an escaped quotation mark or bracket, which end a URL as they do themselves."""
_BASE64: Final = re.compile(
    rb"(?:[A-Za-z0-9+/=%%]++|\\++(?![\"'`\\])%b"
    rb"|&(?!quot|apos|[lg]t|#0*+(?:34|39|6[02]);|#x0*+(?:2[27]|3[ce]);)(?:#x?[0-9a-f]{1,7}|[a-z]{2,8});"
    rb"|\s++(?!data:|[\d.]++[wx](?:[\s,\"']|\Z)))*+" % _ENDS,
    re.IGNORECASE,
)
"""As it stands in markup, in style sheets and in strings. What is parted from the next one, or from its size in a set,
by white space alone ends before that."""
_QUOTES: Final = (b'"', b"'", b"`")
_OTHER: Final = {mark: re.compile(rb"(?:[^\\\s<>%b]++|\\++(?!%b))*+" % (mark, mark)) for mark in _QUOTES}
_BARE: Final = re.compile(rb"(?:[^\s\"'`<>()&\\]++|\\++(?![\"'`])%b)*+" % _ENDS, re.IGNORECASE)
"""In any other form than base64, up to the end of the string, by the quotation mark before it; without one."""
_DRAWN: Final = {mark: re.compile(rb"(?:[^\\%b]++|\\++(?!%b))*+" % (mark, mark)) for mark in _QUOTES}
"""The same for drawings, which may be written out."""
_ESCAPE: Final = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrtf]))?")
_LOOSE: Final = re.compile(r"[\s\"\\]+")
_SHORT: Final = 32
"""Bytes of data below which there is no image in it: scripts put some together from nothing."""
_SIZES: Final = 64
"""Of blank images in one text."""
_REPLACED: Final = 1_000
"""Images of one text that are replaced by blank ones; the rest by nothing."""


def stripped(body: bytes, content_type: str | None = None) -> tuple[bytes, tuple[DataImage, ...], dict[str, int]]:
    """The text, the images that were in it, in their order and within the bounds of `dataimages.py`, and how many
    were not, by reason. Drawings that embed an image are taken out whole, others stay.

    content_type: the header's value, which may say that the text has two bytes a letter.
    """
    codec = decode(body[:64], content_type)[1]
    if not codec.startswith("utf-16"):
        return _stripped(body)
    clean, images, rejected = _stripped(body.decode(codec, "replace").encode())
    return (clean.decode().encode(codec) if images or rejected else body), images, rejected


def _stripped(body: bytes) -> tuple[bytes, tuple[DataImage, ...], dict[str, int]]:
    strip = _Strip()
    pieces: list[bytes] = []
    done = looked_at = 0
    for head in _HEAD.finditer(body):
        if head.start() < looked_at or not _may_show(body, head):
            continue
        looked_at = _end(body, head)
        blanked = strip.replaced(head, body[head.end() : looked_at])
        if blanked is not None:
            pieces += body[done : head.start()], blanked
            done = looked_at
    if not pieces:
        return body, (), {}
    return b"".join((*pieces, body[done:])), strip.found.found(), strip.found.rejected


def _may_show(body: bytes, head: re.Match[bytes]) -> bool:
    if head[1].lower() == b"image" and head[2] is not None:
        return True
    return _is_base64(head) and _SHOWN.match(body, head.end()) is not None


def _end(body: bytes, head: re.Match[bytes]) -> int:
    before = body[head.start() - 1 : head.start()]
    if (head[2] or b"")[:3].lower() == b"svg":
        pattern = _DRAWN.get(before, _BARE)
    elif _is_base64(head):
        # White space ends an attribute without quotation marks.
        pattern = _BARE if before == b"=" else _BASE64
    else:
        pattern = _OTHER.get(before, _BARE)
    match = pattern.match(body, head.end())
    return match.end() if match else head.end()


def _is_base64(head: re.Match[bytes]) -> bool:
    return head[3].lower().rstrip(b' "\\').endswith(b"base64")


class _Strip:
    """Replaces the images of one text. found: all of them."""

    def __init__(self) -> None:
        self.found = DataImages()
        self._sizes: set[Size] = set()
        self._seen = 0

    def replaced(self, head: re.Match[bytes], data: bytes) -> bytes | None:
        """What is put in the place of a `data:` URL; None when it may stay."""
        if len(data) < _SHORT:
            return None
        self._seen += 1
        if self._seen > _REPLACED:
            self.found.rejected["data-cut"] = self.found.rejected.get("data-cut", 0) + 1
            return b"data:,"
        kind = b"/".join(part for part in (head[1], head[2]) if part is not None) + head[3]
        url = f"data:{_LOOSE.sub('', kind.decode('latin-1')).lower()},{_plain(data)}"
        one = DataImages()
        one.add(url)
        images = one.found()
        if not images and one.rejected.keys() == {"data-not-image"}:
            self._seen -= 1
            return None
        self.found.add(url)
        size = (size_of(images[0].body) if images else None) or DEFAULT
        # A blank one of a new size costs milliseconds to make.
        size = size if size in self._sizes or len(self._sizes) < _SIZES else DEFAULT
        self._sizes.add(size)
        return b"data:image/png;base64," + base64.b64encode(blank(size))


def _plain(data: bytes) -> str:
    """The data without what strings of scripts, and markup, put in the place of a character."""
    text = data.decode("utf-8", "replace")
    return unescape_text(_ESCAPE.sub(_meant, text) if "\\" in text else text)


def _meant(match: re.Match[str]) -> str:
    long, short, space = match.groups()
    return chr(int(long or short, 16)) if long or short else " " if space else ""


def genuine(images: Iterable[DataImage]) -> tuple[DataImage, ...]:
    """Those that are no blank ones of ours."""
    return tuple(image for image in images if not _is_blank(image.body))


def together(images: tuple[DataImage, ...], others: Iterable[DataImage]) -> tuple[DataImage, ...]:
    """Both, each image once, numbered on."""
    known = {image.body for image in images}
    more = [image for image in others if image.body not in known]
    return images + tuple(replace(image, number=len(images) + n) for n, image in enumerate(more))


def _is_blank(body: bytes) -> bool:
    size = size_of(body)
    return size is not None and len(body) < 65_536 and body == blank(size)
