"""Reads what pages named, finds out where it lies and whether that is in scope, and has the frontier queue the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from crawler.attribute.domain import registered_domains
from crawler.bridge.answers import LED_BACK
from crawler.bridge.places import Placed, Places
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bridge.suspects import Traps, within_budgets
from crawler.errors import InvalidInput, RecordCorrupt, RedisUnavailable
from crawler.frontier.base import Admission, Frontier, Judged, Limits, StreamEntry
from crawler.frontier.codec import unpack_discovered
from crawler.ranges import politeness_key
from crawler.recheck.outcome import PAGE_DEPTH
from crawler.records import Candidate, Discovered, Kind
from crawler.urls import UrlParts, parts, url_number

DNS_PATIENCE: Final = 155.0
"""Seconds for which a name that the DNS cannot tell us now is asked again: after 5, 30 and 120 of them."""
OWN_PAGE, FOREIGN_PAGE, WITH_COOKIE = 0, 1, 2
"""Context classes (docs/adr/0010): an image that a page of its own domain showed, one that no such page did, and what a
redirect led back to after it had set a cookie."""

RESERVED: Final = 0.25
"""The share of a host's budget that links leave to images, whichever of a page's candidates is admitted first."""

_AGAIN = (1 / 31, 6 / 31, 24 / 31)
_BATCH = 64
_REQUISITES = frozenset({Kind.IMAGE, Kind.SHEET})
_SHEET_DEPTH = 3
_PAUSE = 0.5
_LONGEST, _BUSY = 0.03, 0.1
"""Seconds between two looks of an admitter that finds nothing, and in a worker that has work at hand; a look costs the
server some 20 us, and the worker ten times that."""
_log = structlog.get_logger()


class Admitter:
    """One per worker; any number of them share the stream.

    number_key: keys the seen numbers.  patience: see DNS_PATIENCE.  traps: None lets everything through.
    busy: whether the worker has work at hand.
    """

    def __init__(
        self,
        frontier: Frontier,
        runs: RunBook,
        places: Places,
        number_key: bytes,
        *,
        patience: float = DNS_PATIENCE,
        traps: Traps | None = None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._busy = busy
        self._frontier = frontier
        self._runs = runs
        self._places = places
        self._number_key = number_key
        self._traps = traps
        self._delays = tuple(share * patience for share in _AGAIN)
        self.admitted = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Admit until cancelled."""
        # The first question loads the suffix list, for longer than the event loop should wait.
        await asyncio.to_thread(registered_domains, "vangnet.example")
        idle = 0.002
        try:
            while True:
                try:
                    worked = await self._step()
                except (RedisUnavailable, RecordCorrupt) as error:
                    _log.warning("admission delayed", error=str(error))
                    await asyncio.sleep(_PAUSE)
                    continue
                idle = 0.002 if worked else min(idle * 2, _BUSY if self._busy() else _LONGEST)
                if not worked:
                    await asyncio.sleep(idle)
        finally:
            if self._writing is not None:
                self._writing.cancel()
                await asyncio.gather(self._writing, return_exceptions=True)

    async def _step(self) -> int:
        """Judge one batch while the last one is written; how many entries it had."""
        found, admissions = await self.judge()
        written, self._writing = self._writing, None
        try:
            if written is not None:
                await written
        finally:
            # Whatever became of the last one.
            if admissions:
                self._writing = asyncio.create_task(self.admit(admissions))
        return found

    async def judge(self) -> tuple[int, list[Admission]]:
        """The next batch of entries: how many there were, and what is to be admitted of them."""
        entries = await self._frontier.discoveries(_BATCH)
        if not entries:
            return 0, []
        if any(self._runs.get(entry.run) is None for entry in entries):
            await self._runs.refresh()
        known = [(entry, served) for entry in entries if (served := self._runs.get(entry.run)) is not None]
        # An entry of a run that is not served here yet stays unacknowledged: whoever serves it takes it over.
        judged = await asyncio.gather(*(self._judged(entry, served) for entry, served in known))
        return len(entries), [found for found in judged if found is not None]

    async def admit(self, admissions: Sequence[Admission]) -> None:
        """Give what was judged to the frontier, and ring."""
        await self._frontier.admit(admissions)
        self.admitted.set()

    async def _judged(self, entry: StreamEntry, served: ServedRun) -> Admission | None:
        try:
            return await self._admission(entry, served, unpack_discovered(entry.payload))
        except (RecordCorrupt, InvalidInput) as error:
            _log.error("discoveries entry dropped", error=str(error))
            await self._frontier.discard([entry], "corrupt-discoveries")
            return None

    async def _admission(self, entry: StreamEntry, served: ServedRun, found: Discovered) -> Admission:
        limits = served.campaign.limits
        urls = [parts(candidate.url) for candidate in found.candidates]
        last = found.tries >= len(self._delays)
        places = await self._placed(served, {(url.host, url.port) for url in urls}, last=last)
        page_site = None if found.referrer is None else _site(parts(found.referrer))
        judged = []
        for candidate, url in zip(found.candidates, urls, strict=True):
            deep = _too_deep(limits.max_depth, found.depth, candidate.kind)
            place = places[url.host, url.port]
            if place.pointer is not None and served.pointers.has(candidate.url, candidate.kind):
                place = Placed(place.pointer, politeness_key(place.pointer))
            judged.append(self._judge(candidate, url, page_site, place, deep, found=found))
        kept = tuple(judged)
        # What moved was let through before.
        if self._traps is not None and not found.moved:
            kept = await within_budgets(served, self._traps, kept)
        return Admission(
            entry=entry,
            discovered=found,
            urls=kept,
            limits=lambda politeness: Limits(*served.campaign.limits_for(politeness)),
            urls_per_host=limits.max_urls_per_host,
            robots=True,
            urls_per_domain=limits.max_urls_per_domain,
            after=0.0 if last else self._delays[found.tries],
            reserved=int(RESERVED * min(limits.max_urls_per_host, limits.max_urls_per_domain)),
        )

    def _judge(
        self,
        candidate: Candidate,
        url: UrlParts,
        page_site: str | None,
        place: Placed,
        deep: str | None,
        *,
        found: Discovered,
    ) -> Judged:
        site = _site(url)
        context = FOREIGN_PAGE if candidate.kind is Kind.IMAGE and page_site != site else OWN_PAGE
        if candidate.source == LED_BACK:
            context = WITH_COOKIE
        number = url_number(_numbered(candidate, found), context, self._number_key)
        domain = "" if url.is_address else site
        if place.passing and deep is None:
            return Judged(candidate, number, url.host, domain=domain, context=context, later=True)
        skip = deep if place.passing else place.skip or deep
        if skip is not None:
            return Judged(candidate, number, url.host, skip=skip, domain=domain, context=context)
        return Judged(candidate, number, url.host, place.address, place.politeness, None, domain, context)

    async def _placed(
        self, served: ServedRun, hosts: set[tuple[str, int]], *, last: bool
    ) -> Mapping[tuple[str, int], Placed]:
        order = sorted(hosts)
        placed = await asyncio.gather(*(self._places.place(served, host, port, last=last) for host, port in order))
        return dict(zip(order, placed, strict=True))


def _numbered(candidate: Candidate, found: Discovered) -> str:
    """What of a candidate may be asked for once. Two visits that lead to one place are two all the same, and so are a
    visit of a page, for an image inside of it, and a look at it for another one that was missed."""
    if candidate.kind is not Kind.RECHECK:
        return candidate.url
    looked = "missed" if found.depth == PAGE_DEPTH else None
    return "\0".join(part for part in (looked, *found.via[:1], candidate.url) if part is not None)


def _site(url: UrlParts) -> str:
    """The registered domain of a URL, or its host where that is an address; the last thousands are remembered."""
    return url.host if url.is_address else registered_domains(url.host)[0]


def _too_deep(most: int, depth: int, kind: Kind) -> str | None:
    if kind in _REQUISITES:
        # What a page needs belongs to the page; style sheets that import style sheets end somewhere all the same.
        most += _SHEET_DEPTH if kind is Kind.SHEET else _SHEET_DEPTH + 1
    return "depth" if depth > most else None
