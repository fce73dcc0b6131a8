"""The image lane: leases in, bytes through the sandbox, completions out, without the engine's cost per request."""

from __future__ import annotations

import asyncio
from time import time

import structlog

from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier, Unsent
from crawler.bridge.ending import Ending
from crawler.bridge.outcomes import SANDBOX_PAUSE, broken_off, failed_fetch, unsupported, unusable
from crawler.bridge.pages import examine_lease, image_completion
from crawler.bridge.runs import RunBook
from crawler.errors import RedisUnavailable, SandboxUnavailable
from crawler.frontier.base import Completion
from crawler.records import Failed, Fetched, FetchFailed, Kind, Lease, Rekind, Retry, Skipped

_log = structlog.get_logger()


class ImageLane:
    """One per worker. concurrency: leases at work.  memory: bytes of bodies waiting for
    the sandbox or in it, above which nothing is claimed."""

    def __init__(
        self,
        courier: Courier,
        completer: Completer,
        runs: RunBook,
        ending: Ending,
        *,
        concurrency: int,
        memory: int,
    ) -> None:
        self._courier = courier
        self._completer = completer
        self._runs = runs
        self._ending = ending
        self._concurrency = concurrency
        self._memory = memory
        self._held = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.freed = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more leases may be taken now."""
        return 0 if self._held > self._memory else self._concurrency - len(self._tasks)

    def take(self, lease: Lease) -> None:
        """Start work on a lease."""
        task = asyncio.get_running_loop().create_task(self._work(lease))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Wait until every lease taken has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out and the URL comes back; the error must not pass in silence.
            _log.error("image lane", error=type(error).__name__)

    async def _work(self, lease: Lease) -> None:
        try:
            completion = await self._completion(lease)
        except RedisUnavailable as error:
            _log.warning("image given back", error=str(error))
            completion = Completion(lease, None)
        except SandboxUnavailable as error:
            # It was sent, so it counts; and a worker that cannot examine must not go on fetching.
            self._ending.fail(error)
            completion = Completion(lease, Retry("sandbox-unavailable", SANDBOX_PAUSE))
        except Exception as error:  # noqa: BLE001  one image must never take a lease with it, whatever is wrong
            _log.exception("image failed")
            completion = Completion(lease, Failed(f"internal-{type(error).__name__}"))
        await self._completer.complete(completion)

    async def _completion(self, lease: Lease) -> Completion:
        match await self._courier.send(lease):
            case Unsent():
                return Completion(lease, None)
            case Failed() | Skipped() as objection:
                return Completion(lease, objection)
            case FetchFailed() as failed:
                return failed_fetch(lease, failed)
            case Fetched() as fetched:
                return await self._answered(lease, fetched)

    async def _answered(self, lease: Lease, fetched: Fetched) -> Completion:
        served = self._runs.get(lease.item.run)
        if served is None:
            return Completion(lease, None)
        ended = broken_off(lease, fetched) or unusable(lease, fetched, time()) or unsupported(lease, fetched)
        if ended is not None:
            return ended
        if fetched.kind in ("html", "feed"):
            return Completion(lease, Rekind(Kind.PAGE))
        self._held += len(fetched.body)
        try:
            return image_completion(lease, await examine_lease(served, lease, fetched.body))
        finally:
            self._held -= len(fetched.body)
