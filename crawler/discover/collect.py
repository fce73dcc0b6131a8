"""Gathers the references of one document: resolves, judges, deduplicates and counts them, within bounds."""

from __future__ import annotations

from typing import Final

from crawler.discover.acts import acts, named_image
from crawler.discover.dataimages import DataImages
from crawler.discover.endings import BINARY_ENDINGS, FILE_ENDINGS, IMAGE_ENDINGS, PAGE_ENDINGS, ending_of
from crawler.discover.resolve import SPACE, Resolver
from crawler.discover.sources import IMAGE_LINK_PRIORITY, SOURCES, Source
from crawler.discover.traps import without_session
from crawler.records import Candidate, Kind, PageContent, Rejected
from crawler.urls import canonical

MAX_CANDIDATES: Final = 5_000  # of one document, in its answer
_MAX_RAW: Final = 16_384  # characters of one reference; longer ones are no URLs that a server takes
_NEVER: Final = 10  # a priority after every other


class Collector:
    """The references of one document.

    url: the document's own canonical URL.  codec: its encoding (a Python codec), for the query part of links.
    limit: candidates to keep; of the lowest priority so many are cut, and counted as "cut".
    files: whether videos, archives and PDF files are wanted.
    others: canonical URLs that may be the base as well as the one that is set.
    Time is bounded: of images and of everything else, at most 2 * limit distinct references each are resolved.
    """

    def __init__(self, url: str, codec: str = "utf-8", limit: int = MAX_CANDIDATES, *, files: bool = False) -> None:
        self.url = url
        self.files = files
        self.others: tuple[str, ...] = ()
        self.images = DataImages()
        self.rejected: dict[str, int] = {}
        self._codec = None if codec in ("utf-8", "utf-16-le", "utf-16-be") else codec
        self._resolver = Resolver(url, self._codec)
        self._limit = limit
        self._seen: dict[str | tuple[str, str], int] = {}
        self._found: dict[str, tuple[int, Kind, str]] = {}
        self._left = {True: 2 * limit, False: 2 * limit}

    def count(self, reason: str, number: int = 1) -> None:
        """Note that references were left aside for `reason`."""
        self.rejected[reason] = self.rejected.get(reason, 0) + number

    def set_base(self, base: str) -> None:
        """Resolve references against `base` (canonical) from now on."""
        self._resolver = Resolver(base, self._codec)

    def load(self, raw: str, name: str) -> None:
        """Take what a browser asks for by itself, relative to whatever the base may be."""
        self.add(raw, name)
        for base in self.others:
            self.add(raw, name, base)

    @property
    def base(self) -> str:
        """The canonical URL against which references are resolved."""
        return self._resolver.base

    def add(self, raw: str, name: str, base: str | None = None) -> None:
        """Take the reference `raw` that stood in a place called `name` (a key of SOURCES); base: not the document's."""
        source = SOURCES[name]
        text = raw.strip(SPACE)
        if not text:
            return
        is_data = text[0] in "dD" and text[:5].lower() == "data:"
        if "#" in text and not is_data:
            text = text[: text.index("#")]
            if not text:
                return
        key = text if base is None else (text, base)
        if self._seen.get(key, _NEVER) <= source.priority:
            return
        image = source.kind is Kind.IMAGE
        if self._left[image] <= 0:
            self.count("cut")
            return
        self._left[image] -= 1
        self._seen[key] = source.priority
        if is_data:
            self._data(text, source)
        elif len(text) > _MAX_RAW:
            self.count("too-long")
        else:
            self._resolve(text, source, self._resolver if base is None else Resolver(base, self._codec))

    def put(self, url: str, name: str, kind: Kind | None = None) -> None:
        """Take a canonical URL as it is."""
        source = SOURCES[name]
        self._keep(url, source.priority, kind or source.kind, name)

    def urls(self) -> tuple[tuple[str, Kind, str], ...]:
        """(canonical URL, kind, source) of what was taken so far, in the order of the document."""
        return tuple((url, kind, name) for url, (_, kind, name) in self._found.items())

    def content(self) -> PageContent:
        """What was gathered: the best `limit` candidates, by priority, then in the order of the document."""
        ordered = sorted(self._found.items(), key=lambda item: item[1][0])
        if len(ordered) > self._limit:
            self.count("cut", len(ordered) - self._limit)
            del ordered[self._limit :]
        for reason, number in self.images.rejected.items():
            self.count(reason, number)
        candidates = tuple(Candidate(url, kind, name, priority) for url, (priority, kind, name) in ordered)
        return PageContent(candidates, self.images.found(), dict(self.rejected))

    def _data(self, text: str, source: Source) -> None:
        if source.kind is Kind.IMAGE:
            self.images.add(text)
        else:
            self.count("scheme")

    def _resolve(self, text: str, source: Source, resolver: Resolver) -> None:
        url = resolver(text)
        if isinstance(url, Rejected):
            self.count(url.reason)
        elif url == self.url:
            return
        elif source.followed:
            self._link(url, source)
        else:
            self._keep(url, source.priority, source.kind, source.name)

    def _link(self, url: str, source: Source) -> None:
        ending = ending_of(url)
        if "?" in url and (held := named_image(url)) is not None:
            image = canonical(held)
            if isinstance(image, str):
                self._keep(image, IMAGE_LINK_PRIORITY, Kind.IMAGE, source.name)
        if source.kind is not Kind.IMAGE and (plain := without_session(url)) != url:
            self.count("session")
            url = plain
            if url == self.url:
                return
        if acts(url, self.url):
            self.count("acts")
        elif ending in IMAGE_ENDINGS:
            self._keep(url, min(source.priority, IMAGE_LINK_PRIORITY), Kind.IMAGE, source.name)
        elif self.files and ending in FILE_ENDINGS and source.kind is not Kind.FEED:
            self._keep(url, SOURCES["file"].priority, Kind.IMAGE, "file")
        elif ending in BINARY_ENDINGS and source.kind is not Kind.FEED:
            self.count("binary")
        elif ending in PAGE_ENDINGS and source.kind is Kind.IMAGE:
            self._keep(url, SOURCES["a"].priority, Kind.PAGE, "a")  # a script may open pages in its dialog too
        else:
            self._keep(url, source.priority, source.kind, source.name)

    def _keep(self, url: str, priority: int, kind: Kind, name: str) -> None:
        before = self._found.get(url)
        if before is None or priority < before[0]:
            self._found[url] = (priority, kind, name)
