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

Candidates and Requests are made before the clock starts, and the collector of cycles is set as in a worker. At the end
the growth is measured: see `frontier_growth.py`.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import uvloop
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from scrapy import Request, Spider
from scrapy_redis import picklecompat

from bench.frontier_growth import growth
from bench.preloaded import ANSWER, FULL, LINKS, QUICK, RUN, Ours, Sizes, Web, own_server
from bench.report import Result, Row, main, progress, row
from crawler.collector import spare_collector

with warnings.catch_warnings():
    # scrapy-redis 0.9 warns of what Scrapy and redis-py have renamed since.
    warnings.simplefilter("ignore")
    from scrapy_redis.dupefilter import RFPDupeFilter
    from scrapy_redis.queue import PriorityQueue

BATCHES = (1, 32, 256)
PEER = "scrapy-redis"


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

    def work(self, operations: int) -> None:
        """Push with the duplicates filter, then pop; `rates` has the sum of all turns."""
        requests = list(self._requests(operations))[:operations]

        def push(request: Request) -> None:
            if not self._seen.request_seen(request):
                self._queue.push(request)

        self._done += operations
        self._pushing += _seconds(operations, lambda n: push(requests[n]))
        self._popping += _seconds(operations, lambda _: self._queue.pop())

    @property
    def rates(self) -> tuple[float, float]:
        """Pushes with the duplicates filter, and pops, per second."""
        return self._done / self._pushing, self._done / self._popping


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
    """Rates and memory beside the peer's. The sides take turns, for a shared machine is not the same twice."""
    held = peer.fill(sizes.middle)
    spare_collector()  # as a worker does; for both sides
    length = ours.web.bytes / (await ours.frontier.counts(RUN)).discovered
    what = f"at {sizes.middle:,} URLs on {sizes.hosts:,} hosts, {length:.0f} bytes each"
    rates: list[tuple[str, float, bool, float | None]] = []
    costs: dict[str, str] = {}
    # Before anything is known of the addresses.
    singles = await ours.pairs(256, sizes.operations), await ours.overlapped(256, sizes.operations)
    for batch in BATCHES:
        progress(f"batches of {batch}")
        goal = 10.0 if batch == max(BATCHES) else None
        operations = sizes.operations if batch > 1 else sizes.operations // 10
        peer.work(sizes.peer // len(BATCHES))
        for name, work in (("admit", ours.admits), ("claim+complete", partial(ours.pairs, latency=ANSWER))):
            busy = await ours.busy()
            rate = await work(batch, operations)
            server = (await ours.busy() - busy) * 1e6 / operations
            costs[name] = f"{name} takes {1e6 / rate:.0f} us a URL, the server's processor {server:.0f} us of it"
            rates.append((f"{name}, batches of {batch}, {what}", rate, name == "admit", goal))
    rate = await ours.overlapped(256, sizes.operations, ANSWER)
    rates.append((f"claim+complete, batches of 256, two at a time, {what}", rate, False, 10.0))
    for rate, how in zip(singles, ("one by one", "one by one, two at a time"), strict=True):
        rates.append((f"claim+complete, batches of 256, {how}, {what}", rate, False, None))
    rate = await ours.admits(256, sizes.operations, at_once=2)
    rates.append((f"admit, batches of 256, two at a time, {what}", rate, True, 10.0))
    rate = await ours.admits(256, sizes.operations, spread=True)
    rates.append((f"admit, batches of 256, every link at another host, {what}", rate, True, None))
    pushes, pops = peer.rates
    rows = []
    for title, rate, admitting, goal in rates:
        theirs = pushes if admitting else pops
        name = f"{PEER} {'push with dupefilter' if admitting else 'pop'}"
        rows.append(row(title, rate, "URLs/s", peer=theirs, peer_name=name, ratio=rate / theirs, at_least=goal))
    rows.append(row(f"bytes per seen URL, {what}", memory[0], "bytes", peer=held[0], peer_name=PEER, at_most=12.0))
    rows.append(row(f"bytes per queued URL, {what}", memory[1], "bytes", peer=held[1], peer_name=PEER, at_most=120.0))
    return (
        rows,
        f"In batches of 256 {' and '.join(costs.values())}; the rest is packing in Python and waiting for a core.",
    )


async def measured(small: str, url: str, sizes: Sizes) -> tuple[list[Row], str]:
    async with AsyncRedis.from_url(small) as few, AsyncRedis.from_url(url) as client:
        with Redis.from_url(url) as blocking:
            return await measure(Ours(few, sizes), Ours(client, sizes), Peer(blocking, sizes), sizes)


def run(quick: bool) -> Result:
    """quick: a tenth of the URLs and hosts, and fewer operations."""
    with own_server() as small, own_server() as url, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows, limit = runner.run(measured(small, url, QUICK if quick else FULL))
    return Result(tuple(rows), limit)


if __name__ == "__main__":
    main(run)
