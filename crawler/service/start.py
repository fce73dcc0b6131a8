"""Starting a campaign for the workers of a deployment, wherever they run; `service/crawl.py` brings its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from crawler.bus.control import RunState
from crawler.campaign import check_startable
from crawler.errors import Refused
from crawler.home import Home
from crawler.records import RunId
from crawler.service.actors import require
from crawler.service.campaigns import require_absolute_seeds, require_approval, stored_campaign
from crawler.service.deployment import Server, joined
from crawler.service.indexing import ensure_index
from crawler.service.launch import Launch, alone
from crawler.service.settle import settle_alone
from crawler.store import campaigns
from crawler.store.actors import Actor
from crawler.store.database import Database


def start_campaign(
    home: Home, db: Database, actor: Actor, server: Server, name: str, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Announce and seed a run of a kept campaign; workers and a recorder anywhere serve it.

    say: is told in a line what had to be mended before.
    Returns {"campaign", "run", "state"}. An unfinished run in which nothing is left to do is closed first; one that is
    lost to Redis is started anew.
    Raises NotAuthorised, CampaignInvalid, CampaignExpired, NothingToMatch, Refused (not approved, or a run is in
    progress), RedisUnavailable, FrontierLost (the last run lost URLs; it is closed, and the next call starts another).
    """
    require(db, actor, "campaigns.start")
    campaign = stored_campaign(db, name, lab=server.options.lab)
    require_absolute_seeds(campaign)
    require_approval(db, server.options, name)
    check_startable(campaign, datetime.now(UTC).date())
    index = ensure_index(home, db, campaign.match.lists, say=say)

    async def act() -> RunId:
        async with joined(server) as deployment:
            launch = Launch(home, db, actor, campaign, index.sha256, deployment)
            await _close_ended(launch, name)
            return await launch.begin()

    with alone(home, name):
        run = asyncio.run(act())
    return {"campaign": name, "run": run.number, "state": RunState.RUNNING.value}


async def _close_ended(launch: Launch, name: str) -> None:
    """Close the unfinished run when all of it has ended. Raises Refused when it goes on, FrontierLost."""
    unfinished = campaigns.unfinished_run(launch.db, name)
    marker = None if unfinished is None else await launch.deployment.control.find(unfinished.id)
    if marker is None or await settle_alone(launch.db, launch.deployment, name):
        return
    if marker.state is not RunState.RUNNING:
        raise Refused(f"run {marker.run} is {marker.state}; `vangnet campaign resume {name}` lets it go on")
    # One without all of its seeds belongs to somebody who was killed; begin() takes it up.
    if marker.seeded:
        raise Refused(f"run {marker.run} is in progress; see `vangnet campaign status {name}`")
