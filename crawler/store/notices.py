"""Notices as they are kept: drafts with their hits, the mail fixed at approval, attempts and receipts.

Every function that writes is part of the caller's transaction, unless it says that it opens one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from crawler.store.actors import Actor, register
from crawler.store.database import Database, Row
from crawler.store.hit_marks import WITHDRAWN
from crawler.store.retention import ERASED
from crawler.store.sealed import new_id

_COLUMNS = (
    "id, instrument, deadline_hours, contact, hoster, asn, state, revision, created_at, created_by, approved_at, "
    "approved_by, message_id, attempts, next_attempt_at, delivered_at, due_at, changed_at"
)


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice without its mail. Times: epoch seconds; None: not yet."""

    id: str
    instrument: str
    deadline_hours: int
    contact: str
    hoster: str | None
    asn: int | None
    state: str
    revision: int
    created_at: float
    created_by: str
    approved_at: float | None
    approved_by: str | None
    message_id: str | None
    attempts: int
    next_attempt_at: float | None
    delivered_at: float | None
    due_at: float | None
    changed_at: float


@dataclass(frozen=True, slots=True)
class NoticeHit:
    """A hit as its notice needs it. certainty, status: as of now.  found_at: when it was seen last.

    categories: verified categories of the entries that it matched.  withdrawn: its lists do not stand behind it now.
    """

    id: str
    image_url: str = field(repr=False)
    page_url: str | None = field(repr=False)
    ip: str
    domain: str | None
    status: str
    certainty: str
    found_at: float
    campaign: str
    hoster: dict[str, Any]
    categories: tuple[str, ...] = ()
    withdrawn: bool = False


def wanting(db: Database, *, again: bool) -> list[NoticeHit]:
    """Confirmed hits that no live notice has, the oldest first.

    Without those that their lists have withdrawn, and those whose URLs were erased and that nobody saw again.

    again: instead, those still up after a notice.
    """
    status = "still-up" if again else "confirmed"
    free = "hits.status = ? AND NOT EXISTS (SELECT 1 FROM notice_hits WHERE hit_id = hits.id AND live = 1)"
    return [hit for hit in _hits(db, free, status) if not hit.withdrawn and hit.image_url != ERASED]


def hits_of(db: Database, notice_id: str) -> list[NoticeHit]:
    """The hits of a notice, in the order in which they were found."""
    return _hits(db, "hits.id IN (SELECT hit_id FROM notice_hits WHERE notice_id = ?)", notice_id)


def find(db: Database, notice_id: str) -> NoticeRow | None:
    """A notice, or None."""
    row = db.row(f"SELECT {_COLUMNS} FROM notices WHERE id = ?", notice_id)
    return None if row is None else NoticeRow(**row)


def all_notices(db: Database, *, state: str | None = None) -> list[NoticeRow]:
    """Notices, the oldest first. state: in this one only."""
    sql = f"SELECT {_COLUMNS} FROM notices WHERE ?1 IS NULL OR state = ?1 ORDER BY created_at, id"
    return [NoticeRow(**row) for row in db.rows(sql, state)]


def by_message(db: Database, message_ids: Iterable[str]) -> str | None:
    """The notice that left under one of these Message-IDs, or None."""
    sql = "SELECT id FROM notices WHERE message_id IN (SELECT value FROM json_each(?)) LIMIT 1"
    found: str | None = db.value(sql, json.dumps(list(message_ids)))
    return found


def draft_like(db: Database, contact: str, instrument: str, hours: int) -> str | None:
    """The one draft to this contact with this deadline, or None."""
    sql = "SELECT id FROM notices WHERE contact = ? AND instrument = ? AND deadline_hours = ? AND state = 'draft'"
    found: str | None = db.value(sql, contact, instrument, hours)
    return found


def open_draft(db: Database, actor: Actor, contact: str, *, instrument: str, hours: int, hoster: dict[str, Any]) -> str:
    """The one draft to this contact with this deadline; made when there is none. Returns its id."""
    known = draft_like(db, contact, instrument, hours)
    if known is not None:
        return known
    register(db, actor)
    notice, now = new_id(), db.clock()
    db.insert(
        "notices",
        {
            "id": notice,
            "instrument": instrument,
            "deadline_hours": hours,
            "contact": contact,
            "hoster": hoster.get("holder") or hoster.get("as_name"),
            "asn": hoster.get("asn"),
            "state": "draft",
            "revision": 0,
            "created_at": now,
            "created_by": actor.name,
            "changed_at": now,
        },
    )
    return notice


def add_hits(db: Database, notice_id: str, hit_ids: Iterable[str]) -> None:
    """Put hits into a draft."""
    for hit_id in hit_ids:
        db.insert("notice_hits", {"notice_id": notice_id, "hit_id": hit_id})
    _touch(db, notice_id)


def drop_hits(db: Database, notice_id: str, hit_ids: Iterable[str]) -> None:
    """Take hits out of a draft."""
    for hit_id in hit_ids:
        db.execute("DELETE FROM notice_hits WHERE notice_id = ? AND hit_id = ?", notice_id, hit_id)
    _touch(db, notice_id)


def confirmers(db: Database, notice_id: str) -> frozenset[str]:
    """Who ever confirmed a hit of this notice; none of them may approve it."""
    sql = (
        "SELECT DISTINCT actor FROM notice_hits JOIN decisions ON decisions.hit_id = notice_hits.hit_id "
        "WHERE notice_id = ? AND event = 'confirm'"
    )
    return frozenset(row["actor"] for row in db.rows(sql, notice_id))


def approve(db: Database, actor: Actor, notice_id: str, *, message_id: str, mail: bytes, at: float) -> None:
    """Fix the mail and who answers for it. A trigger refuses whoever confirmed one of the hits."""
    register(db, actor)
    sealed = db.sealer.seal("notices", "mail", notice_id, mail.decode("ascii"))
    db.execute(
        "UPDATE notices SET state = 'approved', approved_at = ?, approved_by = ?, message_id = ?, mail = ?, "
        "next_attempt_at = ?, changed_at = ? WHERE id = ? AND state = 'draft'",
        at,
        actor.name,
        message_id,
        sealed,
        at,
        at,
        notice_id,
    )


def mail_of(db: Database, notice_id: str) -> bytes | None:
    """The mail as it was approved, or None for a draft."""
    sealed = db.value("SELECT mail FROM notices WHERE id = ?", notice_id)
    text = db.sealer.open_optional("notices", "mail", notice_id, sealed)
    return None if text is None else text.encode("ascii")


def set_state(db: Database, notice_id: str, before: str, after: str, *, next_attempt_at: float | None = None) -> bool:
    """Move a notice; False when it was not `before`. Hits of one that ended are free for another notice."""
    changed = db.execute(
        "UPDATE notices SET state = ?, next_attempt_at = ?, changed_at = ? WHERE id = ? AND state = ?",
        after,
        next_attempt_at,
        db.clock(),
        notice_id,
        before,
    )
    if changed and after in ("withdrawn", "failed"):
        release(db, notice_id)
    return bool(changed)


def back_to_draft(db: Database, notice_id: str) -> None:
    """Take an approval back, because what was approved does not hold any more."""
    db.execute(
        "UPDATE notices SET state = 'draft', approved_at = NULL, approved_by = NULL, message_id = NULL, mail = NULL, "
        "next_attempt_at = NULL, revision = revision + 1, changed_at = ? WHERE id = ? AND state = 'approved'",
        db.clock(),
        notice_id,
    )


def delivered(db: Database, notice_id: str, before: str, *, at: float, due_at: float) -> bool:
    """Note that a notice was delivered: from here its clock runs. False when it was not `before`."""
    changed = db.execute(
        "UPDATE notices SET state = 'sent', delivered_at = ?, due_at = ?, next_attempt_at = NULL, changed_at = ? "
        "WHERE id = ? AND state = ?",
        at,
        due_at,
        db.clock(),
        notice_id,
        before,
    )
    if changed:
        release(db, notice_id)
    return bool(changed)


def release(db: Database, notice_id: str) -> None:
    """No longer count this notice as the one under way for its hits."""
    db.execute("UPDATE notice_hits SET live = 0 WHERE notice_id = ?", notice_id)


def due_for_sending(db: Database, now: float) -> list[str]:
    """Approved notices whose time has come, the oldest first."""
    sql = "SELECT id FROM notices WHERE state = 'approved' AND next_attempt_at <= ? ORDER BY approved_at, id"
    return [row["id"] for row in db.rows(sql, now)]


def _touch(db: Database, notice_id: str) -> None:
    sql = "UPDATE notices SET revision = revision + 1, changed_at = ? WHERE id = ?"
    db.execute(sql, db.clock(), notice_id)


def _hits(db: Database, condition: str, *values: Any) -> list[NoticeHit]:
    sql = (
        "SELECT hits.id, image_url, page_url, ip, domain, status, certainty, campaign, attribution, "
        "coalesce((SELECT max(found_at) FROM sightings WHERE hit_id = hits.id), found_at) AS seen_at, "
        "(SELECT json_group_array(DISTINCT category) FROM matches WHERE hit_id = hits.id AND benign = 0 "
        f"AND category IS NOT NULL) AS categories, {WITHDRAWN} AS withdrawn FROM hits "
        f"WHERE {condition} ORDER BY found_at, hits.id"
    )
    return [_hit(db, row) for row in db.rows(sql, *values)]


def _hit(db: Database, row: Row) -> NoticeHit:
    return NoticeHit(
        id=row["id"],
        image_url=db.sealer.open("hits", "image_url", row["id"], row["image_url"]),
        page_url=db.sealer.open_optional("hits", "page_url", row["id"], row["page_url"]),
        ip=row["ip"],
        domain=row["domain"],
        status=row["status"],
        certainty=row["certainty"],
        found_at=row["seen_at"],
        campaign=row["campaign"],
        hoster=json.loads(row["attribution"]),
        categories=tuple(sorted(json.loads(row["categories"]))),
        withdrawn=bool(row["withdrawn"]),
    )
