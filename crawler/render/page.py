"""What goes into rendering and what comes out of it; nothing here knows a browser."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from crawler.records import Rejected
from crawler.render.blank import Size


class For(StrEnum):
    """What the browser asks for a URL as."""

    SCRIPT = "script"
    SHEET = "stylesheet"
    FRAME = "document"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Part:
    """An answer that the browser may have. Its body holds no image but blank ones."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


class Door(Protocol):
    """The browser's only way to anything: whoever opens a page answers whatever it asks for, or does not."""

    async def part(self, url: str, what: For) -> Part | Rejected:
        """The answer to a GET request, as the server gave it; a reason when it may not be asked for or has none."""

    async def image(self, url: str) -> Size | Rejected:
        """An image was to be shown: how large it is. Its bytes never come here."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A page as it was received. url: canonical.  headers: of the answer.  body: decompressed, without images.

    identity: the User-Agent that it was asked for with, and that its scripts see.
    """

    url: str
    identity: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@dataclass(slots=True)
class Shown:
    """What a page showed, filled in while it is rendered, so that all of it counts however the rendering ends.

    dom: the document in the end, UTF-8; None when it was not to be had.  images, links: URLs that the browser wanted to
    show, or to go to, in the order in which it did; as the page wrote them.  made: images that scripts put together.
    refused: reason -> requests that the browser did not get.  cut: reason -> how often a bound was reached.
    problem: why there is no document, or not all of it: "render-timeout", "render-crash", "render-memory",
    "render-unavailable".
    """

    dom: bytes | None = None
    images: dict[str, None] = field(default_factory=dict)
    links: dict[str, None] = field(default_factory=dict)
    made: dict[bytes, None] = field(default_factory=dict, repr=False)
    parts: int = 0
    clicks: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    cut: Counter[str] = field(default_factory=Counter)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of one page. seconds: in all, of which `exploring` is the share for scrolling and clicking.

    parts, images: requests.  made: images that scripts put together.  told_bytes: of those, as the browser tells them.
    requests: of any kind; whatever comes after is not even looked at.  part_bytes: of all parts together.
    posted_bytes: that it wants to send, none of which is sent.  dom_chars: characters of the document.
    rounds: of scrolling and clicking.  memory: bytes of the browser's processes together, shared ones not counted.
    quiet: seconds with nothing asked for or awaited after which a page is taken to have shown what it has.
    stalled: the same while something is awaited that does not come, as the answer to a long poll does not.
    """

    seconds: float = 30.0
    exploring: float = 0.7
    parts: int = 100
    images: int = 1_000
    made: int = 200
    requests: int = 3_000
    part_bytes: int = 33_554_432
    posted_bytes: int = 8_388_608
    told_bytes: int = 67_108_864
    dom_chars: int = 10_485_760
    rounds: int = 30
    clicks: int = 40
    memory: int = 1_073_741_824
    quiet: float = 0.25
    stalled: float = 5.0
