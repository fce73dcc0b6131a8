"""Seeds on their way into the frontier: in pieces, no further ahead than they are read, and told how many."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from crawler.records import Discovered, RunId
from crawler.service.launch import Launch
from crawler.store.database import Database
from tests.bridge.parts import served

RUN = RunId("c", 1)


@dataclass
class Frontier:
    """Streams that somebody reads when `unread` is set anew."""

    unread: int = 0
    pieces: list[int] = field(default_factory=list)
    taken: int = 0

    async def carry_over(self, run: RunId, most: int) -> None:
        """Nothing was left out."""

    async def backlog(self) -> int:
        return self.unread

    async def offer(self, run: RunId, found: list[Discovered]) -> None:
        self.pieces += [len(each.candidates) for each in found]
        self.unread += 1


class Seeds:
    """A campaign with more seeds than anybody has memory for. made: so far."""

    def __init__(self, number: int) -> None:
        self.number, self.made = number, 0
        self.limits = served().campaign.limits
        self.seeds = SimpleNamespace(pointers=())

    def seed_urls(self) -> Any:
        for n in range(self.number):
            self.made += 1
            yield f"https://a{n}.nl/"


async def test_seeds_are_taken_as_fast_as_they_are_read(db: Database) -> None:
    frontier, campaign, told, seeded = Frontier(), Seeds(2_600), list[int](), list[RunId]()

    async def set_seeded(run: RunId) -> None:
        seeded.append(run)

    outside: Any = SimpleNamespace(frontier=frontier, control=SimpleNamespace(set_seeded=set_seeded))
    unused: Any = None
    whole: Any = campaign
    launch = Launch(unused, db, unused, whole, "index", outside)
    filling = asyncio.create_task(launch.fill(RUN, most=2, told=told.append))
    for _ in range(20):
        await asyncio.sleep(0.01)
    # Two unread entries are no reason to wait, three are.
    assert (frontier.pieces, told) == ([500] * 3, [500, 1_000, 1_500])
    assert campaign.made <= 2_000
    assert not seeded
    while not filling.done():
        frontier.unread = 0
        await asyncio.sleep(0.01)
    await filling
    assert frontier.pieces == [500] * 5 + [100]
    assert told[-1] == 2_600
    assert seeded == [RUN]
