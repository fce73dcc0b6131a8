"""Alerts: what a person has to look at. One is open for a thing at a time, and rises while nobody answers.

Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass

from crawler.review.quarantine import level_due
from crawler.store import audit
from crawler.store.actors import RECORDER, Actor, register
from crawler.store.database import Database
from crawler.store.sealed import new_id


@dataclass(frozen=True, slots=True)
class Alert:
    """An open alert.

    kind: "entry-quarantined".  object: what it is about, an id, never a URL or a digest.  level: 1 at first.
    opened_at, escalated_at: seconds since the epoch; escalated_at: of the latest rise, None when there was none.
    """

    id: str
    kind: str
    object: str
    level: int
    opened_at: float
    escalated_at: float | None


def open_alert(db: Database, kind: str, object_id: str) -> str:
    """Raise an alert, or find the one that is open already. Returns its id."""
    found = db.value("SELECT id FROM alerts WHERE kind = ? AND object = ? AND closed_at IS NULL", kind, object_id)
    if found is not None:
        return str(found)
    alert = new_id()
    row = {"id": alert, "kind": kind, "object": object_id, "level": 1, "opened_at": db.clock()}
    db.insert("alerts", row)
    audit.append(db, RECORDER, "alerts.open", object_id, detail={"alert": alert, "kind": kind, "level": 1})
    return alert


def open_alerts(db: Database) -> list[Alert]:
    """The alerts that nobody has answered, the oldest first."""
    rows = db.rows(
        "SELECT id, kind, object, level, opened_at, escalated_at FROM alerts WHERE closed_at IS NULL "
        "ORDER BY opened_at, id"
    )
    return [Alert(**row) for row in rows]


def escalate(db: Database, every: float) -> list[Alert]:
    """Let those rise that are due, one level for each `every` seconds since they were opened. Returns these."""
    now, risen = db.clock(), []
    for alert in open_alerts(db):
        due = level_due(alert.opened_at, now, every)
        if due > alert.level:
            db.execute("UPDATE alerts SET level = ?, escalated_at = ? WHERE id = ?", due, now, alert.id)
            detail = {"alert": alert.id, "kind": alert.kind, "level": due}
            audit.append(db, RECORDER, "alerts.escalate", alert.object, detail=detail)
            risen.append(Alert(alert.id, alert.kind, alert.object, due, alert.opened_at, now))
    return risen


def close_alert(db: Database, actor: Actor, kind: str, object_id: str) -> None:
    """Somebody has answered; harmless when none is open."""
    register(db, actor)
    db.execute(
        "UPDATE alerts SET closed_at = ?, closed_by = ? WHERE kind = ? AND object = ? AND closed_at IS NULL",
        db.clock(),
        actor.name,
        kind,
        object_id,
    )
