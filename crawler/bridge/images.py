"""The image lane: leases in, bytes through the sandbox, completions out, without the engine's cost per request."""

from __future__ import annotations

import asyncio
from time import time

import structlog

from crawler.bridge.answers import Answered, Sent, concluded, unanswered
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.digging import Digger
from crawler.bridge.ending import Ending
from crawler.bridge.guesses import is_guessed_image, of_guessed_image
from crawler.bridge.lanes import STALLED, TOP_UP, room_beside
from crawler.bridge.outcomes import SANDBOX_PAUSE, broken_off, unsupported, unusable
from crawler.bridge.pages import examine_lease, image_completion
from crawler.bridge.revisiting import CleanLook, Revisiting
from crawler.bridge.runs import RunBook
from crawler.bridge.sizes import SizeBoard
from crawler.errors import RedisUnavailable, SandboxUnavailable
from crawler.fetch.budget import ByteBudget, Hold
from crawler.frontier.base import Completion
from crawler.records import Failed, Fetched, Kind, Lease, Rekind, Retry

_log = structlog.get_logger()


class ImageLane:
    """One per worker. concurrency: leases at work.  memory: bytes of bodies on their way from the socket through the
    sandbox, above which nothing is claimed or read.  bell: rung whenever a lease ended.
    revisiting: is told which images were clean; None: nobody keeps that.  sizes: is told how large images are that a
    browser waits for."""

    def __init__(
        self,
        courier: Courier,
        completer: Completer,
        digger: Digger,
        runs: RunBook,
        ending: Ending,
        *,
        bell: asyncio.Event,
        concurrency: int,
        memory: ByteBudget,
        revisiting: Revisiting | None = None,
        sizes: SizeBoard | None = None,
    ) -> None:
        self._courier = courier
        self._completer = completer
        self._digger = digger
        self._runs = runs
        self._ending = ending
        self._bell = bell
        self._concurrency = concurrency
        self._memory = memory
        self._revisiting = revisiting
        self._sizes = sizes
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room(self) -> int:
        """How many more leases may be taken now."""
        stalled = self._courier.stalled(STALLED)
        return 0 if self._memory.spent else room_beside(stalled, len(self._tasks), self._concurrency)

    @property
    def idle(self) -> bool:
        """Whether nothing is at work."""
        return not self._tasks

    @property
    def hungry(self) -> bool:
        """Whether there is room for a batch."""
        return self.room * TOP_UP >= self._concurrency

    def take(self, lease: Lease) -> None:
        """Start work on a lease."""
        task = asyncio.get_running_loop().create_task(self._work(lease))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def drain(self) -> None:
        """Wait until every lease taken has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._digger.drain()
        if self._revisiting is not None:
            await self._revisiting.drain()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out and the URL comes back; the error must not pass in silence.
            _log.error("image lane", error=type(error).__name__)

    async def _work(self, lease: Lease) -> None:
        with self._memory.hold() as hold:
            completion, look = await self._attempt(lease, hold)
        if await self._completer.complete(completion):
            self._digger.accepted(completion)
            if self._revisiting is not None and look is not None:
                self._revisiting.remember(look)

    async def _attempt(self, lease: Lease, hold: Hold) -> tuple[Completion, CleanLook | None]:
        """How the lease ended. When this returns, no reference to the body is left."""
        look: CleanLook | None = None
        sent: Sent | None = None
        try:
            sent = await self._courier.send(lease, hold)
            completion = await self._completion(lease, sent)
            if is_guessed_image(lease.item):
                completion = of_guessed_image(completion)
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
        if isinstance(sent, Answered):
            completion = concluded(completion, sent)
            if self._revisiting is not None:
                look = self._revisiting.clean_look(self._runs.get(lease.item.run), sent, completion)
        return completion, look

    async def _completion(self, lease: Lease, sent: Sent) -> Completion:
        if isinstance(sent, Answered):
            return await self._answered(lease, sent.fetched)
        return unanswered(lease, sent)

    async def _answered(self, lease: Lease, fetched: Fetched) -> Completion:
        served = self._runs.get(lease.item.run)
        if served is None:
            # The run is being made ready anew; the request was sent, so its slot is used.
            return Completion(lease, Retry("run-renewed", 0.0))
        ended = broken_off(lease, fetched) or unusable(lease, fetched, time()) or unsupported(lease, fetched)
        if ended is not None:
            return ended
        if fetched.kind in ("html", "feed"):
            return Completion(lease, Rekind(Kind.PAGE))
        if self._sizes is not None:
            await self._sizes.told(lease, fetched.body)
        return image_completion(lease, await examine_lease(served, lease, fetched))
