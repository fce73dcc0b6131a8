"""Relations: what `<link>` elements and `Link` headers (RFC 8288) name, and `refresh` in either form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from crawler.discover import srcset
from crawler.discover.tokens import unescape

_MAX_HEADER: Final = 65_536  # characters of one header that are read
_LINK: Final = re.compile(
    r"""<([^<>]*+)>((?:[ \t]*+;[ \t]*+[^\s=;,"<>]*+(?:[ \t]*+=[ \t]*+(?:"(?:[^"\\]++|\\.)*+"?|[^\s;,"]*+))?+)*+)"""
)
_PARAMETER: Final = re.compile(r""";[ \t]*+([^\s=;,"<>]++)[ \t]*+=[ \t]*+(?:"((?:[^"\\]++|\\.)*+)"?|([^\s;,"]*+))""")
# HTML Standard 4.2.5.3, "shared declarative refresh steps".
_REFRESH: Final = re.compile(
    r"""\s*+[0-9.]*+[\s;,]*+(?:url\s*+=\s*+)?(?:"([^"]*+)"?|'([^']*+)'?|(\S.*+))""", re.I | re.S
)
_XML_SHEET: Final = re.compile(r"""<\?xml-stylesheet[ \t\r\n][^<>]{0,500}?href=["']([^<>"']+)["']""")
_PROLOGUE: Final = 4_096  # characters in which those stand
_FEED_TYPES: Final = ("application/rss+xml", "application/atom+xml", "application/feed+json", "application/rdf+xml")
_ICONS: Final = frozenset(
    ("icon", "apple-touch-icon", "apple-touch-icon-precomposed", "apple-touch-startup-image", "mask-icon", "fluid-icon")
)
_PLAIN: Final = {
    "image_src": "meta",
    "manifest": "manifest",
    "sitemap": "sitemap",
    "next": "next",
    "prev": "next",
    "previous": "next",
    "canonical": "alternate",
    "amphtml": "alternate",
    "prerender": "alternate",
    "shortlink": "alternate",
}
_ITEM_IMAGES: Final = frozenset(("image", "contenturl", "thumbnailurl", "thumbnail", "logo", "photo"))


def relation(attributes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(URL as written, source) of every reference in one `<link>`, or in one link of a `Link` header.

    attributes: `href`, `rel`, `as`, `type`, `imagesrcset`, `itemprop`, by lower-case name.
    """
    href = attributes.get("href", "")
    purpose = attributes.get("as", "")
    if "imagesrcset" in attributes or purpose.lower() == "image":
        yield from set_of_images(attributes.get("imagesrcset", ""))
    if not href:
        return
    if attributes.get("itemprop", "").lower() in _ITEM_IMAGES:
        yield href, "meta"
    for source in sources_of(attributes.get("rel", ""), purpose, attributes.get("type", "")):
        yield href, source


@lru_cache(maxsize=1_024)  # of what sites say of a link they mean some dozens of things
def sources_of(relation: str, purpose: str, media_type: str) -> tuple[str, ...]:
    """What the target of a `<link>` is, by its attributes `rel`, `as` and `type`."""
    relations = relation.lower().split()
    found = (_source(name, relations, purpose.lower(), media_type) for name in relations)
    return tuple(source for source in found if source is not None)


def _source(name: str, relations: Sequence[str], purpose: str, media_type: str) -> str | None:
    if name == "stylesheet":
        return "sheet"
    if name in _ICONS:
        return "icon"
    if name in ("preload", "prefetch"):
        wanted = "alternate" if name == "prefetch" else None
        return {"image": "preload", "style": "sheet", "document": "alternate", "": wanted}.get(purpose)
    if name == "alternate" and "stylesheet" not in relations:
        return "feed" if media_type.lower().strip().startswith(_FEED_TYPES) else "alternate"
    return _PLAIN.get(name)


def xml_sheets(text: str) -> Iterator[str]:
    """The URLs, as written, of the style sheets that processing instructions at the start of an XML document name.

    Source: Associating Style Sheets with XML documents 1.0 (W3C, 2010).
    """
    for match in _XML_SHEET.finditer(text, 0, _PROLOGUE) if "<?xml-s" in text[:_PROLOGUE] else ():
        yield unescape(match[1])


def set_of_images(value: str) -> Iterator[tuple[str, str]]:
    """(URL as written, source) of every image of a `srcset`: the largest as "srcset", the others as smaller ones."""
    images = srcset.parse(value)
    largest = max((image.size for image in images), default=0.0)
    for image in images:
        yield image.url, "srcset" if image.size == largest else "srcset-smaller"


def from_headers(headers: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """(URL as written, source) of what the headers of an answer name: `Link` and `Refresh`."""
    for name, value in headers:
        lowered = name.lower()
        if lowered == "link":
            for match in _LINK.finditer(value[:_MAX_HEADER]):
                found = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(match[2])}
                yield from relation({**found, "href": match[1]})
        elif lowered == "refresh":
            target = refresh_target(value[:_MAX_HEADER])
            if target:
                yield target, "refresh"


def refresh_target(value: str) -> str | None:
    """The URL of a `refresh` value such as "5; url=/next"; None when it reloads the page itself."""
    match = _REFRESH.match(value)
    if match is None:
        return None
    return match[1] or match[2] or (match[3] or "").strip() or None
