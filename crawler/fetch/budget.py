"""How many bytes of bodies may be in memory at once, over all fetches that share one budget."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType


class ByteBudget:
    """Bytes of bodies, from the socket to the end of their use. total: bytes above which a reader waits.

    A body's end is not known before it is there, so bodies that wait for each other's memory would wait for ever.
    Hence one of those that wait is favoured: it reads on to its end. So what is held stays below total, plus one body,
    plus one read of each connection.
    One event loop's thread only.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._used = 0
        self._favoured: Hold | None = None
        self._waiting: OrderedDict[asyncio.Future[None], None] = OrderedDict()

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    @property
    def spent(self) -> bool:
        """Whether nothing more should be begun."""
        return self._used >= self._total

    def hold(self) -> Hold:
        """The share of one body; empty at first. To be left when no reference to the bytes is left."""
        return Hold(self)

    def take(self, size: int) -> None:
        """For holds: account for bytes that are there already."""
        self._used += size

    def must_wait(self, hold: Hold) -> bool:
        """For holds: whether to stop reading for now."""
        return self.spent and self._favoured is not hold

    async def wait(self, hold: Hold) -> None:
        """For holds: return when this one may read on."""
        while self.must_wait(hold):
            if self._favoured is None:
                self._favoured = hold
                return
            turn = asyncio.get_running_loop().create_future()
            self._waiting[turn] = None
            try:
                await turn
            finally:
                self._waiting.pop(turn, None)

    def free(self, hold: Hold, size: int) -> None:
        """For holds: these bytes are gone."""
        self._used -= size
        if self._favoured is hold:
            self._favoured = None
        if self.spent and self._favoured is not None:
            return
        # All of them look again in the order in which they came, and who must wait on queues up in that order.
        waiting, self._waiting = self._waiting, OrderedDict()
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)


class Hold:
    """One body's share of a budget; a context manager that gives it back."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._size = 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Give it back: no reference to the bytes is left."""
        size, self._size = self._size, 0
        self._budget.free(self, size)

    def take(self, size: int) -> None:
        """So many bytes more are in memory."""
        self._size += size
        self._budget.take(size)

    @property
    def must_wait(self) -> bool:
        """Whether to stop reading for now, so that the peer's window closes."""
        return self._budget.must_wait(self)

    async def wait(self) -> None:
        """Return when reading may go on."""
        await self._budget.wait(self)
