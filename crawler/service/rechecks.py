"""Visiting again what notices name, through the same frontier: politeness and scope hold, whoever crawls meanwhile.

One round visits what is due. Where an image was missed, further rounds follow at the least spacing, until it was missed
often enough to be gone; `wait` says for how long.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crawler.bus.control import RunControl
from crawler.bus.envelope import public_key, verify_key
from crawler.campaign import Campaign
from crawler.errors import NothingToMatch, RedisUnavailable, VangnetError
from crawler.frontier.figures import RunCounts
from crawler.home import Home
from crawler.options import Options
from crawler.recheck.outcome import PAGE_DEPTH
from crawler.recheck.schedule import MISSES, due_at, is_due, misses
from crawler.records import Candidate, Discovered, Kind, RunId
from crawler.service.actors import require
from crawler.service.campaigns import require_approval, stored_campaign
from crawler.service.deployment import Deployment, Server, joined
from crawler.service.indexing import ensure_index
from crawler.service.launch import alone
from crawler.service.processes import Crew
from crawler.store import audit, rechecks
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.keys import key_file
from crawler.store.rechecks import SUFFIX, Target
from crawler.store.times import iso_optional
from crawler.store.workers import add_key, verify_keys

WAIT: Final = 900.0
"""Seconds after its first round for which a call goes on visiting what was missed: a removal, or a bad moment?"""
ROUND: Final = 1_800.0
"""Seconds after which a round is given up: an emergency stop or a slow address must not hold the next ones."""
_POLL: Final = 0.1
_CHUNK: Final = 500
_LOCK: Final = "~recheck"
_SHOWN: Final = (("removed", "removed"), ("still_up", "still-up"), ("moved", "moved"), ("noticed", "noticed"))

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RecheckOrder:
    """How to visit. settings: the settings module of the worker.  redis_url: the server's.

    everything: what is not due as well.  wait: see WAIT; 0 for one round.
    """

    settings: str
    redis_url: str
    everything: bool = False
    wait: float = WAIT


@dataclass(slots=True)
class RecheckSummary:
    """visits: over all rounds.  unserved: campaigns whose hits could not be visited -> why."""

    rounds: int = 0
    visits: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    unserved: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    seconds: float = 0.0

    def to_json(self, db: Database, spacing: float) -> dict[str, Any]:
        """{"rounds", "visits", "outcomes", "watched", "removed", "still_up", "moved", "noticed", "next_due_at",
        "unserved", "seconds"}; removed to noticed are numbers of hits, as they stand now."""
        watched = rechecks.targets(db)
        dues = [due for target in watched if (due := due_at(target.watched, spacing=spacing)) is not None]
        counts = {name: int(db.value("SELECT count(*) FROM hits WHERE status = ?", status)) for name, status in _SHOWN}
        return {
            "rounds": self.rounds,
            "visits": self.visits,
            "outcomes": self.outcomes,
            "watched": len(watched),
            **counts,
            "next_due_at": iso_optional(min(dues, default=None)),
            "unserved": self.unserved,
            "seconds": round(self.seconds, 3),
        }


def run_rechecks(
    home: Home, options: Options, db: Database, actor: Actor, order: RecheckOrder, *, progress: Progress
) -> RecheckSummary:
    """Visit what is due, with a worker and a recorder of this machine, and record what it says.

    progress: told in a line now and then.
    Raises NotAuthorised, Refused while another process does so, RedisUnavailable.
    """
    require(db, actor, "rechecks.run")
    with alone(home, _LOCK):
        return asyncio.run(_Rounds(home, options, db, actor, order, progress).run())


@dataclass(slots=True)
class _Rounds:
    home: Home
    options: Options
    db: Database
    actor: Actor
    order: RecheckOrder
    progress: Progress
    summary: RecheckSummary = field(default_factory=RecheckSummary)
    asked: dict[RunId, int] = field(default_factory=dict)
    """Run -> URLs that it visits for a hit; the pages that are looked at beside them are not among them."""

    async def run(self) -> RecheckSummary:
        started = time.monotonic()
        chosen = self._due(everything=self.order.everything)
        if chosen:
            async with joined(Server(self.options, self.order.redis_url)) as deployment:
                await self._visit(deployment, chosen)
        self.summary.outcomes = rechecks.outcomes(self.db, self.asked)
        self.summary.seconds = time.monotonic() - started
        return self.summary

    async def _visit(self, deployment: Deployment, chosen: list[Target]) -> None:
        """All rounds. The first round's runs stay announced until the end, so that the worker stays for the others."""
        await self._tidy(deployment)
        try:
            fresh = await self._announce(deployment, chosen)
            if not fresh:
                return
            # The crew comes after the announcement: a worker without a run has nothing to wait for.
            with Crew(self.home, self.order.settings, self.order.redis_url, 1) as crew:
                await self._round(deployment, crew, fresh)
                ends = time.monotonic() + self.order.wait
                while chosen := await self._missed(crew, ends):
                    fresh = await self._announce(deployment, chosen)
                    await self._round(deployment, crew, fresh)
                self.summary.interrupted = crew.interrupted
        finally:
            for run in self.asked:
                await deployment.frontier.forget(run)
                await deployment.control.retire(run)
            await deployment.control.compact()

    async def _tidy(self, deployment: Deployment) -> None:
        """Close runs of a process that was killed; under our lock, every one that is active is such a run."""
        for active in await deployment.control.active():
            if active.run.campaign.endswith(SUFFIX):
                rechecks.settle(self.db, active.run, "interrupted")
                await deployment.frontier.forget(active.run)
                await deployment.control.retire(active.run)

    def _due(self, *, everything: bool) -> list[Target]:
        now, spacing = self.db.clock(), self.options.recheck_spacing
        found = rechecks.targets(self.db)
        return [target for target in found if everything or is_due(target.watched, now, spacing=spacing)]

    async def _announce(self, deployment: Deployment, chosen: Sequence[Target]) -> list[RunId]:
        """One run for each campaign: its scope, limits and identity hold for its hits."""
        by_campaign: dict[str, list[Target]] = defaultdict(list)
        for target in chosen:
            by_campaign[target.campaign].append(target)
        fresh = []
        for name, targets in sorted(by_campaign.items()):
            try:
                marker = self._marker(name)
            except VangnetError as error:
                self.summary.unserved[name] = str(error)
                continue
            run = rechecks.plan(self.db, name, targets)
            fresh.append(run)
            self.asked[run] = 0
            await deployment.control.announce(replace(marker, run=run, started_at=time.time()))
            await self._offer(deployment, run, targets)
            await deployment.control.set_seeded(run)
            with self.db.write():
                audit.append(self.db, self.actor, "rechecks.run", str(run), detail={"hits": len(targets)})
        return fresh

    async def _offer(self, deployment: Deployment, run: RunId, targets: Sequence[Target]) -> None:
        """Each with the page that showed it, as the crawl asked for it."""
        unique = {target.url: target for target in targets}
        self.asked[run] = len(unique)
        found = [
            Discovered((Candidate(target.url, Kind.RECHECK, "recheck", 0),), referrer=target.page_url)
            for target in unique.values()
        ]
        for start in range(0, len(found), _CHUNK):
            await deployment.frontier.offer(run, found[start : start + _CHUNK])

    def _marker(self, name: str) -> RunControl:
        """What workers are told. Visits of its hits go on after a campaign's last day."""
        # Its file may have been replaced since the crawl; nobody is asked for what nobody approved.
        require_approval(self.db, self.options, name)
        campaign = stored_campaign(self.db, name, lab=self.options.lab)
        try:
            index = ensure_index(self.home, self.db, campaign.match.lists)
        except NothingToMatch:
            # Its lists are gone; what is enabled may still know the images.
            campaign = replace(campaign, match=replace(campaign.match, lists=()))
            index = ensure_index(self.home, self.db)
        ours = verify_key(key_file(self.home.keys, "worker"))
        if ours not in verify_keys(self.db):
            add_key(self.db, self.actor, f"local-{ours.hex()[:8]}", ours)
        return RunControl(
            run=RunId(name + SUFFIX, 0),
            campaign=_prolonged(campaign).to_json(),
            index=index.sha256,
            recorder=public_key(key_file(self.home.keys, "recorder")),
            started_at=time.time(),
            workers=tuple(sorted(verify_keys(self.db))),
        )

    async def _round(self, deployment: Deployment, crew: Crew, fresh: list[RunId]) -> None:
        self.summary.rounds += 1
        counts = await _finished(deployment, crew, fresh)
        for run in fresh:
            self.summary.visits += self.asked[run]
            left = rechecks.settle(self.db, run, _why(counts[run]))
            self.progress(f"{run}: {self.asked[run]} visited, {left} without an answer")

    async def _missed(self, crew: Crew, ends: float) -> list[Target]:
        """What is to be visited again to tell a removal from a bad moment, when its time has come; empty: nothing."""
        spacing = self.options.recheck_spacing
        pending = [
            target
            for target in rechecks.targets(self.db)
            if target.watched.removed_at is None and 0 < len(misses(target.watched.checks, spacing)) < MISSES
        ]
        if not pending or crew.interrupted:
            return []
        rest = max(due_at(target.watched, spacing=spacing) or 0.0 for target in pending) - self.db.clock()
        if time.monotonic() + rest > ends:
            return []
        self.progress(f"{len(pending)} missed; visited again in {max(rest, 0.0):.0f} s")
        until = time.monotonic() + rest
        while time.monotonic() < until and not crew.interrupted:
            crew.check()
            await asyncio.sleep(min(_POLL, max(until - time.monotonic(), 0.01)))
        return pending


async def _finished(deployment: Deployment, crew: Crew, runs: list[RunId]) -> dict[RunId, RunCounts]:
    """The last counters of these runs, once two looks in a row see nothing left to do; or when time is over."""
    deadline = time.monotonic() + ROUND
    before: dict[RunId, RunCounts] = {}
    while True:
        try:
            counts = {run: await deployment.frontier.counts(run) for run in runs}
        except RedisUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1.0)
            continue
        idle = all(count.unfinished == 0 for count in counts.values())
        if (idle and counts == before) or crew.interrupted or time.monotonic() > deadline:
            return counts
        before = counts if idle else {}
        crew.check()
        await asyncio.sleep(_POLL)


def _why(counts: RunCounts) -> str:
    """Why visits of a run brought no answer, as far as its counters tell: the reason, when all had the same."""
    reasons = {**counts.skipped, **counts.failed}
    if counts.unfinished:
        return "not-in-time"
    return next(iter(counts.skipped), "no-answer") if len(counts.skipped) == 1 or not reasons else "skipped"


def _prolonged(campaign: Campaign) -> Campaign:
    """Visits go on after a campaign's last day, and may look two steps further: at a page, and at its images."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    about = replace(campaign.about, valid_until=max(campaign.about.valid_until, tomorrow))
    limits = replace(campaign.limits, max_depth=max(campaign.limits.max_depth, PAGE_DEPTH + 1))
    return replace(campaign, about=about, limits=limits)
