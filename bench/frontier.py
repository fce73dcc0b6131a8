"""The frontier against scrapy-redis's PriorityQueue and RFPDupeFilter, on one real server in one run.

Both sides are filled first (`preloaded.py` says with what), ours through `admit`, the peer's by a pipeline with records
of the form and size that it writes itself. Then one client process each works as fast as it can, one call at a time
but where said otherwise:

    admit            `Frontier.admit` of judged candidates, acknowledgement included; against request_seen() and push()
    claim+complete   `Frontier.claim` and `Frontier.complete`, against pop(). Addresses answer within 5 ms, so that a
                     claim takes up to 16 URLs of one in a row, as far as its queue has them in one band
    … two at a time  the same by two tasks of the process, as a worker's claimer and completer run beside each other,
                     and as its admitter judges one batch while another is written
    … one by one     one URL of an address in a claim, as of those that may be asked a few times a second

They do so in rounds, first the peer and then each of ours, for a shared machine is not the same twice: a ratio is the
median of those of the rounds, and ours the median of its rates; the peer's rate is that of all its operations.
Candidates and Requests are made before the clock starts, and our side has a worker's client of Redis; the collector of
cycles is set as in a worker, for both. At the end the growth is measured: see `frontier_growth.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import warnings
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import NamedTuple

import uvloop
from redis import Redis
from scrapy import Request, Spider
from scrapy_redis import picklecompat

from bench.frontier_growth import growth
from bench.preloaded import ANSWER, FULL, LINKS, QUICK, RUN, Ours, Sizes, Spent, Web, own_server
from bench.report import Result, Row, main, progress, row
from crawler.bus.client import connect
from crawler.collector import spare_collector

with warnings.catch_warnings():
    # scrapy-redis 0.9 warns of what Scrapy and redis-py have renamed since.
    warnings.simplefilter("ignore")
    from scrapy_redis.dupefilter import RFPDupeFilter
    from scrapy_redis.queue import PriorityQueue

BATCHES = (1, 32, 256)
PEER = "scrapy-redis"
ROUNDS = 8


class Rates(NamedTuple):
    """The peer's, per second: pushes with the duplicates filter, and pops."""

    pushes: float
    pops: float


class Turn(NamedTuple):
    """One work in one round: what it took, and how many times the peer's rate that is."""

    spent: Spent
    ratio: float


@dataclass(frozen=True, slots=True)
class Work:
    """Something that ours is measured at. share: of the operations of a round.  admitting: the peer's pushes are to be
    compared with, else its pops.  told: what it costs is told."""

    name: str
    run: Callable[..., Awaitable[Spent]]
    goal: float | None = None
    share: float = 1.0
    admitting: bool = False
    told: bool = False


class Peer:
    """scrapy-redis's scheduler parts, as its `Scheduler` uses them."""

    def __init__(self, client: Redis, sizes: Sizes) -> None:
        self._client = client
        self._spider = Spider("bench")
        self._queue = PriorityQueue(client, self._spider, "peer:requests")
        self._seen = RFPDupeFilter(client, "peer:dupefilter")
        self._web = Web(2, sizes)
        self._done, self._pushing, self._popping = 0, 0.0, 0.0

    def _requests(self, count: int) -> Iterator[Request]:
        for _ in range(count // LINKS + 1):
            found, _judged = self._web.page(LINKS)
            for candidate in found.candidates:
                yield Request(candidate.url, priority=-candidate.priority)

    def fill(self, count: int) -> tuple[float, float]:
        """Bytes for each seen and for each queued URL."""
        progress(f"filling {PEER} with {count:,}")
        [template, *_] = [request.to_dict(spider=self._spider) for request in self._requests(1)]
        used = [self._used()]
        urls = [f"{self._web.page(1)[0].candidates[0].url}" for _ in range(count)]
        for first in range(0, count, 2000):
            self._client.sadd("peer:dupefilter", *(hashlib.sha1(u.encode()).hexdigest() for u in urls[first:][:2000]))
        used.append(self._used())
        for first in range(0, count, 2000):
            records = {picklecompat.dumps(template | {"url": url}): 5 for url in urls[first : first + 2000]}
            self._client.zadd("peer:requests", records)
        used.append(self._used())
        return (used[1] - used[0]) / count, (used[2] - used[1]) / count

    def _used(self) -> int:
        return int(self._client.info("memory")["used_memory"])

    def forget(self) -> None:
        """Leave nothing in the server."""
        self._client.delete("peer:requests", "peer:dupefilter")

    def work(self, operations: int) -> Rates:
        """Push with the duplicates filter, then pop."""
        requests = list(self._requests(operations))[:operations]

        def push(request: Request) -> None:
            if not self._seen.request_seen(request):
                self._queue.push(request)

        pushing = _seconds(operations, lambda n: push(requests[n]))
        popping = _seconds(operations, lambda _: self._queue.pop())
        self._done += operations
        self._pushing += pushing
        self._popping += popping
        return Rates(operations / pushing, operations / popping)

    @property
    def rates(self) -> Rates:
        """Of all turns."""
        return Rates(self._done / self._pushing, self._done / self._popping)


def _seconds(operations: int, work: Callable[[int], object]) -> float:
    started = time.perf_counter()
    for n in range(operations):
        work(n)
    return time.perf_counter() - started


async def measure(small: Ours, ours: Ours, peer: Peer, sizes: Sizes) -> tuple[list[Row], str]:
    """All rows, and what limits. small: for the growth, in another server."""
    ours.before = (await ours.client.info("memory"))["used_memory"]
    await ours.fill(sizes.middle)
    memory = await ours.memory()
    rows, limit = await against(ours, peer, sizes, memory)
    peer.forget()  # its records would be in the way of the larger side alone
    grown, how = await growth(small, ours, sizes)
    return rows + grown, f"{limit} {how}"


async def against(ours: Ours, peer: Peer, sizes: Sizes, memory: tuple[float, float]) -> tuple[list[Row], str]:
    """Rates and memory beside the peer's."""
    held = peer.fill(sizes.middle)
    spare_collector()  # as a worker does; for both sides
    length = ours.web.bytes / (await ours.frontier.counts(RUN)).discovered
    what = f"at {sizes.middle:,} URLs on {sizes.hosts:,} hosts, {length:.0f} bytes each"
    # Before anything is known of the addresses there are no streaks.
    progress("one by one")
    unknown = await in_rounds(ours, peer, one_by_one(), sizes)
    progress("in streaks")
    known = await in_rounds(ours, peer, in_streaks(), sizes)
    rows = [compared(work, turns, peer.rates, what) for work, turns in (known | unknown).items()]
    rows.append(row(f"bytes per seen URL, {what}", memory[0], "bytes", peer=held[0], peer_name=PEER, at_most=12.0))
    rows.append(row(f"bytes per queued URL, {what}", memory[1], "bytes", peer=held[1], peer_name=PEER, at_most=120.0))
    costs = (f"{work.name.partition(',')[0]} takes {costs_of(turns)}" for work, turns in known.items() if work.told)
    return rows, f"In batches of 256 {' and '.join(costs)}; the rest is packing in Python and waiting for a core."


def one_by_one() -> list[Work]:
    """What is measured before anything is known of the addresses."""
    return [
        Work("claim+complete, batches of 256, one by one", partial(Ours.pairs, batch=256)),
        Work("claim+complete, batches of 256, one by one, two at a time", partial(Ours.pairs, batch=256, at_once=2)),
    ]


def in_streaks() -> list[Work]:
    """What is measured of addresses that are known to be quick."""
    works = []
    for batch in BATCHES:
        admit, pair = f"admit, batches of {batch}", f"claim+complete, batches of {batch}"
        goal, share = (10.0, 1.0) if batch == 256 else (None, 0.5 if batch > 1 else 0.05)
        works += [
            Work(admit, partial(Ours.admits, batch=batch), goal, share, True, batch == 256),
            Work(pair, partial(Ours.pairs, batch=batch, latency=ANSWER), goal, share, told=batch == 256),
        ]
    return [
        *works,
        Work(f"{pair}, two at a time", partial(Ours.pairs, batch=256, latency=ANSWER, at_once=2), 10.0),
        Work(f"{admit}, two at a time", partial(Ours.admits, batch=256, at_once=2), 10.0, admitting=True),
        Work(f"{admit}, every link at another host", partial(Ours.admits, batch=256, spread=True), admitting=True),
    ]


async def in_rounds(ours: Ours, peer: Peer, works: list[Work], sizes: Sizes) -> dict[Work, list[Turn]]:
    """The turns of each work, every round beginning with the peer's."""
    turns: dict[Work, list[Turn]] = {work: [] for work in works}
    for _ in range(ROUNDS):
        theirs = peer.work(sizes.peer // (2 * ROUNDS))
        for work in works:
            operations = max(round(work.share * sizes.operations), 256)
            spent = await work.run(ours, operations=operations)
            rate = theirs.pushes if work.admitting else theirs.pops
            turns[work].append(Turn(spent, 1 / spent.clock / rate))
    return turns


def compared(work: Work, turns: list[Turn], peer: Rates, what: str) -> Row:
    """A work beside the peer's."""
    theirs, name = (peer.pushes, "push with dupefilter") if work.admitting else (peer.pops, "pop")
    clock, ratio = median(turn.spent.clock for turn in turns), median(turn.ratio for turn in turns)
    return row(
        f"{work.name}, {what}",
        1 / clock,
        "URLs/s",
        peer=theirs,
        peer_name=f"{PEER} {name}",
        ratio=ratio,
        at_least=work.goal,
    )


def costs_of(turns: list[Turn]) -> str:
    """What a URL takes."""
    clock, server = (1e6 * median(each) for each in zip(*(turn.spent for turn in turns), strict=True))
    return f"{clock:.0f} us a URL, the server's processor {server:.0f} us of it"


async def measured(small: str, url: str, sizes: Sizes) -> tuple[list[Row], str]:
    async with await connect(small) as few, await connect(url) as client:
        with Redis.from_url(url) as blocking:
            return await measure(Ours(few, sizes), Ours(client, sizes), Peer(blocking, sizes), sizes)


def run(quick: bool) -> Result:
    """quick: a tenth of the URLs and hosts, and fewer operations."""
    with own_server() as small, own_server() as url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows, limit = runner.run(measured(small, url, QUICK if quick else FULL))
    return Result(tuple(rows), limit)


if __name__ == "__main__":
    main(run)
