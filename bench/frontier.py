"""The frontier against scrapy-redis's PriorityQueue and RFPDupeFilter, on one real server in one run.

Both sides are filled first, ours through `admit`, the peer's by a pipeline with records of the form and size that it
writes itself. URLs have about 80 bytes, on 10,000 hosts at 2,000 addresses; a page names 32 of them, four of five at
its own host, half of them images. Then one client process each works as fast as it can, one call at a time but where
said otherwise:

    admit            `Frontier.admit` of judged candidates, acknowledgement included; against request_seen() and push()
    claim+complete   `Frontier.claim` and `Frontier.complete`, one lease per address and time; against pop()
    … two at a time  the same by two tasks of the process, as a worker's claimer and completer run beside each other

Candidates and Requests are made before the clock starts. The politeness limits are so high that nothing has to wait;
but each address allows one request at a time, so that no batch is cheap by taking many URLs of one place.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from scrapy import Request, Spider
from scrapy_redis import picklecompat

from bench.report import Result, Row, main, progress, row
from crawler.bus.server import start_server, stop_server
from crawler.frontier.base import Admission, Completion, Judged, Limits
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.records import Candidate, Discovered, Done, Kind, RunId
from crawler.urls import url_number

with warnings.catch_warnings():
    # scrapy-redis 0.9 warns of what Scrapy and redis-py have renamed since.
    warnings.simplefilter("ignore")
    from scrapy_redis.dupefilter import RFPDupeFilter
    from scrapy_redis.queue import PriorityQueue

LINKS = 32
BATCHES = (1, 32, 256)
RUN = RunId("bench", 1)
KEY = b"k" * 16
PEER = "scrapy-redis"
WORDS = ("nieuws", "album", "archief", "foto", "video", "sport", "winkel", "artikel", "product", "contact", "agenda")


@dataclass(frozen=True, slots=True)
class Sizes:
    """URLs in the frontier: small and large for the growth, middle against the peer.  operations: of each measurement,
    the one-by-one rows take a tenth.  peer: operations of the peer's rates."""

    hosts: int
    addresses: int

    small: int
    middle: int
    large: int
    operations: int
    peer: int


FULL = Sizes(10_000, 2_000, 100_000, 1_000_000, 3_000_000, 40_000, 50_000)
QUICK = Sizes(1_000, 500, 20_000, 100_000, 250_000, 16_000, 8_000)


class Web:
    """Makes pages of links, each of which never comes twice. spread: every link at another host."""

    def __init__(self, seed: int, sizes: Sizes) -> None:
        self._random = random.Random(seed)
        self._sizes = sizes
        self._made = 0
        self.bytes = 0

    def url(self, host: int) -> tuple[str, str]:
        """A new URL of a host, and the host."""
        self._made += 1
        pick = self._random
        name = f"www.{WORDS[host % len(WORDS)]}-{host}.example.nl"
        path = "/".join(pick.choices(WORDS, k=pick.randrange(2, 5)))
        text = f"https://{name}/{path}/{self._made:x}-{pick.choice(WORDS)}-{pick.choice(WORDS)}.html"
        self.bytes += len(text)
        return text, name

    def page(self, links: int, spread: bool = False) -> tuple[Discovered, tuple[Judged, ...]]:
        """What a page named, and the judgement on it."""
        pick = self._random
        own = pick.randrange(self._sizes.hosts)
        referrer = f"https://www.{WORDS[own % len(WORDS)]}-{own}.example.nl/{pick.choice(WORDS)}/{self._made:x}.html"
        judged = []
        for _ in range(links):
            host = pick.randrange(self._sizes.hosts) if spread or pick.random() < 0.2 else own
            url, name = self.url(host)
            image = pick.random() < 0.5
            candidate = Candidate(url, Kind.IMAGE if image else Kind.PAGE, "img" if image else "a", 3 if image else 5)
            place = host % self._sizes.addresses
            address = f"192.0.{place // 256}.{place % 256}"
            judged.append(Judged(candidate, url_number(url, 0, KEY), name, address, address))
        depth = pick.randrange(1, 4)
        return Discovered(tuple(each.candidate for each in judged), depth, referrer), tuple(judged)


class Ours:
    """Our frontier, with a web to fill it from."""

    def __init__(self, client: AsyncRedis, sizes: Sizes) -> None:
        self.client = client
        self.frontier = RedisFrontier(client, FrontierSettings("bench", 1, "one", lease_seconds=600.0))
        self.web = Web(1, sizes)
        self._limits = Limits(100_000.0, 1)
        self.before = 0  # bytes that the server held when it was empty

    async def offered(self, count: int, links: int, spread: bool = False) -> list[Admission]:
        """Judged entries that wait to be admitted: `count` pages."""
        pages = [self.web.page(links, spread) for _ in range(count)]
        await self.frontier.offer(RUN, [found for found, _ in pages])
        entries = await self.frontier.discoveries(count)
        while len(entries) < count:
            entries += await self.frontier.discoveries(count - len(entries))
        return [
            Admission(entry, found, judged, lambda _: self._limits, 10**9, False)
            for entry, (found, judged) in zip(entries, pages, strict=True)
        ]

    async def fill(self, total: int) -> None:
        """Admit until so many were discovered."""
        have = (await self.frontier.counts(RUN)).discovered
        progress(f"filling from {have:,} to {total:,}")
        while have < total:
            links = min(LINKS, total - have)
            pages = max(min((total - have) // links, 64), 1)
            await self.frontier.admit(await self.offered(pages, links))
            have += links * pages

    async def admits(self, batch: int, operations: int, spread: bool = False) -> float:
        """Admitted URLs per second."""
        links = min(batch, LINKS)
        taken, done = 0.0, 0
        while done < operations:
            admissions = await self.offered(2048 // links, links, spread)
            per_call = batch // links
            started = time.perf_counter()
            for first in range(0, len(admissions), per_call):
                await self.frontier.admit(admissions[first : first + per_call])
            taken += time.perf_counter() - started
            done += 2048
        return done / taken

    async def pairs(self, batch: int, operations: int) -> float:
        """Leases claimed and completed per second."""
        pages = batch - batch // 2
        done, started = 0, time.perf_counter()
        while done < operations:
            claimed = await self.frontier.claim(pages, batch // 2)
            ended = [Completion(lease, Done(tally={"images": 1})) for lease in claimed.leases]
            if not all(await self.frontier.complete(ended)) or not ended:
                raise RuntimeError("a lease was lost, or nothing was due")
            done += len(ended)
        return done / (time.perf_counter() - started)

    async def overlapped(self, batch: int, operations: int) -> float:
        """As `pairs`, two at a time: a worker's claims and completions do not wait for each other either."""
        started = time.perf_counter()
        await asyncio.gather(*(self.pairs(batch, operations // 2) for _ in range(2)))
        return operations / (time.perf_counter() - started)

    async def memory(self) -> tuple[float, float]:
        """Bytes for each seen URL, and for each queued one: whatever is not the seen set, per URL."""
        counts = await self.frontier.counts(RUN)
        seen = 0
        async for name in self.client.scan_iter("bench:*:seen:*", count=1000):
            seen += await self.client.memory_usage(name, samples=0) or 0
        total = (await self.client.info("memory"))["used_memory"] - self.before
        return seen / counts.discovered, (total - seen) / counts.waiting["queued"]


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


async def measure(ours: Ours, peer: Peer, sizes: Sizes) -> tuple[list[Row], str]:
    """All rows, and what limits."""
    ours.before = (await ours.client.info("memory"))["used_memory"]
    await ours.fill(sizes.small)
    small = await best_of(ours, sizes)
    await ours.fill(sizes.middle)
    memory = await ours.memory()
    rows, limit = await against(ours, peer, sizes, memory)
    await ours.fill(sizes.large)
    large = await best_of(ours, sizes)
    for what, before, after in zip(("admit", "claim+complete"), small, large, strict=True):
        name = f"{what}, batches of 256, at {sizes.large:,} URLs; ratio to {sizes.small:,}"
        rows.append(row(name, after, "URLs/s", ratio=after / before, at_least=0.9))
    return rows, limit


async def best_of(ours: Ours, sizes: Sizes) -> tuple[float, float]:
    """The better of three rates each: a shared machine only ever makes them worse."""
    progress("rates for the growth")
    admits = [await ours.admits(256, sizes.operations // 4) for _ in range(3)]
    pairs = [await ours.pairs(256, sizes.operations // 4) for _ in range(3)]
    return max(admits), max(pairs)


async def against(ours: Ours, peer: Peer, sizes: Sizes, memory: tuple[float, float]) -> tuple[list[Row], str]:
    """Rates and memory beside the peer's. The sides take turns, for a shared machine is not the same twice."""
    held = peer.fill(sizes.middle)
    length = ours.web.bytes / (await ours.frontier.counts(RUN)).discovered
    what = f"at {sizes.middle:,} URLs on {sizes.hosts:,} hosts, {length:.0f} bytes each"
    rates: list[tuple[str, float, bool, float | None]] = []
    costs: dict[str, str] = {}
    for batch in BATCHES:
        progress(f"batches of {batch}")
        goal = 10.0 if batch == max(BATCHES) else None
        operations = sizes.operations if batch > 1 else sizes.operations // 10
        peer.work(sizes.peer // len(BATCHES))
        for name, work in (("admit", ours.admits), ("claim+complete", ours.pairs)):
            busy = await _busy(ours)
            rate = await work(batch, operations)
            server = (await _busy(ours) - busy) * 1e6 / operations
            costs[name] = f"{name} takes {1e6 / rate:.0f} us a URL, the server's processor {server:.0f} us of it"
            rates.append((f"{name}, batches of {batch}, {what}", rate, name == "admit", goal))
    rate = await ours.overlapped(256, sizes.operations)
    rates.append((f"claim+complete, batches of 256, two at a time, {what}", rate, False, 10.0))
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


async def _busy(ours: Ours) -> float:
    """Seconds of CPU that the server has used."""
    cpu = await ours.client.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


async def measured(url: str, sizes: Sizes) -> tuple[list[Row], str]:
    async with AsyncRedis.from_url(url) as client:
        with Redis.from_url(url) as blocking:
            # The server would rewrite its file in the background in the midst of either side's turn.
            blocking.config_set("auto-aof-rewrite-percentage", 0)
            return await measure(Ours(client, sizes), Peer(blocking, sizes), sizes)


def run(quick: bool) -> Result:
    """quick: a tenth of the URLs and hosts, and fewer operations."""
    with TemporaryDirectory(prefix="vg") as folder:
        server = start_server(Path(folder), Path(folder) / "s.sock")
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                rows, limit = runner.run(measured(server.url, QUICK if quick else FULL))
        finally:
            stop_server(server)
    return Result(tuple(rows), limit)


if __name__ == "__main__":
    main(run)
