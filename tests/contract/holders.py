"""Several workers and one server in virtual time, on the frontier in memory.

Each holder claims when it likes and sends as the contract lets it: at most `places` of a streak at once, each request
within [not_before, send_by], and what missed that is given back or takes another slot. The server only watches.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from crawler.frontier.base import Completion, Limits
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Done, FrontierUrl, Kind, Lease, Retry
from tests.contract.conftest import Clock
from tests.contract.steps import ADDRESS, RUN, fill, pages
from tests.contract.streaks import by_turn, images


@dataclass(frozen=True, slots=True)
class Temper:
    """How holders and server behave.

    service: seconds of an answer, on average.  lazy: seconds between two claims at the most.  The rest are
    probabilities: that an answer takes 20 times as long, that a lease is not sent, that it leaves late or too late,
    that a holder dies at a claim, that an answer asks for a pause, that a holder wants a visit after a claim.
    """

    service: float
    lazy: float
    hangs: float = 0.0
    unsent: float = 0.0
    late: float = 0.0
    dies: float = 0.0
    blocks: float = 0.0
    visits: float = 0.0


@dataclass(eq=False)
class Row:
    """What a holder has left of a streak, or one lease. under_way: by token, when the answer ends."""

    holder: int
    places: int
    waiting: deque[Lease] = field(default_factory=deque)
    under_way: dict[int, float] = field(default_factory=dict)


class World:
    """sent: when requests came to the server.  most: under way at once.  seen: what happened, how often."""

    def __init__(self, random: Random, limits: Limits, temper: Temper, holders: int) -> None:
        self.sent: list[float] = []
        self.most = 0
        self.seen: Counter[str] = Counter()
        self._random, self._limits, self._temper, self._holders = random, limits, temper, holders
        self._clock = Clock()
        self._frontier = MemoryFrontier(self._clock, lease_seconds=1.0, attempts=100)
        self._events: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._numbers = count()
        self._rows: list[Row] = []
        self._back: dict[int, list[Completion]] = {}

    async def live(self, urls: int, seconds: float) -> None:
        """Until the time is over, or nothing is left to do."""
        judgement = {"rate": self._limits.requests_per_second, "concurrency": self._limits.concurrency}
        for host in "ab":
            await fill(self._frontier, [*pages(f"{host}.example", range(urls))], **judgement)
            await fill(self._frontier, images(f"{host}.example", range(urls)), **judgement)
        for holder in range(self._holders):
            self._at(self._clock.now, self._claim, holder)
        self._at(self._clock.now, self._reap)
        end = self._clock.now + seconds
        while self._events and self._events[0][0] <= end:
            at, _, act, arguments = heapq.heappop(self._events)
            self._clock.now = max(self._clock.now, at)
            await act(*arguments)

    def _at(self, at: float, act: Callable[..., Any], *arguments: Any) -> None:
        heapq.heappush(self._events, (at, next(self._numbers), act, arguments))

    def _chance(self, of: float) -> bool:
        return self._random.random() < of

    # ------------------------------------------------------------ holders

    async def _claim(self, holder: int) -> None:
        if self._chance(self._temper.dies):
            # What it had under way ends with it; its leases run out. Another takes its number.
            self.seen["died"] += 1
            self._rows = [row for row in self._rows if row.holder != holder]
            self._back.pop(holder, None)
        wanted = self._random.choice([(1, 0), (0, 1), (3, 2), (9, 9), (50, 50), (0, 50)])
        for turn in by_turn((await self._frontier.claim(*wanted)).leases):
            self.seen["streaks" if len(turn) > 1 else "singles"] += 1
            # One by itself needs no place but its own.
            row = Row(holder, turn[0].places if turn[0].streak else 1)
            self._rows.append(row)
            for lease in turn:
                self._plan(row, lease)
        if self._chance(self._temper.visits):
            await self._visit(holder)
        self._at(self._clock.now + self._random.uniform(0.001, self._temper.lazy), self._claim, holder)

    async def _visit(self, holder: int) -> None:
        item = FrontierUrl("http://c.example/", RUN, Kind.PAGE, ADDRESS)
        lease = await self._frontier.visit(item, ADDRESS, self._limits, 0.5)
        if lease is not None:
            self.seen["visits"] += 1
            self._rows.append(row := Row(holder, 1))
            self._plan(row, lease)

    def _plan(self, row: Row, lease: Lease) -> None:
        if self._chance(self._temper.unsent):
            self._give_back(row, Completion(lease, None))
            return
        # The latest are too late.
        late = self._random.uniform(0.0, 0.5) if self._chance(self._temper.late) else 0.0
        self._at(lease.not_before + late, self._due, row, lease)

    async def _due(self, row: Row, lease: Lease) -> None:
        row.waiting.append(lease)
        await self._send(row)

    async def _send(self, row: Row) -> None:
        """As many as there are places for; what missed its time is given back, or takes another slot."""
        now = self._clock.now
        while row in self._rows and row.waiting and len(row.under_way) < row.places:
            lease = row.waiting.popleft()
            if now <= lease.send_by:
                length = self._random.expovariate(1 / self._temper.service)
                length *= 20 if self._chance(self._temper.hangs) else 1
                row.under_way[lease.token] = min(now + length, lease.expires)
                self.sent.append(now)
                self.most = max(self.most, sum(len(row.under_way) for row in self._rows))
                self._at(row.under_way[lease.token], self._answered, row, lease, length)
            elif self._chance(0.5):
                self.seen["again"] += 1
                again = await self._frontier.reslot(lease)
                if again is not None:
                    self._plan(row, again)
            else:
                self._give_back(row, Completion(lease, None))

    async def _answered(self, row: Row, lease: Lease, length: float) -> None:
        if row not in self._rows:
            return
        del row.under_way[lease.token]
        blocked = self._chance(self._temper.blocks)
        end = Completion(lease, Done(), latency=length)
        if blocked:
            end = Completion(lease, Retry("http-429", 0.1), block=0.2)
        self.seen["blocks"] += blocked
        await self._frontier.complete([end])
        await self._send(row)

    def _give_back(self, row: Row, unsent: Completion) -> None:
        """Soon, together with others and in any order."""
        if row.holder not in self._back:
            self._back[row.holder] = []
            self._at(self._clock.now + self._random.choice([0.0, 0.01, 0.1]), self._ended, row.holder)
        self._back[row.holder].append(unsent)

    async def _ended(self, holder: int) -> None:
        ends = self._back.pop(holder, [])
        self._random.shuffle(ends)
        self.seen["unsent"] += sum(await self._frontier.complete(ends))

    async def _reap(self) -> None:
        self.seen["reaped"] += await self._frontier.reap()
        self._at(self._clock.now + 0.2, self._reap)

    # ------------------------------------------------------------ what the server saw

    def excess(self) -> float:
        """By how many requests at the most some window of a second or more had more than rate * seconds + 1."""
        rate, worst = self._limits.requests_per_second, -math.inf
        for i, first in enumerate(self.sent):
            for n, last in enumerate(self.sent[i:], 1):
                worst = max(worst, n - 1 - rate * max(last - first, 1.0))
        return worst
