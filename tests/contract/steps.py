"""What an admitter and a worker do with a frontier, in one line each."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from crawler.frontier.base import Admission, Frontier, Judged, Limits, StreamEntry
from crawler.frontier.codec import unpack_discovered
from crawler.records import Candidate, Discovered, Kind, Lease, RunId

RUN = RunId("c", 1)
ADDRESS = "192.0.2.1"
PAGES = [(f"http://a.example/{i}", Kind.PAGE) for i in range(3)]
IMAGE = ("http://a.example/i.png", Kind.IMAGE)


def number_of(url: str) -> int:
    """A seen number, as `url_number` makes them: of either sign."""
    return int.from_bytes(blake2b(url.encode(), digest_size=8).digest(), "big", signed=True)


def pages(host: str, numbers: range, folder: str = "") -> list[tuple[str, Kind]]:
    return [(f"http://{host}/{folder}{n}", Kind.PAGE) for n in numbers]


def admission(
    entry: StreamEntry,
    *,
    address: str = ADDRESS,
    rate: float = 1000.0,
    concurrency: int = 100,
    robots: bool = False,
    skip: str | None = None,
    per_host: int = 10_000,
    per_domain: int = 1_000_000,
    domain: str = "",
    context: int = 0,
    later: str = "",
    after: float = 0.0,
    reserved: int = 0,
) -> Admission:
    """An entry judged: everything it names lies at one address and in one domain, or is skipped; what lies on the host
    `later` cannot be judged yet."""
    found = unpack_discovered(entry.payload)
    place = address if skip is None else None
    hosts = [c.url.split("/")[2] for c in found.candidates]
    urls = tuple(
        Judged(c, number_of(c.url) + context, host, place, place, skip, domain, context, later=host == later)
        for c, host in zip(found.candidates, hosts, strict=True)
    )
    limits = Limits(rate, concurrency)
    return Admission(entry, found, urls, lambda _: limits, per_host, robots, per_domain, after, reserved)


async def new_entries(frontier: Frontier, n: int = 100) -> list[StreamEntry]:
    """The discoveries that wait. The first look at an empty server may find nothing yet."""
    return await frontier.discoveries(n) + await frontier.discoveries(n)


async def new_results(frontier: Frontier, n: int = 100) -> list[StreamEntry]:
    return await frontier.results(n, 0.01) + await frontier.results(n, 0.01)


async def admit(frontier: Frontier, **judgement: Any) -> None:
    """Admit all that waits, judged as `admission` says."""
    for entry in await new_entries(frontier):
        await frontier.admit([admission(entry, **judgement)])


async def fill(
    frontier: Frontier,
    urls: Sequence[tuple[str, Kind]],
    *,
    run: RunId = RUN,
    depth: int = 0,
    referrer: str | None = None,
    **judgement: Any,
) -> None:
    """Offer URLs and admit all that waits, judged as `admission` says."""
    await frontier.offer(run, [Discovered(tuple(Candidate(url, kind, "seed") for url, kind in urls), depth, referrer)])
    await admit(frontier, **judgement)


async def claim(frontier: Frontier, n: int = 50) -> list[Lease]:
    return list((await frontier.claim(n, n)).leases)


def urls_of(leases: Sequence[Lease]) -> list[str]:
    return [lease.item.url for lease in leases]
