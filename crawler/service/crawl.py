"""Crawling a campaign on this machine: prepare, start the processes, watch, and account for every URL at the end."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.bus.control import Control, RunControl, RunState
from crawler.bus.envelope import public_key, verify_key
from crawler.campaign import Campaign, check_startable, load_campaign
from crawler.errors import FrontierLost, Refused
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
from crawler.store.workers import add_key
from crawler.wiring import connect, frontier_of, reachable

_SEED_CHUNK = 500
_POLL = 0.1


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
    return asyncio.run(_Crawl(home, options, db, actor, campaign, index.sha256, order).run(progress))


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
            run = await self._resumed(control, frontier) or await self._fresh(control, frontier)
            started = time.monotonic()
            with Crew(self.home, self.order.settings, self.order.redis_url, self.order.workers) as crew:
                interrupted = await _watch(_Watched(control, frontier, run), crew, started, progress)
            counts = await frontier.counts(run)
            summary = _summary(self.db, run, counts, time.monotonic() - started, interrupted)
            if not interrupted:
                campaigns.finish_run(self.db, self.actor, run, summary.to_json())
                await control.retire(run)
                await frontier.forget(run)
            return summary
        finally:
            await client.aclose()

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
        # What matches may have changed meanwhile, and a replaced file may have other limits.
        await control.announce(
            replace(found, campaign=self.campaign.to_json(), index=self.index, state=RunState.RUNNING)
        )
        if not found.seeded:
            await self._seed(control, frontier, found.run)
        return found.run

    async def _fresh(self, control: Control, frontier: Frontier) -> RunId:
        """A new run, announced and seeded."""
        add_key(self.db, self.actor, "local", verify_key(key_file(self.home.keys, "worker")))
        run = campaigns.start_run(self.db, self.actor, self.campaign.name)
        recorder = public_key(key_file(self.home.keys, "recorder"))
        await control.announce(RunControl(run, self.campaign.to_json(), self.index, recorder, time.time()))
        await self._seed(control, frontier, run)
        return run

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


async def _watch(watched: _Watched, crew: Crew, started: float, progress: Callable[[Progress], None]) -> bool:
    """Wait until the run is finished. True when it was interrupted.

    Finished is: two successive looks see nothing queued, leased, delayed or unacknowledged, and unchanged counters.
    """
    before: RunCounts | None = None
    while True:
        marker = await watched.control.require(watched.run)
        if marker.state is RunState.STOPPED or crew.interrupted:
            return True
        counts = await watched.frontier.counts(watched.run)
        progress(Progress(watched.run, counts, time.monotonic() - started))
        idle = marker.seeded and counts.unfinished == 0
        if idle and counts == before:
            return False
        before = counts if idle else None
        crew.check()
        await asyncio.sleep(_POLL)


def _summary(db: Database, run: RunId, counts: RunCounts, seconds: float, interrupted: bool) -> CrawlSummary:
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
