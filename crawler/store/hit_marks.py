"""Marks on open hits that nothing stands behind any more: entries withdrawn, lists disabled or dropped.

A hit rests on its digests and near codes of block lists; pHashes and benign lists never carried one. A match stands
while its entry is served, or its value is served under another number, on a list that is enabled. Nothing is deleted
and no state changes: people see the mark, and decide. A version that waits for a second person changes nothing. Hits
that quarantine holds are left alone until they are let go. Every function is part of the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from crawler.review.states import Status
from crawler.store.database import Database

CLOSED = (Status.REJECTED, Status.REMOVED, Status.MOVED)
"""States in which it does not matter any more what a hit rested on."""

WITHDRAWN = """
    EXISTS (SELECT 1 FROM hit_marks WHERE hit_marks.hit_id = hits.id AND lifted_at IS NULL) AND EXISTS (
        SELECT 1 FROM matches WHERE matches.hit_id = hits.id AND benign = 0 AND list_id IS NOT NULL
    )
"""
"""SQL over `hits`: marked, so that nobody may confirm it or be told of it. Where no list of ours is known for any
match, the mark says so, and what the worker saw still counts."""

# Of the matches that can carry a hit: whether one stands, and why the strongest of the others does not.
_GROUNDS = """
    SELECT matches.hit_id,
        max(lists.dropped_at IS NULL AND lists.enabled AND (
            (entries.id IS NOT NULL AND (
                entries.withdrawn_version IS NULL OR entries.withdrawn_version > served_version
            )) OR EXISTS (
                SELECT 1 FROM hash_entries AS again
                WHERE again.list_id = entries.list_id AND again.algorithm = entries.algorithm
                AND again.value = entries.value AND again.withdrawn_version IS NULL
                AND again.first_version <= served_version
            ) OR EXISTS (
                SELECT 1 FROM hash_entries AS again
                WHERE again.list_id = entries.list_id AND again.algorithm = entries.algorithm
                AND again.value = entries.value AND again.first_version <= served_version
                AND again.withdrawn_version IN (
                    SELECT version + 1 FROM list_versions WHERE list_id = lists.id AND version >= served_version
                )
            )
        )) AS stands,
        max(entries.withdrawn_version <= served_version) AS withdrawn,
        max(
            NOT lists.enabled AND lists.dropped_at IS NULL AND entries.id IS NOT NULL
            AND (entries.withdrawn_version IS NULL OR entries.withdrawn_version > served_version)
        ) AS disabled
    FROM matches
    JOIN hits ON hits.id = matches.hit_id
    LEFT JOIN hash_entries AS entries ON entries.id = matches.entry_id
    LEFT JOIN hash_lists AS lists ON lists.id = coalesce(entries.list_id, matches.list_id)
    WHERE matches.benign = 0 AND matches.algorithm <> 'phash'
    AND hits.status <> 'quarantined' AND hits.status NOT IN (SELECT value FROM json_each(?1))
    AND matches.hit_id IN (SELECT value FROM json_each(?2))
    GROUP BY matches.hit_id
"""


@dataclass(frozen=True, slots=True)
class Marked:
    """What a change did: open hits that got a mark, and hits whose mark was lifted."""

    marked: int = 0
    lifted: int = 0

    def detail(self) -> dict[str, int]:
        """For the audit event of the change."""
        return {"hits_marked": self.marked, "marks_lifted": self.lifted}


def remark_list(db: Database, list_id: int) -> Marked:
    """Look again at all hits that have a match of a list."""
    found = db.rows("SELECT DISTINCT hit_id FROM matches WHERE list_id = ?", list_id)
    return remark(db, [row["hit_id"] for row in found])


def remark(db: Database, hit_ids: Sequence[str]) -> Marked:
    """Mark those of these hits that nothing stands behind, and lift the marks of the others."""
    marked = lifted = 0
    for row in db.rows(_GROUNDS, json.dumps(CLOSED), json.dumps(list(hit_ids))):
        if row["stands"]:
            sql = "UPDATE hit_marks SET lifted_at = ? WHERE hit_id = ? AND lifted_at IS NULL"
            lifted += db.execute(sql, db.clock(), row["hit_id"])
            continue
        reason = "list-disabled" if row["disabled"] else "entry-withdrawn" if row["withdrawn"] else "list-dropped"
        known = db.row("SELECT id, reason FROM hit_marks WHERE hit_id = ? AND lifted_at IS NULL", row["hit_id"])
        if known is not None and known["reason"] == reason:
            continue
        if known is not None:
            db.execute("UPDATE hit_marks SET lifted_at = ? WHERE id = ?", db.clock(), known["id"])
        else:
            marked += 1
        db.insert("hit_marks", {"hit_id": row["hit_id"], "reason": reason, "marked_at": db.clock()})
    return Marked(marked, lifted)
