"""What a crawl of the lab must find, and what it must leave alone; and how a list of hits compares with that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from crawler.lab.images import Derivative
from crawler.urls import canonical, resource_key


class Expect(StrEnum):
    """What must become of a URL of the lab."""

    FETCHED = "fetched"
    """Asked for and answered, redirects included."""
    FAILED = "failed"
    """Asked for, and recorded as failed: no usable answer, or no image that can be decoded."""
    SKIPPED = "skipped"
    """In scope, but never asked for: robots.txt forbids it, or it is a link that acts."""
    OUTSIDE = "outside"
    """Never asked for: its address or its domain is out of scope."""
    OPEN = "open"
    """Anything goes; a hit there is neither required nor false."""


@dataclass(frozen=True, slots=True)
class Planted:
    """One placement of a listed image: a URL at which a hit must be recorded.

    url: canonical, "PAGE#data-N" for the N-th `data:` image of a page.  key: of the list's entry.
    """

    url: str
    key: str
    derivative: Derivative


@dataclass
class Truth:
    """All that is known beforehand. planted: by URL.  expected: canonical URL -> outcome."""

    planted: dict[str, Planted] = field(default_factory=dict)
    expected: dict[str, Expect] = field(default_factory=dict)

    def urls(self, expect: Expect) -> frozenset[str]:
        """The URLs that must end so."""
        return frozenset(url for url, wanted in self.expected.items() if wanted is expect)


@dataclass(frozen=True, slots=True)
class Judgement:
    """planted, found: placements.  missed: their URLs without a hit.  false: URLs of hits that nobody planted."""

    planted: int
    found: int
    missed: tuple[str, ...]
    false: tuple[str, ...]


def judge(hits: Iterable[Mapping[str, Any]], truth: Truth) -> Judgement:
    """Compare hits, as `hits list --json` prints them (only "image_url" is read), with what was planted.

    Two URLs are the same placement when they are the same resource, as `crawler.urls.resource_key` has it.
    """
    wanted = {_resource(url): url for url in truth.planted}
    open_ones = {_resource(url) for url in truth.urls(Expect.OPEN)}
    seen = {_resource(str(hit["image_url"])): str(hit["image_url"]) for hit in hits}
    missed = tuple(sorted(url for resource, url in wanted.items() if resource not in seen))
    false = tuple(sorted(url for resource, url in seen.items() if resource not in wanted and resource not in open_ones))
    return Judgement(len(wanted), len(wanted) - len(missed), missed, false)


def _resource(url: str) -> str:
    page, mark, number = url.partition("#")
    form = canonical(page)
    return url if not isinstance(form, str) else resource_key(form) + mark + number
