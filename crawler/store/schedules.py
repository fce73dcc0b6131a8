"""Planned runs, and what became of each planned time. Writing functions are part of the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crawler.errors import InvalidInput
from crawler.store.actors import Actor, register
from crawler.store.database import Database
from crawler.store.times import iso, iso_optional


@dataclass(frozen=True, slots=True)
class Schedule:
    """campaign: None to visit again what is due.  window: seconds within which a missed run is caught up.

    workers: processes of this machine; 0: those of the deployment.
    """

    name: str
    campaign: str | None
    cron: str
    zone: str
    window: float
    workers: int
    paused: bool
    created_at: float


def add(db: Database, actor: Actor, schedule: Schedule) -> None:
    """Keep a schedule. Raises InvalidInput when the name is taken."""
    register(db, actor)
    if db.value("SELECT 1 FROM schedules WHERE name = ?", schedule.name):
        raise InvalidInput(f"there is, or was, a schedule {schedule.name!r}; give another name")
    row = {name: getattr(schedule, name) for name in ("name", "campaign", "cron", "zone", "window", "workers")}
    more = {"paused": int(schedule.paused), "created_at": schedule.created_at, "created_by": actor.name}
    db.insert("schedules", row | more)


def schedules(db: Database) -> list[Schedule]:
    """The schedules that are not removed, by name."""
    sql = (
        "SELECT name, campaign, cron, zone, window, workers, paused, created_at FROM schedules "
        "WHERE removed_at IS NULL ORDER BY name"
    )
    return [Schedule(**{**row, "paused": bool(row["paused"])}) for row in db.rows(sql)]


def set_paused(db: Database, name: str, paused: bool) -> bool:
    """Pause or go on; False when there is no such schedule."""
    sql = "UPDATE schedules SET paused = ? WHERE name = ? AND removed_at IS NULL"
    return bool(db.execute(sql, int(paused), name))


def remove(db: Database, name: str) -> bool:
    """End a schedule, whose history stays; False when there is none."""
    sql = "UPDATE schedules SET removed_at = ? WHERE name = ? AND removed_at IS NULL"
    return bool(db.execute(sql, db.clock(), name))


def last_planned(db: Database, schedule: Schedule) -> float:
    """The latest planned time that was dealt with; when it was made, before the first."""
    found = db.value("SELECT max(planned_at) FROM schedule_runs WHERE schedule = ?", schedule.name)
    return schedule.created_at if found is None else float(found)


def begin(db: Database, name: str, planned_at: float, result: str | None = None) -> bool:
    """Take a planned time; False when somebody has it. result: when it is over at once."""
    sql = (
        "INSERT OR IGNORE INTO schedule_runs (schedule, planned_at, started_at, finished_at, result) VALUES (?,?,?,?,?)"
    )
    now = db.clock()
    return bool(db.execute(sql, name, planned_at, now, None if result is None else now, result))


def finish(db: Database, name: str, planned_at: float, result: str, detail: str | None = None) -> None:
    """Note what a run came to."""
    sql = (
        "UPDATE schedule_runs SET finished_at = ?, result = ?, detail = ? "
        "WHERE schedule = ? AND planned_at = ? AND result IS NULL"
    )
    db.execute(sql, db.clock(), result, detail, name, planned_at)


def abandon(db: Database, name: str) -> int:
    """Close runs that a process left behind when it died; how many. For who holds the schedule's lock."""
    sql = "UPDATE schedule_runs SET finished_at = ?, result = 'interrupted' WHERE schedule = ? AND result IS NULL"
    return db.execute(sql, db.clock(), name)


def history(db: Database, name: str, last: int = 10) -> list[dict[str, Any]]:
    """The latest planned times and what became of them, the newest first."""
    return [
        {
            "planned_at": iso(row["planned_at"]),
            "started_at": iso(row["started_at"]),
            "finished_at": iso_optional(row["finished_at"]),
            "result": row["result"],
            "detail": row["detail"],
        }
        for row in db.rows(
            "SELECT * FROM schedule_runs WHERE schedule = ? ORDER BY planned_at DESC LIMIT ?", name, last
        )
    ]
