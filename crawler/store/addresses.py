"""What the store knows of addresses: which domains were seen on them."""

from __future__ import annotations

from crawler.store.database import Database


def domains_at(db: Database, address: str, *, most: int) -> tuple[tuple[str, ...], int]:
    """Registered domains with hits that were served from an address, in alphabetical order: the first `most` and how
    many there are."""
    rows = db.rows(
        "SELECT DISTINCT domain FROM hits JOIN sightings ON sightings.hit_id = hits.id "
        "WHERE sightings.ip = ? AND domain IS NOT NULL ORDER BY domain",
        address,
    )
    found = tuple(str(row["domain"]) for row in rows)
    return found[:most], len(found)
