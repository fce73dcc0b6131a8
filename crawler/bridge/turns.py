"""Turns of leases that one claim took in a row: of a streak, no more are under way than it has places.

A streak is longer than its address has places, so a lease whose slot has come may find them all taken: it waits then,
but not beyond the end of its slot.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from crawler.ranges import politeness_key
from crawler.records import Lease

_Key = tuple[int, int]
"""A partition, and a streak's number in it."""


@dataclass(slots=True)
class _Streak:
    """One of which something is under way. waiting: leases without a place, by what tells each whether it got one."""

    places: int
    under_way: int = 1
    waiting: dict[asyncio.Future[bool], Lease] = field(default_factory=dict)


class Turns:
    """One per worker. A lease by itself has its turn at once."""

    def __init__(self) -> None:
        self._streaks: dict[_Key, _Streak] = {}
        self._closed: dict[str, float] = {}

    async def take(self, lease: Lease) -> bool:
        """Wait for a place, in the order of slots. True: the lease has one until `leave`; False: it is not sent."""
        if not lease.streak:
            return True
        if self.is_closed(lease):
            return False
        streak = self._streaks.get(_key(lease))
        if streak is None:
            # Even when it comes too late for its slot, and has to take another one. A worker that is late with all of
            # its leases would send none of them otherwise, now and whenever it got them again.
            self._streaks[_key(lease)] = _Streak(lease.places)
            return True
        if asyncio.get_running_loop().time() > lease.send_by:
            return False
        if streak.under_way < streak.places:
            streak.under_way += 1
            return True
        return await self._wait(streak, lease)

    async def _wait(self, streak: _Streak, lease: Lease) -> bool:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        streak.waiting[turn] = lease
        timer = loop.call_at(lease.send_by, _tell, turn, False)
        try:
            return await turn
        except asyncio.CancelledError:
            # The place may have come in the same moment; then it is the next one's.
            if not turn.cancelled() and turn.result():
                self.leave(lease)
            raise
        finally:
            timer.cancel()
            del streak.waiting[turn]

    def leave(self, lease: Lease) -> None:
        """The lease that took a place needs it no more: whose slot is first has it now."""
        if not lease.streak:
            return
        streak, now = self._streaks[_key(lease)], asyncio.get_running_loop().time()
        for turn, each in sorted(streak.waiting.items(), key=lambda waiting: _order(waiting[1])):
            if _tell(turn, now <= each.send_by) and turn.result():
                return
        streak.under_way -= 1
        if not streak.under_way:
            del self._streaks[_key(lease)]

    def close(self, lease: Lease, seconds: float) -> None:
        """Send nothing more to the lease's address in slots of the next so many seconds, for that is what it asked for.

        The frontier hears of it later, with the end of the lease; slots that it gives then are not among these.
        """
        loop, address = asyncio.get_running_loop(), politeness_key(lease.item.address)
        until = max(self._closed.get(address, 0.0), min(loop.time() + seconds, lease.expires))
        self._closed[address] = until
        loop.call_at(until, self._open, address, until)
        for streak in self._streaks.values():
            for turn, each in streak.waiting.items():
                if self.is_closed(each):
                    _tell(turn, False)

    def is_closed(self, lease: Lease) -> bool:
        """Whether a lease is not to be sent in its slot, although it may have had its turn."""
        if not self._closed:
            return False
        return lease.not_before < self._closed.get(politeness_key(lease.item.address), 0.0)

    def _open(self, address: str, until: float) -> None:
        if self._closed.get(address) == until:
            del self._closed[address]


def _key(lease: Lease) -> _Key:
    return lease.partition, lease.streak


def _order(lease: Lease) -> tuple[float, int]:
    return lease.not_before, lease.token


def _tell(turn: asyncio.Future[bool], granted: bool) -> bool:
    """False: it was told before, or waits no more."""
    if turn.done():
        return False
    turn.set_result(granted)
    return True
