"""Sweeping 65,536 loopback addresses, one in a thousand of which answers, by two workers.

Ours is `vangnet crawl --workers 2` of a campaign that sweeps a /16 at one port: a connection to every address,
robots.txt, the root page, names from the reverse DNS. Beside it, what connecting alone costs: one process of plain
asyncio that opens a TCP connection to the same addresses, some hundreds at once. Start-up is excluded: ours is taken
from the first answer or refusal. Redis's memory is that of its keys when all is asked, less what they had before.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

from redis import Redis

from bench.product import Product, about, import_codes, product, random_codes, stopped
from bench.report import Result, main, progress, row
from crawler.sweep import SweepOrder

PORT = 18_080
EVERY = 1_000
"""Of so many addresses one answers."""
AT_ONCE = 512
PAGE = b"<!doctype html><title>x</title><p>hello"
CAMPAIGN = """
[seeds]
sweep = ["{prefix}"]
sweep_ports = [{port}]
[limits]
requests_per_second = 1000
concurrency = 16
sweep_rate = {rate}
render = "never"
[network]
allow_private = true
nameservers = ["127.0.0.1:1"]
"""


@dataclass(frozen=True, slots=True)
class Ours:
    """seconds: from the first address that was asked to the end of the last.  redis_bytes: for one address."""

    seconds: float
    redis_bytes: float


@contextmanager
def listening(addresses: list[str]) -> Iterator[None]:
    """A web server at each of these addresses, in one thread."""
    loop = asyncio.new_event_loop()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\n\r\n"
                writer.write(head.encode() + PAGE)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            writer.close()

    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(asyncio.start_server(answer, addresses, PORT), loop).result(30)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_cancelled(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _cancelled() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def ours(bench: Product, prefix: str, addresses: int, rate: float) -> Ours:
    """One sweep. Raises RuntimeError unless every address has its outcome."""
    file = bench.home.root / "sweep.toml"
    file.write_text(about("sweep") + CAMPAIGN.format(prefix=prefix, port=PORT, rate=rate))
    with Redis.from_url(bench.redis_url) as redis:
        before = _held(redis)
        process = bench.start("crawl", str(file), "--workers", "2", "--json")
        with stopped(process):
            seconds, after = _watched(redis, addresses)
    return Ours(seconds, (after - before) / addresses)


def _watched(redis: Redis, addresses: int) -> tuple[float, int]:
    """(seconds from the first address that was asked to the end of the last, bytes of Redis's keys then).

    Not from the first that ended: new addresses are asked before the roots of others, so those end in bursts.
    """
    begun, told = 0.0, 0.0
    deadline = time.monotonic() + 580
    # Looking for keys goes through all of them, of which a sweep has some hundred thousand: so the names are kept.
    keys: list[bytes] = []
    while time.monotonic() < deadline:
        if not begun or not keys:
            keys = list(redis.scan_iter("*:cnt:*", count=1_000))
        asked, ended = _asked(redis, keys)
        now = time.monotonic()
        if asked and not begun:
            begun = now
        if ended >= addresses:
            return now - begun, _held(redis)
        if now - told > 5:
            told, keys = now, []
            progress(f"{ended:,} of {addresses:,} addresses")
        time.sleep(0.1)
    raise RuntimeError(f"the sweep of {addresses} addresses did not end in ten minutes")


def _asked(redis: Redis, keys: list[bytes]) -> tuple[int, int]:
    """(addresses that were asked, those whose root page has come to its end as well, whatever that was)."""
    counts = [(name, int(n)) for key in keys for name, n in redis.hgetall(key).items()]
    asked = sum(n for name, n in counts if name.startswith(b"t:swept:"))
    return asked, min(asked, sum(n for name, n in counts if name == b"fetched" or name.startswith(b"s:no-")))


def _held(redis: Redis) -> int:
    """Bytes of all keys. They are few: the records of addresses and queues are fields of some hashes."""
    return sum(redis.memory_usage(key, samples=1_000) or 0 for key in redis.scan_iter(count=1_000))


async def connects(prefix: str, addresses: int) -> float:
    """Seconds that opening a connection to every address takes, with nothing around it."""
    order = SweepOrder([prefix], b"bench")
    numbers = iter(range(addresses))

    async def one_after_the_other() -> None:
        for number in numbers:
            try:
                _, writer = await asyncio.open_connection(order.address(number), PORT)
                writer.close()
            except OSError:
                continue

    begun = time.monotonic()
    await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
    return time.monotonic() - begun


def run(quick: bool) -> Result:
    """quick: a /21 in place of a /16."""
    prefix = "127.60.0.0/21" if quick else "127.60.0.0/16"
    addresses = ip_network(prefix).num_addresses
    alive = [str(ip_network(prefix)[n]) for n in range(7, addresses, EVERY)]
    with TemporaryDirectory(prefix="vg") as folder, product(Path(folder)) as bench, listening(alive):
        import_codes(bench, random_codes(1_000), [])
        mine = ours(bench, prefix, addresses, 100.0)
        bare = asyncio.run(connects(prefix, addresses))
    what = f"addresses/s of a sweep of {addresses:,}, two workers"
    rate, peer = addresses / mine.seconds, addresses / bare
    rows = (
        row(what, rate, "addresses/s", peer=peer, peer_name="asyncio.open_connection alone", ratio=rate / peer),
        row("seconds for 65,536 addresses at that rate", 65_536 / rate, "s", at_most=600.0),
        row("memory of Redis for one address and port, until its run is over", mine.redis_bytes, "bytes"),
    )
    return Result(rows, "The frontier's and the worker's work for one URL, of which a dark address has two.")


if __name__ == "__main__":
    main(run)
