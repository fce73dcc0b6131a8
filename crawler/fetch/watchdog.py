"""All deadlines of one fetch on one timer.

A timer for every read would cost more than the read. So one timer is set for the earliest moment at which anything
could be over; when it fires it looks at what is, and sets itself again. A fetch that goes well never touches it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Protocol

from crawler.fetch.limits import FetchLimits


class Stream(Protocol):
    """What the watchdog needs of a body: how many bytes of it have come so far."""

    total_bytes: int


class Watchdog:
    """Cancels the task that entered it when a deadline passes, and swallows that cancellation (no other).

    After the block, `expired` names the failure class, or is None. A cancellation from outside goes through.
    deadline: monotonic seconds, None for none but the limits' own.
    """

    __slots__ = (
        "_armed",
        "_cancelling",
        "_end",
        "_handle",
        "_last",
        "_limits",
        "_loop",
        "_paused",
        "_reason",
        "_seen",
        "_stream",
        "_task",
        "_until",
        "_window_bytes",
        "_window_start",
        "expired",
    )

    def __init__(self, limits: FetchLimits, deadline: float | None = None) -> None:
        self.expired: str | None = None
        self._limits = limits
        now = monotonic()
        self._end = now + limits.total if deadline is None else min(now + limits.total, deadline)
        self._reason = "deadline"
        self._until = self._end
        self._armed = math.inf
        self._stream: Stream | None = None
        self._paused = False
        self._last = self._window_start = now
        self._seen = self._window_bytes = 0

    def __enter__(self) -> Watchdog:
        self._loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None, "a fetch runs in a task"
        self._task = task
        self._cancelling = task.cancelling()
        self._handle: asyncio.TimerHandle | None = None
        self._arm(min(self._end, monotonic() + self._limits.tick))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if self._handle is not None:
            self._handle.cancel()
        if self.expired is None:
            return False
        ours_only = self._task.uncancel() <= self._cancelling
        return ours_only and kind is not None and issubclass(kind, asyncio.CancelledError)

    @property
    def connect(self) -> float:
        """Seconds that a connection may take."""
        return self._limits.connect

    def begin(self, reason: str, seconds: float) -> None:
        """A phase begins; when it lasts longer than `seconds`, the fetch ends with the failure class `reason`."""
        self._reason = reason
        self._until = min(self._end, monotonic() + seconds)
        if self._until < self._armed:
            self._arm(self._until)

    def watch_body(self, stream: Stream) -> None:
        """The body begins: from now on silence and slowness count."""
        self._stream = stream
        self._begin_again(monotonic())
        until = self._next()
        if until < self._armed:
            self._arm(until)

    def progress(self) -> None:
        """Bytes of the body came just now."""
        self._last = monotonic()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the body: it is we who do not read, so silence and slowness do not count. The end stays."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self._begin_again(monotonic())

    def _begin_again(self, now: float) -> None:
        self._last = self._window_start = now
        if self._stream is not None:
            self._seen = self._window_bytes = self._stream.total_bytes

    def _arm(self, until: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed = until
        self._handle = self._loop.call_later(max(0.0, until - monotonic()), self._fire)

    def _fire(self) -> None:
        self.expired = self._over(monotonic())
        if self.expired is None:
            self._arm(self._next())
        else:
            self._handle = None
            self._task.cancel()

    def _over(self, now: float) -> str | None:
        if now >= self._end:
            return "deadline"
        if self._stream is None:
            return self._reason if now >= self._until else None
        if self._paused:
            self._begin_again(now)
            return None
        # A busy event loop may fire this before the reader saw bytes that are there already.
        if self._stream.total_bytes != self._seen:
            self._seen = self._stream.total_bytes
            self._last = max(self._last, now - self._limits.idle / 2)
        if now - self._last >= self._limits.idle:
            return "idle-timeout"
        return self._slow(now)

    def _slow(self, now: float) -> str | None:
        window = now - self._window_start
        if window < self._limits.rate_grace:
            return None
        if self._seen - self._window_bytes < self._limits.min_rate * window:
            return "too-slow"
        self._window_start, self._window_bytes = now, self._seen
        return None

    def _next(self) -> float:
        if self._stream is None:
            return min(self._until, self._end)
        return min(self._last + self._limits.idle, self._window_start + self._limits.rate_grace, self._end)
