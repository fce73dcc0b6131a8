"""What is erased in time. What was decided, by whom and why, stays; so do counts, times and keyed numbers."""

from __future__ import annotations

import json

from crawler.store.database import Database

ERASED = "about:blank"
"""Stands in place of a URL that was erased."""


def due(
    db: Database, rejected_before: float, closed_before: float, *, after: str = "", most: int | None = None
) -> list[str]:
    """Hits whose URLs may not be kept any longer: rejected, or removed and moved, before these times. By id: those
    after this one, and so many of them at the most (None: all).

    Being seen again gives no hit a longer life: the time is that of the last decision.
    """
    rows = db.rows(
        "SELECT id FROM hits WHERE coalesce((SELECT max(at) FROM decisions WHERE hit_id = hits.id), changed_at) < "
        "CASE status WHEN 'rejected' THEN ?1 WHEN 'removed' THEN ?2 WHEN 'moved' THEN ?2 ELSE 0 END "
        "AND (page_url_blind IS NOT ?3 OR EXISTS (SELECT 1 FROM sightings WHERE hit_id = hits.id)) "
        "AND id > ?4 ORDER BY id LIMIT ?5",
        rejected_before,
        closed_before,
        erased_mark(db),
        after,
        -1 if most is None else most,
    )
    return [row["id"] for row in rows]


def count(db: Database, hits: list[str], before: float) -> dict[str, int]:
    """{"hits", "sightings", "sessions", "sign_ins"}: what `erase` would erase."""
    of_hits = "SELECT count(*) FROM sightings WHERE hit_id IN (SELECT value FROM json_each(?))"
    return {
        "hits": len(hits),
        "sightings": int(db.value(of_hits, json.dumps(hits))),
        "sessions": int(db.value("SELECT count(*) FROM sessions WHERE seen_at < ?", before)),
        "sign_ins": int(db.value("SELECT count(*) FROM failed_sign_ins WHERE at < ?", before)),
    }


def erase(db: Database, hits: list[str], before: float) -> None:
    """Erase URLs and sightings of `hits`, and sessions and failed sign-ins before that time; inside a transaction.

    `changed_at` stays, and the number of the resource: whoever sees the hit again finds it decided.
    """
    seal = db.sealer
    for hit in hits:
        db.execute(
            "UPDATE hits SET image_url = ?, image_url_blind = ?, page_url = NULL, page_url_blind = ?, redirects = ? "
            "WHERE id = ?",
            seal.seal("hits", "image_url", hit, ERASED),
            erased_mark(db),
            erased_mark(db),
            seal.seal_texts("hits", "redirects", hit, ()),
            hit,
        )
    db.execute("DELETE FROM sightings WHERE hit_id IN (SELECT value FROM json_each(?))", json.dumps(hits))
    db.execute("DELETE FROM sessions WHERE seen_at < ?", before)
    db.execute("DELETE FROM failed_sign_ins WHERE at < ?", before)


def erased_mark(db: Database) -> bytes:
    """The blind index that stands in place of a page's where the URLs of a hit were erased."""
    return db.sealer.blind("page_url", ERASED)
