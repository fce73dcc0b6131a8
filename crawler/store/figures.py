"""What a report counts, read from the store: different things stay different, and no URL is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from crawler.store.database import Database, Row


@dataclass(frozen=True, slots=True)
class HitFigures:
    """One hit, as a report counts it. Times: epoch seconds; None: not yet.

    hoster: of the address where it was found.  notice: the first that was delivered.  seen_until, missing_from: of its
    removal.  seen_up: when it was last seen, crawls included.  outcomes: of its visits since the notice.
    """

    id: str
    image: str
    domain: str
    hoster: str
    asn: int | None
    status: str
    found_at: float
    matches: int
    notices: tuple[str, ...]
    delivered_at: float | None
    seen_until: float | None
    missing_from: float | None
    seen_up: float
    outcomes: tuple[str, ...]


def hit_figures(db: Database) -> list[HitFigures]:
    """Every hit, in the order in which they were found."""
    return [
        _figures(row)
        for row in db.rows(
            """
            SELECT hits.id, image_id, coalesce(domain, ip) AS domain, status, found_at, attribution,
                (SELECT count(*) FROM matches WHERE hit_id = hits.id AND benign = 0) AS matches,
                sent.notices, sent.delivered_at, removals.seen_until, removals.missing_from,
                max(coalesce(seen.at, found_at), coalesce(visits.up_at, 0)) AS seen_up, visits.outcomes
            FROM hits
            LEFT JOIN (SELECT hit_id, min(delivered_at) AS delivered_at, json_group_array(notice_id) AS notices
                FROM notice_hits JOIN notices ON notices.id = notice_id WHERE state = 'sent' GROUP BY hit_id) AS sent
                ON sent.hit_id = hits.id
            LEFT JOIN (SELECT hit_id, max(found_at) AS at FROM sightings GROUP BY hit_id) AS seen
                ON seen.hit_id = hits.id
            LEFT JOIN (SELECT hit_id, max(CASE WHEN outcome IN ('up', 'moved') THEN checked_at END) AS up_at,
                json_group_array(outcome) AS outcomes FROM rechecks WHERE outcome IS NOT NULL GROUP BY hit_id) AS visits
                ON visits.hit_id = hits.id
            LEFT JOIN (SELECT hit_id, min(seen_until) AS seen_until, min(missing_from) AS missing_from
                FROM removals GROUP BY hit_id) AS removals ON removals.hit_id = hits.id
            ORDER BY found_at, hits.id
            """
        )
    ]


def notice_counts(db: Database) -> dict[str, int]:
    """State -> notices."""
    rows = db.rows("SELECT state, count(*) AS n FROM notices GROUP BY state ORDER BY state")
    return {row["state"]: row["n"] for row in rows}


def _figures(row: Row) -> HitFigures:
    facts: dict[str, Any] = json.loads(row["attribution"])
    asn = facts.get("asn")
    return HitFigures(
        id=row["id"],
        image=row["image_id"],
        domain=row["domain"],
        hoster=facts.get("holder") or facts.get("as_name") or (f"AS{asn}" if asn else "unknown"),
        asn=asn,
        status=row["status"],
        found_at=row["found_at"],
        matches=row["matches"],
        notices=tuple(json.loads(row["notices"] or "[]")),
        delivered_at=row["delivered_at"],
        seen_until=row["seen_until"],
        missing_from=row["missing_from"],
        seen_up=row["seen_up"],
        outcomes=tuple(json.loads(row["outcomes"] or "[]")),
    )
