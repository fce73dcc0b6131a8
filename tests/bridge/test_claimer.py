"""The claimer: claims when there is room and something due, wakes when it is told to, and otherwise leaves Redis be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from crawler.bridge import claimer
from crawler.bridge.claimer import Claimer
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Claimed
from crawler.records import Kind, Lease
from tests.bridge.parts import lease

NEVER = 600.0
SOON = 5.0


class Source:
    """A frontier that gives what it was told to give, and then nothing."""

    def __init__(self, *gives: Claimed | RedisUnavailable) -> None:
        self.gives = list(gives)
        self.asked: list[tuple[int, int]] = []
        self.streaks: list[bool] = []
        self.counted = 0
        self.behind = 0
        self.claimed = asyncio.Event()

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        self.asked.append((pages, images))
        self.streaks.append(page_streaks)
        self.claimed.set()
        given = self.gives.pop(0) if self.gives else Claimed((), None)
        if isinstance(given, RedisUnavailable):
            raise given
        return given

    async def backlog(self) -> int:
        self.counted += 1
        return self.behind

    async def another(self) -> None:
        """Returns at the next claim."""
        self.claimed.clear()
        await asyncio.wait_for(self.claimed.wait(), SOON)


@dataclass
class Lane:
    room: int = 10
    hungry: bool = True
    idle: bool = True
    taken: list[Lease] = field(default_factory=list)

    def take(self, lease: Lease, request: object = None) -> None:
        self.taken.append(lease)
        self.room -= 1


class Running:
    running = True
    renders = False


@dataclass
class Bench:
    source: Source
    claimer: Claimer
    bell: asyncio.Event
    pages: Lane = field(default_factory=Lane)
    images: Lane = field(default_factory=Lane)
    runs: Running = field(default_factory=Running)


@asynccontextmanager
async def claiming(*gives: Claimed | RedisUnavailable, pages: int = 10, images: int = 10) -> AsyncIterator[Bench]:
    """A claimer at work, after its first look."""
    lanes, source, runs, bell = (Lane(pages), Lane(images)), Source(*gives), Running(), asyncio.Event()
    made = Claimer(source, runs, *lanes, bell=bell, request=lambda lease: lease, backlog_limit=100)
    bench = Bench(source, made, bell, *lanes, runs)
    working = asyncio.create_task(made.run())
    await turns()
    yield bench
    made.stop()
    await asyncio.wait_for(made.stopped(), SOON)
    await working


async def turns() -> None:
    """Let everything run that need not wait for long."""
    await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rest ends by itself, so that what ends one shows."""
    for name in ("_IDLE", "_TOP_UP", "_BUSY_TOP_UP", "_BACKLOG_AGE", "_HELD"):
        monkeypatch.setattr(claimer, name, NEVER)


async def test_leases_go_to_their_lanes() -> None:
    given = lease(kind=Kind.FEED, token=1), lease(kind=Kind.IMAGE, token=2), lease(kind=Kind.ROBOTS, token=3)
    async with claiming(Claimed(given, None)) as bench:
        assert bench.source.asked == [(10, 10)]
        assert [taken.token for taken in bench.pages.taken] == [1, 3]
        assert [taken.token for taken in bench.images.taken] == [2]


async def test_pages_that_a_browser_may_show_are_claimed_one_by_one() -> None:
    async with claiming() as bench:
        bench.runs.renders = True
        bench.bell.set()
        await bench.source.another()
        assert bench.source.streaks == [True, False]


async def test_it_rests_until_the_bell_rings() -> None:
    async with claiming() as bench:
        await turns()
        assert len(bench.source.asked) == 1
        bench.bell.set()
        await bench.source.another()


async def test_what_is_due_soon_is_claimed_then() -> None:
    async with claiming(Claimed((), 0.05)) as bench:
        assert len(bench.source.asked) == 1
        await bench.source.another()


async def test_more_that_is_due_is_claimed_at_once() -> None:
    async with claiming(Claimed((lease(),), 0.0), Claimed((lease(),), 0.0)) as bench:
        await turns()
        assert bench.source.asked == [(10, 10), (9, 10), (8, 10)]


async def test_what_is_due_and_does_not_come_is_asked_for_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claimer, "_SPACING", 0.005)
    async with claiming(*[Claimed((), 0.0)] * 1_000) as bench:
        await asyncio.sleep(0.15)
        assert 2 < len(bench.source.asked) < 10


async def test_without_room_nothing_is_claimed() -> None:
    async with claiming(pages=0, images=0) as bench:
        assert bench.source.asked == []
        bench.images.room = 3
        bench.bell.set()
        await bench.source.another()
        assert bench.source.asked == [(0, 3)]


async def test_a_busy_lane_is_filled_up_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    async with claiming() as bench:
        bench.pages.hungry = bench.images.hungry = bench.pages.idle = bench.images.idle = False
        bench.bell.set()
        await turns()
        assert len(bench.source.asked) == 1
        bench.images.hungry = bench.images.idle = True
        bench.claimer._sated = (False, False)
        bench.bell.set()
        await bench.source.another()
        bench.images.hungry = False
        monkeypatch.setattr(claimer, "_BUSY_TOP_UP", 0.03)
        bench.bell.set()
        await bench.source.another()


async def test_a_lane_that_nothing_more_was_due_for_is_topped_up_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    async with claiming() as bench:
        bench.pages.idle = bench.images.idle = False
        monkeypatch.setattr(claimer, "_TOP_UP", 0.03)
        bench.bell.set()
        await bench.source.another()


async def test_a_backlog_holds_the_claims_back_and_is_looked_at_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async with claiming() as bench:
        for _ in range(3):
            bench.bell.set()
            await bench.source.another()
        assert bench.source.counted == 1
        bench.source.behind = 101
        monkeypatch.setattr(claimer, "_BACKLOG_AGE", 0.0)
        bench.bell.set()
        await turns()
        assert len(bench.source.asked) == 4
        bench.source.behind = 100
        bench.bell.set()
        await bench.source.another()


async def test_nothing_is_claimed_while_nothing_runs() -> None:
    async with claiming() as bench:
        bench.runs.running = False
        bench.bell.set()
        await turns()
        assert len(bench.source.asked) == 1
        bench.runs.running = True
        bench.bell.set()
        await bench.source.another()


async def test_it_outlives_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claimer, "_PAUSE", 0.0)
    async with claiming(RedisUnavailable("away")) as bench:
        await turns()
        assert len(bench.source.asked) == 2


async def test_once_stopped_it_claims_nothing() -> None:
    async with claiming() as bench:
        bench.claimer.stop()
        await asyncio.wait_for(bench.claimer.stopped(), SOON)
        bench.bell.set()
        await turns()
        assert len(bench.source.asked) == 1


async def test_a_lane_that_waits_for_others_costs_no_claims_while_the_other_is_at_work() -> None:
    pictures = tuple(lease(kind=Kind.IMAGE, token=token) for token in range(10))
    async with claiming(Claimed(pictures, None), images=10) as bench:
        bench.images.idle = bench.images.hungry = False
        bench.bell.set()
        await turns()
        assert bench.source.asked == [(10, 10)]
        bench.images.idle = True
        bench.bell.set()
        await bench.source.another()
        assert bench.source.asked[1:] == [(10, 0)]
