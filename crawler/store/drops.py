"""Who asked that a list be dropped, and who did it. Every function that writes is part of the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass

from crawler.store.actors import Actor, register
from crawler.store.database import Database


@dataclass(frozen=True, slots=True)
class DropAsked:
    """actor: who asks.  at: seconds since the epoch.  version: the list's latest then."""

    actor: str
    at: float
    version: int


def asked(db: Database, list_id: int) -> DropAsked | None:
    """Who asks that a list be dropped, None for nobody."""
    sql = "SELECT asked_by AS actor, asked_at AS at, version FROM list_drops WHERE list_id = ? AND done_by IS NULL"
    row = db.row(sql, list_id)
    return None if row is None else DropAsked(**row)


def ask(db: Database, actor: Actor, list_id: int, version: int) -> DropAsked:
    """Note who asks; what was asked before is forgotten."""
    register(db, actor)
    forget(db, list_id)
    made = DropAsked(actor.name, db.clock(), version)
    row = {"list_id": list_id, "version": version, "asked_by": made.actor, "asked_at": made.at}
    db.insert("list_drops", row)
    return made


def confirm(db: Database, actor: Actor, list_id: int) -> None:
    """Note who does it. The database refuses the person who asked."""
    register(db, actor)
    db.execute("UPDATE list_drops SET done_by = ? WHERE list_id = ?", actor.name, list_id)


def forget(db: Database, list_id: int) -> None:
    """Nobody asks any more; harmless when nobody did."""
    db.execute("DELETE FROM list_drops WHERE list_id = ?", list_id)
