"""Steering the runs of a campaign: pause, resume, stop, and how the latest one stands.

The marker in Redis says what a run is to do, and every worker looks at it each second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

from crawler.bus.control import RunControl, RunState
from crawler.campaign import Campaign, check_startable
from crawler.errors import FrontierLost, Refused
from crawler.service.actors import require
from crawler.service.campaigns import known
from crawler.service.deployment import Deployment, Server, joined
from crawler.service.revealing import may_reveal
from crawler.service.settle import settle
from crawler.service.shown import coverage_json, letters_json, urls_json
from crawler.store import audit, campaigns
from crawler.store.actors import Actor
from crawler.store.campaigns import CampaignRow
from crawler.store.database import Database

_MOVES: Final[Mapping[str, tuple[RunState, frozenset[RunState]]]] = MappingProxyType(
    {
        "pause": (RunState.PAUSED, frozenset({RunState.RUNNING, RunState.PAUSED})),
        "resume": (RunState.RUNNING, frozenset(RunState)),
        "stop": (RunState.STOPPED, frozenset(RunState)),
    }
)
"""Act -> the state that it leads to, and those that it may be done in."""


def pause_campaign(db: Database, actor: Actor, server: Server, name: str) -> dict[str, Any]:
    """Let no request of a campaign leave, on no machine, until it is resumed. Returns {"campaign", "run", "state"}.

    Workers see it within 2 s. Raises NotAuthorised, CampaignInvalid for an unknown name, Refused when no run of it is
    in progress or it is stopped, RedisUnavailable.
    """
    return _move(db, actor, server, name, "pause")


def resume_campaign(db: Database, actor: Actor, server: Server, name: str) -> dict[str, Any]:
    """Let a paused or stopped run go on. As `pause_campaign`; raises CampaignExpired as well."""
    return _move(db, actor, server, name, "resume")


def stop_campaign(db: Database, actor: Actor, server: Server, name: str) -> dict[str, Any]:
    """End the crawl of a campaign wherever it goes on; it may be resumed. As `pause_campaign`."""
    return _move(db, actor, server, name, "stop")


@dataclass(frozen=True, slots=True)
class Look:
    """What `campaign_status` shows. letters: dead letters at most.  reveal: URLs and hosts as they are, else masked."""

    letters: int
    reveal: bool


def campaign_status(
    db: Database, actor: Actor, server: Server, name: str, *, letters: int = 20, reveal_reason: str | None = None
) -> dict[str, Any]:
    """How the latest run of a campaign stands; see `_status` for the keys. letters: dead letters at most.

    URLs and hosts are masked unless this is the lab or a reason to reveal them is given. A run that has ended, and that
    no crawl waits for, is closed.
    Raises NotAuthorised, CampaignInvalid for an unknown name, InvalidInput for an empty reason, RedisUnavailable.
    """
    require(db, actor, "campaigns.read")
    row = known(db, name)
    look = Look(letters, may_reveal(db, actor, "campaigns.reveal", name, reveal_reason))

    async def act() -> dict[str, Any]:
        async with joined(server) as deployment:
            with suppress(FrontierLost):  # what is closed as lost is shown as lost
                await settle(db, deployment, name)
            return await _status(db, deployment, row, look)

    return asyncio.run(act())


async def _status(db: Database, deployment: Deployment, row: CampaignRow, look: Look) -> dict[str, Any]:
    """{"campaign", "approved", "state", "run", "started_at", "finished_at", "seeded", "urls", "images", "hits",
    "counters", "retried", "waiting", "dead_letters", "stops", "coverage", "frontier"}.

    state: "running", "paused", "stopped", "finished", "lost" when Redis lost URLs of it or the whole, or None before
    the first run.  urls: as `crawl --json` has it.  waiting: what is queued, leased, delayed or unacknowledged.
    dead_letters: [{"url", "kind", "reason"}], the newest first; of a finished run always masked.  stops: how many
    emergency stops are in force.  coverage: see `coverage_json`; hosts whose budgets were used up, over all nights.
    frontier: the fields of FrontierState, over all campaigns.  What only Redis knows of a run is None after it.
    """
    history = campaigns.runs(db, row.name)
    last = campaigns.run_json(history[-1]) if history else {}
    summary = last.get("summary") or {}
    ended = "lost" if summary.get("lost") else "finished"
    found: dict[str, Any] = {
        "campaign": row.name,
        "approved": row.state != "created",
        "state": ended if last.get("finished_at") else None,
        "run": last.get("run"),
        "started_at": last.get("started_at"),
        "finished_at": last.get("finished_at"),
        "seeded": None,
        "urls": summary.get("urls"),
        "images": summary.get("images"),
        "hits": summary.get("hits"),
        "counters": None,
        "retried": None,
        "waiting": None,
        "dead_letters": summary.get("dead_letters", [])[: look.letters],
        "stops": len(await deployment.control.stops()),
        "coverage": coverage_json(db, await deployment.frontier.coverage(row.name), reveal=look.reveal),
        "frontier": asdict(await deployment.frontier.state()),
    }
    if not history or last["finished_at"] is not None:
        return found
    marker = await deployment.control.find(history[-1].id)
    if marker is None:
        return found | {"state": "lost"}
    return found | await _live(db, deployment, marker, look)


async def _live(db: Database, deployment: Deployment, marker: RunControl, look: Look) -> dict[str, Any]:
    counts = await deployment.frontier.counts(marker.run)
    dead = await deployment.frontier.dead_letters(marker.run, look.letters)
    return {
        "state": marker.state.value,
        "seeded": marker.seeded,
        "urls": urls_json(counts),
        "images": counts.tally.get("images", 0),
        "hits": counts.tally.get("hits", 0),
        "counters": counts.tally,
        "retried": counts.retried,
        "waiting": counts.waiting,
        "dead_letters": letters_json(db, dead, reveal=look.reveal),
    }


def _move(db: Database, actor: Actor, server: Server, name: str, act: str) -> dict[str, Any]:
    require(db, actor, f"campaigns.{act}")
    known(db, name)

    async def move() -> dict[str, Any]:
        async with joined(server) as deployment:
            return await _moved(db, actor, deployment, name, act)

    return asyncio.run(move())


async def _moved(db: Database, actor: Actor, deployment: Deployment, name: str, act: str) -> dict[str, Any]:
    target, permitted = _MOVES[act]
    marker = await _in_progress(db, deployment, name)
    if marker.state not in permitted:
        raise Refused(f"campaign {name!r} is {marker.state}; {act} is not possible from there")
    if target is RunState.RUNNING:
        check_startable(Campaign.from_json(marker.campaign), datetime.now(UTC).date())
    run = marker.run
    if target is RunState.RUNNING:
        # Before the marker: whoever is killed in between leaves a paused run, which can be resumed once more.
        await deployment.frontier.hold(run, False)
    with db.write():
        audit.append(db, actor, f"campaigns.{act}", name, detail={"run": run.number, "before": marker.state.value})
        if not await deployment.control.set_state(run, target):
            raise _no_run(name)
    if target is not RunState.RUNNING:
        # Workers go by the marker; that the queues rest as well spares the others their turns.
        await deployment.frontier.hold(run, True)
    return {"campaign": name, "run": run.number, "state": target.value}


async def _in_progress(db: Database, deployment: Deployment, name: str) -> RunControl:
    unfinished = campaigns.unfinished_run(db, name)
    marker = None if unfinished is None else await deployment.control.find(unfinished.id)
    if marker is None:
        raise _no_run(name)
    return marker


def _no_run(name: str) -> Refused:
    return Refused(f"no run of campaign {name!r} is in progress; see `vangnet campaign status {name}`")
