"""Digging where something was found: hits raise the priority of what surrounds them, best effort and beside the work.

One find is told to the frontier once a minute at most for each pair of directories: a gallery full of known images is
one place to dig, however many of them there are.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

import structlog

from crawler.attribute.domain import registered_domains
from crawler.bridge.runs import RunBook, ServedRun
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Completion, Find, Frontier
from crawler.ranges import politeness_key
from crawler.records import Done, Failed, Lease, Rejected, RunId
from crawler.urls import UrlParts, parts

PAUSE = 60.0
"""Seconds between two boosts of the same directories."""
_REMEMBERED = 4_096
_AT_ONCE = 8
_ADDRESSES = 4
_Place = tuple[RunId, str, str]
_log = structlog.get_logger()


class Digger:
    """One per worker. clock: monotonic seconds."""

    def __init__(self, frontier: Frontier, runs: RunBook, clock: Callable[[], float] = monotonic) -> None:
        self._frontier = frontier
        self._runs = runs
        self._clock = clock
        self._dug: OrderedDict[_Place, float] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def accepted(self, completion: Completion) -> None:
        """The frontier took this completion: if it brought hits, dig there. Returns at once."""
        served = self._runs.get(completion.lease.item.run)
        if served is None or not _hits(completion) or len(self._tasks) >= _AT_ONCE:
            return
        image, page = _urls(completion)
        if not self._is_due((completion.lease.item.run, _directory(image), _directory(page))):
            return
        task = asyncio.get_running_loop().create_task(self._dig(served, completion.lease, image, page))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait until nothing is on its way to the frontier."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _is_due(self, place: _Place) -> bool:
        now = self._clock()
        if now < self._dug.get(place, now):
            return False
        self._dug[place] = now + PAUSE
        self._dug.move_to_end(place)
        while len(self._dug) > _REMEMBERED:
            self._dug.popitem(last=False)
        return True

    async def _dig(self, served: ServedRun, lease: Lease, image: str, page: str | None) -> None:
        hosts = [parts(url) for url in (image, page) if url is not None]
        addresses = [lease.item.address]
        if hosts[0].host != hosts[-1].host:
            addresses += await _addresses(served, hosts[-1].host)
        find = Find(
            run=lease.item.run,
            image_url=image,
            page_url=page,
            addresses=tuple(dict.fromkeys(map(politeness_key, addresses))),
            domains=tuple(dict.fromkeys(map(_domain, hosts))),
            urls_per_host=served.campaign.limits.max_urls_per_host,
        )
        try:
            await self._frontier.boost(find)
        except RedisUnavailable as error:
            _log.warning("boost dropped", error=str(error))


def _hits(completion: Completion) -> bool:
    outcome = completion.outcome
    return isinstance(outcome, Done | Failed) and outcome.tally.get("hits", 0) > 0


def _urls(completion: Completion) -> tuple[str, str | None]:
    """URLs of the image and of its page. An image that stands in its page itself lies where the page does."""
    item, outcome = completion.lease.item, completion.outcome
    inline = isinstance(outcome, Done) and outcome.tally.get("data-images", 0) > 0
    return item.url, item.url if inline else item.referrer


def _directory(url: str | None) -> str:
    if url is None:
        return ""
    where = parts(url)
    return where.origin + where.path[: where.path.rfind("/") + 1]


async def _addresses(served: ServedRun, host: str) -> list[str]:
    """Where a host may be crawled, as far as the DNS tells; most often one address, from the resolver's cache."""
    found = await served.resolver.resolve(host)
    if isinstance(found, Rejected):
        return []
    return [address for address in found.addresses if served.scope.judge(address).in_scope][:_ADDRESSES]


def _domain(where: UrlParts) -> str:
    return where.host if where.is_address else registered_domains(where.host)[0]
