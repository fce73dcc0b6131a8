"""Sitemaps (https://www.sitemaps.org/protocol.html, with the image and video extensions), in XML and as text."""

from __future__ import annotations

import re
from typing import Final

from crawler.discover.collect import Collector
from crawler.discover.sources import SOURCES
from crawler.discover.xmltext import elements
from crawler.records import Candidate, Kind
from crawler.urls import canonical

# Where a sitemap lies when robots.txt names none. Two requests a host, at the most.
WELL_KNOWN: Final = ("/sitemap.xml", "/sitemap_index.xml")
_CONTAINERS: Final = frozenset(("url", "sitemap", "image", "video"))
_ROBOTS: Final = re.compile(r"^[ \t\ufeff]*+sitemap[ \t]*+:[ \t]*+([^\s#]++)", re.I | re.M)
_MAX_ROBOTS: Final = 512_000  # characters: what RFC 9309 asks a crawler to read at least


def scan(text: str, collector: Collector) -> None:
    """The pages, images and further sitemaps of a sitemap or sitemap index."""
    within: list[str] = []
    for element in elements(text):
        if element.name in _CONTAINERS:
            if not element.is_end:
                within.append(element.name)
                del within[:-4]  # a sitemap nests twice; deeper is a trap
            elif element.name in within:
                del within[within.index(element.name) :]
        elif element.is_end:
            continue
        elif element.name == "loc":
            place = within[-1] if within else "url"
            collector.add(element.text, _name_of(place, element.prefix))
        elif element.name == "thumbnail_loc":
            collector.add(element.text, "sitemap-image")
        elif element.name == "link" and "href=" in element.raw:
            collector.add(element.attributes().get("href", ""), "sitemap-page")


def _name_of(place: str, prefix: str) -> str:
    if place == "image" or prefix == "image":
        return "sitemap-image"
    return "sitemap" if place == "sitemap" else "sitemap-page"


def is_text(text: str) -> bool:
    """Whether a plain text begins like a sitemap: with a line that is a URL."""
    return re.match(r"[\s\ufeff]*+https?://\S++[ \t]*+(?:\r?\n|\Z)", text[:4_096], re.I) is not None


def scan_text(text: str, collector: Collector) -> None:
    """A sitemap of one URL a line."""
    for line in text.splitlines():
        if line[:4].lower() == "http":
            collector.add(line, "sitemap-page")


def from_robots(text: str, url: str) -> tuple[Candidate, ...]:
    """The sitemaps that a robots.txt names, or else those at the well-known places. url: that of the robots.txt."""
    named = [canonical(match[1], url) for match in _ROBOTS.finditer(text[:_MAX_ROBOTS])][:100]
    found = [each for each in named if isinstance(each, str)]
    if not found:
        found = [each for each in (canonical(place, url) for place in WELL_KNOWN) if isinstance(each, str)]
    return tuple(Candidate(each, Kind.FEED, "sitemap", SOURCES["sitemap"].priority) for each in dict.fromkeys(found))
