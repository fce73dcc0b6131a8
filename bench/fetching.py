"""Fetching alone, without a look at what comes: our fetcher, aiohttp's client, Scrapy with its default handler."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from time import monotonic, process_time

import aiohttp
import uvloop

from bench.peer import COMMAND, PROJECT
from bench.report import Row, progress, row
from bench.serving import Gallery
from crawler.fetch.fetcher import Fetcher
from crawler.records import FetchFailed, FetchOrder

AT_ONCE = 64
Fetch = Callable[[str], Awaitable[int]]


async def rate(urls: Sequence[str], seconds: float, fetch: Fetch) -> tuple[float, float]:
    """Fetches per second with AT_ONCE of them at work, and microseconds of processor time each.

    The first fifth is not counted: connections are made in it.
    """
    order: Iterator[str] = cycle(urls)
    begun, end = monotonic() + seconds / 5, monotonic() + seconds
    done, spent = 0, 0.0

    async def work() -> None:
        nonlocal done, spent
        while (now := monotonic()) < end:
            size = await fetch(next(order))
            assert size > 0
            if now >= begun:
                spent = spent or process_time()
                done += 1

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return done / (monotonic() - begun), 1e6 * (process_time() - spent) / done


async def ours(urls: Sequence[str], seconds: float) -> tuple[float, float]:
    async with Fetcher(permitted=lambda _: True, max_sockets=4 * AT_ONCE) as fetcher:

        async def fetch(url: str) -> int:
            answer = await fetcher.fetch(FetchOrder(url, url.split("/")[2].rpartition(":")[0]))
            if isinstance(answer, FetchFailed):
                raise RuntimeError(answer.reason)
            return len(answer.body)

        return await rate(urls, seconds, fetch)


async def bare(urls: Sequence[str], seconds: float) -> tuple[float, float]:
    connector = aiohttp.TCPConnector(limit=4 * AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def fetch(url: str) -> int:
            async with session.get(url) as answer:
                return len(await answer.read())

        return await rate(urls, seconds, fetch)


def scrapy(urls: Sequence[str], seconds: float, folder: Path) -> float:
    """Fetches per second of the spider `plain` of the stock recipe."""
    listed, result = folder / "urls.txt", folder / "plain.json"
    listed.write_text("\n".join(urls))
    arguments = ["plain", "-a", f"urls={listed}", "-a", f"result={result}", "-a", f"seconds={seconds}"]
    subprocess.run([*COMMAND, *arguments], cwd=PROJECT, check=True, stderr=subprocess.DEVNULL)
    found = json.loads(result.read_text())
    return float(found["fetched"] / found["seconds"])


@dataclass(frozen=True, slots=True)
class Fetching:
    """ours: microseconds of processor time that a fetch takes us."""

    rows: list[Row]
    ours: float


def fetch_rows(site: Gallery, folder: Path, seconds: float) -> Fetching:
    """One process each, the same URLs."""
    progress("fetching alone")
    urls = site.image_urls()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        plain = runner.run(bare(urls, seconds))
        mine = runner.run(ours(urls, seconds))
    stock = scrapy(urls, seconds, folder)
    what = f"fetching alone, one process, {site.mean_bytes / 1000:.0f} kB"
    progress(f"{what}: ours {mine[0]:.0f}/s, aiohttp {plain[0]:.0f}/s, Scrapy {stock:.0f}/s")
    bare_name, ratio = "bare aiohttp + uvloop", mine[0] / plain[0]
    rows = [
        row(what, mine[0], "fetches/s", peer=stock, peer_name="Scrapy, default handler", ratio=mine[0] / stock),
        row(what, mine[0], "fetches/s", peer=plain[0], peer_name=bare_name, ratio=ratio),
        row(f"{what}: processor time", mine[1], "us", peer=plain[1], peer_name=bare_name, ratio=plain[1] / mine[1]),
    ]
    return Fetching(rows, mine[1])
