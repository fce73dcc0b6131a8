"""The runs that this worker serves: what each of them needs to judge, fetch, examine and report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import structlog

from crawler.bridge.following import Follower
from crawler.bridge.pointers import Pointers
from crawler.bus.control import Control, RunControl, RunState
from crawler.bus.envelope import Sealer
from crawler.bus.stops import Stops
from crawler.campaign import Campaign
from crawler.errors import HomeUnusable, IndexCorrupt
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.resolver import Resolver
from crawler.records import FrontierUrl, RunId
from crawler.sandbox.generations import Generations
from crawler.scope import CachedScope

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ServedRun:
    """One active run, ready to work for. Its fetcher connects to addresses in its scope and to nothing else.

    pointers: the pages outside the scope that are read for links.
    """

    control: RunControl
    campaign: Campaign
    scope: CachedScope
    resolver: Resolver
    fetcher: Fetcher
    pointers: Pointers
    sandbox: Generations
    follower: Follower
    sealer: Sealer = field(repr=False)

    @property
    def run(self) -> RunId:
        return self.control.run

    def is_pointer(self, item: FrontierUrl) -> bool:
        """Whether a URL is only read for links (or the robots.txt that permits it), since it lies outside the scope."""
        return self.pointers.has(item.url, item.kind) and not self.scope.judge(item.address).in_scope

    def still(self, control: RunControl) -> bool:
        """Whether this is ready for what the control record says now, or will be by following the hash lists."""
        mine = self.control
        return (mine.campaign, mine.recorder) == (control.campaign, control.recorder)


Prepare = Callable[[RunControl], Awaitable[ServedRun]]
"""Makes a run ready (index, sandbox, scope, resolver). Raises VangnetError when this machine cannot serve it."""


class RunBook:
    """The runs being served, refreshed from the control records. prepare: makes a new one ready.

    stops: the emergency stops in force.
    """

    def __init__(self, control: Control, prepare: Prepare) -> None:
        self._control = control
        self._prepare = prepare
        self._runs: dict[RunId, ServedRun] = {}
        self._states: dict[RunId, RunState] = {}
        self._behind: dict[RunId, str] = {}
        self.stops = Stops()
        self._refreshing = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether any run is to be worked on now: one that is served here, not paused, under no stop of all.

        A worker that cannot match as one of its runs demands works on none: URLs are claimed for all of them.
        """
        if self.stops.all or any(self._states.get(run) is RunState.RUNNING for run in self._behind):
            return False
        return any(self.is_running(run) for run in self._runs)

    @property
    def renders(self) -> bool:
        """Whether pages of any run that is worked on may be shown by a browser."""
        return any(
            self.is_running(run) and served.campaign.limits.render != "never" for run, served in self._runs.items()
        )

    @property
    def any(self) -> bool:
        """Whether there is any run that may go on, paused ones included."""
        return any(state is not RunState.STOPPED for state in self._states.values())

    def is_known(self, run: RunId) -> bool:
        """Whether the control records had this run when they were last looked at."""
        return run in self._states

    def is_running(self, run: RunId) -> bool:
        """Whether requests of a run may leave: it is active, not paused or stopped, and matched as it has to be."""
        return self._states.get(run) is RunState.RUNNING and run not in self._behind

    def get(self, run: RunId) -> ServedRun | None:
        """A run that is served, None when it is unknown here."""
        return self._runs.get(run)

    def served(self) -> tuple[ServedRun, ...]:
        """The runs that are served here."""
        return tuple(self._runs.values())

    async def close(self) -> None:
        """Let go of everything that the runs hold."""
        while self._runs:
            await self._release(self._runs.popitem()[1])

    async def _release(self, served: ServedRun) -> None:
        async with AsyncExitStack() as held:  # each is closed, whatever the others raise, in this order reversed
            if all(other.sandbox is not served.sandbox for other in self._runs.values()):
                held.push_async_callback(served.sandbox.close)
            held.push_async_callback(served.resolver.close)
            held.push_async_callback(served.pointers.close)
            held.push_async_callback(served.fetcher.close)
            held.push_async_callback(served.follower.close)

    async def heed(self) -> None:
        """See which runs were paused, resumed or stopped, and which emergency stops are in force.

        Never waits for a run to be made ready, as `refresh` does.
        """
        await self._look()

    async def refresh(self) -> None:
        """Take up new runs, drop those that are gone, renew those whose campaign changed, follow the hash lists.

        Raises what `prepare` raises: a machine that cannot serve one of them claims nothing, and says why.
        """
        async with self._refreshing:
            active = {control.run: control for control in await self._look()}
            for run, served in list(self._runs.items()):
                if run not in active or not served.still(active[run]):
                    await self._release(self._runs.pop(run))
                    self._behind.pop(run, None)
                else:
                    await self._follow(served, active[run])
            for run, control in active.items():
                if control.state is RunState.RUNNING and run not in self._runs:
                    self._runs[run] = await self._prepare(control)
                    await self._follow(self._runs[run], control)
                    _log.info("serving a run", run=str(run))

    async def _follow(self, served: ServedRun, control: RunControl) -> None:
        """Bring a run's sandbox up to date; until it is, nothing is claimed."""
        try:
            current = await served.follower.follow(control, served.sandbox)
            why = "" if current else "the state of the hash lists cannot be read yet"
        except (HomeUnusable, IndexCorrupt) as error:  # a file that has to be copied here, or is being copied
            current, why = False, str(error)
        if current:
            if self._behind.pop(served.run, None):
                _log.info("on with the run", run=str(served.run))
        elif self._behind.get(served.run) != why:
            self._behind[served.run] = why
            _log.warning("waiting", run=str(served.run), why=why)

    async def _look(self) -> list[RunControl]:
        stops = await self._control.stops()
        active = await self._control.active()
        self.stops = stops
        self._states = {control.run: control.state for control in active}
        return active
