"""Attributes without a meaning of their own (`data-*` and old or invented ones) that hold what a script will load."""

from __future__ import annotations

import re
from typing import Final

from crawler.discover.endings import BINARY_ENDINGS, holds_references, looks_like_image

_NO_REFERENCES: Final = """
    class id alt title width height rel target type name lang role loading decoding accesskey tabindex summary
    shape coords usemap align valign border cellpadding cellspacing colspan rowspan scope dir xml:lang hreflang
    http-equiv color size face start bgcolor frameborder scrolling allow allowfullscreen async defer checked
    disabled hidden download ping referrerpolicy fetchpriority datetime maxlength accept href srcset sizes
    content property itemprop itemscope itemtype itemid poster srcdoc value placeholder action method for cite
    longdesc charset media integrity nonce crossorigin d points viewbox transform fill xmlns aria-label
    aria-labelledby aria-describedby aria-hidden aria-expanded aria-controls data-title data-alt data-caption
    data-name data-filename data-description data-id data-type data-toggle data-target data-image-title
    data-image-meta
"""
# Attributes that hold no reference, or whose element's handler has read them.
NO_REFERENCES: Final = frozenset(_NO_REFERENCES.split())
# Elements whose `src` has been read; on any other, it is an invented use.
READ_SRC: Final = frozenset(("img", "iframe", "frame", "embed", "input", "script", "source", "track", "audio", "video"))
NO_REFERENCES_BUT_SRC: Final = NO_REFERENCES | {"src"}
_NOT_IMAGES: Final = frozenset(("script", "video", "audio", "track", "source"))
_FRAMES: Final = frozenset(("iframe", "frame", "amp-iframe", "embed"))
# The names that lazy loaders, zooms, sliders and galleries use, as far as they say that an image is meant.
_LAZY: Final = re.compile(
    r"(?:\A|[-_:])(?:src|source|original|lazy|lazyload|bg|background|backgroundimage|bgimage|img|image|full|fullsize|large|big|hi-?res|hd"
    r"|retina|zoom|thumb|thumbnail|preview|poster|echo|photo|picture|pic|cover|orig|lowsrc|dynsrc|interchange|parallax|media)"
    r"(?:[-_](?:src|file|img|image|url|bg|retina|2x|full|large|medium|small|mobile|desktop|webp|lazy|lazyload))*\Z",
    re.I,
)
_LONGEST_KEY: Final = 64  # characters; real names are shorter, and the pattern above would take its time
_LINK: Final = frozenset(("data-href", "data-link", "data-permalink", "data-target-url", "data-url-page"))
_SET: Final = re.compile(r"[^\s,][ \t\n]+[0-9.]{1,8}[wx][ \t\n]*(?:,|\Z)")
_URL_START: Final = re.compile(r"(?:https?:)?//|/|\.{1,2}/|data:image/", re.I)


def form_of(element: str, key: str, value: str) -> str | None:
    """What the attribute `key` (lower case) of an element holds.

    "srcset", "css", "data" (JSON or program text) and "markup" say how to read it; "lazy", "img", "attribute", "frame"
    and "onclick" are the source of a single URL. None: no reference.
    """
    if len(key) > _LONGEST_KEY:
        return None
    form = _form_by_value(key, value)
    if form is not None or "<" in value:
        return form
    if key == "src":
        return _form_of_src(element, value)
    if _LAZY.search(key):
        return _form_of_lazy(element, value.strip())
    if "/" in value and looks_like_image(value):
        return "attribute"
    return "onclick" if key in _LINK else None


def _form_by_value(key: str, value: str) -> str | None:
    if key.endswith("srcset") or ("src" in key and _SET.search(value, 0, 4_096)):
        return "srcset"
    if value.lstrip()[:1] in ("{", "["):
        return "data"
    if "<" in value:
        return "markup" if holds_references(value) else None
    return "css" if "url(" in value or "image-set(" in value else None


def _form_of_src(element: str, value: str) -> str | None:
    if element in READ_SRC:
        return None
    return "img" if looks_like_image(value) or "img" in element or "image" in element else None


def _form_of_lazy(element: str, value: str) -> str | None:
    if element in _FRAMES:
        return "frame"
    if looks_like_image(value) or (element == "img" and ("/" in value or "." in value)):
        return "lazy"
    if element in _NOT_IMAGES or not _URL_START.match(value) or any(space in value for space in " \t\n"):
        return None
    ending = value.partition("?")[0].rpartition(".")[2].lower()
    return None if ending in BINARY_ENDINGS or ending in ("html", "htm", "php", "aspx") else "attribute"
