"""A worker's parts for tests: a run that is served, leases and answers, and doubles for what lies outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from crawler.bridge.places import Places
from crawler.bridge.pointers import Pointers
from crawler.bridge.runs import ServedRun
from crawler.bus.hosts import Agreed
from crawler.bus.stops import Stops
from crawler.campaign import parse_campaign
from crawler.fetch.dnscache import Resolved
from crawler.frontier.base import Completion, Find, HostFacts
from crawler.records import (
    AddressFacts,
    Fetched,
    FetchFailed,
    FetchOrder,
    FrontierUrl,
    Kind,
    Lease,
    Rejected,
    RunId,
    Timings,
)
from crawler.scope import CachedScope

RUN = RunId("c", 1)
ADDRESS = "127.10.0.1"
HOST = "http://a.example.nl"
FILE = """
[campaign]
name = "c"
purpose = "test"
legal_basis = "none"
authorised_by = "the test"
valid_until = 2099-01-01
[identity]
user_agent = "Vangnet/1.0 (test)"
contact = "lab@lab.example"
[scope]
prefixes = ["127.0.0.0/8"]
exclude_domains = ["never.example"]
ports = [80]
[seeds]
urls = ["http://a.example.nl/"]
[limits]
requests_per_second = 100.0
max_urls_per_host = 30
{limits}
[network]
allow_private = true
"""


class Agreeable:
    """A book in which every host lies where the first to ask says. old: by host, where it was before."""

    def __init__(self, old: dict[str, str] | None = None) -> None:
        self.old = old or {}
        self.asked: list[tuple[str, bool]] = []
        self.done: list[tuple[str, str]] = []
        self.doubted_sticky = 60.0

    async def agree(self, host: str, addresses: Sequence[str], *, doubted: bool = False) -> Agreed:
        self.asked.append((host, doubted))
        return Agreed(addresses[0], self.old.get(host))

    async def moved(self, host: str, old: str) -> None:
        self.done.append((host, old))
        self.old.pop(host, None)


def places_in(frontier: Any, book: Any = None) -> Places:
    return Places(frontier, book or Agreeable())


class NoTable:
    def lookup(self, address: str) -> AddressFacts:
        return AddressFacts()


@dataclass
class Names:
    """A resolver: `zone` has the addresses of hosts."""

    zone: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def resolve(self, host: str, *, fresh: bool = False) -> Resolved | Rejected:
        self.asked.append(host)
        return Resolved(self.zone[host]) if host in self.zone else Rejected("dns-nxdomain")


@dataclass
class Web:
    """A fetcher: answers every order that its gate lets through."""

    answer: Callable[[FetchOrder], Fetched | FetchFailed]
    orders: list[FetchOrder] = field(default_factory=list)
    sent: list[FetchOrder] = field(default_factory=list)

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        self.orders.append(order)
        if order.ready is not None and not await order.ready():
            return FetchFailed("late", True)
        self.sent.append(order)
        return self.answer(order)

    def cookies(self) -> list[str | None]:
        """What each request sent as Cookie."""
        return [dict(order.headers).get("Cookie") for order in self.sent]


def page(order: FetchOrder) -> Fetched:
    return answer(200, url=order.url)


def served(
    limits: str = "", web: Web | None = None, names: Names | None = None, *, pointers: str = "", abroad: Any = None
) -> ServedRun:
    """A run with these `[limits]`, as far as nothing needs a sandbox.

    pointers: a URL that is read for links.  abroad: what answers there.
    """
    file = FILE.format(limits=limits)
    if pointers:
        file = file.replace("[seeds]", f'pointers = "pages"\n[seeds]\npointers = ["{pointers}"]')
    campaign = parse_campaign(file, "c.toml", lab=True)
    outside: Any = SimpleNamespace(run=RUN, index="index", number=0, ground=b"ground")
    resolver: Any = names or Names()
    return ServedRun(
        control=outside,
        campaign=campaign,
        scope=CachedScope(campaign, NoTable()),
        resolver=resolver,
        fetcher=web or Web(page),
        pointers=Pointers(campaign, resolver, lambda _: abroad or Web(page)),
        sandbox=outside,
        follower=outside,
        sealer=outside,
    )


class Runs:
    """A run book with one run."""

    def __init__(self, run: ServedRun | None) -> None:
        self.served = run
        self.stops = Stops()
        self.known = True
        self.running = True
        self.renders = False

    def get(self, run: RunId) -> ServedRun | None:
        return self.served if run == RUN else None

    async def refresh(self) -> None:
        """Nothing new."""

    def is_known(self, run: RunId) -> bool:
        return self.known

    def is_running(self, run: RunId) -> bool:
        return self.running


@dataclass
class Frontier:
    """As much of a frontier as a lane asks for. calls: how often each was."""

    facts: HostFacts = field(default_factory=lambda: HostFacts(b"R\x93\x01\xa5allow\xa0"))
    ended: list[Completion] = field(default_factory=list)
    blocks: list[tuple[str, float]] = field(default_factory=list)
    finds: list[Find] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)

    async def host_facts(self, lease: Lease) -> HostFacts:
        self.calls["host_facts"] += 1
        return self.facts

    async def block(self, politeness: str, seconds: float) -> None:
        self.blocks.append((politeness, seconds))

    async def boost(self, find: Find) -> None:
        self.finds.append(find)

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        return None

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        self.ended += completions
        return [True] * len(completions)


def lease(url: str = f"{HOST}/x", kind: Kind = Kind.PAGE, *, queue: str = "1:1", token: int = 1, **item: Any) -> Lease:
    """A lease that may be sent at any time."""
    return Lease(FrontierUrl(url, RUN, kind, ADDRESS, **item), 0, token, queue, 0.0, 1e12, 1e12)


def answer(status: int = 200, *cookies: str, url: str = f"{HOST}/x", body: bytes = b"", **fields: Any) -> Fetched:
    """An answer after a quarter of a second."""
    headers = tuple(("Set-Cookie", line) for line in cookies)
    fetched = Fetched(url, ADDRESS, status, headers, body, 0.5, timings=Timings(0.0, 0.0, 0.25, 0.25))
    return replace(fetched, **fields)
