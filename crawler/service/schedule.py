"""Acts on schedules: nightly crawls, and visits of what is due, each once per planned time.

A planned time is taken by one row under a unique key, whichever process comes first. What was missed is caught up once
within the schedule's window; a run that would overlap another one of its campaign is skipped. Both are on record.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from crawler.errors import InvalidInput, Refused, VangnetError
from crawler.home import Home
from crawler.options import Options
from crawler.service.actors import require
from crawler.service.campaigns import known
from crawler.service.crawl import CrawlOrder, crawl_kept
from crawler.service.deployment import Server
from crawler.service.launch import alone
from crawler.service.planned import ZONE, check_line, next_after, planned
from crawler.service.rechecks import RecheckOrder, run_rechecks
from crawler.service.session import Session
from crawler.service.start import start_campaign
from crawler.store import audit, campaigns, schedules
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.schedules import Schedule
from crawler.store.times import iso, iso_optional

WINDOW_HOURS: Final = 6.0
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_MOST_WORKERS: Final = 64


@dataclass(frozen=True, slots=True)
class Duty:
    """What it takes to run what is due. settings: the settings module.  redis_url: the server's."""

    home: Home
    options: Options
    db: Database
    actor: Actor
    settings: str
    redis_url: str


def add_schedule(
    db: Database,
    actor: Actor,
    name: str,
    cron: str,
    *,
    campaign: str | None,
    zone: str = ZONE,
    window_hours: float = WINDOW_HOURS,
    workers: int = 1,
) -> dict[str, Any]:
    """Plan a kept campaign, or the re-visits (campaign None), by a cron line. Returns it as `list_schedules` does.

    Raises NotAuthorised, InvalidInput for a name, zone or number that is none, or a line that never fires;
    CampaignInvalid for an unknown campaign.
    """
    require(db, actor, "schedules.write")
    if not _NAME.match(name):
        raise InvalidInput(f"{name!r} is no name for a schedule; use up to 64 letters, digits, '.', '-' and '_'")
    if not 0 < window_hours <= 168 or not 0 <= workers <= _MOST_WORKERS:
        raise InvalidInput(f"give a window of up to 168 hours and 0 to {_MOST_WORKERS} workers")
    check_line(cron, zone, db.clock())
    if campaign is not None:
        known(db, campaign)
    made = Schedule(name, campaign, cron, zone, window_hours * 3600.0, workers, False, db.clock())
    with db.write():
        schedules.add(db, actor, made)
        audit.append(db, actor, "schedules.add", name, detail={"campaign": campaign, "cron": cron, "zone": zone})
    return _json(db, made)


def list_schedules(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """[{"name", "campaign", "cron", "zone", "window_hours", "workers", "paused", "next_at", "runs": [the latest]}].

    Raises NotAuthorised.
    """
    require(db, actor, "schedules.read")
    return [_json(db, each) for each in schedules.schedules(db)]


def pause_schedule(db: Database, actor: Actor, name: str, *, paused: bool) -> dict[str, Any]:
    """Pause a schedule or let it go on; what it missed meanwhile is caught up as any other. Raises as `remove`."""
    return _change(db, actor, name, "pause" if paused else "resume", lambda: schedules.set_paused(db, name, paused))


def remove_schedule(db: Database, actor: Actor, name: str) -> dict[str, Any]:
    """End a schedule; its history stays. Raises NotAuthorised, InvalidInput when there is none of this name."""
    return _change(db, actor, name, "remove", lambda: schedules.remove(db, name))


def run_due(duty: Duty) -> list[dict[str, Any]]:
    """Run everything whose time has come, one after the other; a failure of one does not keep the others.

    Returns [{"schedule", "planned_at", "result", "detail"}] of every planned time that was dealt with now.
    Raises NotAuthorised.
    """
    require(duty.db, duty.actor, "schedules.run")
    done: list[dict[str, Any]] = []
    for schedule in schedules.schedules(duty.db):
        if not schedule.paused:
            try:
                with alone(duty.home, f"~schedule-{schedule.name}", patience=0.0):
                    done += _run_schedule(duty, schedule)
            except Refused:
                continue  # another process is at it, and will note what comes of it
    return done


def anything_due(db: Database) -> bool:
    """Whether `run_due` would find a planned time to deal with."""
    now = db.clock()
    for each in schedules.schedules(db):
        at = None if each.paused else next_after(each.cron, each.zone, schedules.last_planned(db, each))
        if at is not None and at <= now:
            return True
    return False


def next_planned(db: Database) -> float | None:
    """When the next schedule that is not paused fires, epoch seconds; None: never."""
    now = db.clock()
    found = [next_after(each.cron, each.zone, now) for each in schedules.schedules(db) if not each.paused]
    return min((at for at in found if at is not None), default=None)


def _run_schedule(duty: Duty, schedule: Schedule) -> list[dict[str, Any]]:
    db = duty.db
    with db.write():
        schedules.abandon(db, schedule.name)
        now = db.clock()
        due = planned(schedule.cron, schedule.zone, after=schedules.last_planned(db, schedule), until=now)
        past = [(at, "superseded" if now - at <= schedule.window else "missed") for at in due[:-1]]
        past += [(at, "missed") for at in due[-1:] if now - at > schedule.window]
        done = [_row(schedule, at, result) for at, result in past if schedules.begin(db, schedule.name, at, result)]
        current = due[-1] if due and now - due[-1] <= schedule.window else None
        taken = current is not None and schedules.begin(db, schedule.name, current)
    if current is None or not taken:
        return done
    result, detail = _run(duty, schedule)
    with db.write():
        schedules.finish(db, schedule.name, current, result, detail)
        about = {"planned_at": iso(current), "result": result}
        audit.append(db, duty.actor, "schedules.run", schedule.name, detail=about)
    return [*done, _row(schedule, current, result, detail)]


def _run(duty: Duty, schedule: Schedule) -> tuple[str, str | None]:
    """What a run came to: (result, detail)."""
    try:
        if schedule.campaign is None:
            return _run_rechecks(duty)
        if schedule.workers == 0:
            return _start(duty, schedule.campaign)
        return _crawl(duty, schedule.campaign, schedule.workers)
    except VangnetError as error:
        return "failed", str(error)


def _run_rechecks(duty: Duty) -> tuple[str, str | None]:
    order = RecheckOrder(duty.settings, duty.redis_url)
    done = run_rechecks(duty.home, duty.options, duty.db, duty.actor, order, progress=lambda _: None)
    return ("interrupted" if done.interrupted else "done"), f"{done.visits} visits"


def _start(duty: Duty, campaign: str) -> tuple[str, str | None]:
    try:
        start_campaign(duty.home, duty.db, duty.actor, Server(duty.options, duty.redis_url), campaign)
    except Refused as error:
        if campaigns.unfinished_run(duty.db, campaign) is not None:
            return "overlap", "a run of the campaign is in progress"
        return "failed", str(error)
    return "done", "started for the workers of the deployment"


def _crawl(duty: Duty, campaign: str, workers: int) -> tuple[str, str | None]:
    try:
        with alone(duty.home, campaign, patience=0.0):
            pass
    except Refused:
        return "overlap", "the campaign is being crawled from this home"
    order = CrawlOrder(Path(), workers, duty.settings, duty.redis_url)
    summary = crawl_kept(
        duty.home, duty.options, Session(duty.db, duty.actor), order, campaign, progress=lambda _: None
    )
    return ("interrupted" if summary.interrupted else "done"), f"run {summary.run.number}, {summary.hits} hits"


def _change(db: Database, actor: Actor, name: str, act: str, change: Callable[[], bool]) -> dict[str, Any]:
    require(db, actor, "schedules.write")
    with db.write():
        changed = change()
        if changed:
            audit.append(db, actor, f"schedules.{act}", name)
    if not changed:
        raise InvalidInput(f"there is no schedule {name!r}; see `vangnet schedule list`")
    return {"name": name, "act": act}


def _row(schedule: Schedule, at: float, result: str, detail: str | None = None) -> dict[str, Any]:
    return {"schedule": schedule.name, "planned_at": iso(at), "result": result, "detail": detail}


def _json(db: Database, schedule: Schedule) -> dict[str, Any]:
    shown = asdict(schedule)
    return {
        **{name: shown[name] for name in ("name", "campaign", "cron", "zone")},
        "window_hours": schedule.window / 3600.0,
        "workers": schedule.workers,
        "paused": schedule.paused,
        "next_at": iso_optional(None if schedule.paused else next_after(schedule.cron, schedule.zone, db.clock())),
        "runs": schedules.history(db, schedule.name),
    }
