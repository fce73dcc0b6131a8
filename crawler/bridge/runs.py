"""The runs that this worker serves: what each of them needs to judge, fetch, examine and report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from crawler.bus.control import Control, RunControl, RunState
from crawler.bus.envelope import Sealer
from crawler.campaign import Campaign
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.resolver import Resolver
from crawler.records import RunId
from crawler.sandbox.pool import Sandbox
from crawler.scope import CachedScope

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServedRun:
    """One active run, ready to work for. Its fetcher connects to addresses in its scope and to nothing else."""

    control: RunControl
    campaign: Campaign
    scope: CachedScope
    resolver: Resolver
    fetcher: Fetcher
    sandbox: Sandbox
    sealer: Sealer = field(repr=False)

    @property
    def run(self) -> RunId:
        return self.control.run

    def still(self, control: RunControl) -> bool:
        """Whether this is ready for what the control record says now."""
        mine = self.control
        return (mine.campaign, mine.index, mine.recorder) == (control.campaign, control.index, control.recorder)


Prepare = Callable[[RunControl], Awaitable[ServedRun]]
"""Makes a run ready (index, sandbox, scope, resolver). Raises VangnetError when this machine cannot serve it."""


class RunBook:
    """The runs being served, refreshed from the control records. prepare: makes a new one ready."""

    def __init__(self, control: Control, prepare: Prepare) -> None:
        self._control = control
        self._prepare = prepare
        self._runs: dict[RunId, ServedRun] = {}
        self._running = False
        self._any = False
        self._refreshing = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether any run is to be worked on now."""
        return self._running

    @property
    def any(self) -> bool:
        """Whether there is any run at all, paused ones included."""
        return self._any

    def get(self, run: RunId) -> ServedRun | None:
        """A run that is served, None when it is unknown here."""
        return self._runs.get(run)

    async def close(self) -> None:
        """Let go of everything that the runs hold."""
        while self._runs:
            await self._release(self._runs.popitem()[1])

    async def _release(self, served: ServedRun) -> None:
        await served.fetcher.close()
        await served.resolver.close()
        if all(other.sandbox is not served.sandbox for other in self._runs.values()):
            await served.sandbox.close()

    async def refresh(self) -> None:
        """Take up new runs, drop those that are gone, renew those whose campaign or index changed.

        Raises what `prepare` raises: a machine that cannot serve one of them claims nothing, and says why.
        """
        async with self._refreshing:
            active = await self._control.active()
            wanted = {control.run: control for control in active if control.state is RunState.RUNNING}
            for run, served in list(self._runs.items()):
                control = next((control for control in active if control.run == run), None)
                if control is None or not served.still(control):
                    await self._release(self._runs.pop(run))
            for run in wanted.keys() - self._runs.keys():
                self._runs[run] = await self._prepare(wanted[run])
                _log.info("serving a run", run=str(run))
            self._any = bool(active)
            self._running = bool(wanted)
