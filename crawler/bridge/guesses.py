"""Sitemaps that nobody named, asked for at the well-known places of a host whose robots.txt names none."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crawler.discover.sitemap import WELL_KNOWN
from crawler.frontier.base import Completion
from crawler.records import Candidate, Failed, FrontierUrl, Kind, Skipped
from crawler.urls import parts

PRIORITY: Final = 7
"""After what somebody named."""


def unnamed_sitemaps(robots: str) -> tuple[Candidate, ...]:
    """Where a sitemap may lie. robots: URL of the robots.txt. A bare address is no site that anybody made a map of."""
    url = parts(robots)
    if url.is_address:
        return ()
    return tuple(Candidate(f"{url.origin}{path}", Kind.FEED, "robots", PRIORITY) for path in WELL_KNOWN)


def is_guess(item: FrontierUrl) -> bool:
    """Whether a URL may be there because we guessed it."""
    return item.kind is Kind.FEED and item.referrer is None and parts(item.url).target in WELL_KNOWN


def no_sitemap(completion: Completion) -> Completion:
    """That a guess was wrong is no failure of the host: counted as "no-sitemap"."""
    outcome = completion.outcome
    if isinstance(outcome, Failed) and outcome.reason in ("http-404", "http-410", "http-403", "closed"):
        return replace(completion, outcome=Skipped("no-sitemap"))
    return completion
