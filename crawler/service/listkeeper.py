"""What people do to the hash lists reaches the workers of every run within seconds: a standing task of the recorder.

The database says what should count, the index file of a run what its workers know. The difference is sent as a whole
whenever it changes. A difference that is long becomes a file of its own, built beside the work; until it is there, what
is masked counts no longer and short additions count already.

What counts is the served version of a list: one that waits for a second person is told to nobody.
"""

from __future__ import annotations

import asyncio
from asyncio import FIRST_COMPLETED
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import structlog

from crawler.bus.control import RunControl, RunState
from crawler.bus.envelope import public_key
from crawler.bus.lists import ListFeed, Published, Sent
from crawler.campaign import Campaign
from crawler.errors import VangnetError
from crawler.match.contents import IndexInfo
from crawler.records import RunId
from crawler.service import differences, manifests
from crawler.service.deployment import Deployment
from crawler.service.launch import locked
from crawler.service.lists import counting, enabled
from crawler.store import audit, coverage
from crawler.store.actors import RECORDER
from crawler.store.database import Database
from crawler.store.rechecks import SUFFIX

_PERIOD = 0.5
_AGAIN = 30.0
"""Seconds until another try, when a file could not be built."""
_log = structlog.get_logger()


@dataclass(slots=True)
class _Kept:
    """What is done for a run. campaign, names: as its marker has it, and the lists that it names.

    stamp: of what was sent last.  workers: who can read that.  file: the index file, as it was when it was read.
    building: the file that will replace it.  built: that one's sha256, until it is sent.  before: the file that was
    replaced last.  build_at: monotonic time from which on one is built, None when none is wanted.  preparing, prepared:
    files that may be wanted one day.  prepare_at: monotonic time before which none is made.  empty: no list that counts
    could raise a hit.
    """

    campaign: str
    names: tuple[str, ...]
    stamp: object = None
    workers: frozenset[bytes] = frozenset()
    sent: Sent | None = None
    file: object = None
    building: asyncio.Task[IndexInfo] | None = None
    built: str | None = None
    before: str | None = None
    build_at: float | None = None
    preparing: asyncio.Task[None] | None = None
    prepared: set[object] = field(default_factory=set)
    prepare_at: float = 0.0
    empty: bool = False


@dataclass(slots=True)
class ListKeeper:
    """Runs beside the recorder. secret: the recorder's private key, 32 bytes; whose runs these are follows from it."""

    db: Database
    deployment: Deployment
    feed: ListFeed
    secret: bytes = field(repr=False)
    _kept: dict[RunId, _Kept] = field(default_factory=dict)
    _expired: set[tuple[int, int | None]] = field(default_factory=set)

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the runs up to date until `stop` is set. What goes wrong is tried again, and keeps nobody from
        recording. Of several recorders of one home, one does so."""
        stopped = asyncio.create_task(stop.wait())
        with (self.db.home.root / "lists.lock").open("w") as lock:
            while not stop.is_set():
                try:
                    if locked(lock):
                        await self.step()
                except VangnetError as error:
                    _log.warning("telling workers of the hash lists delayed", error=str(error))
                # A file that is ready is sent at once.
                await asyncio.wait({stopped, *self._working()}, timeout=_PERIOD, return_when=FIRST_COMPLETED)
        for task in (stopped, *self._working()):
            task.cancel()

    def _working(self) -> list[asyncio.Task[Any]]:
        """What is being built."""
        tasks = (task for kept in self._kept.values() for task in (kept.building, kept.preparing))
        return [task for task in tasks if task is not None and not task.done()]

    async def step(self) -> None:
        """Bring all active runs of this recorder up to date."""
        self._note_expired()
        ours = public_key(self.secret)
        active = [marker for marker in await self.deployment.control.active() if marker.recorder == ours]
        for gone in self._kept.keys() - {marker.run for marker in active}:
            del self._kept[gone]
        for marker in active:
            if marker.state is not RunState.STOPPED:
                await self._keep(marker, self._known(marker))

    def _note_expired(self) -> None:
        """Say once which lists count no longer, because their manifests have expired."""
        for row in enabled(self.db):
            day = manifests.expired(self.db, row)
            if day is None or (row.id, row.served) in self._expired:
                continue
            self._expired.add((row.id, row.served))
            _log.warning("list left out: its manifest has expired", list=row.name, version=row.served)
            detail = {"version": row.served, "expired": day.isoformat()}
            with self.db.write():
                said = (event["detail"] for event in audit.events(self.db, object_id=row.name))
                if detail not in said:  # by a recorder before this one
                    audit.append(self.db, RECORDER, "lists.expire", row.name, detail=detail)

    def _known(self, marker: RunControl) -> _Kept:
        kept = self._kept.get(marker.run)
        if kept is None or kept.campaign != marker.campaign:
            kept = _Kept(marker.campaign, Campaign.from_json(marker.campaign).match.lists)
            self._kept[marker.run] = kept
        return kept

    async def _keep(self, marker: RunControl, kept: _Kept) -> None:
        run, workers = marker.run, frozenset(marker.workers)
        index = self._built(kept) or marker.index
        file = differences.signature(self.db.home, index)
        stamp = (index, differences.stamp(self.db, counting(self.db, kept.names)), file)
        if stamp != kept.stamp:
            # In a thread, on a connection of its own: a list may be long, and results are recorded meanwhile.
            if index != marker.index:
                kept.before = marker.index
            look = differences.Look(index, kept.names, kept.before, unread=file != kept.file)
            told = await asyncio.to_thread(differences.difference, self.db.home, look)
            kept.file = file
            if told.state is not None:
                await self._send(run, kept, told.state, workers)
                if index != marker.index and not run.campaign.endswith(SUFFIX):
                    with self.db.write():
                        coverage.note_index(self.db, run, index)
            kept.stamp = stamp
            kept.build_at = monotonic() if told.outgrown and not told.empty else None
            kept.empty = told.empty
        elif kept.sent is not None and not workers >= kept.workers:
            # Somebody was revoked: the same again, under a key that only the others get.
            kept.stamp = None
        elif kept.sent is not None and not await self.feed.holds(run, kept.sent):
            # A server that lost its last second lost it.
            kept.stamp = None
        elif kept.sent is not None and workers > kept.workers:
            await self.feed.admit(run, kept.sent, self.secret, workers - kept.workers)
            kept.workers = workers
        # Visits ask whether known images are gone, and go on with whatever is enabled.
        if kept.empty and not run.campaign.endswith(SUFFIX):
            await self._pause(marker)
        self._build(kept)

    def _build(self, kept: _Kept) -> None:
        """Build the file that is wanted; while none is, those that will be, one after the other."""
        if kept.preparing is not None and not kept.preparing.done():
            return
        if kept.preparing is not None and kept.preparing.exception() is not None:
            error = str(kept.preparing.exception())
            _log.warning("no index could be prepared; trying again", error=error, after=_AGAIN)
            kept.prepared.clear()
            kept.prepare_at = monotonic() + _AGAIN
        kept.preparing = None
        if kept.building is not None:
            return
        if kept.build_at is not None:
            if monotonic() >= kept.build_at:
                kept.building = asyncio.create_task(asyncio.to_thread(differences.rebuilt, self.db.home, kept.names))
            return
        if monotonic() < kept.prepare_at:
            return
        for chosen in differences.likely(self.db, kept.names):
            if (known := differences.stamp(self.db, chosen)) not in kept.prepared:
                kept.prepared.add(known)
                kept.preparing = asyncio.create_task(asyncio.to_thread(differences.prepared, self.db.home, chosen))
                return

    async def _send(self, run: RunId, kept: _Kept, state: Published, workers: frozenset[bytes]) -> None:
        kept.sent = await self.feed.publish(run, state, self.secret, workers)
        kept.workers, kept.built = workers, None
        _log.info("hash lists sent", run=str(run), state=state.number)

    def _built(self, kept: _Kept) -> str | None:
        """The file that is ready to replace the present one, None when there is none."""
        if kept.building is not None and kept.building.done():
            task, kept.building = kept.building, None
            try:
                kept.built, kept.build_at = task.result().sha256, None
            except VangnetError as error:
                _log.error("the new index could not be built; trying again", error=str(error), after=_AGAIN)
                kept.build_at = monotonic() + _AGAIN
        return kept.built

    async def _pause(self, marker: RunControl) -> None:
        """Pause a run that has nothing to match against: what it fetched would be looked at in vain."""
        if marker.state is not RunState.RUNNING:
            return
        await self.deployment.control.set_state(marker.run, RunState.PAUSED)
        await self.deployment.frontier.hold(marker.run, True)
        with self.db.write():
            detail = {"run": marker.run.number, "before": marker.state.value, "why": "nothing to match against"}
            audit.append(self.db, RECORDER, "campaigns.pause", marker.run.campaign, detail=detail)
        _log.error("run paused: no enabled list has an entry to match against", run=str(marker.run))
