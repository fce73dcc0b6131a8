"""Decisions about hits, with their reasons sealed. Every function that writes is part of the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.review.states import Status
from crawler.store.actors import Actor, register
from crawler.store.database import Database
from crawler.store.hit_marks import remark
from crawler.store.sealed import new_id
from crawler.store.times import iso


def add_note(db: Database, actor: Actor, object_id: str, kind: str, text: str) -> str:
    """Keep a text that a person wrote, sealed. Returns its id, by which audit events name it."""
    register(db, actor)
    note = new_id()
    row = {"id": note, "object": object_id, "kind": kind, "actor": actor.name, "at": db.clock()}
    db.insert("notes", row | {"text": db.sealer.seal("notes", "text", note, text)})
    return note


def note_text(db: Database, note: str) -> str | None:
    """The text of a note, or None when there is none of this id."""
    return db.sealer.open_optional("notes", "text", note, db.value("SELECT text FROM notes WHERE id = ?", note))


def decide(
    db: Database, actor: Actor, hit_id: str, *, event: str, before: str, after: str, reason: str, assessment: str | None
) -> str | None:
    """Move a hit from `before` to `after` and note why. Returns the decision's id, None when it was not `before`.

    assessment: reference of an assessment made elsewhere.
    """
    sql = "UPDATE hits SET status = ?, changed_at = ? WHERE id = ? AND status = ?"
    if not db.execute(sql, after, db.clock(), hit_id, before):
        return None
    decision = new_id()
    db.insert(
        "decisions",
        {
            "id": decision,
            "hit_id": hit_id,
            "at": db.clock(),
            "note_id": add_note(db, actor, hit_id, "reason", reason),
            "actor": actor.name,
            "event": event,
            "before": before,
            "after": after,
            "assessment": db.sealer.seal_optional("decisions", "assessment", decision, assessment),
        },
    )
    _catch_up(db, [hit_id], before)
    return decision


def decide_many(
    db: Database, actor: Actor, hits: Sequence[str], *, event: str, before: str, after: str, reason: str
) -> list[str]:
    """As `decide`, for several hits at once, with one note for all. Returns those that were moved."""
    sql = "UPDATE hits SET status = ?, changed_at = ? WHERE id = ? AND status = ?"
    moved = [hit for hit in hits if db.execute(sql, after, db.clock(), hit, before)]
    if moved:
        note = add_note(db, actor, moved[0], "reason", reason)
        same = {"at": db.clock(), "note_id": note, "actor": actor.name, "event": event, "before": before}
        for hit in moved:
            db.insert("decisions", {"id": new_id(), "hit_id": hit, **same, "after": after, "assessment": None})
        _catch_up(db, moved, before)
    return moved


def _catch_up(db: Database, hits: Sequence[str], before: str) -> None:
    """What quarantine held had no part in what was done to the lists meanwhile."""
    if before == Status.QUARANTINED:
        remark(db, hits)


def decisions_json(db: Database, hit_id: str) -> list[dict[str, Any]]:
    """The decisions about a hit in order, with their reasons."""
    seal = db.sealer
    return [
        {
            "at": iso(row["at"]),
            "actor": row["actor"],
            "event": row["event"],
            "before": row["before"],
            "after": row["after"],
            "reason": seal.open("notes", "text", row["note_id"], row["text"]),
            "assessment": seal.open_optional("decisions", "assessment", row["id"], row["assessment"]),
        }
        for row in db.rows(
            "SELECT decisions.*, text FROM decisions JOIN notes ON notes.id = note_id WHERE hit_id = ? "
            "ORDER BY decisions.at, decisions.rowid",
            hit_id,
        )
    ]
