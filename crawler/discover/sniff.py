"""What kind of document a body is: by its first bytes, its root element and its media type."""

from __future__ import annotations

import re
import zlib
from typing import Final

from crawler.discover.endings import ending_of

MAX_BODY: Final = 10_485_760  # bytes of a document that are read
_BINARY: Final = (
    *(
        b"\xff\xd8\xff",
        b"\x89PNG\r\n",
        b"GIF8",
        b"BM",
        b"RIFF",
        b"%PDF-",
        b"PK\x03\x04",
        b"Rar!",
        b"7z\xbc\xaf",
        b"\x7fELF",
    ),
    *(b"\x1aE\xdf\xa3", b"OggS", b"ID3", b"\x00\x00\x01\x00", b"MZ", b"wOF", b"\x00asm"),
)
_GZIP: Final = b"\x1f\x8b"
_MAX_MEMBERS: Final = 1_000
_ROOT: Final = re.compile(
    r"(?:[\s\ufeff]++|<\?[^>]*+>|<!--.*?-->|<![^>]*+>|\]\s*+>)*+<(?:[A-Za-z][\w.-]*+:)?([A-Za-z][\w.-]*+)", re.S
)
_ROOTS: Final = {
    "urlset": "sitemap",
    "sitemapindex": "sitemap",
    "rss": "feed",
    "feed": "feed",
    "rdf": "feed",
    "list": "list",
    "html": "html",
    "svg": "html",
}
_TEMPLATE: Final = re.compile(r"""[^"<]{0,4096}<[A-Za-z!/]""")  # markup before any string: what a template left over
_TYPES: Final = {
    "text/css": "css",
    "text/plain": "text",
    "text/javascript": "program",
    "application/javascript": "program",
    "application/x-javascript": "program",
}
_ENDINGS: Final = {"css": "css", "js": "program", "mjs": "program", "json": "json", "txt": "text"}


def readable(body: bytes) -> tuple[bytes, str | None]:
    """(the part of the body that is read, unpacked if it is a gzip file; what is wrong with it, if anything).

    "body-cut": longer than MAX_BODY bytes.  "body-binary": nothing that holds references.  "body-damaged": bad gzip.
    """
    if body.startswith(_GZIP):
        unpacked, problem = _unpacked(body)
        return (b"", "body-binary") if unpacked.startswith((_GZIP, *_BINARY)) else (unpacked, problem)
    if body.startswith(_BINARY):
        return b"", "body-binary"
    return (body[:MAX_BODY], "body-cut") if len(body) > MAX_BODY else (body, None)


def _unpacked(packed: bytes) -> tuple[bytes, str | None]:
    """As far as it goes, as browsers do. A gzip file may have several members (RFC 1952, 2.2)."""
    pieces: list[bytes] = []
    left = MAX_BODY
    for _ in range(_MAX_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            pieces.append(unpacker.decompress(packed, left))
        except zlib.error:
            return b"".join(pieces), "body-damaged"
        left -= len(pieces[-1])
        packed = unpacker.unused_data
        if unpacker.unconsumed_tail or (left <= 0 and packed):
            return b"".join(pieces), "body-cut"
        if not unpacker.eof:
            return b"".join(pieces), "body-damaged"
        if not packed.startswith(_GZIP):
            return b"".join(pieces), None
    return b"".join(pieces), "body-cut"


def form_of(text: str, content_type: str | None, url: str) -> str:
    """Who reads the text: "css", "feed", "html", "json", "list", "program", "sitemap" or "text".

    What a text is by its root element goes before what its media type says, for servers are careless with that; where
    the media type says nothing, the ending of `url` (canonical) counts.
    """
    media_type = (content_type or "").partition(";")[0].strip().lower()
    by_type = "json" if "json" in media_type else _TYPES.get(media_type)
    if media_type in ("", "application/octet-stream"):
        by_type = _ENDINGS.get(ending_of(url))
    if by_type in ("css", "program"):
        return by_type
    root = _ROOT.match(text[:8_192])
    by_root = _ROOTS.get(root[1].lower()) if root else None
    if by_root is not None:
        return by_root
    if by_type is None and root is None and text[:256].lstrip()[:1] in ("{", "[") and not _TEMPLATE.match(text):
        return "json"
    return by_type or "html"
