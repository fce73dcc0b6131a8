"""Gathers the references of one document: resolves, judges, deduplicates and counts them, within bounds."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import Final

from crawler.discover.acts import acts, is_harmless, named_image
from crawler.discover.dataimages import DataImages
from crawler.discover.endings import BINARY_ENDINGS, FILE_ENDINGS, IMAGE_ENDINGS, PAGE_ENDINGS, ending_of
from crawler.discover.resolve import SPACE, Resolver
from crawler.discover.sources import IMAGE_LINK_PRIORITY, SOURCES, Source
from crawler.discover.traps import without_session
from crawler.records import Candidate, Kind, PageContent, PageSketch, Rejected
from crawler.urls import canonical

MAX_CANDIDATES: Final = 5_000  # of one document, in its answer
_MAX_RAW: Final = 16_384  # characters of one reference; longer ones are no URLs that a server takes
_NEVER: Final = 10  # a priority after every other
_SESSION: Final = re.compile(r"[;(]")  # found in every path that could hold a session number
_PRIORITY: Final = attrgetter("priority")
_TELLING_ENDINGS: Final = IMAGE_ENDINGS | FILE_ENDINGS | BINARY_ENDINGS


class Collector:
    """The references of one document.

    url: the document's own canonical URL.  codec: its encoding (a Python codec), for the query part of links.
    limit: candidates to keep; of the lowest priority so many are cut, and counted as "cut".
    files: whether videos, archives and PDF files are wanted.
    others: canonical URLs that may be the base as well as the one that is set.
    html: whether browsers take it for HTML, whatever it looks like.
    found: what was taken so far, by URL, in the order of the document.
    Time is bounded: of images and of everything else, at most 2 * limit distinct references each are resolved.
    """

    def __init__(self, url: str, codec: str = "utf-8", limit: int = MAX_CANDIDATES, *, files: bool = False) -> None:
        self.url = url
        self.files = files
        self.others: tuple[str, ...] = ()
        self.html = False
        self.images = DataImages()
        self.rejected: dict[str, int] = {}
        self._codec = None if codec in ("utf-8", "utf-16-le", "utf-16-be") else codec
        self._resolver = Resolver(url, self._codec)
        self._plain_base: bool | None = None
        self._limit = limit
        self._seen: dict[str | tuple[str, str], int] = {}
        self.found: dict[str, Candidate] = {}
        self._left = {True: 2 * limit, False: 2 * limit}

    def count(self, reason: str, number: int = 1) -> None:
        """Note that references were left aside for `reason`."""
        self.rejected[reason] = self.rejected.get(reason, 0) + number

    def set_base(self, base: str) -> None:
        """Resolve references against `base` (canonical) from now on."""
        self._resolver = Resolver(base, self._codec)
        self._plain_base = None

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
        if base is None and self._seen.get(raw, _NEVER) <= source.priority:
            return
        text = raw.strip(SPACE)
        is_data = text[:1] in ("d", "D") and text[:5].lower() == "data:"
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

    def candidates(self) -> tuple[Candidate, ...]:
        """What was gathered: the best `limit` candidates, by priority, then in the order of the document."""
        ordered = sorted(self.found.values(), key=_PRIORITY)
        if len(ordered) > self._limit:
            self.count("cut", len(ordered) - self._limit)
            del ordered[self._limit :]
        return tuple(ordered)

    def content(self, candidates: tuple[Candidate, ...], sketch: PageSketch | None) -> PageContent:
        """The whole of it. candidates: as above."""
        for reason, number in self.images.rejected.items():
            self.count(reason, number)
        return PageContent(candidates, self.images.found(), dict(self.rejected), sketch)

    def _data(self, text: str, source: Source) -> None:
        if source.kind is Kind.IMAGE:
            self.images.add(text)
        else:
            self.count("scheme")

    def _resolve(self, text: str, source: Source, resolver: Resolver) -> None:
        url = resolver.plain(text)
        if url is None:
            found = resolver.full(text)
            if isinstance(found, Rejected):
                self.count(found.reason)
                return
            url = found
        elif source.followed and self._is_harmless(text, resolver):
            # What most links are.
            if url != self.url:
                if source.kind is Kind.PAGE and text[text.rfind(".") + 1 :].lower() not in _TELLING_ENDINGS:
                    self._keep(url, source.priority, source.kind, source.name)
                else:
                    self._harmless(url, source)
            return
        if url == self.url:
            return
        if source.followed:
            self._link(url, source)
        else:
            self._keep(url, source.priority, source.kind, source.name)

    def _is_harmless(self, text: str, resolver: Resolver) -> bool:
        """Whether a plain reference stays with its host and nothing about it needs a closer look."""
        if resolver is not self._resolver:
            return False
        if self._plain_base is None:
            folder = resolver.folder
            self._plain_base = not (_SESSION.search(folder) or acts(folder, self.url) or not is_harmless(folder))
        return self._plain_base and (":" not in text or text.startswith(resolver.origin + "/")) and is_harmless(text)

    def _link(self, url: str, source: Source) -> None:
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
        else:
            self._harmless(url, source)

    def _harmless(self, url: str, source: Source) -> None:
        ending = ending_of(url)
        if ending in IMAGE_ENDINGS:
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
        before = self.found.get(url)
        if before is None or priority < before.priority:
            self.found[url] = Candidate(url, kind, name, priority)
