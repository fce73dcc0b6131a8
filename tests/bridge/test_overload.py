"""A worker that answers reach late, at work on the reference frontier: slower in proportion, and no further."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from crawler.bridge.claimer import Claimer
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import PageLane
from crawler.fetch.budget import ByteBudget
from crawler.frontier.base import Claimed, Completion
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Kind, Lease
from tests.bridge.leaping import Leaping
from tests.bridge.parts import Runs, Web, answer, places_in, served
from tests.contract.steps import RUN, fill

WINDOW = 0.1
HOSTS, EACH, PLACES = 100, 2, 64


class Far(MemoryFrontier):
    """Every question takes `way` seconds there, and as long back."""

    def __init__(self, way: float) -> None:
        super().__init__(asyncio.get_running_loop().time, send_window=WINDOW)
        self.way = way
        self.calls: Counter[str] = Counter()

    async def _travel(self, name: str) -> None:
        self.calls[name] += 1
        await asyncio.sleep(self.way)

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        await self._travel("claim")
        claimed = await super().claim(pages, images, page_streaks)
        await asyncio.sleep(self.way)
        return claimed

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        await self._travel("reslot")
        again = await super().reslot(lease, ahead)
        await asyncio.sleep(self.way)
        return again

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        await self._travel("complete")
        held = await super().complete(completions)
        await asyncio.sleep(self.way)
        return held


async def crawled(way: float) -> tuple[Web, Counter[str], float]:
    """What a worker sent and asked, and the seconds that it took, until all images were fetched."""
    loop, web, bell, ending = asyncio.get_running_loop(), Web(lambda order: answer(404)), asyncio.Event(), Ending()
    frontier = Far(way)
    runs = Runs(served('robots = "record"\nrobots_basis = "a test"', web))
    for n in range(HOSTS):
        urls = [(f"http://h{n}.example/{k}.jpg", Kind.IMAGE) for k in range(EACH)]
        await fill(frontier, urls, address=f"127.10.0.{n}", rate=10_000.0)
    completer, digger, memory = Completer(frontier), Digger(frontier, runs), ByteBudget(1_000)
    courier = Courier(frontier, runs, places_in(frontier), 1_000)
    images = ImageLane(courier, completer, digger, runs, ending, bell=bell, concurrency=PLACES, memory=memory)
    pages = PageLane(completer, digger, bell=bell, concurrency=32, memory=memory)
    claimer = Claimer(frontier, runs, pages, images, bell=bell, request=lambda lease: lease, backlog_limit=100)
    tasks = [asyncio.create_task(work) for work in (claimer.run(), completer.run())]
    began = loop.time()
    while (await frontier.counts(RUN)).pending:
        assert loop.time() < began + 120, f"{len(web.sent)} were sent, {frontier.calls}"
        await asyncio.sleep(0.1)
    took = loop.time() - began
    claimer.stop()
    await images.drain()
    completer.close()
    await asyncio.gather(*tasks)
    return web, frontier.calls, took


def crawl(way: float) -> tuple[Web, Counter[str], float]:
    with asyncio.Runner(loop_factory=Leaping) as runner:
        return runner.run(crawled(way))


def test_an_answer_within_the_window_needs_no_other_slot() -> None:
    web, asked, _ = crawl(WINDOW / 4)
    assert len(web.sent) == HOSTS * EACH
    assert asked["reslot"] == 0


def test_answers_that_take_longer_than_the_window_cost_time_and_not_the_crawl() -> None:
    """Slots of now have passed when they come; before slots lay ahead, nothing was sent at all."""
    way = 2 * WINDOW
    web, asked, took = crawl(way)
    assert len(web.orders) == len(web.sent) == HOSTS * EACH
    # The first ones learn how long it takes; then each takes one.
    assert asked["reslot"] <= HOSTS * EACH + PLACES
    # There and back for a claim, a slot, which lies as far ahead again, and a completion; and the first ones twice.
    assert took < 4 * 2 * way * (HOSTS * EACH / PLACES + 2)
