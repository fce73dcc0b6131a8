"""Thresholds in force, as they were last seen: a change is an audit event, whoever edited the settings."""

from __future__ import annotations

import json
from collections.abc import Mapping

from crawler.store import audit
from crawler.store.actors import RECORDER
from crawler.store.database import Database


def note(db: Database, values: Mapping[str, float]) -> list[str]:
    """Note the values in force; part of the caller's transaction. Returns the names of those that have changed.

    The first time that a name is seen is no change.
    """
    known = {row["name"]: row["value"] for row in db.rows("SELECT name, value FROM thresholds_noted")}
    changed = []
    for name, value in values.items():
        text = json.dumps(value)
        if known.get(name) == text:
            continue
        db.execute("INSERT OR REPLACE INTO thresholds_noted VALUES (?, ?, ?)", name, text, db.clock())
        if name in known:
            changed.append(name)
            detail = {"before": json.loads(known[name]), "after": value}
            audit.append(db, RECORDER, "thresholds.change", name, detail=detail)
    return changed
