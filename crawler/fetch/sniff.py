"""What a body is, from its first bytes and its Content-Type.

Bytes win over the header where they are unmistakable, as they do in a browser that shows an `<img>`: a server that
labels its images as videos would otherwise hide them. Signatures: WHATWG MIME Sniffing, sections 6 and 7, and the
formats' own specifications.
"""

from __future__ import annotations

import re
from typing import Final

SNIFF_BYTES: Final = 512
KINDS: Final = ("html", "image", "feed", "css", "json", "text", "video", "archive", "pdf", "other")
USABLE: Final = frozenset(("html", "image", "feed", "css", "json", "text"))
OPAQUE: Final = frozenset(("video", "archive", "pdf"))
"""Kinds that nothing here looks into; a campaign may have them hashed whole."""

_PREFIXES: Final = (
    (b"\xff\xd8\xff", "image"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"II*\x00", "image"),
    (b"MM\x00*", "image"),
    (b"\x00\x00\x01\x00", "image"),  # icon
    (b"\x00\x00\x02\x00", "image"),  # cursor
    (b"\xff\x0a", "image"),  # JPEG XL, bare
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image"),  # JPEG 2000
    (b"8BPS", "image"),
    (b"%PDF-", "pdf"),
    (b"\x1aE\xdf\xa3", "video"),  # Matroska, WebM
    (b"FLV\x01", "video"),
    (b"OggS", "video"),
    (b"0&\xb2u\x8ef\xcf\x11", "video"),  # ASF, WMV
    (b"\x00\x00\x01\xba", "video"),
    (b"\x00\x00\x01\xb3", "video"),
    (b"#EXTM3U", "video"),
    (b"PK\x03\x04", "archive"),
    (b"PK\x05\x06", "archive"),
    (b"Rar!\x1a\x07", "archive"),
    (b"7z\xbc\xaf'\x1c", "archive"),
    (b"\x1f\x8b", "archive"),
    (b"BZh", "archive"),
    (b"\xfd7zXZ\x00", "archive"),
    (b"(\xb5/\xfd", "archive"),  # zstd
    (b"ID3", "other"),
    (b"\x7fELF", "other"),
    (b"MZ", "other"),
    (b"wOFF", "other"),
    (b"wOF2", "other"),
)
_IMAGE_BRANDS: Final = frozenset((b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc"))
_RIFF: Final = {b"WEBP": "image", b"AVI ": "video", b"WAVE": "other"}

_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# A tag that only HTML has, at the start or behind comments (WHATWG lists them; `body` and the like are its choice).
_HTML: Final = re.compile(
    rb"\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|title|b"
    rb"|body|br|p|meta|link|center|img|ul|frameset|form|span)[\s>/]",
    re.I | re.S,
)
_OPEN_COMMENT: Final = re.compile(rb"\s*<!--(?!.*-->)", re.S)
_FEED: Final = re.compile(rb"<(?:\w+:)?(?:rss|feed|urlset|sitemapindex|rdf)[\s>]", re.I)
_SVG: Final = re.compile(rb"<(?:\w+:)?svg[\s>]", re.I)
_MARKUP: Final = re.compile(rb"[\xef\xbb\xbf \t\r\n]{0,64}<")
_IN_DRAWING: Final = re.compile(rb"data:\s*image/|<(?:\w+:)?(?:fe)?image[\s/>]", re.I)
_JSON: Final = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{"\d\]])')

_BY_TYPE: Final = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "text/css": "css",
    "application/pdf": "pdf",
    "application/rss+xml": "feed",
    "application/atom+xml": "feed",
    "text/xml": "feed",
    "application/xml": "feed",
    "application/vnd.apple.mpegurl": "video",
    "application/x-mpegurl": "video",
    "application/dash+xml": "video",
    "application/zip": "archive",
    "application/gzip": "archive",
    "application/x-tar": "archive",
    "application/x-rar-compressed": "archive",
    "application/x-7z-compressed": "archive",
    "application/javascript": "text",
    "application/x-javascript": "text",
    "application/ecmascript": "text",
}


def sniff(head: bytes, content_type: str | None) -> str:
    """One of KINDS.

    head: the first bytes of the body, decompressed; 512 are looked at, fewer are enough when that is all there is.
    content_type: the header as it stands, None without one.
    """
    head = head[:SNIFF_BYTES]
    declared = _declared(content_type)
    if not head:
        return declared or "other"
    binary = _binary(head)
    if binary is not None:
        return binary
    text = head
    for bom in _BOMS:
        text = text.removeprefix(bom)
    # UTF-16 shows its letters when the zero bytes are left out.
    if text is not head and b"\x00" in text:
        text = text.replace(b"\x00", b"")
    if _BINARY.search(text):
        # A browser believes a server that says HTML, and passes over what cannot stand in it.
        if declared == "html" and _HTML.match(_BINARY.sub(b"", text)):
            return "html"
        return declared if declared in ("image", "video", "archive", "pdf") else "other"
    return _textual(text, declared)


def shows_images(body: bytes) -> bool:
    """Whether a body that is an image is a drawing (SVG) in which other images stand, embedded or by their URLs.

    Nothing of it is copied: what is freed of small objects is not overwritten.
    """
    return _MARKUP.match(body) is not None and _IN_DRAWING.search(body) is not None


def _binary(head: bytes) -> str | None:
    """The kind of an unmistakable binary format, else None."""
    for prefix, kind in _PREFIXES:
        if head.startswith(prefix):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "other")
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "image"
    if head[257:262] == b"ustar":
        return "archive"
    # MPEG transport stream: a sync byte every 188
    return "video" if head[:1] == head[188:189] == head[376:377] == b"\x47" else None


def _iso_media(head: bytes) -> str:
    """ISO base media (ISO/IEC 14496-12): the brands of the first box tell AVIF and HEIF from films."""
    size = min(int.from_bytes(head[:4], "big"), 64)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size, 4))}
    return "image" if brands & _IMAGE_BRANDS else "video"


def _textual(text: bytes, declared: str | None) -> str:
    if _HTML.match(text) or (_OPEN_COMMENT.match(text) and declared in (None, "html")):
        return "html"
    start = text.lstrip()
    if start.startswith(b"<"):
        if _FEED.search(text):
            return "feed"
        if _SVG.search(text):
            return "image"
        if declared in (None, "text"):
            return "html" if declared is None else "text"
    if declared in ("html", "css", "json", "feed", "text"):
        return declared
    return "json" if _JSON.match(text) else "text"


def _declared(content_type: str | None) -> str | None:
    """The kind that the header names; None when it says nothing that helps."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    kind = _BY_TYPE.get(essence)
    if kind is not None:
        return kind
    if essence.endswith(("/json", "+json")):
        return "json"
    main = essence.partition("/")[0]
    if main in ("image", "video", "text"):
        return main
    return "other" if main in ("audio", "font") else None
