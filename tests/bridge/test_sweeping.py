"""Feeding a sweep: at its pace, never far ahead, nothing lost when a feeder dies, nothing while a run rests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from crawler.bridge import sweeping
from crawler.bridge.sweeping import Sweeper
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.bus.sweeps import Turn
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Origin
from crawler.frontier.figures import FrontierState, RunCounts
from crawler.records import Discovered, Kind, RunId
from tests.bridge.parts import RUN, Runs, served

SWEEP = ("127.10.4.0/22",)


@dataclass
class Book:
    """A cursor in memory. wait: what the next turn says."""

    cursor: int = 0
    wait: float = 0.0
    mine: bool = True
    costs: list[float] = field(default_factory=list)
    done: bool = False
    fails: int = 0

    async def turn(self, run: RunId, digest: str, positions: int) -> Turn | None:
        return Turn(self.cursor, self.wait) if self.mine else None

    async def advance(self, run: RunId, before: int, after: int, cost: float, *, last: bool) -> bool:
        if self.fails:
            self.fails -= 1
            raise RedisUnavailable("killed here")
        assert before == self.cursor
        self.cursor, self.done = after, last
        self.costs.append(cost)
        return True


@dataclass
class Frontier:
    """Takes what is offered. waiting: what the counters say.  due: addresses that wait for a worker."""

    offered: list[Discovered] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    due: int = 0
    retired: list[list[Origin]] = field(default_factory=list)
    delays: int = 0

    async def retire(self, run: RunId, hosts: list[Origin]) -> bool:
        if self.delays:
            self.delays -= 1
            return False
        self.retired.append(hosts)
        return True

    async def offer(self, run: RunId, discovered: list[Discovered]) -> None:
        self.offered += discovered

    async def counts(self, run: RunId) -> RunCounts:
        return RunCounts(waiting=self.waiting)

    async def state(self) -> FrontierState:
        return FrontierState(due=self.due)

    def urls(self) -> list[str]:
        return [candidate.url for found in self.offered for candidate in found.candidates]


@dataclass
class Bench:
    sweeper: Sweeper
    frontier: Frontier
    book: Book
    runs: Runs


def bench(ports: tuple[int, ...] = (80,), rate: float = 100.0, sweep: tuple[str, ...] = SWEEP) -> Bench:
    run = served()
    campaign = replace(
        run.campaign,
        seeds=replace(run.campaign.seeds, sweep=sweep, sweep_ports=ports),
        limits=replace(run.campaign.limits, sweep_rate=rate),
    )
    run = replace(run, campaign=campaign)
    runs: Any = Runs(run)
    runs.served = lambda: (run,)
    frontier, book = Frontier(), Book()
    return Bench(Sweeper(frontier, runs, book), frontier, book, runs)


async def fed(b: Bench) -> int:
    steps = 0
    while not b.book.done:
        assert await b.sweeper.step() > 0
        steps += 1
    return steps


async def test_every_address_and_port_is_offered_once() -> None:
    b = bench(ports=(80, 443))
    await fed(b)
    urls = b.frontier.urls()
    assert len(urls) == len(set(urls)) == 2 * 1_024
    assert {"http://127.10.4.0/", "https://127.10.7.255/"} <= set(urls)
    assert {c.kind for found in b.frontier.offered for c in found.candidates} == {Kind.SWEEP}
    # Four blocks at 100 addresses a second each: what an address costs of the common pace.
    assert sum(b.book.costs) == pytest.approx(1_024 / 400)
    assert await b.sweeper.step() == 0


async def test_no_more_is_fed_than_may_wait() -> None:
    b = bench(rate=10.0)
    assert await b.sweeper.step() == 40
    b.frontier.waiting = {"robots_queued": 30, "robots_leased": 5}
    assert await b.sweeper.step() == 5
    b.frontier.waiting = {"robots_queued": 40}
    assert await b.sweeper.step() == 0
    b.frontier.waiting = {"disc": 100}
    assert await b.sweeper.step() == 0
    busy = bench(rate=10.0)
    busy.frontier.due = 5_000
    assert await busy.sweeper.step() == 4


async def test_a_feeder_that_is_killed_before_its_cursor_moves_loses_nothing() -> None:
    b = bench()
    b.book.fails = 1
    with pytest.raises(RedisUnavailable):
        await b.sweeper.step()
    again = b.frontier.urls()
    await fed(b)
    assert set(again) <= set(b.frontier.urls()[len(again) :])
    assert len(set(b.frontier.urls())) == 1_024


async def test_it_rests_while_others_feed_or_nothing_may_leave() -> None:
    b = bench()
    b.book.mine = False
    assert await b.sweeper.step() == 0
    b.book.mine, b.book.wait = True, 0.3
    assert await b.sweeper.step() == 0
    b.book.wait, b.runs.running = 0.0, False
    assert await b.sweeper.step() == 0
    b.runs.running, b.runs.stops = True, Stops([Stop(StopKind.ALL)])
    assert await b.sweeper.step() == 0
    assert b.frontier.offered == []


async def test_runs_have_orders_of_their_own_and_empty_blocks_cost_nothing() -> None:
    b = bench(sweep=("127.10.4.0/30", "127.10.9.9/32"))
    await fed(b)
    assert len(b.frontier.urls()) == 5
    assert sum(b.book.costs) == pytest.approx(5 / 200)
    assert b.runs.is_running(RUN)


async def test_a_while_after_they_were_asked_addresses_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    b, now = bench(ports=(80, 8443), sweep=("127.10.4.0/23",)), [100.0]
    monkeypatch.setattr(sweeping, "monotonic", lambda: now[0])
    b.frontier.delays = 1
    await b.sweeper.step()
    early = set(b.frontier.urls())
    now[0] += 19.0
    await fed(b)
    assert b.frontier.retired == []
    now[0] += 2.0
    await b.sweeper.step()
    assert b.frontier.retired == []  # something was delayed
    await b.sweeper.step()
    assert {f"{origin}/" for hosts in b.frontier.retired for origin, _ in hosts} == early
    now[0] += 20.0
    for _ in range(9):
        await b.sweeper.step()
    gone = [origin for hosts in b.frontier.retired for origin, _ in hosts]
    assert len(gone) == len(set(gone)) == 2 * 512
    assert ("https://127.10.5.7:8443", "127.10.5.7") in {host for hosts in b.frontier.retired for host in hosts}
