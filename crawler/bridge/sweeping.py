"""Feeds the addresses of sweeps into the frontier, a little at a time: as fast as the campaign allows per block, and
never further ahead of the workers than they can ask."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from hashlib import blake2b
from time import monotonic
from typing import Final

import structlog

from crawler.bridge.runs import RunBook, ServedRun
from crawler.bus.sweeps import SweepBook, Turn
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Frontier, Origin
from crawler.ranges import politeness_key
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.sweep import SweepOrder, swept_urls

PRIORITY: Final = 5
_PAUSE: Final = 0.1
_AGAIN: Final = 5.0
"""Seconds after which a sweep that was done is looked at once more."""
_BURST: Final = 0.25
"""Seconds whose worth of addresses is fed at once."""
_AHEAD: Final = 1.0
"""Seconds whose worth may wait to be asked; what lies between a worker that stops and the pace that it keeps."""
_LEAST, _MOST = 16, 1_000
"""Addresses that may wait, however slow or fast the campaign would have it."""
_BEHIND: Final = 2_000
"""Addresses that are due, above which a sweep holds back; it goes on at a tenth of its pace."""
_LOOK: Final = 1.0
_STREAM: Final = 50
"""Unread entries of discoveries, of this run, above which admission is behind."""
_KEPT: Final = 16
_ASKED: Final = 20.0
"""Seconds after which what was fed has its outcome, as a rule; then the frontier lets go of it."""
_LET_GO: Final = 4
"""Pieces of which it does so at once."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a run sweeps. pace: addresses per second.  digest: of prefixes and ports."""

    order: SweepOrder
    ports: tuple[int, ...]
    pace: float
    digest: str

    def ahead(self) -> int:
        """Addresses that may wait to be asked."""
        return max(_LEAST, min(round(self.pace * _AHEAD), _MOST // len(self.ports)))

    def burst(self) -> int:
        return max(1, round(self.pace * _BURST))


@dataclass(frozen=True, slots=True)
class _Fed:
    """Positions that were fed, from `start` to before `end`. at: monotonic seconds."""

    at: float
    plan: _Plan
    start: int
    end: int

    def hosts(self) -> list[Origin]:
        found = (self.plan.order.address(position) for position in range(self.start, self.end))
        return [
            (url.removesuffix("/"), politeness_key(address))
            for address in found
            if address is not None
            for url in swept_urls(address, self.plan.ports)
        ]


class Sweeper:
    """One per worker; of all, one feeds. Every run has an order of its own, the same on all machines.

    Most addresses are dark, and nothing is to be remembered of them: a moment after they were asked, the frontier lets
    go of them. What another feeder fed, who died, stays until the run is over.
    """

    def __init__(self, frontier: Frontier, runs: RunBook, book: SweepBook) -> None:
        self._frontier = frontier
        self._runs = runs
        self._book = book
        self._plans: OrderedDict[tuple[RunId, str], _Plan] = OrderedDict()
        self._done: dict[RunId, float] = {}
        self._fed: dict[RunId, deque[_Fed]] = {}
        self._known_due, self._looked_at = 0, -_LOOK

    async def run(self) -> None:
        """Feed until cancelled."""
        while True:
            try:
                await self.step()
            except RedisUnavailable as error:
                _log.warning("sweep delayed", error=str(error))
            await asyncio.sleep(_PAUSE)

    async def step(self) -> int:
        """Feed what may be fed now; how many addresses."""
        fed = 0
        for served in self._runs.served():
            await self._let_go(served.run)
            if served.campaign.seeds.sweep and self._runs.is_running(served.run) and not self._runs.stops.all:
                fed += await self._feed(served)
        return fed

    async def _feed(self, served: ServedRun) -> int:
        plan, fed = self._plan(served), 0
        # The marker may have been written anew since, or have lost its last second with the server.
        if self._done.get(served.run, -_AGAIN) + _AGAIN > monotonic():
            return 0
        room = await self._room(served.run, plan)
        while room > 0:
            turn = await self._book.turn(served.run, plan.digest, plan.order.positions)
            if turn is None or turn.wait > 0:
                break
            n = await self._feed_some(served.run, plan, turn, min(room, plan.burst()))
            room, fed = room - n, fed + n
            if turn.cursor + n >= plan.order.positions:
                self._done[served.run] = monotonic()
                break
        return fed

    async def _room(self, run: RunId, plan: _Plan) -> int:
        """How many more addresses may wait. Those that do are hosts whose robots.txt nobody asked for yet."""
        waiting = (await self._frontier.counts(run)).waiting
        if waiting.get("disc", 0) > _STREAM:
            return 0
        hosts = waiting.get("robots_queued", 0) + waiting.get("robots_leased", 0)
        room = plan.ahead() - hosts // len(plan.ports)
        # New addresses are due before all others: where the workers are behind, those would have no turn any more.
        return max(room // 10, 0) if await self._due() > _BEHIND else room

    async def _due(self) -> int:
        """Addresses that may be asked now, as of a moment ago."""
        now = monotonic()
        if now >= self._looked_at + _LOOK:
            self._known_due, self._looked_at = (await self._frontier.state()).due, now
        return self._known_due

    async def _feed_some(self, run: RunId, plan: _Plan, turn: Turn, n: int) -> int:
        """Put the next n positions into the discoveries, then move the cursor; how many positions that were."""
        end = min(turn.cursor + n, plan.order.positions)
        addresses = [plan.order.address(position) for position in range(turn.cursor, end)]
        urls = [url for address in addresses if address is not None for url in swept_urls(address, plan.ports)]
        if urls:
            found = Discovered(tuple(Candidate(url, Kind.SWEEP, "sweep", PRIORITY) for url in urls))
            await self._frontier.offer(run, [found])
        cost = sum(address is not None for address in addresses) / plan.pace
        await self._book.advance(run, turn.cursor, end, cost, last=end == plan.order.positions)
        self._fed.setdefault(run, deque()).append(_Fed(monotonic(), plan, turn.cursor, end))
        return end - turn.cursor

    async def _let_go(self, run: RunId) -> None:
        fed = self._fed.get(run, deque())
        for _ in range(_LET_GO):
            # While something is delayed, nobody can tell what is asked; later, then.
            if not fed or fed[0].at + _ASKED > monotonic() or not await self._frontier.retire(run, fed[0].hosts()):
                return
            fed.popleft()

    def _plan(self, served: ServedRun) -> _Plan:
        seeds, rate = served.campaign.seeds, served.campaign.limits.sweep_rate
        what = f"{served.run}\0{seeds.sweep}\0{seeds.sweep_ports}"
        digest = blake2b(what.encode(), digest_size=16).hexdigest()
        key = served.run, f"{digest}:{rate}"
        plan = self._plans.get(key)
        if plan is None:
            order = SweepOrder(seeds.sweep, digest.encode())
            plan = self._plans[key] = _Plan(order, seeds.sweep_ports, rate * order.blocks, digest)
            if len(self._plans) > _KEPT:
                self._plans.popitem(last=False)
        return plan
