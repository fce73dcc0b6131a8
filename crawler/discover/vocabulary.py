"""Words by which pages say what a link or a property is: those of gallery scripts, and those of metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_DIALOG: Final = re.compile(
    r"lightbox|fancybox|swipebox|magnific|photoswipe|pswp|thickbox|highslide|venobox|colorbox|prettyphoto|image-?popup|lightgallery",
    re.I,
)
_IMAGE_PROPERTIES: Final = re.compile(
    r"(?:og|twitter|product|vk):image(?::src|:url|:secure_url|\d)?\Z|image(?:_src)?\Z|thumbnail(?:url)?\Z|contenturl\Z|logo\Z"
    r"|msapplication-(?:tileimage|\w+logo)\Z|sailthru\.image\.\w+\Z|parsely-image-url\Z|photo\Z",
    re.I,
)


# What links commonly have and none of the questions below is about.
_ORDINARY: Final = frozenset(
    ("href", "class", "rel", "id", "title", "target", "name", "accesskey", "style", "hreflang")
)
_NEIGHBOURS: Final = frozenset(("next", "prev"))


def name_of_link(attributes: Mapping[str, str]) -> str | None:
    """The source that a link is: "a", "next" or "lightbox"; None when it does something in place of leading somewhere.

    attributes: by lower-case name.
    """
    relation = attributes.get("rel", "")
    name = "lightbox" if opens_picture(attributes.get("class", ""), relation) else "a"
    if not _ORDINARY.issuperset(attributes):
        if attributes.get("data-method", "get").lower() != "get" or "hx-delete" in attributes:
            return None
        if _DIALOG.search(" ".join((*attributes, attributes.get("data-rel", ""), attributes.get("data-toggle", "")))):
            name = "lightbox"
    return "next" if name == "a" and relation and not _NEIGHBOURS.isdisjoint(relation.lower().split()) else name


@lru_cache(maxsize=4_096)  # a site has few classes of links, and thousands of links
def opens_picture(classes: str, relation: str) -> bool:
    """Whether a script is known to open a link of these classes and relation as a picture."""
    return _DIALOG.search(classes) is not None or _DIALOG.search(relation) is not None


def names_image(name: str) -> bool:
    """Whether a `meta` property, name or item property has an image as its content."""
    return _IMAGE_PROPERTIES.match(name) is not None
