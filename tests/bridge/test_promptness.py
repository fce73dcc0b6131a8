"""No idle moment while work is due: a claimer, a lane and a courier at work on the reference frontier.

The bounds are wide, for a machine that is busy with other things; what they would catch is a wait for a poll.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from statistics import median, quantiles
from time import monotonic
from types import SimpleNamespace

from crawler.bridge.claimer import Claimer
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import LeasedRequest, PageLane
from crawler.bridge.scheduler import Scheduler
from crawler.fetch.budget import ByteBudget
from crawler.frontier.base import Frontier
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Fetched, FetchOrder, Kind
from tests.bridge.parts import Runs, Web, answer, places_in, served
from tests.contract.steps import RUN, fill

TOOK = 0.002
POLL = 0.05


class Timed(Web):
    """Answers that take a moment. at: when each request was sent."""

    def __init__(self) -> None:
        super().__init__(lambda order: answer(404, url=order.url))
        self.at: list[float] = []

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched:
        fetched = await super().fetch(order)
        self.at.append(monotonic())
        await asyncio.sleep(TOOK)
        assert isinstance(fetched, Fetched)
        return fetched


@dataclass
class Bench:
    frontier: Frontier
    web: Timed
    bell: asyncio.Event
    pages: PageLane

    async def sent(self, count: int) -> None:
        deadline = monotonic() + 30
        while len(self.web.at) < count:
            assert monotonic() < deadline
            await asyncio.sleep(0.01)

    async def ended(self, count: int) -> None:
        deadline = monotonic() + 30
        while (await self.frontier.counts(RUN)).pending or len(self.web.at) < count:
            assert monotonic() < deadline
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(frontier: Frontier | None = None, scheduler: Scheduler | None = None) -> AsyncIterator[Bench]:
    """One worker's lanes, over a run that needs no robots.txt. scheduler: where page requests are to go."""
    frontier, web, bell, ending = frontier or MemoryFrontier(), Timed(), asyncio.Event(), Ending()
    runs = Runs(served('robots = "record"\nrobots_basis = "a test"', web))
    completer, digger = Completer(frontier), Digger(frontier, runs)
    courier = Courier(frontier, runs, places_in(frontier), 1_000)
    memory = ByteBudget(1_000)
    images = ImageLane(courier, completer, digger, runs, ending, bell=bell, concurrency=64, memory=memory)
    pages = PageLane(completer, digger, bell=bell, concurrency=32, memory=memory)
    if scheduler is not None:
        pages.open(SimpleNamespace(crawl=scheduler.enqueue_request))
    claimer = Claimer(frontier, runs, pages, images, bell=bell, request=LeasedRequest, backlog_limit=100)
    tasks = [asyncio.create_task(work) for work in (claimer.run(), completer.run())]
    yield Bench(frontier, web, bell, pages)
    claimer.stop()
    await images.drain()
    completer.close()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


def pictures(count: int, host: str = "a.example") -> list[tuple[str, Kind]]:
    return [(f"http://{host}/{n}.jpg", Kind.IMAGE) for n in range(count)]


async def test_the_next_request_follows_the_end_of_the_one_before() -> None:
    """One place at the address, which rests for nothing: no request waits for a poll."""
    async with working() as bench:
        await fill(bench.frontier, pictures(100), rate=1000.0, concurrency=1)
        bench.bell.set()
        await bench.ended(100)
    # The usual one of a hundred: what else the machine does takes its time from a few. 20 ms are those in which
    # completions gather.
    gap = median(after - before for before, after in pairwise(bench.web.at))
    assert gap < POLL / 2


async def test_requests_leave_when_they_are_due() -> None:
    """Many addresses with slots of their own: what is due is sent then, not at the next look."""
    rate, each, hosts = 10.0, 8, 20
    async with working() as bench:
        for n in range(hosts):
            await fill(bench.frontier, pictures(each, f"h{n}.example"), address=f"127.10.0.{n}", rate=rate)
        bench.bell.set()
        await bench.ended(each * hosts)
    sent: dict[str, list[float]] = {}
    for order, at in zip(bench.web.sent, bench.web.at, strict=True):
        sent.setdefault(order.address, []).append(at)
    late = [at - times[0] - n * 1.25 / rate for times in sent.values() for n, at in enumerate(times)]
    assert len(late) == each * hosts
    *_, p99 = quantiles(late, n=100)
    assert median(late) < POLL / 2
    assert p99 < 3 * POLL


async def test_what_is_admitted_is_asked_for_at_once() -> None:
    waits = []
    async with working() as bench:
        for n in range(11):
            await asyncio.sleep(0.01)
            await fill(bench.frontier, pictures(1, f"h{n}.example"), address=f"127.10.0.{n}")
            admitted = monotonic()
            bench.bell.set()
            await bench.ended(n + 1)
            waits.append(bench.web.at[n] - admitted)
    assert median(waits) < POLL / 2
