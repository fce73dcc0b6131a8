"""Reads what pages named, finds out where it lies and whether that is in scope, and has the frontier queue the rest."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from crawler.bridge.runs import RunBook, ServedRun
from crawler.bus.hosts import HostBook
from crawler.errors import RecordCorrupt, RedisUnavailable
from crawler.frontier.base import Admission, Frontier, Judged, Limits, StreamEntry
from crawler.frontier.codec import unpack_discovered
from crawler.records import Candidate, Discovered, Kind, Rejected
from crawler.scope import politeness_key
from crawler.urls import parts, url_number

_BATCH = 64
_REQUISITES = frozenset({Kind.IMAGE, Kind.SHEET})
_SHEET_DEPTH = 3
_PAUSE = 0.5
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a host lies: the address that was judged in scope, or why there is none."""

    address: str | None = None
    politeness: str | None = None
    skip: str | None = None


class Admitter:
    """One per worker; any number of them share the stream. number_key: keys the 63-bit seen numbers."""

    def __init__(self, frontier: Frontier, runs: RunBook, hosts: HostBook, number_key: bytes) -> None:
        self._frontier = frontier
        self._runs = runs
        self._hosts = hosts
        self._number_key = number_key
        self.admitted = asyncio.Event()

    async def run(self) -> None:
        """Admit until cancelled."""
        idle = 0.002
        while True:
            try:
                worked = await self.step()
            except RedisUnavailable as error:
                _log.warning("admission delayed", error=str(error))
                await asyncio.sleep(_PAUSE)
                continue
            idle = 0.002 if worked else min(idle * 2, 0.1)
            if not worked:
                await asyncio.sleep(idle)

    async def step(self) -> int:
        """Admit one batch; how many entries it had."""
        entries = await self._frontier.discoveries(_BATCH)
        if not entries:
            return 0
        if any(self._runs.get(entry.run) is None for entry in entries):
            await self._runs.refresh()
        known = [(entry, served) for entry in entries if (served := self._runs.get(entry.run)) is not None]
        # An entry of a run that is not served here yet stays unacknowledged: whoever serves it takes it over.
        judged = await asyncio.gather(*(self._judged(entry, served) for entry, served in known))
        admissions = [found for found in judged if found is not None]
        if admissions:
            await self._frontier.admit(admissions)
            self.admitted.set()
        return len(entries)

    async def _judged(self, entry: StreamEntry, served: ServedRun) -> Admission | None:
        try:
            found = unpack_discovered(entry.payload)
        except RecordCorrupt as error:
            _log.error("discoveries entry dropped", error=str(error))
            await self._frontier.discard([entry], "corrupt-discoveries")
            return None
        hosts = {(p.host, p.port) for p in map(parts, (candidate.url for candidate in found.candidates))}
        order = sorted(hosts)
        placed = dict(zip(order, await asyncio.gather(*(self._place(served, *host) for host in order)), strict=True))
        urls = tuple(self._judge(served, found, candidate, placed) for candidate in found.candidates)
        return Admission(
            entry=entry,
            discovered=found,
            urls=urls,
            limits=lambda politeness: Limits(*served.campaign.limits_for(politeness)),
            urls_per_host=served.campaign.limits.max_urls_per_host,
            robots=True,
        )

    def _judge(
        self, served: ServedRun, found: Discovered, candidate: Candidate, placed: dict[tuple[str, int], Placed]
    ) -> Judged:
        url = parts(candidate.url)
        place = placed[url.host, url.port]
        number = url_number(candidate.url, 0, self._number_key)
        skip = place.skip or _too_deep(served, found.depth, candidate.kind)
        if skip is not None:
            return Judged(candidate, number, url.host, skip=skip)
        return Judged(candidate, number, url.host, place.address, place.politeness)

    async def _place(self, served: ServedRun, host: str, port: int) -> Placed:
        if not served.scope.permits_port(port):
            return Placed(skip="out-of-scope")
        if not served.scope.judge_host_name(host).in_scope:
            return Placed(skip="out-of-scope")
        resolved = await served.resolver.resolve(host)
        if isinstance(resolved, Rejected):
            return Placed(skip=resolved.reason)
        address = next((each for each in resolved.addresses if served.scope.judge(each).in_scope), None)
        if address is None:
            return Placed(skip="out-of-scope")
        agreed = await self._hosts.agree(host, address)
        if agreed != address and served.scope.judge(agreed).in_scope:
            address = agreed
        return Placed(address, politeness_key(address))


def _too_deep(served: ServedRun, depth: int, kind: Kind) -> str | None:
    most = served.campaign.limits.max_depth
    if kind in _REQUISITES:
        # What a page needs belongs to the page; style sheets that import style sheets end somewhere all the same.
        most += _SHEET_DEPTH if kind is Kind.SHEET else _SHEET_DEPTH + 1
    return "depth" if depth > most else None
