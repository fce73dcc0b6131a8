"""What kind of address data a file is, by its content; names and suffixes of files do not count."""

from __future__ import annotations

import re
from typing import Final

from crawler.attribute.formats import cdn, mmdb, routes, rpsl, suffixes
from crawler.attribute.formats.source import Source

KINDS: Final = (
    "delegated",
    "inetnum",
    "inet6num",
    "aut-num",
    "organisation",
    "role",
    "person",
    "routes",
    "as-names",
    "mmdb",
    "cdn-json",
    "prefixes",
    "suffixes",
)
_DELEGATED: Final = re.compile(rb"(?:[\d.]+\|)?(?:ripencc|arin|apnic|lacnic|afrinic|nro)\|")
_TAR_MAGIC: Final = slice(257, 262)


def recognise(source: Source) -> str:
    """One of KINDS. Raises AddressDataInvalid, with what it looks like, for anything else and for an empty file."""
    if mmdb.is_mmdb(source):
        return "mmdb"
    head = source.head()
    if not head.strip():
        raise source.wrong("is empty")
    if head[_TAR_MAGIC] == b"ustar":
        raise source.wrong("is a tar archive; unpack it and load the file inside")
    if head[:2] == b"PK":
        raise source.wrong("is a zip archive; unpack it and load the file inside")
    if b"\0" in head:
        utf16 = head[:2] in (b"\xff\xfe", b"\xfe\xff") or head[1:2] == b"\0"
        raise source.wrong("is UTF-16 text; convert it to UTF-8" if utf16 else "is binary data of an unknown kind")
    kind = _of_text(head.removeprefix(b"\xef\xbb\xbf").lstrip())
    if kind is None:
        raise source.wrong(
            "is none of: RIR delegation statistics, RIPE split dump, riswhoisdump, AS names, MMDB, CDN list, public "
            "suffix list; address tables and hosters that people write belong into tables/ of the home"
        )
    return kind


def _of_text(head: bytes) -> str | None:
    plain = re.sub(rb"(?m)^[#%].*\n", b"", head).lstrip()
    first = plain.partition(b"\n")[0].rstrip(b"\r")
    objects = rpsl.FIRST.match(head)
    signs: tuple[tuple[object, str], ...] = (
        (plain.startswith(b"{"), "cdn-json"),
        (suffixes.ICANN.encode() in head, "suffixes"),
        (_DELEGATED.match(plain), "delegated"),
        (objects, objects[1].decode() if objects else ""),
        (routes.ROUTE.fullmatch(first), "routes"),
        (cdn.bare_prefixes(head), "prefixes"),
        (routes.AS_NAME_LINE.fullmatch(first), "as-names"),
    )
    return next((kind for sign, kind in signs if sign), None)
