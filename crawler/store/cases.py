"""Case items: the hits of one image at one registered domain, which people decide on together.

A lease says who is looking at an item, until when; it keeps two people from the same work and is no lock. Every
function that writes is part of the caller's transaction.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crawler.store.actors import Actor, register
from crawler.store.database import Database, Row
from crawler.store.times import iso, iso_optional


@dataclass(frozen=True, slots=True)
class CaseRow:
    """An item as it is stored. Times: seconds since the epoch.

    version: counts whatever a person would see change.  lease_*, hold_*: None when nobody has or holds it.
    """

    id: str
    image_id: str
    site: str
    opened_at: float
    version: int
    lease_actor: str | None
    lease_until: float | None
    hold_owner: str | None
    hold_until: float | None

    def leased_to(self, now: float) -> str | None:
        """Who has the item at `now`, None when nobody does."""
        return self.lease_actor if self.lease_until is not None and self.lease_until > now else None


_ITEMS = """
    SELECT cases.id, site, opened_at, version, lease_actor, lease_until, hold_owner, hold_until,
        min(certainty) AS certainty, count(*) AS places, min(found_at) AS first_at,
        group_concat(DISTINCT status) AS statuses,
        (SELECT min(category) FROM matches JOIN hits AS these ON these.id = hit_id
            WHERE these.case_id = cases.id AND benign = 0) AS category,
        (SELECT attribution FROM hits AS these WHERE these.case_id = cases.id ORDER BY found_at LIMIT 1) AS attribution
    FROM cases JOIN hits ON hits.case_id = cases.id
    WHERE cases.id IN (SELECT case_id FROM hits WHERE status IN (SELECT value FROM json_each(?1)))
    AND cases.id <> ?5
    GROUP BY cases.id HAVING ?2 IS NULL OR lease_until IS NULL OR lease_until <= ?3 OR lease_actor = ?2
    ORDER BY certainty, category IS NULL, category, first_at, cases.id LIMIT ?4
"""


def find(db: Database, case_id: str) -> CaseRow | None:
    """The item of this id, or None."""
    found = db.row(
        "SELECT id, image_id, site, opened_at, version, lease_actor, lease_until, hold_owner, hold_until "
        "FROM cases WHERE id = ?",
        case_id,
    )
    return None if found is None else CaseRow(**found)


def items_json(db: Database, statuses: list[str], limit: int) -> list[dict[str, Any]]:
    """Items with a hit in one of these states, the most severe first: by class, by category, by age.

    category: the lowest that a list gives it; lists differ in what a category means, so it orders within a class only.
    """
    return [_item(db, row) for row in db.rows(_ITEMS, json.dumps(statuses), None, None, limit, "")]


def count(db: Database, statuses: list[str]) -> int:
    """How many items have a hit in one of these states."""
    sql = "SELECT count(DISTINCT case_id) FROM hits WHERE status IN (SELECT value FROM json_each(?))"
    return int(db.value(sql, json.dumps(statuses)))


def next_free(db: Database, statuses: list[str], name: str, skip: str) -> str | None:
    """The first item in that order that nobody but `name` has, other than `skip`; or None."""
    found: str | None = db.value(_ITEMS, json.dumps(statuses), name, db.clock(), 1, skip)
    return found


def leased_by(db: Database, name: str) -> str | None:
    """The item that `name` has now, or None."""
    sql = "SELECT id FROM cases WHERE lease_actor = ? AND lease_until > ? ORDER BY lease_until DESC LIMIT 1"
    found: str | None = db.value(sql, name, db.clock())
    return found


def lease(db: Database, actor: Actor, case_id: str, seconds: float) -> None:
    """Give an item to `actor` for so long."""
    register(db, actor)
    until = db.clock() + seconds
    db.execute("UPDATE cases SET lease_actor = ?, lease_until = ? WHERE id = ?", actor.name, until, case_id)


def end_lease(db: Database, case_id: str) -> None:
    """Nobody has the item any more."""
    db.execute("UPDATE cases SET lease_actor = NULL, lease_until = NULL WHERE id = ?", case_id)


def set_hold(db: Database, case_id: str, owner: str, until: float) -> None:
    """Who holds an item, until when."""
    db.execute("UPDATE cases SET hold_owner = ?, hold_until = ? WHERE id = ?", owner, until, case_id)


def end_hold_of_none(db: Database, case_id: str) -> None:
    """End the hold of an item none of whose hits is held any more. Acts on its other hits leave the hold as it is."""
    db.execute(
        "UPDATE cases SET hold_owner = NULL, hold_until = NULL WHERE id = ?1 AND hold_owner IS NOT NULL "
        "AND NOT EXISTS (SELECT 1 FROM hits WHERE case_id = ?1 AND status = 'held')",
        case_id,
    )


def lapsed(db: Database) -> tuple[list[str], list[str]]:
    """Items whose lease, and items whose hold is over."""
    now = db.clock()
    leases = db.rows("SELECT id FROM cases WHERE lease_until <= ?", now)
    holds = db.rows("SELECT id FROM cases WHERE hold_until <= ?", now)
    return [row["id"] for row in leases], [row["id"] for row in holds]


def hit_ids(db: Database, case_id: str, limit: int) -> list[str]:
    """The hits of an item, the first one found first."""
    rows = db.rows("SELECT id FROM hits WHERE case_id = ? ORDER BY found_at, id LIMIT ?", case_id, limit)
    return [row["id"] for row in rows]


def elsewhere_json(db: Database, case: CaseRow) -> list[dict[str, Any]]:
    """Other items of the same image: [{"id", "site", "status", "places", "first_at"}], the first one found first."""
    rows = db.rows(
        "SELECT cases.id, site, count(*) AS places, min(found_at) AS first_at, "
        "group_concat(DISTINCT status) AS statuses "
        "FROM cases JOIN hits ON hits.case_id = cases.id WHERE cases.image_id = ? AND cases.id <> ? "
        "GROUP BY cases.id ORDER BY first_at LIMIT 50",
        case.image_id,
        case.id,
    )
    return [
        {
            "id": row["id"],
            "site": row["site"],
            "status": row["statuses"].split(","),
            "places": row["places"],
            "first_at": iso(row["first_at"]),
        }
        for row in rows
    ]


def last_decision(db: Database, case_id: str) -> list[Row]:
    """The rows of the latest act that moved hits of an item, in order; of an act with several events the last one."""
    latest = db.row(_DECISIONS + "ORDER BY decisions.rowid DESC LIMIT 1", case_id)
    if latest is None:
        return []
    same = "AND act_id = ? AND event = ? ORDER BY decisions.rowid"
    return db.rows(_DECISIONS + same, case_id, latest["act_id"], latest["event"])


_DECISIONS = "SELECT decisions.* FROM decisions JOIN hits ON hits.id = hit_id WHERE case_id = ? "


def _item(db: Database, row: Row) -> dict[str, Any]:
    facts = json.loads(row["attribution"])
    leased = row["lease_until"] is not None and row["lease_until"] > db.clock()
    return {
        "id": row["id"],
        "site": row["site"],
        "certainty": row["certainty"],
        "category": row["category"],
        "status": row["statuses"].split(","),
        "places": row["places"],
        "first_at": iso(row["first_at"]),
        "hoster": facts["holder"] or facts["as_name"],
        "lease": row["lease_actor"] if leased else None,
        "hold": {"owner": row["hold_owner"], "until": iso_optional(row["hold_until"])} if row["hold_owner"] else None,
        "version": row["version"],
    }
