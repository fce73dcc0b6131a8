"""The page lane's entrance: a lease becomes a request of the engine, and stays counted until its completion."""

from __future__ import annotations

import asyncio
from typing import Any

from scrapy import Request
from scrapy.core.engine import ExecutionEngine

from crawler.bridge.completer import Completer
from crawler.frontier.base import Completion
from crawler.records import Fetched, Lease


class LeasedRequest(Request):
    """A request that holds a lease; `fetched` is its answer, once there is one."""

    def __init__(self, lease: Lease, **kwargs: Any) -> None:
        super().__init__(lease.item.url, dont_filter=True, **kwargs)
        self.lease = lease
        self.fetched: Fetched | None = None


class PageLane:
    """One per worker. concurrency: leases between claim and completion."""

    def __init__(self, completer: Completer, *, concurrency: int) -> None:
        self._completer = completer
        self._concurrency = concurrency
        self._engine: ExecutionEngine | None = None
        self._out: set[tuple[int, int]] = set()
        self.freed = asyncio.Event()

    def open(self, engine: ExecutionEngine) -> None:
        """The engine that requests are given to."""
        self._engine = engine

    @property
    def room(self) -> int:
        """How many more leases may be taken now."""
        return self._concurrency - len(self._out)

    def take(self, lease: Lease, request: LeasedRequest) -> None:
        """Give a lease to the engine."""
        assert self._engine is not None
        self._out.add((lease.partition, lease.token))
        self._engine.crawl(request)

    async def complete(self, completion: Completion) -> None:
        """End a lease that was taken."""
        try:
            await self._completer.complete(completion)
        finally:
            self._out.discard((completion.lease.partition, completion.lease.token))
            self.freed.set()

    async def drain(self) -> None:
        """Wait until every lease taken has ended."""
        while self._out:
            self.freed.clear()
            await self.freed.wait()
