"""Decisions about hits, with their reasons sealed. Every function that writes is part of the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.review.states import Status
from crawler.store.actors import Actor, register
from crawler.store.database import Database, Row
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
    db: Database,
    actor: Actor,
    hit_id: str,
    *,
    event: str,
    before: str,
    after: str,
    reason: str | None,
    assessment: str | None = None,
    assessor: str | None = None,
    act_id: str | None = None,
) -> str | None:
    """Move a hit from `before` to `after` and note it. Returns the decision's id, None when the hit was not `before`.

    reason: None for events that need none, such as claims.  assessment, assessor: reference of an assessment made
    elsewhere, and who made it.  act_id: the same for all hits that one act moves; None when it moves this one alone.
    """
    sql = "UPDATE hits SET status = ?, changed_at = ? WHERE id = ? AND status = ?"
    if not db.execute(sql, after, db.clock(), hit_id, before):
        return None
    register(db, actor)
    decision, seal = new_id(), db.sealer
    db.insert(
        "decisions",
        {
            "id": decision,
            "act_id": act_id or decision,
            "hit_id": hit_id,
            "at": db.clock(),
            "note_id": None if reason is None else add_note(db, actor, hit_id, "reason", reason),
            "actor": actor.name,
            "event": event,
            "before": before,
            "after": after,
            "assessment": seal.seal_optional("decisions", "assessment", decision, assessment),
            "assessor": seal.seal_optional("decisions", "assessor", decision, assessor),
        },
    )
    _catch_up(db, [hit_id], before)
    return decision


def decide_many(
    db: Database, actor: Actor, hits: Sequence[str], *, event: str, before: str, after: str, reason: str
) -> list[str]:
    """As `decide`, for several hits that one act moves. Returns those that were moved."""
    act = new_id()
    same = {"event": event, "before": before, "after": after, "reason": reason, "act_id": act}
    return [hit for hit in hits if decide(db, actor, hit, **same)]


def _catch_up(db: Database, hits: Sequence[str], before: str) -> None:
    """What quarantine held had no part in what was done to the lists meanwhile."""
    if before == Status.QUARANTINED:
        remark(db, hits)


def decisions_json(db: Database, hit_id: str) -> list[dict[str, Any]]:
    """What people decided about a hit, in order, with their reasons. Claims and releases are no decisions."""
    return [
        _decision(db, row)
        for row in db.rows(
            "SELECT decisions.*, text FROM decisions JOIN notes ON notes.id = note_id WHERE hit_id = ? "
            "ORDER BY decisions.at, decisions.rowid",
            hit_id,
        )
    ]


def history_json(db: Database, case_id: str) -> list[dict[str, Any]]:
    """What people decided about a case item, in order: as `decisions_json`, once for all hits that one act moved, with
    {"hits": how many}."""
    rows = db.rows(
        "SELECT decisions.*, text, count(*) AS hits, min(decisions.rowid) AS first FROM decisions "
        "JOIN notes ON notes.id = note_id JOIN hits ON hits.id = hit_id WHERE case_id = ? "
        "GROUP BY act_id, event ORDER BY first",
        case_id,
    )
    return [_decision(db, row) | {"hits": row["hits"]} for row in rows]


def events_of(db: Database, hit_id: str) -> list[tuple[str, str, str]]:
    """Every event of a hit as (event, before, after), the first one first."""
    rows = db.rows("SELECT event, before, after FROM decisions WHERE hit_id = ? ORDER BY rowid", hit_id)
    return [(row["event"], row["before"], row["after"]) for row in rows]


def notes_json(db: Database, object_id: str, kind: str) -> list[dict[str, Any]]:
    """The notes of one kind about an object: [{"at", "actor", "text"}], the first one first."""
    return [
        {"at": iso(row["at"]), "actor": row["actor"], "text": db.sealer.open("notes", "text", row["id"], row["text"])}
        for row in db.rows(
            "SELECT id, at, actor, text FROM notes WHERE object = ? AND kind = ? ORDER BY at, rowid", object_id, kind
        )
    ]


def _decision(db: Database, row: Row) -> dict[str, Any]:
    seal = db.sealer
    return {
        "at": iso(row["at"]),
        "actor": row["actor"],
        "event": row["event"],
        "before": row["before"],
        "after": row["after"],
        "reason": seal.open("notes", "text", row["note_id"], row["text"]),
        "assessment": seal.open_optional("decisions", "assessment", row["id"], row["assessment"]),
        "assessor": seal.open_optional("decisions", "assessor", row["id"], row["assessor"]),
    }
