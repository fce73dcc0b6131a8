"""A crawl of a made web (`bench.focus_web`) by a real frontier, without fetching anything.

Time goes in rounds of half a second: what a round claims is answered in it. An address gets two requests at once, so
4 a second; all together get what there is room for. Every step of a worker is there: claim, complete with what the page
names, boost for a hit, admit. robots.txt is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from bench.focus_web import Web
from crawler.bridge.digging import PAUSE
from crawler.discover.sources import SOURCES
from crawler.frontier.base import Admission, Completion, Find, Frontier, Judged, Limits, StreamEntry
from crawler.frontier.codec import unpack_discovered
from crawler.records import Candidate, Discovered, Done, Kind, Lease, RunId
from crawler.urls import url_number

RUN = RunId("bench", 1)
ROUND = 0.5
"""Seconds."""
LIMITS = Limits(100_000.0, 2)
"""The rate never binds, for a server's clock does not know of rounds; two at once are 4 a second."""
NO_BUDGET = 1_000_000_000
_KEY = b"k" * 16
_PRIORITIES = {"seed": 0} | {name: source.priority for name, source in SOURCES.items()}


@dataclass(frozen=True, slots=True)
class Worker:
    """pages, images: requests in flight, in the proportion of a worker.  boosts: whether hits are told to the frontier.
    budget: URLs per host."""

    pages: int = 8
    images: int = 16
    boosts: bool = True
    budget: int = NO_BUDGET


class Crawl:
    """One crawl. tick: passes the time of one round; a server's clock needs none."""

    def __init__(self, frontier: Frontier, web: Web, worker: Worker, tick: Callable[[], None] = lambda: None) -> None:
        self._frontier = frontier
        self._web = web
        self._worker = worker
        self._tick = tick
        self._numbers = {url: number for number, url in enumerate(web.urls)}
        self._judged = cache(self._judge)
        self._boosted: dict[tuple[str, ...], float] = {}
        self._now = 0.0
        self.order: list[int] = []
        self.boosts = 0

    async def run(self, requests: int) -> list[int]:
        """The URLs requested, in that order: so many, or fewer where nothing is left.

        Raises RuntimeError when URLs wait that do not become due.
        """
        seeds = tuple(self._candidate(number, "seed") for number in self._web.seeds)
        await self._frontier.offer(RUN, [Discovered(seeds)])
        idle = 0
        while len(self.order) < requests:
            await self._admit()
            claimed = await self._frontier.claim(self._worker.pages, self._worker.images)
            idle = 0 if claimed.leases else idle + 1
            if idle > 100:
                if (await self._frontier.counts(RUN)).unfinished:
                    raise RuntimeError("URLs wait, and none is due for 50 s")
                break
            await self._answer(claimed.leases)
            self._now += ROUND
            self._tick()
        return self.order[:requests]

    async def _answer(self, leases: tuple[Lease, ...]) -> None:
        numbers = [self._numbers[lease.item.url] for lease in leases]
        self.order += numbers
        ended = [Completion(lease, self._done(number, lease)) for number, lease in zip(numbers, leases, strict=True)]
        if ended and not all(await self._frontier.complete(ended)):
            raise RuntimeError("a lease was lost")
        if self._worker.boosts:
            for number, lease in zip(numbers, leases, strict=True):
                if number in self._web.hits:
                    await self._boost(lease)

    def _done(self, number: int, lease: Lease) -> Done:
        named = self._web.links.get(number)
        if named is None:
            return Done(tally={"images": 1})
        candidates = {target: self._candidate(target, source) for target, source in reversed(named)}
        found = Discovered(tuple(reversed(candidates.values())), lease.item.depth + 1, lease.item.url)
        return Done(found, tally={"pages": 1})

    def _candidate(self, number: int, source: str) -> Candidate:
        kind = Kind.PAGE if number in self._web.links else Kind.IMAGE
        return Candidate(self._web.urls[number], kind, source, _PRIORITIES[source])

    # ------------------------------------------------------------ boost

    async def _boost(self, lease: Lease) -> None:
        """Tell a hit, each pair of directories once in a while."""
        image, page = lease.item.url, lease.item.referrer
        urls = (image,) if page is None else (image, page)
        place = tuple(url.partition("?")[0].rpartition("/")[0] for url in urls)
        if self._now < self._boosted.get(place, 0.0):
            return
        self._boosted[place] = self._now + PAUSE
        self.boosts += 1
        hosts = dict.fromkeys(url.split("/", 3)[2] for url in urls)
        addresses = tuple(dict.fromkeys(self._web.addresses[host] for host in hosts))
        domains = tuple(dict.fromkeys(map(_domain, hosts)))
        await self._frontier.boost(Find(RUN, image, page, addresses, domains, self._worker.budget))

    # ------------------------------------------------------------ admission

    async def _admit(self) -> None:
        while entries := await self._frontier.discoveries(64):
            await self._frontier.admit([self._admission(entry) for entry in entries])

    def _admission(self, entry: StreamEntry) -> Admission:
        found = unpack_discovered(entry.payload)
        urls = tuple(self._judged(candidate) for candidate in found.candidates)
        return Admission(entry, found, urls, lambda _: LIMITS, self._worker.budget, False)

    def _judge(self, candidate: Candidate) -> Judged:
        host = candidate.url.split("/", 3)[2]
        address, number = self._web.addresses[host], url_number(candidate.url, 0, _KEY)
        return Judged(candidate, number & (2**63 - 1), host, address, address, domain=_domain(host))


def _domain(host: str) -> str:
    return host.partition(".")[2]
