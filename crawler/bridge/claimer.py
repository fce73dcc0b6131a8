"""The one claimer of a worker: takes leases when there is room on a lane, and never more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.runs import RunBook
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Frontier
from crawler.records import Lease

_BATCH = 64
_SHORTEST, _LONGEST = 0.002, 0.1
_PAUSE = 0.5
_log = structlog.get_logger()


class Claimer:
    """request: makes the engine's request for a page lease.  backlog_limit: unread stream entries that stop claims."""

    def __init__(
        self,
        frontier: Frontier,
        runs: RunBook,
        pages: PageLane,
        images: ImageLane,
        *,
        request: Callable[[Lease], LeasedRequest],
        backlog_limit: int,
    ) -> None:
        self._frontier = frontier
        self._runs = runs
        self._pages = pages
        self._images = images
        self._request = request
        self._backlog_limit = backlog_limit
        self._stopped = False
        self._idle = asyncio.Event()

    def stop(self) -> None:
        """Claim nothing any more."""
        self._stopped = True

    async def stopped(self) -> None:
        """Returns when no claim is under way any more, after `stop`."""
        await self._idle.wait()

    async def run(self) -> None:
        """Claim until stopped."""
        try:
            await self._run()
        finally:
            self._idle.set()

    async def _run(self) -> None:
        while not self._stopped:
            try:
                wait = await self._step()
            except RedisUnavailable as error:
                _log.warning("claim delayed", error=str(error))
                wait = _PAUSE
            if wait > 0:
                await asyncio.sleep(wait)

    async def _step(self) -> float:
        """Claim once; seconds until the next claim is worth while."""
        pages, images = min(self._pages.room, _BATCH), min(self._images.room, _BATCH)
        if pages <= 0 and images <= 0:
            await self._freed()
            return 0.0
        if not self._runs.running or await self._frontier.backlog() > self._backlog_limit:
            return _LONGEST
        claimed = await self._frontier.claim(pages, images)
        for lease in claimed.leases:
            if lease.item.kind.on_image_lane:
                self._images.take(lease)
            else:
                self._pages.take(lease, self._request(lease))
        if claimed.next_due is None:
            return _LONGEST / 2
        return min(max(claimed.next_due, _SHORTEST), _LONGEST / 2)

    async def _freed(self) -> None:
        events = (self._pages.freed, self._images.freed)
        for event in events:
            event.clear()
        waits = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
        for wait in waits:
            wait.cancel()
