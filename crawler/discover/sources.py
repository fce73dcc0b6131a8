"""Where a reference can stand, what it is for, and in which order the frontier should take it: the one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from crawler.records import Kind


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of place in a document that names URLs.

    kind: what the reference is for; a link (`followed`) to a path that ends like an image becomes IMAGE all the same.
    priority: 0 (first) to 9 (last).
    followed: a visitor would have to follow it, so a link that acts is refused; what a browser loads by itself is not.
    """

    name: str
    kind: Kind
    priority: int
    followed: bool = False


# Images come before pages, for they are what is looked for; within the images, what a page shows comes before what it
# only mentions, and the largest form of a picture before its smaller ones (a match needs one of them). Pages that
# belong to the page at hand (frames, the next part of a gallery) come before pages that lead elsewhere.
IMAGE_LINK_PRIORITY: Final = 1  # a link to an image file: mostly the full-size original behind a thumbnail
GUESS_PRIORITY: Final = 9  # an original that nobody named; of images nothing else comes last
_IMAGES: Final = {
    "img": 1,  # shown
    "srcset": 1,  # shown: the largest candidate of a set
    "object": 1,
    "embed": 1,
    "input": 1,
    "svg": 1,
    "listing": 1,  # a file in an open directory
    "lazy": 1,  # shown as soon as one scrolls
    "enclosure": 1,  # what a feed hands out
    "sitemap-image": 1,
    "poster": 2,
    "meta": 2,  # og:image and its like: a larger form of what is on the page, made for sharing
    "preload": 2,
    "json": 3,  # galleries hold their pictures in data
    "css": 3,  # pictures, and many decorations
    "background": 3,
    "attribute": 3,  # any other attribute that holds an image's URL
    "srcset-smaller": 4,  # the same picture with fewer pixels
    "script": 4,
    "text": 4,  # markup in text: embed codes, comments of galleries
    "icon": 7,  # small, and the same on every page
    "pixel": 8,  # declared no larger than one pixel
    "guess": GUESS_PRIORITY,
}
_LOADED: Final = {
    "frame": (Kind.PAGE, 2),  # part of what the page shows
    "refresh": (Kind.PAGE, 2),  # where the visitor ends up
    "sheet": (Kind.SHEET, 4),
    "manifest": (Kind.PAGE, 7),
}
_FOLLOWED: Final = {
    "redirect": (Kind.PAGE, 2),  # where the visitor ends up
    "next": (Kind.PAGE, 3),  # the rest of a gallery
    "directory": (Kind.PAGE, 3),  # below an open directory
    "item": (Kind.PAGE, 4),  # a feed names what is new
    "feed": (Kind.FEED, 4),
    "sitemap": (Kind.FEED, 4),
    "lightbox": (Kind.IMAGE, 1),  # a link that a script opens as a picture, whatever its ending
    "a": (Kind.PAGE, 5),
    "file": (Kind.IMAGE, 5),  # a video, an archive or a PDF, where those are wanted; large, so after the images
    "sitemap-page": (Kind.PAGE, 6),  # everything, so nothing in particular
    "alternate": (Kind.PAGE, 6),  # the same content in another form
    "onclick": (Kind.PAGE, 6),
    "json-link": (Kind.PAGE, 7),
    "listing-other": (Kind.PAGE, 7),  # files that are no images
}

SOURCES: Final[dict[str, Source]] = {
    **{name: Source(name, Kind.IMAGE, priority) for name, priority in _IMAGES.items()},
    **{name: Source(name, kind, priority) for name, (kind, priority) in _LOADED.items()},
    **{name: Source(name, kind, priority, followed=True) for name, (kind, priority) in _FOLLOWED.items()},
}
