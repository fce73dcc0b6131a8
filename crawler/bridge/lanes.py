"""The page lane's entrance: a lease becomes a request of the engine, and stays counted until its completion."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from scrapy import Request
from scrapy.core.engine import ExecutionEngine

from crawler.bridge.answers import Answered
from crawler.bridge.completer import Completer
from crawler.bridge.digging import Digger
from crawler.fetch.budget import ByteBudget, Hold
from crawler.frontier.base import Completion
from crawler.records import Lease

TOP_UP = 8
"""A lane is filled up once an eighth of it is free, so that a busy worker does not claim for every single request."""


STALLED = 1.0
"""Seconds after which a request that has no answer counts as one that waits for its server, which needs a socket and
nothing else of a worker. Without room for others beside them, a few dozen servers that say nothing would hold a lane
from everybody else for as long as they are waited for."""


def room_beside(stalled: int, taken: int, concurrency: int) -> int:
    """Leases that a lane may take beside those that it has. stalled: of them; as many again as usual may be."""
    return concurrency + min(stalled, concurrency) - taken


class LeasedRequest(Request):
    """A request that holds a lease; `answered` is its answer, once there is one.

    hold: the share that the answer, and the images in it, have in the budget of bytes; None before the lane took it.
    asking: since when it waits for its slot or its answer, in monotonic seconds; None before and after that. The engine
    begins nothing while it has bytes enough to work on, and what waits for it waits for no server.
    """

    def __init__(self, lease: Lease, **kwargs: Any) -> None:
        super().__init__(lease.item.url, dont_filter=True, **kwargs)
        self.lease = lease
        self.answered: Answered | None = None
        self.hold: Hold | None = None
        self.asking: float | None = None


class PageLane:
    """One per worker. concurrency: leases between claim and completion, beside those that wait for a server.
    bell: rung whenever one ended.

    memory: bytes of bodies, above which nothing is claimed or read.
    """

    def __init__(
        self, completer: Completer, digger: Digger, *, bell: asyncio.Event, concurrency: int, memory: ByteBudget
    ) -> None:
        self._memory = memory
        self._completer = completer
        self._digger = digger
        self._bell = bell
        self._concurrency = concurrency
        self._engine: ExecutionEngine | None = None
        self._out: dict[tuple[int, int], LeasedRequest] = {}
        self._empty = asyncio.Event()

    def open(self, engine: ExecutionEngine) -> None:
        """The engine that requests are given to."""
        self._engine = engine

    @property
    def room(self) -> int:
        """How many more leases may be taken now."""
        return 0 if self._memory.spent else room_beside(self._stalled(), len(self._out), self._concurrency)

    @property
    def idle(self) -> bool:
        """Whether nothing is at work."""
        return not self._out

    @property
    def hungry(self) -> bool:
        """Whether there is room for a batch."""
        return self.room * TOP_UP >= self._concurrency

    def take(self, lease: Lease, request: LeasedRequest) -> None:
        """Give a lease to the engine."""
        assert self._engine is not None
        request.hold = self._memory.hold()
        self._out[lease.partition, lease.token] = request
        self._empty.clear()
        self._engine.crawl(request)

    def _stalled(self) -> int:
        since = monotonic() - STALLED
        return sum(request.asking is not None and request.asking < since for request in self._out.values())

    async def complete(self, completion: Completion) -> None:
        """End a lease that was taken."""
        try:
            if await self._completer.complete(completion):
                self._digger.accepted(completion)
        finally:
            request = self._out.pop((completion.lease.partition, completion.lease.token), None)
            if request is not None and request.hold is not None:
                request.hold.leave()
            self._bell.set()
            if not self._out:
                self._empty.set()

    async def drain(self) -> None:
        """Wait until every lease taken has ended."""
        if self._out:
            await self._empty.wait()
        await self._digger.drain()
