"""The page lane: counts what is out, tells when something ended, and waits for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from types import SimpleNamespace

import pytest

from crawler.bridge import lanes
from crawler.bridge.completer import Completer
from crawler.bridge.digging import Digger
from crawler.bridge.lanes import STALLED, LeasedRequest, PageLane
from crawler.fetch.budget import ByteBudget
from crawler.frontier.base import Completion
from crawler.records import Done
from tests.bridge.parts import Frontier, Runs, lease, served

SOON = 5.0
HIT = Done(tally={"hits": 1})


class Refusing(Frontier):
    """Does not hold any lease any more."""

    async def complete(self, completions: list[Completion]) -> list[bool]:
        return [False] * len(completions)


class Bench:
    def __init__(self, frontier: Frontier) -> None:
        self.frontier = frontier
        self.completer = Completer(frontier)
        self.bell = asyncio.Event()
        digger = Digger(frontier, Runs(served()))
        self.memory = ByteBudget(1_000)
        self.lane = PageLane(self.completer, digger, bell=self.bell, concurrency=16, memory=self.memory)
        self.crawled: list[LeasedRequest] = []
        self.lane.open(SimpleNamespace(crawl=self.crawled.append))

    def take(self, number: int) -> None:
        taken = lease(token=number)
        self.lane.take(taken, LeasedRequest(taken))

    async def end(self, *numbers: int) -> None:
        await asyncio.gather(*(self.lane.complete(Completion(lease(token=n), HIT)) for n in numbers))


@asynccontextmanager
async def working(frontier: Frontier) -> AsyncIterator[Bench]:
    bench = Bench(frontier)
    sending = asyncio.create_task(bench.completer.run())
    yield bench
    bench.completer.close()
    await asyncio.wait_for(sending, SOON)


async def test_a_lane_is_counted_until_its_leases_end() -> None:
    async with working(Frontier()) as bench:
        for number in range(16):
            bench.take(number)
        assert len(bench.crawled) == 16
        assert (bench.lane.room, bench.lane.hungry, bench.bell.is_set()) == (0, False, False)
        draining = asyncio.create_task(bench.lane.drain())
        await bench.end(0)
        assert (bench.lane.room, bench.lane.hungry, bench.bell.is_set()) == (1, False, True)
        await bench.end(1)
        assert (bench.lane.hungry, draining.done()) == (True, False)
        await bench.end(*range(2, 16))
        await asyncio.wait_for(draining, SOON)
        await asyncio.wait_for(bench.lane.drain(), SOON)
        assert len(bench.frontier.finds) == 1


async def test_what_waits_for_a_silent_server_leaves_room_for_as_many_others() -> None:
    async with working(Frontier()) as bench:
        for number in range(16):
            bench.take(number)
        long_ago = monotonic() - STALLED
        for request in bench.crawled[:10]:
            request.asking = long_ago
        assert (bench.lane.room, bench.lane.hungry) == (10, True)
        bench.crawled[0].asking = None  # answered: what is at work here leaves none
        assert bench.lane.room == 9
        for number in range(16, 32):
            bench.take(number)
        for request in bench.crawled:
            request.asking = long_ago
        assert bench.lane.room == 0  # as many again, and no more
        await bench.end(*range(32))
        assert bench.lane.room == 16


async def test_what_waits_for_the_engine_or_was_begun_a_moment_ago_leaves_no_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lane that took more because its worker is behind would only have more leases run out."""
    async with working(Frontier()) as bench:
        for number in range(16):
            bench.take(number)
        bench.crawled[0].asking = monotonic()
        assert bench.lane.room == 0
        later = monotonic() + 60.0
        bench.crawled[0].asking = None
        monkeypatch.setattr(lanes, "monotonic", lambda: later)
        assert bench.lane.room == 0
        await bench.end(*range(16))


async def test_what_the_frontier_did_not_take_is_no_find() -> None:
    async with working(Refusing()) as bench:
        bench.take(1)
        await bench.end(1)
        await bench.lane.drain()
        assert bench.frontier.finds == []
        assert bench.lane.room == 16


async def test_pages_share_a_budget_of_bytes_and_give_their_part_back() -> None:
    async with working(Frontier()) as bench:
        bench.take(1)
        [request] = bench.crawled
        assert request.hold is not None
        request.hold.take(1_000)
        assert (bench.lane.room, bench.lane.hungry, bench.lane.idle) == (0, False, False)
        await bench.end(1)
        assert (bench.memory.used, bench.lane.room, bench.lane.idle) == (0, 16, True)
