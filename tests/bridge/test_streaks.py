"""Two workers at one address that gives streaks: what it allows holds over both, and nothing is lost.

The frontier is the reference, and time the loop's own.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from crawler.bridge.claimer import Claimer
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import PageLane
from crawler.fetch.budget import ByteBudget
from crawler.frontier.base import Claimed
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Fetched, FetchFailed, FetchOrder, Kind, Timings
from tests.bridge.leaping import leaping
from tests.bridge.parts import Runs, Web, answer, places_in, served
from tests.contract.steps import RUN, fill

URLS = 300


class Watched(MemoryFrontier):
    """streaks: leases that each claim gave in a row."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop().time)
        self.streaks: Counter[int] = Counter()

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        claimed = await super().claim(pages, images, page_streaks)
        self.streaks.update(lease.streak for lease in claimed.leases if lease.streak)
        return claimed


class Server(Web):
    """Answers in a few milliseconds, but every 40th time it is away for longer than slots are. rests: it asks for a
    pause instead, once."""

    def __init__(self, rests: bool) -> None:
        super().__init__(lambda order: answer(404, url=order.url, timings=Timings(0.0, 0.0, 0.004, 0.004)))
        self.rests = rests
        self.under_way = self.most = 0
        self.rested_at = 0.0

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            fetched = await super().fetch(order)
            slow = len(self.sent) % 40 == 0
            await asyncio.sleep(0.3 if slow else 0.004)
            if slow and self.rests and not self.rested_at:
                self.rested_at = asyncio.get_running_loop().time()
                return answer(503, url=order.url)
            return fetched
        finally:
            self.under_way -= 1


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize("rests", [False, True])
@leaping
async def test_what_an_address_allows_holds_over_all_workers(concurrency: int, rests: bool) -> None:
    loop, frontier, web = asyncio.get_running_loop(), Watched(), Server(rests)
    runs = Runs(served('robots = "record"\nrobots_basis = "a test"', web))
    urls = [(f"http://a.example/{n}.jpg", Kind.IMAGE) for n in range(URLS)]
    await fill(frontier, urls, rate=100.0, concurrency=concurrency)
    couriers, claimers, tasks = [], [], []
    for _ in range(2):
        bell, ending, memory = asyncio.Event(), Ending(), ByteBudget(1_000)
        completer, digger = Completer(frontier), Digger(frontier, runs)
        couriers.append(Courier(frontier, runs, places_in(frontier), 1_000))
        parts = couriers[-1], completer, digger, runs, ending
        images = ImageLane(*parts, bell=bell, concurrency=64, memory=memory)
        pages = PageLane(completer, digger, bell=bell, concurrency=32, memory=memory)
        claimers.append(
            Claimer(frontier, runs, pages, images, bell=bell, request=lambda lease: lease, backlog_limit=1_000)
        )
        tasks += [asyncio.create_task(work) for work in (claimers[-1].run(), completer.run())]
    began = loop.time()
    while (await frontier.counts(RUN)).pending:
        assert loop.time() < began + 120, f"{len(web.sent)} were sent"
        await asyncio.sleep(0.1)
    for claimer in claimers:
        claimer.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert web.most <= concurrency
    assert max(frontier.streaks.values()) > 3
    # Every one once, but for the one that was told to come again.
    assert len(web.sent) == len({order.url for order in web.sent}) + rests == URLS + rests
    assert not any(courier._turns._streaks for courier in couriers)
