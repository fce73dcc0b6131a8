"""The last step before a request leaves: within its lease's slot, or within another one that is taken for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from crawler.bridge.runs import RunBook
from crawler.bridge.turns import Turns
from crawler.frontier.base import Frontier
from crawler.records import Lease

_SLOTS = 5
_FADING, _FARTHEST = 0.9, 2.0
"""How much of the time that a slot took to arrive is left at the next one; seconds at the most."""


@dataclass(slots=True)
class Flight:
    """A lease between being taken up and its answer. since: monotonic seconds.  sent: its request may have left.
    aborted: by a stop."""

    lease: Lease
    since: float
    sent: bool = False
    aborted: bool = False


class Renewals:
    """Other slots for leases that missed theirs, as far ahead as the answers to such questions took of late.

    A worker that is so busy that an answer reaches it after the send window would take slots of now in vain, all of
    them, again and again. One per worker, since what one lease learnt of that spares the others its first attempt.
    """

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._took = 0.0

    async def renew(self, lease: Lease) -> Lease | None:
        """As `Frontier.reslot`."""
        loop = asyncio.get_running_loop()
        asked = loop.time()
        again = await self._frontier.reslot(lease, self._took)
        self._took = min(max(loop.time() - asked, _FADING * self._took), _FARTHEST)
        return again


class Gate:
    """Asked when the connection stands: sends within the lease's slot, or takes another one and waits for it."""

    def __init__(self, renewals: Renewals, runs: RunBook, turns: Turns, flight: Flight) -> None:
        self._renewals = renewals
        self._runs = runs
        self._turns = turns
        self._flight = flight
        self._lease: Lease | None = flight.lease

    async def ready(self) -> bool:
        """Whether to send now."""
        loop = asyncio.get_running_loop()
        for _ in range(_SLOTS):
            # A slot after the lease's end is of no use: an address may rest for ten minutes.
            if self._lease is None or self._lease.not_before > self._flight.lease.expires:
                return False
            await until(self._lease.not_before)
            if not self._runs.is_running(self._lease.item.run) or self._turns.is_closed(self._lease):
                return False
            if loop.time() <= self._lease.send_by:
                self._flight.sent = True
                return True
            self._lease = await self._renewals.renew(self._lease)
        return False


async def until(moment: float) -> None:
    """Returns then, by the loop's clock, and no sooner: asyncio runs a timer early by what its clock can tell apart."""
    if (wait := moment - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(wait)
        await until(moment)
