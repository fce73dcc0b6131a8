"""Images that stand in a document itself, as `data:` URLs (RFC 2397, as the Fetch Standard reads them)."""

from __future__ import annotations

import binascii
import re
from typing import Final
from urllib.parse import unquote_to_bytes

from crawler.discover import tokens
from crawler.records import DataImage

MAX_IMAGES: Final = 256  # of one document; galleries carry their thumbnails so
MAX_BYTES: Final = 1_048_576  # of one image, decoded
MAX_TOTAL_BYTES: Final = 8_388_608  # of all images of one document
_MAX_DEPTH: Final = 3  # of drawings within drawings
_SIGNATURE: Final = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n|GIF8|RIFF.{4}WEBP", re.S)
_ENCODED: Final = re.compile(r"\s*+(?:/9j/|iVBORw0KG|R0lGOD|UklGR.{6}XRUJQ)")  # the same in base64
_EMBEDDED: Final = re.compile(r"data:\s*+[\w.+*/-]{0,80}+[;,][^\"'()<>]++", re.I)  # in the text of a drawing


class DataImages:
    """The distinct `data:` images of one document, in their order, within bounds; `rejected` counts the others.

    longest: bytes of one image, decoded.  together: of all.
    """

    def __init__(self, longest: int = MAX_BYTES, together: int = MAX_TOTAL_BYTES) -> None:
        self._longest = longest
        self._together = together
        self.rejected: dict[str, int] = {}
        self._bodies: dict[bytes, None] = {}
        self._total = 0

    def add(self, url: str) -> None:
        """Take a `data:` URL; what is no image, damaged or beyond the bounds is counted and left.

        A drawing (SVG) is no image itself, but the images that it embeds are shown with it, and taken.
        """
        self._add(url, 0)

    def _add(self, url: str, depth: int) -> None:
        reason = self._take(url, depth)
        if reason is not None:
            self.rejected[reason] = self.rejected.get(reason, 0) + 1

    def found(self) -> tuple[DataImage, ...]:
        return tuple(DataImage(number, body) for number, body in enumerate(self._bodies))

    def _take(self, url: str, depth: int) -> str | None:
        header, comma, data = url.partition(",")
        kind, _, parameters = header[5:].lower().partition(";")
        kind = kind.strip()
        if not comma:
            return "data-damaged"
        base64 = parameters.rpartition(";")[2].strip() == "base64"
        # Browsers show what is an image, whatever type the URL names.
        if not kind.startswith("image/") and not _is_image(data[:128], base64=base64):
            return "data-not-image"
        if len(self._bodies) >= MAX_IMAGES or len(data) > 3 * self._longest:
            return "data-cut"
        body = _decoded(data, base64=base64)
        if not body:
            return "data-damaged"
        return self._drawing(body, depth + 1) if kind.startswith("image/svg") else self._keep(body)

    def _keep(self, body: bytes) -> str | None:
        if len(body) > self._longest or self._total + len(body) > self._together:
            return "data-cut"
        if body not in self._bodies:
            self._bodies[body] = None
            self._total += len(body)
        return None

    def _drawing(self, body: bytes, depth: int) -> str | None:
        if depth > _MAX_DEPTH:
            return "data-cut"
        embedded = _EMBEDDED.findall(tokens.unescape_text(body.decode("utf-8", "replace")))
        for url in embedded:
            self._add(url, depth)
        return None if embedded else "data-not-image"


def _is_image(start: str, *, base64: bool) -> bool:
    """Whether data of no or another type begins like an image."""
    raw = unquote_to_bytes(start.encode("utf-8", "replace"))
    return (_ENCODED.match(raw.decode("latin-1")) if base64 else _SIGNATURE.match(raw)) is not None


def _decoded(data: str, *, base64: bool) -> bytes | None:
    """The bytes, None when damaged. Follows the "forgiving-base64 decode" of the Infra Standard."""
    # Strings of scripts may hold half a pair of UTF-16, which no byte stands for.
    raw = unquote_to_bytes(data.partition("#")[0].encode("utf-8", "replace"))
    if not base64:
        return raw
    text = raw.translate(None, b" \t\n\r\x0c")
    if len(text) % 4 == 0:
        text = text[:-2] + text[-2:].rstrip(b"=")
    if len(text) % 4 == 1:
        return None
    try:
        return binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        return None
