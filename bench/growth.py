"""Whether a crawl slows down as its frontier grows: the same worker, with 10 k, 100 k and 1 M URLs queued.

A deployment for each level, at a synthetic server with small images, no two alike, at a hundred addresses. Its
frontier is filled as an admitter fills it; then a `vangnet worker` works for a minute, cut into turns: one level works,
the others are paused. For every ten images done a page is offered that names ten new ones, so that the frontier stays
as full as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

import uvloop
from redis import Redis

from bench.processes import Account, Counts, TooSlow, Window
from bench.product import SETTINGS, Product, import_codes, product, random_codes, stopped
from bench.report import Result, Row, main, progress, row
from bench.serving import PER_PAGE, addresses, synthetic
from crawler.bus.control import RunState
from crawler.frontier.base import Admission, Frontier, Judged, Limits
from crawler.options import load_options
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.service.deployment import Deployment, Server, joined
from crawler.urls import url_number

NAME = "growth"
RUN = RunId(NAME, 1)
HOSTS = addresses(100)
LIMITS = Limits(10_000.0, 2)
ENTRY = 500
"""URLs in one entry of the discoveries."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """levels: URLs queued.  seconds: of each window.  settle: seconds before it.  turns: of each level."""

    levels: tuple[int, ...]
    seconds: float
    settle: float
    turns: int


FULL = Sizes((10_000, 100_000, 1_000_000), 10.0, 1.0, 6)
QUICK = Sizes((2_000, 20_000, 100_000), 2.0, 0.3, 3)
PAUSED = 0.5
"""Seconds until a paused worker has ended what it began, nearly all of it."""


class Filler:
    """Fills the frontier with image URLs that never come twice. kind: what the image with a number is asked for as."""

    def __init__(self, frontier: Frontier, port: int, key: bytes, kind: Callable[[int], str] = lambda _: "i") -> None:
        self._kind = kind
        self._frontier = frontier
        self._port = port
        self._key = key
        self._images = 0
        self._pages = 10_000_000  # far beyond what is filled, so that the pages' images are new

    def _judged(self, count: int) -> Iterator[Judged]:
        for number in range(self._images, self._images + count):
            host = HOSTS[number % len(HOSTS)]
            url = f"http://{host}:{self._port}/{self._kind(number)}/{number}"
            yield Judged(Candidate(url, Kind.IMAGE, "img", 3), url_number(url, 0, self._key), host, host, host)
        self._images += count

    async def fill(self, level: int) -> None:
        """Admit until so many URLs wait. No worker runs meanwhile: its admitter would take part."""
        while left := await self._frontier.discoveries(1_000):
            await self._frontier.discard(left, "not-measured")
        waiting = (await self._frontier.counts(RUN)).waiting.get("queued", 0)
        progress(f"filling the frontier from {waiting:,} to {level:,}")
        while waiting < level:
            sizes = [ENTRY] * min(-(-(level - waiting) // ENTRY), 32)
            pages = [tuple(self._judged(size)) for size in sizes]
            found = [Discovered(tuple(each.candidate for each in judged), 1) for judged in pages]
            await self._frontier.offer(RUN, found)
            entries = await self._frontier.discoveries(len(found))
            while len(entries) < len(found):
                entries += await self._frontier.discoveries(len(found) - len(entries))
            together = zip(entries, found, pages, strict=True)
            # At once, so that the next one is packed while the server is at this one.
            await asyncio.gather(
                *(
                    self._frontier.admit([Admission(entry, discovered, judged, lambda _: LIMITS, 10**9, True)])
                    for entry, discovered, judged in together
                )
            )
            waiting += sum(sizes)

    async def offer_pages(self, count: int) -> None:
        """Name so many pages, each with ten new images."""
        numbers = range(self._pages, self._pages + count)
        self._pages += count
        urls = [f"http://{HOSTS[number % len(HOSTS)]}:{self._port}/p/{number}" for number in numbers]
        await self._frontier.offer(RUN, [Discovered(tuple(Candidate(url, Kind.PAGE, "a", 5) for url in urls))])


@dataclass(frozen=True, slots=True)
class Turn:
    """A window, and what the server's scripts took in it. calls, micros: of them, for each image."""

    window: Window
    calls: float
    micros: float


def scripts(redis_url: str) -> tuple[int, int]:
    """Scripts that a server has run, and microseconds by the clock that they took, waits for a core included."""
    with Redis.from_url(redis_url) as client:
        stats = client.info("commandstats")
    asked = [stats[f"cmdstat_{name}"] for name in ("eval", "evalsha") if f"cmdstat_{name}" in stats]
    return sum(each["calls"] for each in asked), sum(each["usec"] for each in asked)


@dataclass(slots=True)
class Crawl:
    """The run, its processes, and what fills it. offered: pages, one for every ten images since the start."""

    deployment: Deployment
    filler: Filler
    account: Account
    redis_url: str
    offered: int = 0

    async def look(self) -> Counts:
        tally = (await self.deployment.frontier.counts(RUN)).tally
        return Counts(tally.get("images", 0), tally.get("pages", 0))

    async def work(self, seconds: float) -> Turn:
        """Let it work for so long, and keep the frontier as full as it is."""
        begun, before, start, asked = monotonic(), self.account.spent(), await self.look(), scripts(self.redis_url)
        end = start
        while monotonic() - begun < seconds:
            await asyncio.sleep(0.1)
            end = await self.look()
            # Also for what was done before this window: ten thousand would be gone after some turns.
            due = end.images // PER_PAGE - self.offered
            if due > 0:
                await self.filler.offer_pages(due)
                self.offered += due
        taken, after = monotonic() - begun, self.account.spent()
        if end.images == start.images:
            raise TooSlow(f"no image in {taken:.0f} s")
        spent = {name: total - before.get(name, 0.0) for name, total in after.items()}
        window = Window(taken, end.images - start.images, end.pages - start.pages, spent)
        calls, micros = (new - old for new, old in zip(scripts(self.redis_url), asked, strict=True))
        return Turn(window, calls / window.images, micros / window.images)


@asynccontextmanager
async def crawling(ours: Product, port: int, server: int, level: int) -> AsyncIterator[Crawl]:
    """A worker at work on a frontier of this level; it is left paused."""
    async with joined(Server(load_options(SETTINGS), ours.redis_url)) as deployment:
        filler = Filler(deployment.frontier, port, await deployment.control.number_key())
        await filler.fill(level)
        with stopped(ours.start("recorder")) as recorder, stopped(ours.start("worker")) as worker:
            crawl = Crawl(
                deployment, filler, Account([recorder.pid, worker.pid, ours.redis_pid, server]), ours.redis_url
            )
            await begun(crawl)
            await deployment.control.set_state(RUN, RunState.PAUSED)
            yield crawl


async def measured(products: Sequence[Product], port: int, server: int, sizes: Sizes) -> list[list[Turn]]:
    """The turns of each level. Levels take turns, so that what else the machine does meets all of them."""
    windows: list[list[Turn]] = [[] for _ in sizes.levels]
    async with AsyncExitStack() as stack:
        crawls = [
            await stack.enter_async_context(crawling(ours, port, server, level))
            for ours, level in zip(products, sizes.levels, strict=True)
        ]
        for turn in range(sizes.turns):
            for level, crawl, found in zip(sizes.levels, crawls, windows, strict=True):
                await crawl.deployment.control.set_state(RUN, RunState.RUNNING)
                await begun(crawl)
                await asyncio.sleep(sizes.settle)
                found.append(await crawl.work(sizes.seconds))
                await crawl.deployment.control.set_state(RUN, RunState.PAUSED)
                await asyncio.sleep(PAUSED)
                last = found[-1]
                asked = f"{last.calls:.2f} scripts of {last.micros / last.calls:.0f} us an image"
                progress(f"turn {turn + 1}, {level:,} URLs: {last.window.rate:.0f}/s; {asked}; {last.window.budget}")
    return windows


async def begun(crawl: Crawl) -> None:
    """Return when images are being done."""
    before, deadline = (await crawl.look()).images, monotonic() + 120
    while (await crawl.look()).images == before:
        if monotonic() > deadline:
            raise TooSlow("the worker does not begin")
        await asyncio.sleep(0.2)


def rows_of(sizes: Sizes, windows: list[list[Turn]]) -> list[Row]:
    """Each level against the smallest one in the same turn; the median of the turns."""
    rows = []
    for level, found in zip(sizes.levels, windows, strict=True):
        what = f"one worker, small images, {level:,} URLs queued, {sizes.turns} turns of {sizes.seconds:.0f} s"
        goal = 0.9 if found is not windows[0] else None
        ratio = median(each.window.rate / first.window.rate for each, first in zip(found, windows[0], strict=True))
        rate = median(each.window.rate for each in found)
        rows.append(
            row(f"{what}; ratio to {sizes.levels[0]:,}", rate, "images/s", ratio=ratio, at_least=goal),
        )
        for name in ("worker", "redis"):
            spent = median(each.window.micros(name) for each in found)
            base = median(each.window.micros(name) for each in windows[0])
            rows.append(row(f"{what}: processor time per image, {name}", spent, "us", ratio=spent / base))
        spent, base = median(each.micros for each in found), median(each.micros for each in windows[0])
        rows.append(row(f"{what}: scripts of the server, per image", spent, "us", ratio=spent / base))
    return rows


def run(quick: bool) -> Result:
    """quick: 2 k, 20 k and 100 k URLs, three turns of 2 seconds each."""
    sizes = QUICK if quick else FULL
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="vg")))
        port, server = stack.enter_context(synthetic())
        products = []
        for level in sizes.levels:
            (root / str(level)).mkdir()
            ours = stack.enter_context(product(root / str(level)))
            import_codes(ours, random_codes(1_000), [])
            ours.campaign(NAME, [f"http://{HOSTS[0]}:{port}/p/0"])
            ours.run("campaign", "start", NAME)
            products.append(ours)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            windows = runner.run(measured(products, port, server, sizes))
    return Result(tuple(rows_of(sizes, windows)), f"The processors: {windows[-1][-1].window.budget}.")


if __name__ == "__main__":
    main(run)
