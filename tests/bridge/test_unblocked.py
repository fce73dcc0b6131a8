"""A worker's event loop goes on whatever Redis does: scheduler, claimer, completer and both lanes, at a real server.

The workers of the crawls in `tests/flow` are watched in the same way: see `tests/servers/template.py`.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.scheduler import Scheduler
from crawler.frontier.base import Claimed, Completion
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.records import Done, Kind
from tests.bridge.test_promptness import pictures, working
from tests.contract.steps import fill
from tests.servers.unblocked import Blocking, unblocked

PAUSE = 0.6
BEAT = 0.01
BEATS = 10
"""Of the sixty of a pause: many, on the slowest machine, against none of a loop that stands still."""


class Waited(RedisFrontier):
    """Notes the longest waits, in seconds."""

    def __init__(self, client: Redis) -> None:
        super().__init__(client, FrontierSettings("t", 1, "one", lease_seconds=60.0))
        self.claims, self.completions = 0.0, 0.0

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        begun = time.monotonic()
        claimed = await super().claim(pages, images, page_streaks)
        self.claims = max(self.claims, time.monotonic() - begun)
        return claimed

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        begun = time.monotonic()
        answers = await super().complete(completions)
        self.completions = max(self.completions, time.monotonic() - begun)
        return answers


async def heart(beats: list[float]) -> None:
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(BEAT)


async def engine(scheduler: Scheduler, pages: PageLane) -> None:
    """Ends what the scheduler has, a page at a time."""
    while True:
        await asyncio.sleep(BEAT)
        if (request := scheduler.next_request()) is not None:
            assert isinstance(request, LeasedRequest)
            await pages.complete(Completion(request.lease, Done()))


@asynccontextmanager
async def beside(*works: Awaitable[None]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)


async def test_the_loop_of_a_worker_goes_on_while_the_server_is_silent(server: str, client: Redis) -> None:
    frontier, scheduler, beats = Waited(client), Scheduler(), list[float]()
    pages = [(f"http://p.example/{n}", Kind.PAGE) for n in range(60)]
    # 180 images at 100/s and 60 pages, one after the other: neither is through before the pause, nor after it.
    with unblocked() as found:
        async with working(frontier, scheduler) as bench, beside(heart(beats), engine(scheduler, bench.pages)):
            for n in range(6):
                await fill(frontier, pictures(30, f"h{n}.example"), address=f"127.10.0.{n}", rate=20.0)
            await fill(frontier, pages, address="127.10.0.9")
            bench.bell.set()
            await bench.sent(12)
            admin = Redis.from_url(server)
            await admin.client_pause(round(1000 * PAUSE), all=True)
            begun, before = time.monotonic(), len(beats)
            await admin.ping()  # answered when the pause is over
            assert time.monotonic() - begun > PAUSE / 2
            assert len(beats) - before >= BEATS
            await admin.aclose()
            await bench.ended(180)
    assert found == []
    # The pause met them: both waited for it, and nothing else did.
    assert min(frontier.claims, frontier.completions) > PAUSE / 2
    assert (len(bench.web.at), scheduler.has_pending_requests()) == (180, False)


async def test_a_blocking_call_on_the_loop_is_noticed(server: str) -> None:
    with BlockingRedis.from_url(server) as client:
        client.ping()  # connected
        calls: list[Callable[[], object]] = [
            client.ping,
            lambda: socket.getaddrinfo("127.0.0.1", 80),
            lambda: time.sleep(0.001),
        ]
        with unblocked() as found:
            for call in calls:
                with pytest.raises(Blocking):
                    call()
                await asyncio.to_thread(call)  # where it may
    assert len(found) == len(calls)
