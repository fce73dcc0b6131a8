"""What becomes of a lease of a robots.txt once its answer is there, at its address or where it moved to (RFC 9309)."""

from __future__ import annotations

import asyncio
from time import time

from crawler.bridge.answers import Answered, Sent, Unsent
from crawler.bridge.errands import ROBOTS_HOPS, Errands, Tenure
from crawler.bridge.guesses import unnamed_sitemaps
from crawler.bridge.outcomes import backoff, unusable
from crawler.bridge.places import OUT_OF_SCOPE
from crawler.bridge.rules import crawl_delay, pack_rules, pack_unreachable
from crawler.bridge.runs import ServedRun
from crawler.errors import RedisUnavailable
from crawler.fetch.failures import FAILURES, failure
from crawler.fetch.robots import parse_robots
from crawler.frontier.base import Completion
from crawler.records import Candidate, Discovered, Done, Fetched, FetchFailed, Kind, Lease, Rejected, Rekind, Retry
from crawler.urls import canonical, parts

_ELSEWHERE, _LONGEST, _TO_COMPLETE = 10.0, 120.0, 5.0
"""Seconds: within which another address has to have a slot for a robots.txt that moved there; that it takes altogether;
before the end of the lease at which it is over."""


class RobotsJudge:
    """Turns answers to requests for a robots.txt into outcomes.

    errands: ask for one that moved to another address; None: nobody does.
    """

    def __init__(self, errands: Errands | None = None) -> None:
        self._errands = errands

    async def answered(self, served: ServedRun, lease: Lease, fetched: Fetched) -> Completion:
        """An answer arrived."""
        if fetched.status >= 500 or fetched.status == 429:
            ended = unusable(lease, fetched, time())
            assert ended is not None
            return ended._replace(robots=pack_unreachable(f"robots-http-{fetched.status}"))
        if 300 <= fetched.status < 400:
            return await self._moved(served, lease, fetched)
        return self._read(served, lease, fetched)

    def _read(self, served: ServedRun, lease: Lease, fetched: Fetched) -> Completion:
        rules = parse_robots(fetched.body, fetched.status)
        sitemaps = [canonical(url, fetched.url) for url in rules.sitemaps]
        named = tuple(Candidate(url, Kind.FEED, "robots", 4) for url in sitemaps if isinstance(url, str))
        pointer = served.is_pointer(lease.item)
        # What a page outside of the scope is read for is named; nothing is tried there.
        found = Discovered(named or (() if pointer else unnamed_sitemaps(lease.item.url)), 1, None)
        outcome = Done(found if found.candidates else None, tally={f"robots:http-{fetched.status}": 1})
        return Completion(lease, outcome, pack_rules(rules), delay=crawl_delay(rules, served.campaign, pointer=pointer))

    async def _moved(self, served: ServedRun, lease: Lease, fetched: Fetched) -> Completion:
        """Follow a redirect of robots.txt (RFC 9309, 2.3.1.2): within its address in another slot of the queue, else by
        a visit. One that leads out of the scope, or in circles, counts as "there is none"."""
        target = canonical(fetched.location) if fetched.location is not None else None
        if isinstance(target, str) and len(lease.item.via) < ROBOTS_HOPS and not _astray(served, lease, target):
            resolved = await served.resolver.resolve(parts(target).host)
            if not isinstance(resolved, Rejected) and lease.item.address in resolved.addresses:
                return Completion(lease, Rekind(Kind.ROBOTS, target))
            if self._errands is not None and not served.is_pointer(lease.item):
                return await self._elsewhere(served, lease, target, self._errands)
        return _none(lease)

    async def _elsewhere(self, served: ServedRun, lease: Lease, target: str, errands: Errands) -> Completion:
        """What the robots.txt at another address says holds for the host that sent there."""
        sent = await _asked_elsewhere(served, lease, target, errands)
        if isinstance(sent, Answered):
            status = sent.fetched.status
            if status >= 500 or status == 429:
                return _later(lease, f"robots-http-{status}")
            return _none(lease) if 300 <= status < 400 else self._read(served, lease, sent.fetched)
        if isinstance(sent, Rejected) and sent.reason == OUT_OF_SCOPE:
            return _none(lease)
        if isinstance(sent, Rejected | FetchFailed) and sent.reason in FAILURES:
            return _later(lease, sent.reason)
        return _later(lease, "robots-unsent")


async def _asked_elsewhere(served: ServedRun, lease: Lease, target: str, errands: Errands) -> Sent | Rejected:
    now = asyncio.get_running_loop().time()
    try:
        # A lease that runs out says nothing, and the same would be asked again without an end.
        async with asyncio.timeout(min(lease.expires - now, _LONGEST) - _TO_COMPLETE):
            hops = ROBOTS_HOPS - len(lease.item.via) - 1
            return await errands.robots_txt(served, Tenure(lease, now + _ELSEWHERE), target, hops)
    except TimeoutError:
        return failure("deadline")
    except RedisUnavailable:
        return Unsent()


def _none(lease: Lease) -> Completion:
    return Completion(lease, Done(tally={"robots:redirect-elsewhere": 1}), pack_rules(parse_robots(b"", 404)))


def _later(lease: Lease, reason: str) -> Completion:
    return Completion(lease, Retry(reason, backoff(lease.item.attempts)), pack_unreachable(reason))


def _astray(served: ServedRun, lease: Lease, robots: str) -> bool:
    """Whether the robots.txt of a pointer has moved to where nobody may ask for it."""
    return served.is_pointer(lease.item) and not served.pointers.has(robots, Kind.ROBOTS)
