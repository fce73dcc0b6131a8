"""What is suspected of belonging to a trap is asked for last, and only as much of it as its budget allows.

A budget is a share of what the campaign allows of a host, one for each kind of trap and host; for pages that repeat
each other one for each address, because a farm of hosts lies at few of them. What is above it is skipped as
"trap(KIND)".
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol

from crawler.bridge.runs import ServedRun
from crawler.discover.sketch import alike
from crawler.discover.traps import trap_of
from crawler.frontier.base import Judged
from crawler.records import Candidate, Kind, PageContent, RunId

REPEAT: Final = "repeat"
"""The source of links on pages that were seen before but for details."""
FEEDS: Final = "feeds"
"""Sitemaps and feeds, which name others of their kind: few on any honest host, and worth their turn."""
LAST: Final = 9
SHARE: Final = 0.1
LEAST: Final = 50
"""A budget is this share of the host's, and no less than this."""

_SEEN_BEFORE: Final = 2
"""Pages that say the same, from which on another one repeats them."""
_LINKS: Final = frozenset({Kind.PAGE, Kind.FEED})
_MEANT: Final = frozenset({"seed", "sweep", "certificate", "reverse", "robots", "redirect", "redirect-back"})
"""Sources that people or servers named on purpose."""


class Traps(Protocol):
    """What is known of traps. Implemented in `crawler.bus.traps`, and in memory by tests."""

    async def let_through(self, run: RunId, signature: str, numbers: list[int], budget: int) -> list[bool]:
        """Which of these URLs are within the budget of a signature."""
        ...

    async def said(self, run: RunId, address: str, sketch: bytes) -> list[bytes]:
        """Sketches of the last pages of an address, before this one is added."""
        ...


def suspicion(candidate: Candidate) -> str | None:
    """The kind of trap that a candidate may belong to, None for one above suspicion."""
    if candidate.kind not in _LINKS or candidate.source in _MEANT:
        return None
    if candidate.kind is Kind.FEED:
        return FEEDS
    return trap_of(candidate.url, datetime.now(UTC).year) or (REPEAT if candidate.source == REPEAT else None)


async def within_budgets(served: ServedRun, traps: Traps, urls: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """The same, with what is above the budget of its trap skipped, and what is within it last."""
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    found = list(urls)
    for place, url in enumerate(urls):
        kind = suspicion(url.candidate)
        if kind is None or url.address is None or url.later:
            continue
        if kind != FEEDS:
            found[place] = replace(url, candidate=replace(url.candidate, priority=LAST))
        groups[kind, (url.politeness or "") if kind == REPEAT else url.host].append(place)
    budget = max(LEAST, int(SHARE * served.campaign.limits.max_urls_per_host))
    for (kind, where), places in groups.items():
        numbers = [urls[place].number for place in places]
        flags = await traps.let_through(served.run, f"{kind} {where}", numbers, budget)
        for place, within in zip(places, flags, strict=True):
            if not within:
                found[place] = replace(found[place], skip=f"trap({kind})", address=None, politeness=None)
    return tuple(found)


async def repeated(traps: Traps, run: RunId, address: str, content: PageContent) -> PageContent | None:
    """The page with its links marked, when pages of its address said the same before; None for one that is new."""
    if content.sketch is None:
        return None
    packed = content.sketch.packed()
    before = await traps.said(run, address, packed)
    if not content.sketch.missing and sum(alike(packed, each) for each in before) < _SEEN_BEFORE:
        return None
    marked = tuple(
        replace(each, source=REPEAT, priority=LAST) if each.kind in _LINKS and each.source not in _MEANT else each
        for each in content.candidates
    )
    return replace(content, candidates=marked)
