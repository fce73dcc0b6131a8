"""Ends leases in batches: completions that arrive within a moment travel to Redis together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from crawler.errors import RedisUnavailable
from crawler.frontier.base import Completion, Frontier
from crawler.meters import LEASES
from crawler.records import Done

_LONGEST = 256
_CANDIDATES = 50_000
_PAUSE = 0.5
_LINGER, _BUSY_LINGER, _BATCH = 0.02, 0.1, 32
"""Seconds between two sendings, unless so many wait: the first after a rest leaves at once, those that follow gather,
and those of a worker that has no room for more anyway for longer."""
_log = structlog.get_logger()


@dataclass(slots=True)
class _Waiting:
    completion: Completion
    done: asyncio.Future[bool]


class Completer:
    """One per worker. A completion that Redis did not take is tried again until it does, or until its lease is over:
    then the URL is somebody else's, and nothing of it was recorded here.

    busy: whether the worker has work at hand, so that nothing waits for a completion to make room.
    """

    def __init__(self, frontier: Frontier, busy: Callable[[], bool] = lambda: False) -> None:
        self._frontier = frontier
        self._busy = busy
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._closed = False
        self._full = asyncio.Event()

    async def complete(self, completion: Completion) -> bool:
        """End a lease; returns when it is done. False when the lease was not ours any more."""
        lane = "image" if completion.lease.item.kind.on_image_lane else "page"
        LEASES.labels(lane, type(completion.outcome).__name__.lower()).inc()
        waiting = _Waiting(completion, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._arrived.set()
        if len(self._waiting) >= _BATCH:
            self._full.set()
        return await waiting.done

    async def run(self) -> None:
        """Send until closed and empty."""
        loop, sent = asyncio.get_running_loop(), 0.0
        while self._waiting or not self._closed:
            await self._arrived.wait()
            linger = _BUSY_LINGER if self._busy() else _LINGER
            await self._gather(sent + linger - loop.time())
            sent = loop.time()
            most = _fitting(self._waiting)
            batch, self._waiting = self._waiting[:most], self._waiting[most:]
            if not self._waiting and not self._closed:
                self._arrived.clear()
            if batch:
                await self._send(batch)

    async def _gather(self, seconds: float) -> None:
        self._full.clear()
        if seconds > 0 and len(self._waiting) < _BATCH and not self._closed:
            timer = asyncio.get_running_loop().call_later(seconds, self._full.set)
            await self._full.wait()
            timer.cancel()

    def close(self) -> None:
        """Let `run` end once everything is sent."""
        self._closed = True
        self._arrived.set()
        self._full.set()

    async def _send(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        while batch:
            try:
                answers = await self._frontier.complete([waiting.completion for waiting in batch])
            except RedisUnavailable as error:
                _log.warning("completion delayed", error=str(error), leases=len(batch))
                await asyncio.sleep(_PAUSE)
                batch = _alive(batch, loop.time())
                continue
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(answer)
            return


def _fitting(waiting: list[_Waiting]) -> int:
    """How many of the first travel together: a sitemap names tens of thousands of URLs, and a command has a limit."""
    candidates = 0
    for n, each in enumerate(waiting[:_LONGEST]):
        outcome = each.completion.outcome
        if isinstance(outcome, Done) and outcome.discovered is not None:
            candidates += len(outcome.discovered.candidates)
        if candidates > _CANDIDATES and n > 0:
            return n
    return min(len(waiting), _LONGEST)


def _alive(batch: list[_Waiting], now: float) -> list[_Waiting]:
    """Those whose lease is not over; the others are told that it is lost."""
    for waiting in batch:
        if waiting.completion.lease.expires <= now and not waiting.done.done():
            waiting.done.set_result(False)
    return [waiting for waiting in batch if waiting.completion.lease.expires > now]
