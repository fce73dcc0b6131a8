"""Pictures found per 1,000 requests in a zoo of traps, beside breadth-first without budgets.

The zoo (`tests/hostile/zoo`) has some forty sites, each with one picture and a trap: calendars, faceted lists,
sessions, endless paths, copies, farms of hosts. Ours is `vangnet crawl` of all of them, with budgets. The peer
asks for what pages name in the order in which it was named, each URL once, images like pages, with the cookies of each
host, until it has made as many requests as ours; it reads pages with the same discovery, so that only the order and the
budgets differ. Politeness is off, and speed is not compared.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import aiohttp

from bench.product import Product, about, product, stopped
from bench.report import Result, main, progress, row
from crawler.discover.page import discover, redirect_candidate
from crawler.records import Candidate
from tests.hostile.zoo.park import ANIMALS, Open, opened, planted
from tests.hostile.zoo.serve import KINDS

SOME = (
    "calendar-of-months",
    "calendar-of-days",
    "facets",
    "endless-path",
    "same-page-anywhere",
    "session-in-query",
    "soft-404",
    "farm-of-hosts",
    "hundred-thousand-links",
    "redirect-loop",
)
PER_HOST = 150
CAMPAIGN = """
[seeds]
urls = {seeds}
[limits]
requests_per_second = 1000
concurrency = 16
max_urls_per_host = {budget}
render = "never"
[network]
allow_private = true
nameservers = ["{nameserver}"]
"""


@dataclass
class BreadthFirst:
    """One URL after the other, in the order in which they were named."""

    park: Open
    most: int
    found: set[str] = field(default_factory=set)
    requests: int = 0
    cookies: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        queue, seen = deque(self.park.zoo.start), set(self.park.zoo.start)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            while queue and self.requests < self.most:
                for candidate in await self._named(session, queue.popleft()):
                    if candidate.url not in seen:
                        seen.add(candidate.url)
                        queue.append(candidate.url)

    async def _named(self, session: aiohttp.ClientSession, url: str) -> tuple[Candidate, ...]:
        parts = urlsplit(url)
        place = self.park.zoo.names.get(parts.hostname or "")
        if place is None or parts.port != self.park.zoo.port:
            return ()
        self.requests += 1
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {"Host": parts.netloc, "Cookie": self.cookies.get(parts.netloc, "")}
        where = f"http://{place.addresses[0]}:{parts.port}{target}"
        async with session.get(where, headers=headers, allow_redirects=False) as answer:
            body = await answer.read()
        if "Set-Cookie" in answer.headers:
            self.cookies[parts.netloc] = answer.headers["Set-Cookie"].partition(";")[0]
        owner = self.park.zoo.owner(parts.hostname or "")
        if owner is not None and body == planted(owner):
            self.found.add(owner)
            return ()
        if "Location" in answer.headers:
            moved = redirect_candidate(answer.headers["Location"], url)
            return (moved,) if isinstance(moved, Candidate) else ()
        # Breadth-first knows no priorities: the order of the document, as far as discovery keeps it.
        return discover(body, answer.headers.get("Content-Type"), url).candidates


def ours(bench: Product, park: Open) -> set[str]:
    """The animals whose picture a crawl found."""
    file = bench.home.root / "zoo.toml"
    seeds = json.dumps(park.zoo.start)
    file.write_text(about("zoo") + CAMPAIGN.format(seeds=seeds, budget=PER_HOST, nameserver=park.nameserver))
    bench.hash_list("zoo", park.zoo.hashes)
    process = bench.start("crawl", str(file), "--workers", "2", "--json")
    with stopped(process):
        out, _ = process.communicate(timeout=500)
    progress(f"ours: {json.loads(out)['urls']}")
    hits = _hits(bench)
    return {name for name in park.zoo.chosen if any(f"//{name}.zoo.test" in url for url in hits)}


def _hits(bench: Product) -> list[str]:
    with bench.start("hits", "list", "--json") as process:
        out, _ = process.communicate(timeout=60)
    return [hit["image_url"] for hit in json.loads(out)]


def run(quick: bool) -> Result:
    """quick: ten of the sites."""
    names = SOME if quick else tuple(ANIMALS)
    progress(f"{len(names)} sites of {', '.join(kind.__name__.rpartition('.')[2] for kind in KINDS)}")
    with TemporaryDirectory(prefix="vg") as folder, product(Path(folder)) as bench, opened(*names) as park:
        found = ours(bench, park)
    assert park.seen is not None
    requests = sum(park.seen.asked.values())
    with opened(*names) as again:
        peer = BreadthFirst(again, requests)
        asyncio.run(peer.run())
    rates = [1_000 * len(each) / asked for each, asked in ((found, requests), (peer.found, peer.requests))]
    name = "breadth-first without budgets"
    rows = (
        row(
            f"pictures found per 1,000 requests, {len(names)} sites of traps",
            rates[0],
            "pictures",
            peer=rates[1],
            peer_name=name,
            ratio=rates[0] / max(rates[1], 0.001),
        ),
        row(
            "share of the pictures found",
            len(found) / len(names),
            "of 1",
            peer=len(peer.found) / len(names),
            peer_name=f"{name}, {peer.requests:,} requests",
        ),
    )
    return Result(rows, "Random words and endless paths without a pattern, which only the budget of the host ends.")


if __name__ == "__main__":
    main(run)
