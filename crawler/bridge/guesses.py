"""What nobody named: sitemaps at the well-known places of a host whose robots.txt names none, and larger originals of
thumbnails. Both are counted apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crawler.discover.sitemap import WELL_KNOWN
from crawler.discover.sources import GUESS_PRIORITY
from crawler.frontier.base import Completion
from crawler.records import Candidate, Done, Failed, FrontierUrl, Kind, Outcome, Skipped
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
    return completion._replace(outcome=Skipped("no-sitemap")) if _is_nothing(completion.outcome) else completion


def is_guessed_image(item: FrontierUrl) -> bool:
    """Whether a URL is a larger original that we guessed, or where such a one was redirected to."""
    return item.kind is Kind.IMAGE and item.priority == GUESS_PRIORITY


def of_guessed_image(completion: Completion) -> Completion:
    """What is there is counted as "guesses" as well; that nothing is, is no failure: "no-original".

    A page in its place is read after everything else: its URL was asked for once and for all, and somebody may name it.
    """
    outcome = completion.outcome
    if _is_nothing(outcome):
        return completion._replace(outcome=Skipped("no-original"))
    if isinstance(outcome, Done | Failed):
        return completion._replace(outcome=replace(outcome, tally={**outcome.tally, "guesses": 1}))
    return completion


def _is_nothing(outcome: Outcome | None) -> bool:
    return isinstance(outcome, Failed) and outcome.reason in ("http-404", "http-410", "http-403", "closed")
