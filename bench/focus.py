"""Hits found per 1,000 requests, against breadth-first on the same webs, where hits cluster by host and by gallery.

Fetching is simulated (`bench.focus_crawl`), the frontier is the real one: the main rows are taken with Redis, the rest
and all of `--quick` with the reference in memory, whose clock is virtual. The peer is one queue, first in first out,
duplicates dropped: what Scrapy does with DEPTH_PRIORITY = 1 and FIFO queues. Our frontier without boost is measured
too. No row depends on one web: each is made anew from its seed.

The goals are ours. After a tenth and after a quarter of all URLs: 1.5 times the hits of breadth-first on average, and
on no web fewer; no fewer of the clustered ones either while hits on a quarter of the other hosts lead astray. Where
hits do not cluster, no harm: 0.9 times those of our frontier without boost. `--quick` takes smaller webs and leaves the
other circumstances out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from redis.asyncio import Redis

from bench.focus_crawl import ROUND, Crawl, Worker
from bench.focus_web import Shape, Web, breadth_first, make_web
from bench.report import Result, Row, main, progress, row
from crawler.bus.server import start_server, stop_server
from crawler.frontier.memory import MemoryFrontier
from crawler.frontier.redis import FrontierSettings, RedisFrontier

LIMITED_BY = (
    "An address with hits gets two requests a round however hot it is, and where images lie is known only once the "
    "pages that show them were read."
)
BFS, PLAIN = "breadth-first", "ours without boost"
UNIT = "hits per 1,000 requests"
GOALS = {0.1: 1.5, 0.25: 1.5}
Crawler = Callable[[Web, Worker, int], Coroutine[Any, Any, list[int]]]
"""Crawls a web with so many requests; the numbers of the URLs in the order of the requests."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """shape, worker, seeds: of the main rows.  shares: of all URLs, after which they are taken.  side_seeds: of the
    webs for other circumstances.  server: whether the main rows are taken with Redis."""

    shape: Shape
    worker: Worker
    seeds: tuple[int, ...]
    shares: tuple[float, ...]
    side_seeds: tuple[int, ...]
    server: bool


SIDE, SIDE_WORKER = Shape(hosts=120, addresses=45, galleries=50), Worker(3, 6)
SMALL = Shape(hosts=80, addresses=30, galleries=40, hot_hosts=0.04)
FULL = Sizes(Shape(), Worker(), (101, 102, 103, 104, 105), (0.05, 0.1, 0.25, 0.5), (201, 202, 203), True)
QUICK = Sizes(SMALL, Worker(2, 4), (101, 102, 103, 104, 105), (0.05, 0.1, 0.25), (), False)


@dataclass(frozen=True, slots=True)
class Trial:
    """One web, and the order in which each way of crawling asked for its URLs."""

    web: Web
    orders: dict[str, list[int]]

    def asked(self, name: str, share: float) -> list[int]:
        """What was requested when this share of all URLs was."""
        return self.orders[name][: int(share * len(self.web.urls))]

    def rate(self, name: str, share: float) -> float:
        """Hits per 1,000 requests."""
        return self._rate(self.web.hits, name, share)

    def clustered(self, name: str, share: float) -> float:
        """Hits in galleries of hits, per 1,000 requests."""
        return self._rate(self.web.clustered, name, share)

    def _rate(self, wanted: set[int], name: str, share: float) -> float:
        asked = self.asked(name, share)
        return 1000 * sum(number in wanted for number in asked) / len(asked)

    def all_found(self, name: str, share: float) -> float:
        """Hits found, per cent of all."""
        return 100 * len(self.web.hits.intersection(self.asked(name, share))) / len(self.web.hits)

    def hosts(self, name: str, share: float) -> float:
        """Share of the hosts that were asked for a page."""
        pages = (number for number in self.asked(name, share) if number in self.web.links)
        every = {self.web.host(number) for number in self.web.links}
        return len({self.web.host(number) for number in pages}) / len(every)

    def places(self, name: str, share: float) -> float:
        """Share of the hosts with clustered hits of which one was found."""
        found = self.web.clustered.intersection(self.asked(name, share))
        every = {self.web.host(number) for number in self.web.clustered}
        return len({self.web.host(number) for number in found}) / len(every)


Measure = Callable[[Trial, str, float], float]
"""Of a trial, by a way of crawling, after a share of all URLs."""


async def trial(web: Web, worker: Worker, crawler: Crawler, share: float, peers: Sequence[str] = (BFS, PLAIN)) -> Trial:
    """Crawl a web our way and as `peers` do, up to a share of its URLs."""
    requests = int(share * len(web.urls))
    orders = {"ours": await crawler(web, worker, requests)}
    if PLAIN in peers:
        orders[PLAIN] = await crawler(web, replace(worker, boosts=False), requests)
    if BFS in peers:
        orders[BFS] = breadth_first(web)[:requests]
    return Trial(web, orders)


async def in_memory(web: Web, worker: Worker, requests: int) -> list[int]:
    """A crawl by the reference, in virtual time."""
    rounds = count(1)
    now = [0.0]

    def tick() -> None:
        now[0] = ROUND * next(rounds)

    return await Crawl(MemoryFrontier(lambda: now[0]), web, worker, tick).run(requests)


async def on_server(client: Redis, web: Web, worker: Worker, requests: int) -> list[int]:
    """A crawl by the frontier in Redis, on an empty server. Its rounds take no time to speak of."""
    await client.flushall()
    frontier = RedisFrontier(client, FrontierSettings("bench", 1, "one", lease_seconds=600.0))
    return await Crawl(frontier, web, worker).run(requests)


# ------------------------------------------------------------ rows


def main_rows(trials: Sequence[Trial], shares: Sequence[float], what: str) -> list[Row]:
    """Hits per 1,000 requests after each share, and what is given up for them."""
    rows = [against(trials, peer, share, what) for peer in (BFS, PLAIN) for share in shares]
    rows += [worst(trials, share, what) for share in GOALS]
    for share in GOALS:
        rows.append(compared(trials, Trial.places, f"hosts with clustered hits that were found out, {what}", share))
        rows.append(compared(trials, Trial.hosts, f"hosts that were asked for a page, {what}", share))
    return rows


def against(trials: Sequence[Trial], peer: str, share: float, what: str) -> Row:
    """The mean rate beside a peer's."""
    ours, theirs = (fmean(each.rate(name, share) for each in trials) for name in ("ours", peer))
    title = f"hits after {share:.0%} of all URLs, mean of {what}"
    goal = GOALS.get(share) if peer == BFS else None
    return row(title, ours, UNIT, peer=theirs, peer_name=peer, ratio=ratio(ours, theirs), at_least=goal)


def worst(trials: Sequence[Trial], share: float, what: str) -> Row:
    """The web where ours is least ahead of breadth-first."""
    pairs = [(each.rate("ours", share), each.rate(BFS, share)) for each in trials]
    ours, theirs = min(pairs, key=lambda pair: ratio(*pair) or float("inf"))
    title = f"hits after {share:.0%} of all URLs, worst of {what}"
    return row(title, ours, UNIT, peer=theirs, peer_name=BFS, ratio=ratio(ours, theirs), at_least=1.0)


def compared(trials: Sequence[Trial], measure: Measure, title: str, share: float) -> Row:
    """A share of hosts, beside that of breadth-first; for information."""
    ours, theirs = (100 * fmean(measure(each, name, share) for each in trials) for name in ("ours", BFS))
    title = f"{title}, after {share:.0%} of all URLs"
    return row(title, ours, "%", peer=theirs, peer_name=BFS, ratio=ratio(ours, theirs))


def ratio(ours: float, theirs: float) -> float | None:
    """None where the peer found nothing."""
    return ours / theirs if theirs else None


# ------------------------------------------------------------ other circumstances


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What is different from the main rows, and what is asked of us then. share: of all URLs requested.

    measure, unit: what is compared.  goal: of the ratio to the peer.
    """

    what: str
    shape: dict[str, Any]
    worker: dict[str, Any]
    peer: str
    goal: float | None = None
    measure: Measure = Trial.rate
    share: float = 0.25
    unit: str = UNIT


CIRCUMSTANCES = (
    Circumstance("four times as many hits, but anywhere", {"scattered": 4}, {}, PLAIN, 0.9),
    Circumstance(
        "clustered hits, while a quarter of the other hosts show a hit in 200 images",
        {"noisy_hosts": 0.25, "noise": 0.005},
        {},
        BFS,
        1.0,
        Trial.clustered,
    ),
    Circumstance("no directory says what belongs together", {"styles": ("flat",)}, {}, BFS),
    Circumstance("ten times as many requests in flight", {}, {"pages": 30, "images": 60}, BFS),
    Circumstance("hosts with hits link to each other", {"kinship": 0.3}, {}, BFS),
    Circumstance(
        "a budget of 300 URLs per host, at the end",
        {},
        {"budget": 300},
        PLAIN,
        None,
        Trial.all_found,
        1.0,
        "% of all hits",
    ),
)


async def circumstances(seeds: Sequence[int]) -> list[Row]:
    """One row each, by the reference in memory."""
    rows = []
    for each in CIRCUMSTANCES:
        progress(each.what)
        worker, shape = replace(SIDE_WORKER, **each.worker), replace(SIDE, **each.shape)
        trials = [await trial(make_web(shape, seed), worker, in_memory, each.share, (each.peer,)) for seed in seeds]
        ours, theirs = (fmean(each.measure(one, name, each.share) for one in trials) for name in ("ours", each.peer))
        title = f"{each.what}, after {each.share:.0%} of all URLs, {described(shape, len(trials), False)}"
        rows.append(
            row(title, ours, each.unit, peer=theirs, peer_name=each.peer, ratio=ratio(ours, theirs), at_least=each.goal)
        )
    return rows


def described(shape: Shape, webs: int, server: bool) -> str:
    """What a row was measured on."""
    return f"{webs} webs of {shape.hosts} hosts, {'Redis' if server else 'the reference in memory'}"


async def measured(sizes: Sizes, crawler: Crawler) -> list[Row]:
    """All rows; the main ones with `crawler`."""
    trials = []
    for seed in sizes.seeds:
        web = make_web(sizes.shape, seed)
        progress(f"web {seed}: {len(web.urls):,} URLs, {len(web.hits):,} hits")
        trials.append(await trial(web, sizes.worker, crawler, max(sizes.shares)))
    what = described(sizes.shape, len(trials), sizes.server)
    return main_rows(trials, sizes.shares, what) + (await circumstances(sizes.side_seeds) if sizes.side_seeds else [])


async def measured_on(url: str, sizes: Sizes) -> list[Row]:
    async with Redis.from_url(url) as client:
        return await measured(sizes, partial(on_server, client))


def run(quick: bool) -> Result:
    """quick: smaller webs, in memory, the main rows only."""
    if quick:
        return Result(tuple(asyncio.run(measured(QUICK, in_memory))), LIMITED_BY)
    with TemporaryDirectory(prefix="vg") as folder:
        server = start_server(Path(folder), Path(folder) / "s.sock")
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows = runner.run(measured_on(server.url, FULL))
        finally:
            stop_server(server)
    return Result(tuple(rows), LIMITED_BY)


if __name__ == "__main__":
    main(run)
