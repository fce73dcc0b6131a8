"""Leases of a streak, a server that they are sent to, and the courier between, in a loop that leaps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from crawler.bridge.answers import Sent, Unsent
from crawler.bridge.courier import Courier
from crawler.bridge.rules import pack_rules
from crawler.bridge.turns import Turns
from crawler.fetch.failures import failure
from crawler.fetch.robots import parse_robots
from crawler.records import Fetched, FetchFailed, FetchOrder, Kind, Lease
from tests.bridge.parts import HOST, Frontier, Runs, Web, answer, lease, places_in, served

WINDOW, LIFE = 0.1, 90.0
FIRST = 100
MISSED = Unsent(missed=True)
DENIES = pack_rules(parse_robots(b"User-agent: *\nDisallow: /no/", 200))


def streak(count: int, places: int, step: float = 0.0, *, first: int = FIRST, path: str = "") -> list[Lease]:
    """Leases as one claim gives them now. path: of all of their URLs, before each one's number."""
    now = asyncio.get_running_loop().time()
    leases = []
    for n in range(count):
        slot = now + n * step
        one = lease(f"{HOST}/{path}{n}", Kind.IMAGE, token=first + n)
        times = {"not_before": slot, "send_by": slot + WINDOW, "expires": slot + WINDOW + LIFE}
        leases.append(one._replace(**times, streak=first, places=places))
    return leases


@dataclass
class Server(Web):
    """Notes when each request left, for which URL, and how many were under way: from the beginning of an order, that
    is with the connection which is made for it.

    connects, serves: seconds, by the number at the end of a URL; 0 where nothing is said.
    """

    connects: dict[int, float] = field(default_factory=dict)
    serves: dict[int, float] = field(default_factory=dict)
    under_way: int = 0
    most: int = 0
    left: list[tuple[float, int]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        loop, number = asyncio.get_running_loop(), int(order.url.rpartition("/")[2])
        self.orders.append(order)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.connects.get(number, 0.0))
            assert order.ready is not None
            if not await order.ready():
                return failure("late")
            self.left.append((loop.time(), number))
            self.sent.append(order)
            await asyncio.sleep(self.serves.get(number, 0.0))
            self.ended.append(loop.time())
            return self.answer(order)
        finally:
            self.under_way -= 1

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.left]


def found(order: FetchOrder) -> Fetched:
    return answer(200, url=order.url, body=bytes(5_000), kind="image")


class Slots(Frontier):
    """Gives another slot after so many seconds; None: leases are not held any more."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__()
        self.after = after

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        if self.after is None:
            return None
        slot = asyncio.get_running_loop().time() + self.after
        return lease._replace(not_before=slot, send_by=slot + WINDOW, expires=slot + WINDOW + LIFE)


class Bench:
    def __init__(
        self,
        reply: Callable[[FetchOrder], Fetched | FetchFailed] = found,
        *,
        connects: dict[int, float] | None = None,
        serves: dict[int, float] | None = None,
        reslots: float | None = None,
    ) -> None:
        self.web = Server(reply, connects=connects or {}, serves=serves or {})
        self.frontier: Any = Slots(reslots)
        run = served("", self.web)
        identity = replace(run.campaign.identity, second_user_agent="Second/1.0")
        self.runs: Any = Runs(replace(run, campaign=replace(run.campaign, identity=identity)))
        self.courier = Courier(self.frontier, self.runs, places_in(self.frontier), 1_000_000)
        self.turns: Turns = self.courier._turns

    def start(self, leases: Sequence[Lease]) -> list[asyncio.Task[Sent]]:
        return [asyncio.create_task(self.courier.send(each)) for each in leases]

    async def send(self, leases: Sequence[Lease]) -> list[Sent]:
        return await asyncio.gather(*self.start(leases))

    async def is_clear(self) -> bool:
        """Whether nothing is kept of any streak, once no lease of it can be left."""
        if self.turns._streaks:
            return False
        await asyncio.sleep(2 * LIFE)
        return not self.turns._closed
