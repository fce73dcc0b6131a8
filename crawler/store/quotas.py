"""How many values each person has looked up on each day."""

from __future__ import annotations

from crawler.store.actors import Actor, register
from crawler.store.database import Database


def take(db: Database, actor: Actor, day: str, count: int, most: int) -> int | None:
    """Count `count` more of a day, unless that makes more than `most`. Part of the caller's transaction.

    day: ISO, UTC. Returns how many that day has had then, None when it is too many and nothing was counted.
    """
    register(db, actor)
    had = int(db.value("SELECT checked FROM check_counts WHERE actor = ? AND day = ?", actor.name, day) or 0)
    if had + count > most:
        return None
    db.execute("INSERT OR REPLACE INTO check_counts VALUES (?, ?, ?)", actor.name, day, had + count)
    return had + count
