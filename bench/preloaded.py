"""What the benchmarks of the frontier work on: one of ours in Redis, and a web to fill it from.

URLs have about 80 bytes, on 10,000 hosts at 2,000 addresses; a page names 32 of them, four of five at its own host,
half of them images. They are judged before the clock starts. The politeness limits are so high that nothing has to
wait, but each address allows one request at a time. Of one that is known to answer within ANSWER seconds a claim takes
a streak (docs/adr/0040); as long as nothing is known of it, one URL.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from redis import Redis

from bench.report import progress
from crawler.bus.client import Client
from crawler.bus.server import start_server, stop_server
from crawler.frontier.base import Admission, Completion, Judged, Limits
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.records import Candidate, Discovered, Done, Kind, RunId
from crawler.urls import url_number

LINKS = 32
RUN = RunId("bench", 1)
KEY = b"k" * 16
ANSWER = 0.005
WORDS = ("nieuws", "album", "archief", "foto", "video", "sport", "winkel", "artikel", "product", "contact", "agenda")


class Spent(NamedTuple):
    """Seconds for each URL: on the clock, and of the server's processor."""

    clock: float
    server: float


@dataclass(frozen=True, slots=True)
class Sizes:
    """URLs in the frontier: small and large for the growth, middle against the peer.  operations: of each work in a
    round.  peer: operations of the peer's rates."""

    hosts: int
    addresses: int

    small: int
    middle: int
    large: int
    operations: int
    peer: int


FULL = Sizes(10_000, 2_000, 100_000, 1_000_000, 3_000_000, 8_192, 50_000)
QUICK = Sizes(1_000, 500, 50_000, 100_000, 200_000, 2_048, 8_000)


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

    def __init__(self, client: Client, sizes: Sizes) -> None:
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

    async def admits(self, batch: int, operations: int, spread: bool = False, at_once: int = 1) -> Spent:
        """Admit so many. at_once: batches; a worker's admitter judges the next while one is written."""
        links = min(batch, LINKS)
        admissions = await self.offered(operations // links, links, spread)

        async def admit(some: list[Admission]) -> int:
            for first in range(0, len(some), batch // links):
                await self.frontier.admit(some[first : first + batch // links])
            return links * len(some)

        return await self._spent(*(admit(admissions[n::at_once]) for n in range(at_once)))

    async def pairs(self, batch: int, operations: int, latency: float | None = None, at_once: int = 1) -> Spent:
        """Claim and complete so many leases, or a few more. latency: that is told of each answer, in seconds; None: of
        none. at_once: a worker's claims and completions do not wait for each other either."""

        async def pair() -> int:
            done = 0
            while done < operations // at_once:
                claimed = await self.frontier.claim(batch - batch // 2, batch // 2)
                ended = [Completion(lease, Done(tally={"images": 1}), latency=latency) for lease in claimed.leases]
                if not all(await self.frontier.complete(ended)) or not ended:
                    raise RuntimeError("a lease was lost, or nothing was due")
                done += len(ended)
            return done

        return await self._spent(*(pair() for _ in range(at_once)))

    async def _spent(self, *works: Awaitable[int]) -> Spent:
        busy, started = await self.busy(), time.perf_counter()
        done = sum(await asyncio.gather(*works))
        clock = time.perf_counter() - started
        return Spent(clock / done, (await self.busy() - busy) / done)

    async def memory(self) -> tuple[float, float]:
        """Bytes for each seen URL, and for each queued one: whatever is not the seen set, per URL."""
        counts = await self.frontier.counts(RUN)
        seen = 0
        async for name in self.client.scan_iter("bench:*:seen:*", count=1000):
            seen += await self.client.memory_usage(name, samples=0) or 0
        total = (await self.client.info("memory"))["used_memory"] - self.before
        return seen / counts.discovered, (total - seen) / counts.waiting["queued"]

    async def busy(self) -> float:
        """Seconds of processor time that the server has used."""
        cpu = await self.client.info("cpu")
        return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


@contextmanager
def own_server() -> Iterator[str]:
    """The URL of a server that is empty, and does nothing of its own accord meanwhile."""
    with TemporaryDirectory(prefix="vg") as folder:
        server = start_server(Path(folder), Path(folder) / "s.sock")
        try:
            with Redis.from_url(server.url) as client:
                # It would rewrite its file in the background in the midst of somebody's turn.
                client.config_set("auto-aof-rewrite-percentage", 0)
            yield server.url
        finally:
            stop_server(server)
