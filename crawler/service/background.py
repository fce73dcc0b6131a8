"""Known places are visited again when a list has grown: by itself, and behind everything else.

What was crawled before could match now, and nothing of it was kept. So once a version of a block list counts that the
latest runs of a campaign did not know, the campaign `BASE-revisit` is made anew and started (`service/revisits.py`).
Whoever approved BASE approved that: it has the same scope, identity, limits and thresholds, less depth, and its seeds
are places where BASE found something. Where BASE would not be started, neither is this.

In the background means: nothing of it is claimed while another run has anything to do, but for SHARE of the time, so
that a deployment that always crawls gets to it as well.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Final, TextIO

import structlog

from crawler.bus.control import RunControl, RunState
from crawler.campaign import check_startable
from crawler.errors import NothingToMatch, RedisUnavailable, Refused, StoreUnavailable, VangnetError
from crawler.home import Home
from crawler.match.contents import IndexInfo
from crawler.options import Options
from crawler.records import RunId
from crawler.service.campaigns import require_absolute_seeds, require_approval, stored_campaign
from crawler.service.deployment import Deployment
from crawler.service.indexing import ensure_index
from crawler.service.launch import Launch, alone, locked
from crawler.service.lists import counting
from crawler.service.revisits import SUFFIX, keep_revisit, name_of, promising
from crawler.store import audit, campaigns
from crawler.store.actors import REVISITOR
from crawler.store.coverage import is_behind
from crawler.store.database import Database, open_store

ROUND: Final = 600.0
"""Seconds; of each round, the last SHARE is for background runs, whatever else goes on."""
SHARE: Final = 0.1

_EVERY: Final = 5.0
_LOOK: Final = 6
"""Looks at what may be held between two looks for lists that have grown."""
_log = structlog.get_logger()


@dataclass(slots=True)
class Revisitor:
    """Runs beside the recorder. ours: its public key, by which its runs are known."""

    db: Database
    options: Options
    deployment: Deployment
    ours: bytes
    _held: dict[RunId, bool] = field(default_factory=dict)
    _tried: dict[str, object] = field(default_factory=dict)

    async def run(self, stop: asyncio.Event) -> None:
        """Start what is due and hold back what may wait, until `stop` is set. What goes wrong is tried again. Of
        several recorders of one home, one does so."""
        with ExitStack() as files:
            lock: TextIO | None = None
            for look in count():
                if stop.is_set():
                    break
                try:
                    lock = lock or files.enter_context((self.db.home.root / "revisits.lock").open("w"))
                    if locked(lock):
                        await self.give_way()
                        if look % _LOOK == 0:
                            await self.begin_due()
                except (VangnetError, OSError) as error:
                    _log.warning("re-visits not looked after", error=str(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), _EVERY)
        with suppress(VangnetError):
            await self._let_go()

    async def give_way(self) -> None:
        """Hold background runs while another run has something to do, and let them go on when none has."""
        running = [marker for marker in await self.deployment.control.active() if marker.state is RunState.RUNNING]
        behind = {marker.run: marker for marker in running if _background(marker) and marker.recorder == self.ours}
        for gone in self._held.keys() - behind.keys():
            del self._held[gone]
        if not behind:
            return
        wait = not _has_its_turn(self.db.clock()) and await self._busy(running)
        for run, marker in behind.items():
            # What is not all there was left by somebody who was killed: nothing of it, unless it may still be begun.
            held = wait or not marker.seeded
            # Somebody may have resumed it meanwhile; to hold it once more costs next to nothing.
            if held or self._held.get(run, True):
                await self.deployment.frontier.hold(run, held)
            self._held[run] = held

    async def begin_due(self) -> list[RunId]:
        """Start a re-visit of each campaign that is behind its lists, and may be started. Returns the runs."""
        if not self.options.revisit_spacing:
            return []
        begun = []
        for row in campaigns.all_campaigns(self.db):
            if row.name.endswith(SUFFIX) or not (await self._left_behind(row.name) or self._due(row.name)):
                continue
            try:
                run = await self._begin(row.name)
            except (VangnetError, OSError) as error:
                if isinstance(error, RedisUnavailable | StoreUnavailable | OSError):
                    self._tried.pop(row.name, None)
                _log.warning("no re-visit", campaign=row.name, why=str(error))
                continue
            _log.info("re-visit begun, as lists have grown", run=str(run))
            begun.append(run)
        return begun

    async def _left_behind(self, base: str) -> bool:
        """Whether whoever began a re-visit was killed before all seeds were there, and nobody has stopped it since."""
        unfinished = campaigns.unfinished_run(self.db, name_of(base))
        marker = None if unfinished is None else await self.deployment.control.find(unfinished.id)
        return unfinished is not None and (marker is None or (marker.state is RunState.RUNNING and not marker.seeded))

    def _due(self, base: str) -> bool:
        """Whether lists have grown past what a campaign's runs knew, which has not been tried in vain before."""
        name = name_of(base)
        before = campaigns.runs(self.db, name)
        if before and (
            before[-1].finished_at is None or self.db.clock() - before[-1].started_at < self.options.revisit_spacing
        ):
            return False
        history = campaigns.runs(self.db, base)
        if not history:
            return False
        named = stored_campaign(self.db, base, lab=self.options.lab).match.lists
        served = {each.id: each.served or 0 for each in counting(self.db, named)}
        tried = (tuple(served.items()), history[-1], campaigns.load(self.db, base))
        if self._tried.get(base) == tried or not is_behind(self.db, (base, name), served):
            return False
        self._tried[base] = tried
        return True

    async def _begin(self, base: str) -> RunId:
        require_approval(self.db, self.options, base)
        kept = campaigns.load(self.db, base)
        campaign = stored_campaign(self.db, base, lab=self.options.lab)
        check_startable(campaign, datetime.now(UTC).date())
        name = name_of(base)
        index = await asyncio.to_thread(_index, self.db.home, campaign.match.lists)
        with alone(self.db.home, name, patience=0.0):
            seeds = promising(self.db, campaign, finders=(base, name))
            with self.db.write():
                # The index took its time: the file may be another one by now, or nobody's approval any more.
                if campaigns.load(self.db, base) != kept:
                    raise Refused(f"campaign {base!r} was changed meanwhile")
                keep_revisit(self.db, REVISITOR, campaign, seeds)
                self._approve(name, base)
            require_approval(self.db, self.options, name)
            derived = stored_campaign(self.db, name, lab=self.options.lab)
            require_absolute_seeds(derived)
            launch = Launch(self.db.home, self.db, REVISITOR, derived, index.sha256, self.deployment)
            run = await launch.announce()
            # Before the first seed is there; the next look lets it go on, if nothing else is to be done.
            await self.deployment.frontier.hold(run, True)
            self._held[run] = True
            await launch.fill(run)
            return run

    def _approve(self, name: str, base: str) -> None:
        """Who approved the one approved the other; that is on record with the file that was approved."""
        approved = campaigns.load(self.db, base)
        if approved is None or approved.state != "approved":
            return
        with self.db.write():
            campaigns.set_state(self.db, REVISITOR, name, "approved")
            detail = {"why": "derived", "base": base, "file": approved.sha256}
            audit.append(self.db, REVISITOR, "campaigns.approve", name, detail=detail)

    async def _busy(self, running: list[RunControl]) -> bool:
        """Whether a run that is not in the background has anything left to do."""
        for marker in running:
            if not _background(marker) and (
                not marker.filled or (await self.deployment.frontier.counts(marker.run)).unfinished
            ):
                return True
        return False

    async def _let_go(self) -> None:
        """Hold nothing any more: nobody is there to let it go on."""
        for run, held in self._held.items():
            marker = await self.deployment.control.find(run) if held else None
            if marker is not None and marker.seeded:
                await self.deployment.frontier.hold(run, False)


def _background(marker: RunControl) -> bool:
    return marker.run.campaign.endswith(SUFFIX)


def _has_its_turn(now: float) -> bool:
    return now % ROUND >= ROUND * (1.0 - SHARE)


def _index(home: Home, names: tuple[str, ...]) -> IndexInfo:
    """On a connection of its own: a long list takes its time, and results are recorded meanwhile."""
    with open_store(home) as db:
        if not counting(db, names):
            raise NothingToMatch("no list of the campaign counts")
        return ensure_index(home, db, names, say=_log.warning)
