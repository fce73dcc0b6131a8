"""Keeps the sandbox of a run on the hash lists as they stand: whatever its recorder says, within a second or two."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from time import monotonic

import structlog

from crawler.bus.control import RunControl
from crawler.bus.lists import ListFeed, Published, Unread
from crawler.errors import NotAuthorised, SandboxUnavailable
from crawler.sandbox.generations import Generations
from crawler.sandbox.protocol import Update
from crawler.sandbox.settings import SandboxSettings

PATIENCE = 60.0
"""Seconds for which a state that this worker cannot open is waited out: its recorder lets it in a moment later."""

TRIES, AGAIN = 3, 10.0
"""Starts of a sandbox on a new index file before the worker gives up, and seconds between them."""

_log = structlog.get_logger()
_FIRST = b"0-0"


@dataclass(slots=True)
class Follower:
    """One per run that is served. settings: those of the sandbox, for a marker's index file.

    Through `settings`, raises HomeUnusable when this machine does not have the file, IndexCorrupt when it is another.
    """

    feed: ListFeed
    signing: bytes = field(repr=False)
    settings: Callable[[RunControl], Awaitable[SandboxSettings]]
    _seen: bytes = _FIRST
    _latest: Published | None = None
    _unread_since: float | None = None
    _renewing: asyncio.Task[None] | None = None
    _failed: int = 0
    _renew_at: float = 0.0

    async def begin(self, control: RunControl) -> Generations:
        """The sandbox of a run, in the state in which the lists are now.

        Raises HomeUnusable, IndexCorrupt, SandboxUnavailable, RecordCorrupt, RedisUnavailable.
        """
        settings = await self.settings(control)
        await self._look(control)
        return await Generations.start(settings, self._update(control.index))

    async def follow(self, control: RunControl, sandbox: Generations) -> bool:
        """Bring a sandbox up to date; whether it is, so that images may be fetched for it.

        Another index file is gone over to beside the work; until that is done, what is masked is masked in the old one.
        Raises as `begin` does, SandboxUnavailable when that fails again and again; NotAuthorised when the state of the
        lists stays closed to this worker.
        """
        current = await self._look(control)
        update = self._update(sandbox.index)
        if update is not None and update.number > sandbox.number:
            sandbox.update(update)
            _log.info("the hash lists changed", run=str(control.run), state=update.number)
        if self._renewing is not None and self._renewing.done():
            task, self._renewing = self._renewing, None
            self._gone_over(task, control, sandbox)
        if control.index != sandbox.index and self._renewing is None and monotonic() >= self._renew_at:
            work = sandbox.renew(await self.settings(control), self._update(control.index))
            self._renewing = asyncio.create_task(work)
        return current

    def _gone_over(self, task: asyncio.Task[None], control: RunControl, sandbox: Generations) -> None:
        """A start that failed on a busy machine is tried again: the present generation goes on meanwhile."""
        try:
            task.result()
        except SandboxUnavailable as error:
            self._failed += 1
            if self._failed == TRIES:
                raise
            self._renew_at = monotonic() + AGAIN
            _log.error("the new index cannot be used yet; trying again", run=str(control.run), error=str(error))
            return
        self._failed = 0
        _log.info("a new index is in use", run=str(control.run), state=sandbox.number)

    async def close(self) -> None:
        """Let go of a generation that is not ready yet."""
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)

    def _update(self, index: str) -> Update | None:
        """The latest state that belongs to a file. Marker and state are not read in one look, so there may be none."""
        state = self._latest
        while state is not None and state.index != index:
            state = state.before
        return None if state is None else Update(state.number, state.packed)

    async def _look(self, control: RunControl) -> bool:
        """Read the latest state; False when there is one that cannot be opened. An older one than is known is none."""
        found = await self.feed.read(control.run, self._seen, self.signing, control.recorder)
        if found is None:
            return self._unread_since is None
        entry, state = found
        if isinstance(state, Unread):
            self._unread_since = self._unread_since or monotonic()
            if monotonic() - self._unread_since > PATIENCE:
                raise NotAuthorised(
                    f"the hash lists of run {control.run} are closed to this worker; start its `vangnet recorder`"
                )
            return False
        self._seen, self._unread_since = entry, None
        if self._latest is None or state.number > self._latest.number:
            self._latest = state
        return True
