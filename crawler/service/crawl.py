"""Crawling a campaign on this machine: prepare, start the processes, watch, and account for every URL at the end."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.bus.control import Control, RunControl, RunState
from crawler.bus.envelope import public_key, verify_key
from crawler.campaign import Campaign, check_startable, load_campaign
from crawler.errors import FrontierLost, RedisUnavailable, Refused, VangnetError
from crawler.frontier.base import Frontier, RunCounts
from crawler.home import Home
from crawler.options import Options
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.service.actors import identify, require
from crawler.service.lists import ensure_index
from crawler.service.processes import Crew
from crawler.store import campaigns
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_views import run_counts
from crawler.store.keys import key_file
from crawler.store.workers import add_key, verify_keys
from crawler.wiring import connect, frontier_of, reachable

_SEED_CHUNK = 500
_POLL = 0.1
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display shows while a crawl runs. seconds: since this call; hits: matching images at URLs, so far."""

    run: RunId
    counts: RunCounts
    seconds: float


@dataclass(frozen=True, slots=True)
class CrawlSummary:
    """The outcome of `vangnet crawl`. urls: as the design's contract has it."""

    run: RunId
    urls: dict[str, Any]
    images: int
    hits: int
    matches: int
    seconds: float
    interrupted: bool = False
    notes: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "campaign": self.run.campaign,
            "run": self.run.number,
            "urls": self.urls,
            "images": self.images,
            "hits": self.hits,
            "matches": self.matches,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class CrawlOrder:
    """What to crawl and how. settings: the settings module of the worker processes.  redis_url: the server's."""

    file: Path
    workers: int
    settings: str
    redis_url: str
    user: str | None = None
    replace: bool = False


def crawl_campaign(
    home: Home, options: Options, db: Database, order: CrawlOrder, progress: Callable[[Progress], None]
) -> CrawlSummary:
    """Create or resume the campaign's run, crawl until it is finished and recorded, and report.

    Ctrl-C ends it cleanly; the summary is then `interrupted`, and the next call resumes the run.
    Raises CampaignInvalid, CampaignExpired, NothingToMatch, NotAuthorised, Refused, RedisUnavailable, FrontierLost.
    """
    campaign = load_campaign(order.file, lab=options.lab)
    actor = identify(db, order.user)
    require(db, actor, "campaigns.write")
    check_startable(campaign, datetime.now(UTC).date())
    index = ensure_index(home, db, campaign.match.lists)
    _save(db, actor, campaign, order, options)
    with _alone(home, campaign.name):
        return asyncio.run(_Crawl(home, options, db, actor, campaign, index.sha256, order).run(progress))


@contextmanager
def _alone(home: Home, campaign: str) -> Iterator[None]:
    """One crawl of a campaign at a time; the kernel lets go of the lock even after `kill -9`."""
    name = hashlib.sha256(campaign.encode()).hexdigest()[:16]
    with (home.root / f"crawl-{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(f"campaign {campaign!r} is being crawled from this home; wait, or stop that crawl") from error
        yield


def _save(db: Database, actor: Actor, campaign: Campaign, order: CrawlOrder, options: Options) -> None:
    text = order.file.read_text("utf-8")
    digest = hashlib.sha256(text.encode()).hexdigest()
    name = campaign.name
    campaigns.save(db, actor, name, text, digest, replace=order.replace)
    row = campaigns.load(db, name)
    if options.require_campaign_approval and (row is None or row.state == "created"):
        raise Refused(f"campaign {name!r} is not approved: a second person runs `vangnet campaign approve {name}`")


@dataclass(frozen=True, slots=True)
class _Crawl:
    """One call of `crawl_campaign`, everything checked. index: sha256 of the index file."""

    home: Home
    options: Options
    db: Database
    actor: Actor
    campaign: Campaign
    index: str
    order: CrawlOrder

    async def run(self, progress: Callable[[Progress], None]) -> CrawlSummary:
        client = connect(self.order.redis_url)
        try:
            await reachable(client)
            control = Control(client, self.options.key_prefix)
            await control.check_format(self.options.partitions)
            frontier = frontier_of(client, self.options)
            await self._tidy(control, frontier)
            run = await self._resumed(control, frontier) or await self._fresh(control, frontier)
            watched = _Watched(control, frontier, run)
            started = time.monotonic()
            with Crew(self.home, self.order.settings, self.order.redis_url, self.order.workers) as crew:
                finished = await _watch(watched, crew, started, progress)
            seconds = time.monotonic() - started
            if finished is None:
                return await self._stopped(watched, seconds)
            return await self._ended(watched, finished, seconds)
        finally:
            await client.aclose()

    async def _stopped(self, watched: _Watched, seconds: float) -> CrawlSummary:
        """After Ctrl-C: nothing of the run goes on, on no machine, until somebody resumes it."""
        await watched.control.set_state(watched.run, RunState.PAUSED)
        await watched.frontier.hold(watched.run, True)
        return _summary(self.db, watched.run, await watched.frontier.counts(watched.run), seconds, interrupted=True)

    async def _ended(self, watched: _Watched, counts: RunCounts, seconds: float) -> CrawlSummary:
        run = watched.run
        summary = _summary(self.db, run, counts, seconds, interrupted=False)
        campaigns.finish_run(self.db, self.actor, run, summary.to_json())
        await self._forget(watched.control, watched.frontier, run)
        if refused := counts.tally.get("refused-results", 0):
            raise VangnetError(
                f"run {run} finished, but {refused} results were refused: a worker's key is not registered or a result "
                "was damaged; see logs/recorder.log in the home, and crawl again"
            )
        return summary

    async def _tidy(self, control: Control, frontier: Frontier) -> None:
        """Forget runs that were finished by a command that was killed before it could."""
        finished = {run.id for run in campaigns.runs(self.db, self.campaign.name) if run.finished_at is not None}
        for active in await control.active():
            if active.run in finished:
                await self._forget(control, frontier, active.run)

    @staticmethod
    async def _forget(control: Control, frontier: Frontier, run: RunId) -> None:
        await control.retire(run)
        await frontier.forget(run)

    async def _resumed(self, control: Control, frontier: Frontier) -> RunId | None:
        """The unfinished run, when Redis still has it."""
        unfinished = campaigns.unfinished_run(self.db, self.campaign.name)
        if unfinished is None:
            return None
        found = await control.find(unfinished.id)
        if found is None:
            # Another server, or an emptied one: what was recorded stands, and the crawl starts again.
            campaigns.finish_run(self.db, self.actor, unfinished.id, {"lost": True})
            return None
        # What matches may have changed meanwhile, a replaced file may have another scope, keys may be others.
        await control.announce(replace(self._marker(found.run), started_at=found.started_at, seeded=found.seeded))
        await frontier.hold(found.run, False)
        if not found.seeded:
            await self._seed(control, frontier, found.run)
        return found.run

    async def _fresh(self, control: Control, frontier: Frontier) -> RunId:
        """A new run, announced and seeded."""
        run = campaigns.start_run(self.db, self.actor, self.campaign.name)
        await control.announce(self._marker(run))
        await self._seed(control, frontier, run)
        return run

    def _marker(self, run: RunId) -> RunControl:
        ours = verify_key(key_file(self.home.keys, "worker"))
        if ours not in verify_keys(self.db):
            add_key(self.db, self.actor, f"local-{ours.hex()[:8]}", ours)
        return RunControl(
            run=run,
            campaign=self.campaign.to_json(),
            index=self.index,
            recorder=public_key(key_file(self.home.keys, "recorder")),
            started_at=time.time(),
            workers=tuple(sorted(verify_keys(self.db))),
        )

    async def _seed(self, control: Control, frontier: Frontier, run: RunId) -> None:
        """Put the seeds into the frontier; a second time is harmless, for what is seen is not queued again."""
        for chunk in _chunks(self.campaign.seed_urls()):
            await frontier.offer(run, [Discovered(tuple(Candidate(url, Kind.PAGE, "seed", 0) for url in chunk))])
        await control.set_seeded(run)


def _chunks(urls: Iterator[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    for url in urls:
        chunk.append(url)
        if len(chunk) == _SEED_CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@dataclass(frozen=True, slots=True)
class _Watched:
    control: Control
    frontier: Frontier
    run: RunId


async def _watch(
    watched: _Watched, crew: Crew, started: float, progress: Callable[[Progress], None]
) -> RunCounts | None:
    """Wait until the run is finished; its last counts, or None when it was interrupted.

    Finished is: two successive looks see nothing queued, leased, delayed or unacknowledged, and unchanged counters.
    A server that is away for a while is waited for, as the workers and the recorder do.
    """
    before: RunCounts | None = None
    heard = time.monotonic()
    while not crew.interrupted:
        try:
            marker = await watched.control.require(watched.run)
            counts = await watched.frontier.counts(watched.run)
        except RedisUnavailable:
            if time.monotonic() - heard > _PATIENCE:
                raise
            await asyncio.sleep(1.0)
            continue
        heard = time.monotonic()
        if marker.state is not RunState.RUNNING:
            return None
        progress(Progress(watched.run, counts, time.monotonic() - started))
        idle = marker.seeded and counts.unfinished == 0
        if idle and counts == before:
            return counts
        before = counts if idle else None
        crew.check()
        await asyncio.sleep(_POLL)
    return None


def _summary(db: Database, run: RunId, counts: RunCounts, seconds: float, *, interrupted: bool) -> CrawlSummary:
    recorded = run_counts(db, run)
    urls = {
        "discovered": counts.discovered,
        "fetched": counts.fetched,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "pending": counts.pending,
    }
    if not interrupted and counts.pending != 0:
        raise FrontierLost(
            f"run {run} ended with {counts.pending} URLs without an outcome: the server lost data; what was recorded "
            "is safe, start the campaign again"
        )
    return CrawlSummary(
        run=run,
        urls=urls,
        images=counts.tally.get("images", 0),
        hits=recorded.hits,
        matches=recorded.matches,
        seconds=seconds,
        interrupted=interrupted,
        notes=counts.tally,
    )
