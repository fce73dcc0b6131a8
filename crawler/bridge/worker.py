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
from crawler.bridge.images import ImageLane
from crawler.bridge.lanes import PageLane
from crawler.bridge.pages import PageJudge
from crawler.bridge.runs import RunBook
from crawler.errors import RedisUnavailable, VangnetError
from crawler.frontier.base import Frontier

_REFRESH = 1.0
_REAP = 2.0
_log = structlog.get_logger()


@dataclass(slots=True)
class Worker:
    """The parts, as the composition root made them.

    close: lets go of the connection to Redis.  failure: why the worker had to end, None while all is well.
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
    failure: VangnetError | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Take up the active runs and start the tasks. Raises VangnetError when a run cannot be served."""
        await self.runs.refresh()
        for work in (
            self.completer.run(),
            self.admitter.run(),
            self.claimer.run(),
            self._every(_REFRESH, self.runs.refresh),
            self._every(_REAP, self.frontier.reap),
        ):
            self._tasks.append(asyncio.create_task(self._watched(work)))

    @property
    def ending(self) -> bool:
        """Whether the worker should stop: asked to, or broken."""
        return self._ending.is_set()

    def end(self) -> None:
        """Ask the worker to stop."""
        self._ending.set()

    async def ended(self) -> None:
        """Returns when the worker is asked to stop."""
        await self._ending.wait()

    async def drain(self) -> None:
        """Claim nothing more, let what is at work end, send every completion. The admitter works until then."""
        self.claimer.stop()
        await asyncio.gather(self.images.drain(), self.pages.drain())
        self.completer.close()
        await asyncio.wait(self._tasks[:1])
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except VangnetError as error:
            self.failure = error
            _log.error("worker stops", error=str(error))
            self.end()
        except Exception as error:  # noqa: BLE001  a task that dies must end the worker, whatever it died of
            self.failure = VangnetError(f"a task of the worker died of {type(error).__name__}: {error}")
            _log.exception("worker stops")
            self.end()

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
