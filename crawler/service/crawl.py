"""Crawling a campaign on this machine: prepare, start the processes, watch, and account for every URL at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from crawler.bus.control import RunState
from crawler.bus.stops import Stops
from crawler.campaign import Campaign, check_startable, load_campaign
from crawler.errors import RedisUnavailable, VangnetError
from crawler.frontier.figures import RunCounts
from crawler.home import Home
from crawler.options import Options
from crawler.records import RunId
from crawler.service.accounting import CrawlSummary, close_run, summarised
from crawler.service.actors import require
from crawler.service.campaigns import keep_file, require_absolute_seeds, require_approval, stored_campaign
from crawler.service.deployment import Deployment, Server, joined
from crawler.service.indexing import ensure_index
from crawler.service.launch import Launch, alone
from crawler.service.machine import silent_nameservers
from crawler.service.processes import Crew
from crawler.service.session import Session
from crawler.store.actors import Actor
from crawler.store.database import Database

_POLL = 0.1
_AGAIN = 1.0
_SHARE = 10
"""Seeds wait while unread entries are above this part of what stops claims."""
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows while a crawl runs.

    seconds: since this call.  paused: by another command.  stops: emergency stops in force.  seeds: that were put into
    the frontier so far, None when all are there.
    """

    run: RunId
    counts: RunCounts
    seconds: float
    paused: bool = False
    stops: int = 0
    seeds: int | None = None


@dataclass(frozen=True, slots=True)
class CrawlOrder:
    """What to crawl and how. settings: the settings module of the worker processes.  redis_url: the server's."""

    file: Path
    workers: int
    settings: str
    redis_url: str
    replace: bool = False


def crawl_campaign(
    home: Home,
    options: Options,
    at: Session,
    order: CrawlOrder,
    progress: Callable[[Progress], None],
    *,
    say: Callable[[str], None] | None = None,
) -> CrawlSummary:
    """Create or resume the campaign's run, crawl until it is finished and recorded, and report.

    say: is told in a line what had to be mended before, and which nameserver does not answer.
    Ctrl-C and `stop_campaign` end it cleanly; the summary is then `interrupted`, and the next call resumes the run.
    While the campaign is paused, it waits.
    Raises CampaignInvalid, CampaignExpired, NothingToMatch, NotAuthorised, Refused, RedisUnavailable, FrontierLost.
    """
    db, actor = at.db, at.actor
    campaign = load_campaign(order.file, lab=options.lab)
    require(db, actor, "campaigns.write")
    check_startable(campaign, datetime.now(UTC).date())
    index = ensure_index(home, db, campaign.match.lists, say=say)
    keep_file(db, actor, order.file, campaign.name, replace=order.replace)
    require_approval(db, options, campaign.name)
    with alone(home, campaign.name):
        return asyncio.run(_Crawl(home, options, db, actor, campaign, index.sha256, order, say).run(progress))


def crawl_kept(
    home: Home,
    options: Options,
    at: Session,
    order: CrawlOrder,
    name: str,
    *,
    progress: Callable[[Progress], None],
) -> CrawlSummary:
    """As `crawl_campaign`, for the campaign that is kept under a name; the order's file is not read.

    Raises CampaignInvalid too when it names seed files relative to its own, which nobody knows any more.
    """
    db, actor = at.db, at.actor
    campaign = stored_campaign(db, name, lab=options.lab)
    require_absolute_seeds(campaign)
    require(db, actor, "campaigns.start")
    check_startable(campaign, datetime.now(UTC).date())
    index = ensure_index(home, db, campaign.match.lists)
    require_approval(db, options, name)
    with alone(home, name):
        return asyncio.run(_Crawl(home, options, db, actor, campaign, index.sha256, order).run(progress))


@dataclass(frozen=True, slots=True)
class _Crawl:
    """One call of `crawl_campaign`, everything checked. index: sha256 of the index file.  say: see there."""

    home: Home
    options: Options
    db: Database
    actor: Actor
    campaign: Campaign
    index: str
    order: CrawlOrder
    say: Callable[[str], None] | None = None

    async def run(self, progress: Callable[[Progress], None]) -> CrawlSummary:
        async with joined(Server(self.options, self.order.redis_url)) as deployment:
            launch = Launch(self.home, self.db, self.actor, self.campaign, self.index, deployment)
            run = await launch.announce()
            watched = _Watched(deployment, run, _Filling(launch, run, self.options.backlog_limit // _SHARE))
            started = time.monotonic()
            with Crew(self.home, self.order.settings, self.order.redis_url, self.order.workers) as crew:
                async with watched.filling, self._nameservers_asked():
                    finished = await _watch(watched, crew, started, progress)
            seconds = time.monotonic() - started
            if finished is None:
                return await self._stopped(watched, seconds)
            return await self._ended(deployment, run, finished, seconds)

    @asynccontextmanager
    async def _nameservers_asked(self) -> AsyncIterator[None]:
        """Ask them while the crawl begins: names that nobody tells are asked for again for minutes, without a word."""

        async def ask(say: Callable[[str], None]) -> None:
            for line in await silent_nameservers(self.campaign, lab=self.options.lab):
                say(line)

        task = None if self.say is None else asyncio.create_task(ask(self.say))
        try:
            yield
        finally:
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def _stopped(self, watched: _Watched, seconds: float) -> CrawlSummary:
        """After Ctrl-C: nothing of the run goes on, on no machine, until somebody resumes it."""
        control, frontier = watched.deployment.control, watched.deployment.frontier
        marker = await control.require(watched.run)
        if marker.state is RunState.RUNNING:
            await control.set_state(watched.run, RunState.PAUSED)
        await frontier.hold(watched.run, True)
        return summarised(self.db, watched.run, await frontier.counts(watched.run), seconds, interrupted=True)

    async def _ended(self, deployment: Deployment, run: RunId, counts: RunCounts, seconds: float) -> CrawlSummary:
        summary = await close_run(self.db, self.actor, deployment, run, counts, seconds=seconds)
        if refused := counts.tally.get("refused-results", 0):
            raise VangnetError(
                f"run {run} finished, but {refused} results were refused: a worker's key is not registered or a result "
                "was damaged; see logs/recorder.log in the home, and crawl again"
            )
        return summary


class _Filling:
    """The seeds of a run on their way into the frontier, while its workers are at it; a server that is away is waited
    for. Leaving the block ends it, and the next call begins again, which changes nothing.

    most: unread entries above which it waits.  seeds: how many are there.
    """

    def __init__(self, launch: Launch, run: RunId, most: int) -> None:
        self._launch = launch
        self._run = run
        self._most = most
        self.seeds: int | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._fill())

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, VangnetError):
            await self._task

    def check(self) -> None:
        """Raises what ended it: CampaignInvalid for a seed file that changed, FrontierLost."""
        if self._task.done():
            self._task.result()

    async def _fill(self) -> None:
        while True:
            try:
                if not (await self._launch.deployment.control.require(self._run)).seeded:
                    await self._launch.fill(self._run, most=self._most, told=self._told)
            except RedisUnavailable:
                await asyncio.sleep(_AGAIN)
                continue
            self.seeds = None
            return

    def _told(self, seeds: int) -> None:
        self.seeds = seeds


@dataclass(frozen=True, slots=True)
class _Watched:
    deployment: Deployment
    run: RunId
    filling: _Filling

    async def look(self) -> tuple[RunState, Stops, RunCounts, bool]:
        """State, stops and counters of the run, and whether everything in it has ended."""
        marker = await self.deployment.control.require(self.run)
        stops = await self.deployment.control.stops()
        counts = await self.deployment.frontier.counts(self.run)
        return marker.state, stops, counts, marker.filled and counts.unfinished == 0


async def _watch(
    watched: _Watched, crew: Crew, started: float, progress: Callable[[Progress], None]
) -> RunCounts | None:
    """Wait until the run is finished; its last counts, or None when it was interrupted or stopped.

    Finished is: two successive looks see nothing queued, leased, delayed or unacknowledged, and unchanged counters.
    A server that is away for a while is waited for, as the workers and the recorder do.
    """
    before: RunCounts | None = None
    heard = time.monotonic()
    while not crew.interrupted:
        try:
            state, stops, counts, idle = await watched.look()
        except RedisUnavailable:
            if time.monotonic() - heard > _PATIENCE:
                raise
            await asyncio.sleep(1.0)
            continue
        heard = time.monotonic()
        if state is RunState.STOPPED:
            return None
        seconds = time.monotonic() - started
        progress(Progress(watched.run, counts, seconds, state is RunState.PAUSED, len(stops), watched.filling.seeds))
        watched.filling.check()
        if idle and counts == before:
            return counts
        before = counts if idle else None
        crew.check()
        await asyncio.sleep(_POLL)
    return None
