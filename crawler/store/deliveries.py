"""How notices leave and what comes back: attempts, and receipts.

Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

from crawler.store import notices
from crawler.store.actors import Actor, register
from crawler.store.database import Database, Row
from crawler.store.sealed import new_id


def begin_attempt(db: Database, notice_id: str, channel: str, place: str | None = None) -> str:
    """Note that a mail is about to leave. place: the directory that it goes to. Returns the attempt's id."""
    attempt = new_id()
    row = {"id": attempt, "notice_id": notice_id, "channel": channel, "started_at": db.clock()}
    db.insert("notice_attempts", row | {"place": place})
    db.execute("UPDATE notices SET attempts = attempts + 1 WHERE id = ?", notice_id)
    return attempt


def end_attempt(db: Database, attempt: str, result: str, said: str) -> None:
    """Note what an attempt came to."""
    sealed = db.sealer.seal("notice_attempts", "said", attempt, said)
    sql = "UPDATE notice_attempts SET finished_at = ?, result = ?, said = ? WHERE id = ? AND finished_at IS NULL"
    db.execute(sql, db.clock(), result, sealed, attempt)


def open_attempts(db: Database, notice_id: str) -> list[Row]:
    """Attempts whose end nobody noted: id, channel and place."""
    sql = "SELECT id, channel, place FROM notice_attempts WHERE notice_id = ? AND finished_at IS NULL"
    return db.rows(sql, notice_id)


def doubt_all(db: Database, why: str) -> list[str]:
    """Doubt every notice that was to leave, or was leaving: nobody knows what became of it. Returns which."""
    doubtful = [row.id for state in ("approved", "sending") for row in notices.all_notices(db, state=state)]
    for notice_id in doubtful:
        if notices.set_state(db, notice_id, "approved", "sending"):
            begin_attempt(db, notice_id, "unknown")
        for attempt in open_attempts(db, notice_id):
            end_attempt(db, attempt["id"], "doubt", why)
        notices.set_state(db, notice_id, "sending", "doubt")
    return doubtful


def attempts_of(db: Database, notice_id: str) -> list[Row]:
    """The attempts of a notice in order, with what the other side said."""
    rows = db.rows("SELECT * FROM notice_attempts WHERE notice_id = ? ORDER BY started_at, rowid", notice_id)
    open_ = db.sealer.open_optional
    return [row | {"said": open_("notice_attempts", "said", row["id"], row["said"])} for row in rows]


def add_receipt(
    db: Database, actor: Actor, notice_id: str | None, kind: str, text: str, *, message: str | None = None
) -> str | None:
    """Keep what came back. message: identifies it, so that reading it again adds nothing: then None."""
    blind = None if message is None else db.sealer.blind("receipt", message)
    if blind is not None and db.value("SELECT 1 FROM notice_receipts WHERE message_blind = ?", blind):
        return None
    register(db, actor)
    receipt = new_id()
    db.insert(
        "notice_receipts",
        {
            "id": receipt,
            "notice_id": notice_id,
            "kind": kind,
            "received_at": db.clock(),
            "message_blind": blind,
            "actor": actor.name,
            "text": db.sealer.seal("notice_receipts", "text", receipt, text),
        },
    )
    return receipt


def receipts_of(db: Database, notice_id: str | None) -> list[Row]:
    """Receipts of a notice in order, or, for None, those of no known notice."""
    sql = (
        "SELECT id, kind, received_at, actor, text FROM notice_receipts WHERE notice_id IS ? "
        "ORDER BY received_at, rowid"
    )
    open_ = db.sealer.open
    return [row | {"text": open_("notice_receipts", "text", row["id"], row["text"])} for row in db.rows(sql, notice_id)]
