"""Alerts: what a person has to look at. One is open for a thing at a time, and rises while nobody answers.

Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from crawler.review.quarantine import level_due
from crawler.store import audit
from crawler.store.actors import RECORDER, Actor, register
from crawler.store.database import Database
from crawler.store.sealed import new_id

Recipient = Literal["first", "next"]
"""Who is told of every alert, and who is told as well once it has risen."""


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


def mail_due(db: Database, alert: Alert, recipient: Recipient) -> int | None:
    """How often the mail of an alert's present level was tried; None when it is not due, or was taken."""
    sql = "SELECT attempts, next_attempt_at FROM alert_mails WHERE alert = ? AND level = ? AND recipient = ?"
    row = db.row(sql, alert.id, alert.level, recipient)
    if row is None:
        return 0
    due = row["next_attempt_at"] is not None and row["next_attempt_at"] <= db.clock()
    return int(row["attempts"]) if due else None


def note_mail(
    db: Database, alert: Alert, recipient: Recipient, *, attempts: int, result: str, again: float | None
) -> None:
    """One more attempt. attempts: with this one.  result: what it came to.  again: when the next one is due, None once
    it was taken."""
    sent = db.clock() if again is None else None
    row = (alert.id, alert.level, recipient, attempts, again, sent)
    db.execute("INSERT OR REPLACE INTO alert_mails VALUES (?, ?, ?, ?, ?, ?)", *row)
    detail = {"alert": alert.id, "level": alert.level, "to": recipient, "attempt": attempts, "result": result}
    audit.append(db, RECORDER, "alerts.mail", alert.object, detail=detail)


def untold(db: Database) -> list[Alert]:
    """The open alerts of whose present level nobody has been told by mail."""
    told = {
        (row["alert"], row["level"])
        for row in db.rows("SELECT alert, level FROM alert_mails WHERE sent_at IS NOT NULL")
    }
    return [alert for alert in open_alerts(db) if (alert.id, alert.level) not in told]
