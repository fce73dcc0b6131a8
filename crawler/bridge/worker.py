"""A worker's live parts in one place, and their tasks: started with the engine, drained before it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from scrapy.crawler import Crawler

from crawler.bridge.admitter import Admitter
from crawler.bridge.claimer import Claimer
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.ending import Ending
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import PageLane
from crawler.bridge.pages import PageJudge
from crawler.bridge.rendering import Renderer
from crawler.bridge.runs import RunBook
from crawler.bridge.sweeping import Sweeper
from crawler.bridge.sweeplane import SweepLane
from crawler.errors import RedisUnavailable, VangnetError
from crawler.frontier.base import Frontier

_REFRESH = 1.0
_REAP = 2.0
_log = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """The parts, as the composition root made them.

    close: lets go of the connection to Redis.
    """

    frontier: Frontier
    runs: RunBook
    courier: Courier
    completer: Completer
    pages: PageLane
    images: ImageLane
    judge: PageJudge
    admitter: Admitter
    claimer: Claimer
    close: Callable[[], Awaitable[None]]
    ending: Ending
    sweeper: Sweeper
    sweeps: SweepLane
    renderer: Renderer
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Take up the active runs and start the tasks. Raises VangnetError when a run cannot be served."""
        await self.runs.refresh()
        for work in (
            self.completer.run(),
            self.admitter.run(),
            self.claimer.run(),
            self.sweeper.run(),
            self._every(_REFRESH, self.runs.refresh),
            self._every(_REFRESH, self._heed),
            self._every(_REAP, self.frontier.reap),
        ):
            self._tasks.append(asyncio.create_task(self._watched(work)))

    async def drain(self) -> None:
        """Claim nothing more, let what is at work end, send every completion. The admitter works until then."""
        self.claimer.stop()
        self.renderer.stop()
        await self.claimer.stopped()
        await asyncio.gather(self.images.drain(), self.pages.drain(), self.sweeps.drain())
        self.completer.close()
        await asyncio.wait(self._tasks[:1])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _heed(self) -> None:
        """Pauses and stops have a poll of their own: making a new run ready takes longer than they may."""
        await self.runs.heed()
        self.courier.abort_stopped()

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except VangnetError as error:
            self.ending.fail(error)
        except Exception as error:  # noqa: BLE001  a task that dies must end the worker, whatever it died of
            _log.exception("a task of the worker died")
            self.ending.fail(VangnetError(f"a task of the worker died of {type(error).__name__}; see its log"))

    @staticmethod
    async def _every(seconds: float, act: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await act()
            except RedisUnavailable as error:
                _log.warning("delayed", error=str(error))


_workers: WeakKeyDictionary[Crawler, Worker] = WeakKeyDictionary()


def attach(crawler: Crawler, worker: Worker) -> None:
    """Make a worker known to the components of its crawler."""
    _workers[crawler] = worker


def worker_of(crawler: Crawler) -> Worker | None:
    """The worker of a crawler; None in a shell or a probe."""
    return _workers.get(crawler)
