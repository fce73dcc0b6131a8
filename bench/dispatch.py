"""How long a request that is due waits until it is on its way: a real worker, a real Redis, a web server on loopback.

A request is due at the slot that the frontier gave its lease; sent is when it arrives at the server, one machine away
in name only: all clocks are the machine's monotonic one. The worker is `vangnet worker` with its sandbox; half of the
URLs are images. Cases, one after the other in one process:

    one address      asked four times a second: nothing but the slots holds it up
    calm             100 addresses, each asked once a second: far less than a worker can do
    load             100 addresses at 50 requests a second each: far more than a worker can do
    sudden           a URL is offered to a worker that has nothing to do, at a host that it knows, and at a new one

Where the slots follow each other, a second figure counts from when the address was free again, one interval (the
shortest of the case) after the slot before: it also contains what a late claim costs. What is offered suddenly has to
be admitted first; at a new host it is its robots.txt that arrives first.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.dispatch_server import Stamping, stamping
from bench.product import SETTINGS, Product, product
from bench.report import Result, Row, main, progress, row
from crawler.options import load_options
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.service.deployment import Server, joined

RUN = RunId("dispatch", 1)
GOAL_MS = 50.0
NETWORK = "127.30"
LIMIT = "The claim's round trip and how often an idle worker looks; under load, the worker's event loop."
_PATIENCE = 120.0
_CAMPAIGN = """
[seeds]
urls = ["http://127.30.4.1:{port}/"]
[limits]
requests_per_second = 50
concurrency = 8
[[limits.address]]
prefix = "127.30.1.0/24"
requests_per_second = 4
concurrency = 8
[[limits.address]]
prefix = "127.30.2.0/24"
requests_per_second = 1
concurrency = 8
[network]
allow_private = true
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """URLs per address of each case; offers to an idle worker, and how many of them at new hosts."""

    one: int
    calm: int
    load: int
    sudden: int
    new: int


FULL, QUICK = Sizes(240, 30, 150, 150, 50), Sizes(24, 6, 30, 16, 8)


@dataclass(frozen=True, slots=True)
class Seen:
    """What both ends noted. arrivals: URL -> when its first request arrived.  slots: URL -> (slot, when given)."""

    arrivals: dict[str, float]
    slots: dict[str, list[tuple[float, float]]]

    def slot(self, url: str) -> float:
        """The slot that the request was sent in: the last one given before it arrived."""
        at = self.arrivals[url]
        return max(slot for slot, given in self.slots[url] if given <= at)


class Case:
    """Offers URLs to the worker of a deployment and waits until the server saw them."""

    def __init__(self, server: Server, web: Stamping) -> None:
        self._server = server
        self._web = web

    def urls(self, network: int, addresses: int, each: int, name: str) -> list[str]:
        """URLs at addresses of NETWORK.network.0/24, in turns; every second one of an address is an image."""
        return [
            f"http://{NETWORK}.{network}.{host + 1}:{self._web.port}/{'ip'[k % 2]}/{name}-{k}"
            for k in range(each)
            for host in range(addresses)
        ]

    def offer(self, urls: Sequence[str]) -> float:
        """Offer URLs, in entries of 100; when the first was on its way."""
        return asyncio.run(self._offer(urls))

    async def _offer(self, urls: Sequence[str]) -> float:
        found = []
        for first in range(0, len(urls), 100):
            few = urls[first : first + 100]
            found.append(
                Discovered(tuple(Candidate(url, Kind.IMAGE if "/i/" in url else Kind.PAGE, "seed") for url in few))
            )
        async with joined(self._server) as deployment:
            await deployment.frontier.backlog()  # connected
            begun = time.monotonic()
            await deployment.frontier.offer(RUN, found)
        return begun

    def until(self, count: int) -> None:
        """Wait until so many requests arrived, however long that takes as long as some do."""
        heard, seen = time.monotonic(), -1
        while (now := self._web.count()) < count:
            if now != seen:
                heard, seen = time.monotonic(), now
            if time.monotonic() - heard > _PATIENCE:
                raise SystemExit(f"the worker sends nothing any more; {now} of {count} requests arrived")
            time.sleep(0.02)

    def all_of(self, urls: Sequence[str], addresses: int) -> None:
        """Offer URLs at addresses that nobody asked yet, and wait until they and each robots.txt arrived."""
        before = self._web.count()
        self.offer(urls)
        self.until(before + len(urls) + addresses)

    def suddenly(self, urls: Iterable[str], requests: int) -> dict[str, float]:
        """Offer one URL after the other, each after a rest; when each was offered. requests: that each brings."""
        dice, offered = random.Random(5), {}
        for url in urls:
            before = self._web.count()
            time.sleep(0.2 + dice.random() / 3)
            offered[url] = self.offer([url])
            self.until(before + requests)
        return offered


@contextmanager
def working(ours: Product, notes: Path) -> Iterator[None]:
    """A worker of the deployment that notes its slots."""
    command = [sys.executable, "-m", "bench.dispatch_worker", str(notes)]
    command += ["--home", str(ours.home.root), "--settings", SETTINGS, "worker"]
    log = notes.with_suffix(".log")
    with log.open("w") as written, subprocess.Popen(command, env=ours.environment, stderr=written) as process:
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(60)
            if code != 0:
                raise SystemExit(f"the worker ended with {code}: {log.read_text()[-500:]}")


def share(values: Iterable[float], part: float) -> float:
    """The value that so much of them are at most. values: seconds; the answer is in milliseconds."""
    ordered = sorted(values)
    return 1000 * ordered[min(round(part * len(ordered)), len(ordered) - 1)]


def both(what: str, values: Sequence[float]) -> list[Row]:
    """p50 and p99 of delays in seconds."""
    return [
        row(f"{what}, p50 of {len(values):,}", share(values, 0.5), "ms"),
        row(f"{what}, p99 of {len(values):,}", share(values, 0.99), "ms", at_most=GOAL_MS),
    ]


def from_slots(seen: Seen, urls: Iterable[str]) -> list[float]:
    """Seconds from the slot to the arrival of each."""
    return [seen.arrivals[url] - seen.slot(url) for url in urls]


def from_free(seen: Seen, urls: Iterable[str]) -> list[float]:
    """Seconds from one interval after the slot before, at the same address, to the arrival of each."""
    slots: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for url in urls:
        slots[url.split("/")[2]].append((seen.slot(url), url))
    follow = [pair for each in slots.values() for pair in pairwise(sorted(each))]
    interval = min(slot - before for (before, _), (slot, _) in follow)
    return [seen.arrivals[url] - before - interval for (before, _), (_, url) in follow]


@dataclass(frozen=True, slots=True)
class Urls:
    """What is asked for in each case, in the order in which it is offered."""

    one: list[str]
    calm: list[str]
    load: list[str]
    known: list[str]
    new: list[str]


def measured(ours: Product, web: Stamping, notes: Path, sizes: Sizes) -> list[Row]:
    """All rows."""
    case = Case(Server(load_options(SETTINGS), ours.redis_url), web)
    urls = Urls(
        one=case.urls(1, 1, sizes.one, "one"),
        calm=case.urls(2, 100, sizes.calm, "calm"),
        load=case.urls(3, 100, sizes.load, "load"),
        known=case.urls(4, 1, sizes.sudden, "known"),
        new=case.urls(5, sizes.new, 1, "new"),
    )
    with working(ours, notes):
        progress("one address")
        case.until(2)
        case.all_of(urls.one, 1)
        progress("calm")
        case.all_of(urls.calm, 100)
        progress("load")
        case.all_of(urls.load, 100)
        progress("sudden")
        time.sleep(1)
        offered = case.suddenly(urls.known, 1) | case.suddenly(urls.new, 2)
        log = web.log()
    arrivals: dict[str, float] = {}
    for at, url in log:
        arrivals.setdefault(url, at)
    slots: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for line in notes.read_text().splitlines():
        url, slot, given = json.loads(line)
        slots[url].append((slot, given))
    seen = Seen(arrivals, slots)
    return [*timed(seen, urls), *sudden(arrivals, offered, urls)]


def timed(seen: Seen, urls: Urls) -> Iterator[Row]:
    """The cases in which slots follow each other."""
    yield from both("one address, 4 requests/s: from the slot to the request", from_slots(seen, urls.one))
    yield from both("one address, 4 requests/s: from when it was free again", from_free(seen, urls.one))
    yield from both("100 addresses, 1 request/s each: from the slot", from_slots(seen, urls.calm))
    yield from both("100 addresses, 1 request/s each: from when one was free again", from_free(seen, urls.calm))
    yield from both("100 addresses, 50 requests/s each: from the slot", from_slots(seen, urls.load))
    yield row("100 addresses, 50 requests/s each: sent by one worker", rate_of(seen, urls.load), "requests/s")
    again = sum(len(seen.slots[url]) - 1 for url in urls.load)
    yield row("100 addresses, 50 requests/s each: slots that were missed, of 1,000", 1000 * again / len(urls.load), "")


def sudden(arrivals: Mapping[str, float], offered: Mapping[str, float], urls: Urls) -> Iterator[Row]:
    """The cases in which something comes up for a worker that has nothing to do."""
    known = [arrivals[url] - offered[url] for url in urls.known]
    robots = {url: arrivals[url.rsplit("/", 2)[0] + "/robots.txt"] for url in urls.new}
    yield from both("idle worker, known host: from the offer to the request", known)
    yield from both(
        "idle worker, new host: from the offer to robots.txt", [at - offered[u] for u, at in robots.items()]
    )
    yield from both(
        "new host: from robots.txt asked for to the first URL", [arrivals[u] - at for u, at in robots.items()]
    )


def rate_of(seen: Seen, urls: Iterable[str]) -> float:
    """Requests per second over the middle of a case."""
    at = sorted(seen.arrivals[url] for url in urls)
    middle = at[len(at) // 10 : -len(at) // 10]
    return len(middle) / (middle[-1] - middle[0])


def run(quick: bool) -> Result:
    """quick: a quarter of the URLs."""
    with TemporaryDirectory(prefix="vg") as folder, stamping() as web, product(Path(folder)) as ours:
        ours.hash_list("known", [f"sha256 {hashlib.sha256(b'something').hexdigest()}"])
        ours.kept("dispatch", _CAMPAIGN.format(port=web.port))
        ours.run("campaign", "start", "dispatch")
        rows = measured(ours, web, Path(folder) / "notes", QUICK if quick else FULL)
    return Result(tuple(rows), LIMIT)


if __name__ == "__main__":
    main(run)
