"""The one claimer of a worker: takes leases when there is room on a lane, and never more.

It rests until something is due, and no longer than until the bell rings: a request ended, which may leave room here and
at its address, or the admitter of this worker queued something. Rings within a moment of each other cost one claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.runs import RunBook
from crawler.bridge.sweeplane import SweepLane
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Claimed, Frontier
from crawler.records import Lease

_BATCH = 64
_SPACING = 0.005
"""Seconds between two claims at the least."""
_IDLE = 0.05
"""At the most, while there is room: what other workers admit or free rings no bell here."""
_TOP_UP, _BUSY_TOP_UP = 0.02, 0.1
"""Until a lane is filled up that has less room than a batch, or of which nothing more was due: soon, or, while nearly
all of the image lane is at work, once there is more than one image to ask for."""
_BACKLOG_AGE = 0.25
_HELD, _PAUSE = 0.1, 0.5
_log = structlog.get_logger()


class Claimer:
    """request: makes the engine's request for a page lease.  backlog_limit: unread stream entries that stop claims.

    bell: set by whoever made room or work.  sweeps: takes leases of sweeps out of the page lane's way.
    """

    def __init__(
        self,
        frontier: Frontier,
        runs: RunBook,
        pages: PageLane,
        images: ImageLane,
        *,
        bell: asyncio.Event,
        request: Callable[[Lease], LeasedRequest],
        backlog_limit: int,
        sweeps: SweepLane | None = None,
    ) -> None:
        self._frontier = frontier
        self._runs = runs
        self._pages = pages
        self._images = images
        self._bell = bell
        self._request = request
        self._backlog_limit = backlog_limit
        self._sweeps = sweeps
        self._stopped = False
        self._sated = (False, False)
        self._idle = asyncio.Event()
        self._barren = 0
        self._claimed_at = 0.0
        self._backlog = 0
        self._counted_at = 0.0

    def stop(self) -> None:
        """Claim nothing any more."""
        self._stopped = True
        self._bell.set()

    async def stopped(self) -> None:
        """Returns when no claim is under way any more, after `stop`."""
        await self._idle.wait()

    async def run(self) -> None:
        """Claim until stopped."""
        try:
            while not self._stopped:
                # What rings from here on is after the claim's own look, and shortens the rest after it.
                self._bell.clear()
                await self._rest(await self._step())
        finally:
            self._idle.set()

    async def _rest(self, seconds: float) -> None:
        """For so long, or until the bell rings and a claim may give a batch; what ends without that costs no claim."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await asyncio.sleep(min(seconds, _SPACING))
        while (left := end - loop.time()) > 0:
            timer = loop.call_later(left, self._bell.set)
            await self._bell.wait()
            timer.cancel()
            if self._stopped or self._is_worth_it():
                return
            self._bell.clear()
            end = min(end, self._claimed_at + self._top_up)

    async def _step(self) -> float:
        """Claim once, where that may give something; seconds until the next time that it may."""
        try:
            if not self._runs.running or await self._is_behind():
                return _HELD
            return await self._claim()
        except RedisUnavailable as error:
            _log.warning("claim delayed", error=str(error))
            await asyncio.sleep(_PAUSE)
            return 0.0

    async def _claim(self) -> float:
        pages, images = min(self._pages.room, _BATCH), min(self._images.room, _BATCH)
        if pages <= 0 and images <= 0:
            return _IDLE
        now = asyncio.get_running_loop().time()
        if not self._is_worth_it() and now < self._claimed_at + self._top_up:
            return self._claimed_at + self._top_up - now
        self._claimed_at = now
        claimed = await self._frontier.claim(max(pages, 0), max(images, 0), not self._runs.renders)
        found = sum(lease.item.kind.on_image_lane for lease in claimed.leases)
        self._sated = (len(claimed.leases) - found < pages, found < images)
        for lease in claimed.leases:
            if lease.item.kind.on_image_lane:
                self._images.take(lease)
            elif self._sweeps is None or not self._sweeps.takes(lease):
                self._pages.take(lease, self._request(lease))
        return self._until_due(claimed)

    @property
    def _top_up(self) -> float:
        return _TOP_UP if self._images.hungry else _BUSY_TOP_UP

    def _is_worth_it(self) -> bool:
        """Whether a claim may give a batch: where the last one gave less than a lane took, there was nothing more.

        Otherwise every page or image that ends costs a claim for the lane that waits for others, for as long as the
        other lane is busy. A worker with nothing to do asks whenever something happens.
        """
        if self._pages.idle and self._images.idle:
            return True
        pages, images = self._sated
        return (self._pages.hungry and not pages) or (self._images.hungry and not images)

    def _until_due(self, claimed: Claimed) -> float:
        """Seconds until the next claim. Where nothing came although it was due, that grows: others are at it."""
        self._barren = 0 if claimed.leases else self._barren + 1
        if claimed.next_due is None:
            return _IDLE
        shortest = 0.0 if claimed.leases else _SPACING * 2 ** min(self._barren, 5)
        return float(min(max(claimed.next_due, shortest), _IDLE))

    async def _is_behind(self) -> bool:
        """Whether admitters or the recorder are behind, as of a moment ago."""
        now = asyncio.get_running_loop().time()
        if now >= self._counted_at + _BACKLOG_AGE:
            self._backlog = await self._frontier.backlog()
            self._counted_at = now
        return self._backlog > self._backlog_limit
