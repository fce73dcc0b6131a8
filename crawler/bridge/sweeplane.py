"""The sweep lane: leases of swept addresses, most of which are dark, wait beside the engine and not in its places.

An address that does not answer holds its place for seconds; in the page lane some dozens of them would stop the crawl.
What finds no place here goes through the page lane, with the same outcome.
"""

from __future__ import annotations

import asyncio

import structlog

from crawler.bridge.answers import Answered, Sent, concluded
from crawler.bridge.completer import Completer
from crawler.bridge.courier import Courier
from crawler.bridge.ending import Ending
from crawler.bridge.outcomes import SANDBOX_PAUSE
from crawler.bridge.pages import PageJudge
from crawler.bridge.rules import pack_unreachable
from crawler.bridge.runs import RunBook
from crawler.bridge.swept import is_swept
from crawler.errors import RedisUnavailable, SandboxUnavailable
from crawler.fetch.budget import ByteBudget, Hold
from crawler.frontier.base import Completion
from crawler.records import Failed, Kind, Lease, Retry

_log = structlog.get_logger()


class SweepLane:
    """One per worker. concurrency: leases at work.  bell: rung whenever a lease ended.  memory: of all lanes."""

    def __init__(
        self,
        courier: Courier,
        completer: Completer,
        judge: PageJudge,
        runs: RunBook,
        ending: Ending,
        *,
        bell: asyncio.Event,
        concurrency: int,
        memory: ByteBudget,
    ) -> None:
        self._courier = courier
        self._completer = completer
        self._judge = judge
        self._runs = runs
        self._ending = ending
        self._bell = bell
        self._concurrency = concurrency
        self._memory = memory
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, lease: Lease) -> bool:
        """Take a lease, if it is one of a sweep and there is room."""
        served = self._runs.get(lease.item.run)
        full = len(self._tasks) >= self._concurrency or self._memory.spent
        if full or served is None or not is_swept(served, lease):
            return False
        task = asyncio.get_running_loop().create_task(self._work(lease))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return True

    async def drain(self) -> None:
        """Wait until every lease taken has ended."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._bell.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # The lease runs out and the URL comes back; the error must not pass in silence.
            _log.error("sweep lane", error=type(error).__name__)

    async def _work(self, lease: Lease) -> None:
        with self._memory.hold() as hold:
            completion = await self._attempt(lease, hold)
        await self._completer.complete(completion)

    async def _attempt(self, lease: Lease, hold: Hold) -> Completion:
        sent: Sent | None = None
        try:
            sent = await self._courier.send(lease, hold)
            if not isinstance(sent, Answered):
                return (await self._judge.unanswered(lease, sent)).completion
            return (await self._judge.answered(lease, sent, hold)).completion
        except RedisUnavailable as error:
            _log.warning("address given back", error=str(error))
            # What was sent counts, and comes again.
            return _ended_as(sent, Completion(lease, Retry("frontier-away", SANDBOX_PAUSE) if sent else None))
        except SandboxUnavailable as error:
            self._ending.fail(error)
            return _ended_as(sent, Completion(lease, Retry("sandbox-unavailable", SANDBOX_PAUSE)))
        except Exception as error:  # noqa: BLE001  one server must never take a lease with it, whatever it says
            _log.exception("address failed")
            reason = f"internal-{type(error).__name__}"
            robots = pack_unreachable(reason) if lease.item.kind is Kind.ROBOTS else None
            return _ended_as(sent, Completion(lease, Failed(reason), robots))


def _ended_as(sent: Sent | None, completion: Completion) -> Completion:
    """The same, with what the answer said beside it, when there was one."""
    return concluded(completion, sent) if isinstance(sent, Answered) else completion
