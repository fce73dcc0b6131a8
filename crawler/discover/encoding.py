"""Bytes to text as browsers do it: byte order mark, HTTP charset, declaration in the document, then a guess.

Source: WHATWG Encoding Standard (https://encoding.spec.whatwg.org/) and HTML Standard 13.2.3. Labels are resolved by
w3lib; nothing here raises, whatever a page claims about itself.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final

from w3lib.encoding import html_body_declared_encoding, http_content_type_encoding, to_unicode

# Python's names of the encodings that the standard knows. Python decodes more than text of the web (UTF-7, IDNA,
# transforms such as base64), and no page may choose one of those.
_ALLOWED: Final = frozenset(
    codecs.lookup(name).name
    for name in (
        *("utf-8", "utf-16-le", "utf-16-be", "cp866", "koi8-r", "koi8-u", "mac_roman", "mac_cyrillic", "cp874"),
        *(f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
        *(f"cp125{number}" for number in range(9)),
        *("gb18030", "gbk", "big5", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "shift_jis", "euc_kr", "cp949"),
    )
)
_UTF16: Final = {"utf-16": "utf-16-le", "utf-16le": "utf-16-le", "utf-16be": "utf-16-be"}
_BOMS: Final = ((b"\xef\xbb\xbf", "utf-8"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le"))
_TEXT: Final = re.compile(rb"<(title|script|style|textarea)\b.*?</\1", re.S | re.I)
_XML: Final = b"<?xml"
_TAG_END: Final = 256  # bytes in which a tag that declares something is over
_PRESCAN: Final = 4096  # bytes; the standard asks for 1024, pages put it later


def decode(body: bytes, content_type: str | None) -> tuple[str, str]:
    """(text, codec): the text of `body` and the Python codec that made it. What cannot be decoded becomes U+FFFD."""
    for mark, codec in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(codec, "replace"), codec
    name = _from_http(content_type) or _from_document(body[:_PRESCAN])
    if name is not None:
        return to_unicode(body, name), name
    return _guessed(body)


def _from_http(content_type: str | None) -> str | None:
    return _of_header(content_type[:512]) if content_type else None


@lru_cache(maxsize=256)
def _of_header(content_type: str) -> str | None:
    name = http_content_type_encoding(content_type)
    plain = _UTF16.get(name, name) if name is not None else None
    return plain if plain in _ALLOWED else None


def _from_document(start: bytes) -> str | None:
    if start[:4] in (b"<\x00?\x00", b"<\x00!\x00", b"<\x00h\x00"):
        return "utf-16-le"
    if start[:4] in (b"\x00<\x00?", b"\x00<\x00!", b"\x00<\x00h"):
        return "utf-16-be"
    lowered = start.lower()
    declarations = lowered.count(b"charset") + lowered.count(b"encoding")
    if not declarations:
        return None
    name = _at_once(start, lowered, declarations) or html_body_declared_encoding(start)
    if declarations > 1 and not lowered.startswith(_XML):
        # What stands in a title or a script is overruled as soon as a browser meets the real declaration.
        name = html_body_declared_encoding(_TEXT.sub(b"", start)) or name
    # A declaration that could be read byte by byte is not in UTF-16, whatever it says.
    return "utf-8" if name is not None and name.startswith("utf-16") else name if name in _ALLOWED else None


def _at_once(start: bytes, lowered: bytes, declarations: int) -> str | None:
    """The declaration at the very start, or the only one, read by itself: a tenth of the work of looking for any.

    lowered: the same in lower case.  None: there is neither.
    """
    if lowered.startswith(_XML):
        return html_body_declared_encoding(start[:_TAG_END])
    place = lowered.find(b"charset")
    tag = lowered.rfind(b"<", 0, max(place, 0))
    if declarations > 1 or tag < 0 or not lowered.startswith(b"<meta", tag) or b"<body" in lowered[:tag]:
        return None
    if lowered.rfind(b"<!--", 0, tag) > lowered.rfind(b"-->", 0, tag):
        return None  # it stands in a comment
    return html_body_declared_encoding(start[tag : place + _TAG_END])


def _guessed(body: bytes) -> tuple[str, str]:
    """UTF-8 if it is valid (but for an end that was cut off), else windows-1252, the usual default in Europe."""
    try:
        return body.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return body.decode("utf-8", "replace"), "utf-8"
        return body.decode("cp1252", "replace"), "cp1252"
