"""Entries whose near-only matches flood: put in quarantine after recording, and what that does to their hits.

A hit waits (status "quarantined") while every match that could have raised it is of an entry in quarantine. Class A is
never held back, nor is a hit that another entry raises as well; such a one goes on as soon as that is known.
The rule itself is `crawler.review.quarantine`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from crawler.review.quarantine import FloodRule, Place, unrelated
from crawler.review.states import Event, Status, after
from crawler.store import alerts, audit, decisions
from crawler.store.actors import RECORDER, Actor
from crawler.store.database import Database

ALERT = "entry-quarantined"
_HELD = """
    SELECT hits.id, hits.status, hits.certainty <> 'A' AND NOT EXISTS (
        SELECT 1 FROM matches WHERE hit_id = hits.id AND benign = 0 AND algorithm <> 'phash' AND entry_id NOT IN
        (SELECT entry_id FROM entry_quarantines WHERE state <> 'lifted')
    ) AS held, (
        SELECT actor FROM decisions WHERE hit_id = hits.id ORDER BY at DESC, rowid DESC LIMIT 1
    ) AS decided_by
    FROM hits WHERE id IN (SELECT value FROM json_each(?)) AND status IN ('new', 'claimed', 'quarantined')
"""
# What a person confirmed was no flood.
_WIDE = """
    SELECT entry_id FROM near_matches JOIN hits ON hits.id = hit_id
    WHERE entry_id IN (SELECT value FROM json_each(?1)) AND certainty <> 'A' AND found_at >= ?2
    AND status NOT IN ('confirmed', 'noticed', 'removed', 'still-up', 'moved')
    GROUP BY entry_id HAVING count(DISTINCT coalesce(domain, ip)) >= ?3
"""
_PLACES = """
    SELECT DISTINCT domain, icann_domain, ip, json_extract(attribution, '$.cdn') AS cdn
    FROM near_matches JOIN hits ON hits.id = hit_id WHERE entry_id = ? AND certainty <> 'A' AND found_at >= ?
    AND status NOT IN ('confirmed', 'noticed', 'removed', 'still-up', 'moved')
"""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """An entry in quarantine.

    label: as in `EntryFacts`; the entry's number when its list was dropped.  state: "waiting", "lifted" or "upheld".
    since, decided_at: seconds since the epoch.  domains: unrelated ones when the state began.  waiting: its hits that
    wait.
    """

    entry: int
    list: str | None
    label: str
    state: str
    since: float
    domains: int
    decided_at: float | None
    decided_by: str | None
    waiting: int


def settle(db: Database, hits: Sequence[str], rule: FloodRule) -> list[int]:
    """After these hits were recorded: put entries of theirs that flood now in quarantine, and hold or let go what that
    concerns. Returns the entries that are newly in quarantine. One transaction.
    """
    with db.write():
        near = db.rows(
            "SELECT DISTINCT entry_id FROM near_matches WHERE hit_id IN (SELECT value FROM json_each(?))",
            json.dumps(list(hits)),
        )
        flooding = _flooding(db, [row["entry_id"] for row in near], rule)
        for entry, domains in flooding.items():
            _quarantine(db, entry, domains)
        concerned = {*hits, *(hit for entry in flooding for hit in _hits_of(db, entry))}
        _hold_or_let_go(db, RECORDER, sorted(concerned), "an entry that it rests on is in quarantine, or was")
        return sorted(flooding)


def sweep(db: Database, rule: FloodRule) -> list[int]:
    """As `settle`, for every entry with near matches: what a recorder that was killed had no time for."""
    entries = db.rows("SELECT DISTINCT entry_id FROM near_matches")
    found = _flooding(db, [row["entry_id"] for row in entries], rule)
    return settle(db, [hit for entry in found for hit in _hits_of(db, entry)], rule) if found else []


def decide(db: Database, actor: Actor, entry: int, *, uphold: bool, reason: str, rule: FloodRule) -> int:
    """A person's answer: the entry goes on (its hits are new again), or is matched against no more (those that rest on
    it alone are rejected). Returns the number of hits that were moved; part of the caller's transaction.

    The entry must be in quarantine. rule: whose window says how far it had spread when it was lifted.
    """
    note = decisions.add_note(db, actor, f"entry-{entry}", "quarantine", reason)
    domains = unrelated(_places(db, [entry], rule).get(entry, ()))
    db.execute(
        "UPDATE entry_quarantines SET state = ?, decided_at = ?, decided_by = ?, note_id = ?, "
        "domains = max(domains, ?) WHERE entry_id = ?",
        "upheld" if uphold else "lifted",
        db.clock(),
        actor.name,
        note,
        domains,
        entry,
    )
    alerts.close_alert(db, actor, ALERT, f"entry-{entry}")
    hits = _hits_of(db, entry)
    moved = _reject_held(db, actor, hits, reason) if uphold else _hold_or_let_go(db, actor, hits, reason)
    audit.append(db, actor, f"entries.{'uphold' if uphold else 'lift'}", f"entry-{entry}", detail={"hits": moved})
    return moved


def quarantines(db: Database, *, entry: int | None = None) -> list[Quarantine]:
    """The entries that were put in quarantine, those that wait first; entry: this one only."""
    rows = db.rows(
        """
        SELECT q.entry_id AS entry, hash_lists.name AS list,
            coalesce(hash_entries.external_id, CAST(q.entry_id AS TEXT)) AS label,
            q.state, q.since, q.domains, q.decided_at, q.decided_by,
            (SELECT count(*) FROM matches JOIN hits ON hits.id = hit_id
             WHERE matches.entry_id = q.entry_id AND hits.status = 'quarantined') AS waiting
        FROM entry_quarantines AS q LEFT JOIN hash_lists ON hash_lists.id = q.list_id
        LEFT JOIN hash_entries ON hash_entries.id = q.entry_id AND hash_lists.dropped_at IS NULL
        WHERE ?1 IS NULL OR q.entry_id = ?1 ORDER BY q.state <> 'waiting', q.since, q.entry_id
        """,
        entry,
    )
    return [Quarantine(**row) for row in rows]


def waiting(db: Database, list_id: int) -> int:
    """How many entries of a list wait for a person."""
    sql = "SELECT count(*) FROM entry_quarantines WHERE state = 'waiting' AND list_id = ?"
    return int(db.value(sql, list_id))


def upheld(db: Database) -> list[int]:
    """The entries that are matched against no more, ascending."""
    return [row["entry_id"] for row in db.rows("SELECT entry_id FROM entry_quarantines WHERE state = 'upheld'")]


def _flooding(db: Database, entries: Sequence[int], rule: FloodRule) -> dict[int, int]:
    """Entry -> unrelated domains, of those that flood and are not in quarantine."""
    if not rule.domains:
        return {}
    known = {
        row["entry_id"]: row
        for row in db.rows(
            "SELECT entry_id, state, domains FROM entry_quarantines WHERE entry_id IN (SELECT value FROM json_each(?))",
            json.dumps(list(entries)),
        )
    }
    free = [entry for entry in entries if entry not in known or known[entry]["state"] == "lifted"]
    found = {entry: unrelated(places) for entry, places in _places(db, free, rule).items()}
    return {
        entry: domains
        for entry, domains in found.items()
        if rule.floods(domains, known[entry]["domains"] if entry in known else 0)
    }


def _places(db: Database, entries: Sequence[int], rule: FloodRule) -> dict[int, list[Place]]:
    """Entry -> where its near-only matches of the window are; only entries at enough sites to matter."""
    since = db.clock() - rule.window
    found = {}
    for row in db.rows(_WIDE, json.dumps(list(entries)), since, rule.domains):
        found[row["entry_id"]] = [
            Place(place["domain"], place["icann_domain"], None if place["cdn"] and place["domain"] else place["ip"])
            for place in db.rows(_PLACES, row["entry_id"], since)
        ]
    return found


def _quarantine(db: Database, entry: int, domains: int) -> None:
    list_id = db.value("SELECT list_id FROM hash_entries WHERE id = ?", entry)
    db.execute(
        "INSERT INTO entry_quarantines (entry_id, list_id, state, since, domains) VALUES (?, ?, 'waiting', ?, ?) "
        "ON CONFLICT (entry_id) DO UPDATE SET state = 'waiting', since = excluded.since, domains = excluded.domains, "
        "decided_at = NULL, decided_by = NULL, note_id = NULL",
        entry,
        list_id,
        db.clock(),
        domains,
    )
    audit.append(db, RECORDER, "entries.quarantine", f"entry-{entry}", detail={"domains": domains})
    alerts.open_alert(db, ALERT, f"entry-{entry}")


def _hits_of(db: Database, entry: int) -> list[str]:
    return [row["hit_id"] for row in db.rows("SELECT DISTINCT hit_id FROM matches WHERE entry_id = ?", entry)]


def _hold_or_let_go(db: Database, actor: Actor, hits: Sequence[str], reason: str) -> int:
    """What a person put in quarantine by hand stays there."""
    moves: dict[tuple[str, Event], list[str]] = {}
    for row in db.rows(_HELD, json.dumps(list(hits))):
        if row["held"] and row["status"] != Status.QUARANTINED:
            moves.setdefault((row["status"], Event.QUARANTINE), []).append(row["id"])
        elif not row["held"] and row["status"] == Status.QUARANTINED and row["decided_by"] == RECORDER.name:
            moves.setdefault((row["status"], Event.LIFT), []).append(row["id"])
    return sum(
        _move(db, actor, found, status=status, event=event, reason=reason) for (status, event), found in moves.items()
    )


def _reject_held(db: Database, actor: Actor, hits: Sequence[str], reason: str) -> int:
    found = [row["id"] for row in db.rows(_HELD, json.dumps(list(hits))) if row["held"]]
    waiting = db.rows(
        "SELECT id FROM hits WHERE status = 'quarantined' AND id IN (SELECT value FROM json_each(?))",
        json.dumps(found),
    )
    ids = [row["id"] for row in waiting]
    return _move(db, actor, ids, status=Status.QUARANTINED, event=Event.REJECT, reason=reason)


def _move(db: Database, actor: Actor, hits: Iterable[str], *, status: str, event: Event, reason: str) -> int:
    target = after(Status(status), event)
    assert isinstance(target, Status), "the table of transitions has these"
    moved = decisions.decide_many(db, actor, list(hits), event=event, before=status, after=target, reason=reason)
    if moved:
        audit.append(db, actor, f"hits.{event}", "quarantine", detail={"hits": moved, "after": target})
    return len(moved)
