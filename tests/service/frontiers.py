"""A frontier whose counters a test sets, and a deployment around it; and campaigns that may be in motion there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from redis.asyncio import Redis

from crawler.bus.control import Control, RunControl
from crawler.campaign import parse_campaign
from crawler.frontier.base import Limits
from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.records import Discovered, RunId
from crawler.service.deployment import Deployment
from crawler.store import campaigns
from crawler.store.database import Database
from tests.store.factories import ANNA

FILE = """
[campaign]
name = "nightly"
purpose = "test"
legal_basis = "none"
authorised_by = "the test"
valid_until = 2099-01-01
[identity]
user_agent = "vangnet-test"
contact = "nobody@example.org"
[scope]
countries = ["NL"]
[seeds]
urls = ["https://gallery.example/secret-album/"]
[limits]
max_urls_per_host = 40
"""
CAMPAIGN = parse_campaign(FILE, "nightly.toml", lab=True)


@dataclass
class Frontier:
    """As much of a frontier as the acts ask for. looks: what `counts` answers in turn, the last one for ever.

    acts: what was done, in order.  forgotten, held: set once a run was.
    """

    looks: list[RunCounts] = field(default_factory=lambda: [RunCounts()])
    letters: list[DeadLetter] = field(default_factory=list)
    hosts: list[Coverage] = field(default_factory=list)
    acts: list[tuple[object, ...]] = field(default_factory=list)
    forgotten: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event = field(default_factory=asyncio.Event)

    async def counts(self, run: RunId) -> RunCounts:
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        return self.letters[-n:] if n else []

    async def coverage(self, campaign: str) -> list[Coverage]:
        return self.hosts

    async def state(self) -> FrontierState:
        return FrontierState(addresses=7, due=2, slowed=1, leases=3)

    async def carry_over(self, run: RunId, urls_per_host: int) -> int:
        self.acts.append(("carry_over", run, urls_per_host))
        return 0

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        self.acts.append(("offer", run, *(each.url for found in discovered for each in found.candidates)))

    async def limit(self, run: RunId, limits: Callable[[str], Limits]) -> None:
        self.acts.append(("limit", run, limits("192.0.2.1").requests_per_second))

    async def hold(self, run: RunId, held: bool) -> None:
        self.acts.append(("hold", run, held))
        if held:
            self.held.set()

    async def forget(self, run: RunId) -> None:
        self.acts.append(("forget", run))
        self.forgotten.set()


@asynccontextmanager
async def deployed(server: str, frontier: Frontier, *, fresh: bool = True) -> AsyncIterator[Deployment]:
    """fresh: on an empty server."""
    client: Redis = Redis.from_url(server)
    if fresh:
        await client.flushall()
    yield Deployment(Control(client, "t"), frontier)
    await client.aclose()


async def in_motion(db: Database, deployment: Deployment, *, seeded: bool = True) -> RunId:
    """A run of the campaign, on record and announced."""
    keep(db)
    run = campaigns.start_run(db, ANNA, "nightly")
    marker = RunControl(run, CAMPAIGN.to_json(), "ab" * 32, b"r" * 32, started_at=1.0, seeded=seeded)
    await deployment.control.announce(marker)
    return run


def keep(db: Database) -> None:
    """The campaign's file, as `campaign create` keeps it."""
    campaigns.save(db, ANNA, "nightly", FILE, "00" * 32)


def keep_approved(db: Database) -> None:
    """The same, after a second person approved it."""
    keep(db)
    campaigns.set_state(db, ANNA, "nightly", "approved")
