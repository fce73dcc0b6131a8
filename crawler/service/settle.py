"""Closing runs that have ended without a `vangnet crawl` that waits for it: those that `campaign start` began.

Finished is the same everywhere: two successive looks see nothing queued, leased, delayed or unacknowledged, and
unchanged counters.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import structlog

from crawler.bus.control import RunControl, RunState
from crawler.errors import Refused, VangnetError
from crawler.frontier.figures import RunCounts
from crawler.records import RunId
from crawler.service.accounting import close_run
from crawler.service.deployment import Deployment
from crawler.service.launch import alone
from crawler.store import campaigns
from crawler.store.actors import SETTLER
from crawler.store.database import Database

_LOOKS = 0.2
_EVERY = 3.0
_log = structlog.get_logger()


async def keep_settled(db: Database, deployment: Deployment, stop: asyncio.Event) -> None:
    """Close the active runs as they end, until `stop` is set. For the process that records, which is always there."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), _EVERY)
            return
        try:
            for active in await deployment.control.active():
                if await settle(db, deployment, active.run.campaign):
                    _log.info("run finished", run=str(active.run))
        except VangnetError as error:
            _log.warning("runs not closed", error=str(error))


async def settle(db: Database, deployment: Deployment, campaign: str) -> bool:
    """Close the unfinished run of a campaign if all of it has ended; whether it had.

    A run that is crawled from this home is left to that crawl.
    Raises RedisUnavailable, StoreUnavailable, FrontierLost as `settle_alone` does.
    """
    marker = await _in_motion(db, deployment, campaign)
    if marker is None or await _idle(deployment, marker.run) is None:
        return False
    try:
        with alone(db.home, campaign, patience=0.0):
            return await settle_alone(db, deployment, campaign)
    except Refused:
        return False


async def settle_alone(db: Database, deployment: Deployment, campaign: str) -> bool:
    """As `settle`, for who holds the lock of the campaign (`launch.alone`).

    Raises FrontierLost when URLs of the run have no outcome and never will; the run is closed then as well.
    """
    marker = await _in_motion(db, deployment, campaign)
    before = None if marker is None else await _idle(deployment, marker.run)
    if marker is None or before is None:
        return False
    await asyncio.sleep(_LOOKS)
    if await _idle(deployment, marker.run) != before:
        return False
    seconds = max(time.time() - marker.started_at, 0.0)
    await close_run(db, SETTLER, deployment, marker.run, before, seconds=seconds)
    return True


async def _in_motion(db: Database, deployment: Deployment, campaign: str) -> RunControl | None:
    """The marker of the unfinished run, None when there is none that could have ended."""
    unfinished = campaigns.unfinished_run(db, campaign)
    marker = None if unfinished is None else await deployment.control.find(unfinished.id)
    # A stopped run is somebody's to resume; one that is not filled yet goes on.
    return None if marker is None or not marker.filled or marker.state is RunState.STOPPED else marker


async def _idle(deployment: Deployment, run: RunId) -> RunCounts | None:
    """The counters of a run in which nothing is left to do, else None."""
    counts = await deployment.frontier.counts(run)
    return None if counts.unfinished else counts
