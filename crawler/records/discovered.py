"""What a page shows."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.records.common import Kind


@dataclass(frozen=True, slots=True)
class Candidate:
    """A URL that a page, a sitemap, a redirect or a seed named, in canonical form.

    source: where it stood, a short stable name such as "img", "srcset", "a", "redirect", "seed".
    priority: 0 (first) to 9 (last); see `PRIORITY`.
    """

    url: str
    kind: Kind
    source: str
    priority: int = 5


@dataclass(frozen=True, slots=True)
class DataImage:
    """An image that stood in the page itself as a `data:` URL. `number` counts them from 0 within the page."""

    number: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageSketch:
    """What a page says and shows, small enough to be compared with others.

    text: the smallest hashes of its sequences of words, 4 bytes each.  images: digest of the set of its images, 8
    bytes.  missing: it says that there is no such page.  wall: it asks for consent to cookies, and shows nothing else.
    """

    text: bytes = field(repr=False)
    images: bytes = field(repr=False)
    missing: bool = False
    wall: bool = False

    def packed(self) -> bytes:
        """For comparing with others."""
        return self.images + self.text


@dataclass(frozen=True, slots=True)
class PageContent:
    """What discovery made of one page.

    rejected: reason -> number of references that are no crawlable URL (for the counters).  sketch: of an HTML page.
    """

    candidates: tuple[Candidate, ...] = ()
    data_images: tuple[DataImage, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    sketch: PageSketch | None = None
