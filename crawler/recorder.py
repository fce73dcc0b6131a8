"""The recorder: results stream -> attribution -> store. The only process that writes hits.

A batch is one transaction, and acknowledged after its commit; a report that is delivered twice is recognised by its
serial. What is no report of a registered worker is refused, counted and acknowledged: it must not block the stream.
"""

from __future__ import annotations

import asyncio

import structlog

from crawler.attributing import Attributing
from crawler.bus.envelope import Report, unseal
from crawler.errors import RecordCorrupt, RedisUnavailable, StoreUnavailable
from crawler.frontier.base import Frontier, StreamEntry
from crawler.meters import RECORDED, REFUSED
from crawler.recheck.schedule import SPACING
from crawler.records import HitReport, RecheckReport
from crawler.review.quarantine import FloodRule
from crawler.store import floods
from crawler.store.database import Database
from crawler.store.hits import record_many
from crawler.store.looks import record_looks, sightings
from crawler.store.rechecks import record_visits
from crawler.store.workers import verify_keys

_BATCH = 200
_WAIT = 0.5
_PAUSE = 1.0
_log = structlog.get_logger()


class Recorder:
    """secret: the recorder's private key, 32 bytes.  rule: when an entry's near matches flood.

    spacing: seconds between visits that each count as a miss.
    """

    def __init__(
        self,
        frontier: Frontier,
        db: Database,
        attributing: Attributing,
        secret: bytes,
        rule: FloodRule | None = None,
        *,
        spacing: float = SPACING,
    ) -> None:
        self._frontier = frontier
        self._db = db
        self._attributing = attributing
        self._secret = secret
        self._rule = rule or FloodRule()
        self._spacing = spacing

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set; waits out a server or a database that is away for a while."""
        while not stop.is_set():
            try:
                recorded = await self.step()
            except (RedisUnavailable, StoreUnavailable) as error:
                _log.warning("recording delayed", error=str(error))
                await asyncio.sleep(_PAUSE)
                continue
            if not recorded:
                await asyncio.sleep(0.02)

    async def step(self) -> int:
        """Record one batch; how many entries it had."""
        entries = await self._frontier.results(_BATCH, _WAIT)
        if not entries:
            return 0
        reports, refused = self._open(entries)
        attributed = await self._attributing.attributed(self._db, reports)
        hits = [(each, by) for each, by in attributed if isinstance(each, HitReport)]
        visits = [(each, by) for each, by in attributed if isinstance(each, RecheckReport)]
        looks = [(each, by) for each, by in visits if each.look]
        hits += sightings(looks)
        recorded = record_many(self._db, hits) if hits else []
        if visits:
            record_visits(self._db, [(each, by) for each, by in visits if not each.look], self._spacing)
        if looks:
            record_looks(self._db, looks, self._spacing)
        RECORDED.labels("hit").inc(len(hits))
        RECORDED.labels("recheck").inc(len(visits))
        REFUSED.inc(len(refused))
        for entry in floods.settle(self._db, sorted({each.hit_id for each in recorded}), self._rule):
            _log.warning("entry in quarantine", entry=entry)
        if refused:
            await self._frontier.refuse(refused, "refused-results")
        good = [entry for entry in entries if entry not in refused]
        await self._frontier.ack_results(good)
        return len(entries)

    def _open(self, entries: list[StreamEntry]) -> tuple[list[Report], list[StreamEntry]]:
        workers = verify_keys(self._db)
        reports: list[Report] = []
        refused: list[StreamEntry] = []
        for entry in entries:
            try:
                report = unseal(entry.payload, self._secret, workers)
                if report.run != entry.run:
                    raise RecordCorrupt("a result names another run than its entry")
                reports.append(report)
            except RecordCorrupt as error:
                _log.error("result refused", error=str(error), run=str(entry.run))
                refused.append(entry)
        return reports, refused
