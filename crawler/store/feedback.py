"""What became of the hits of one list, entry by entry: for the list's owner."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.store.database import Database


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """One entry with decided hits.

    label: the owner's own id; None when the list gave none, so that only `value` names the entry to its owner.
    confirmed, rejected, elsewhere: hits that ended so, or that wait for an assessment made elsewhere.
    quarantine: "waiting", "lifted", "upheld"; None: it never was there.  withdrawn: by the owner, meanwhile.
    """

    entry: int
    label: str | None
    algorithm: str
    value: bytes = field(repr=False)
    category: str | None
    confirmed: int
    rejected: int
    elsewhere: int
    quarantine: str | None
    withdrawn: bool


_OUTCOMES = """
    SELECT e.id AS entry, e.external_id AS label, e.algorithm, e.value, e.category,
        count(DISTINCT CASE WHEN hits.status IN ('confirmed', 'noticed', 'removed', 'still-up', 'moved')
              THEN hits.id END) AS confirmed,
        count(DISTINCT CASE WHEN hits.status = 'rejected' THEN hits.id END) AS rejected,
        count(DISTINCT CASE WHEN hits.status = 'elsewhere' THEN hits.id END) AS elsewhere,
        q.state AS quarantine, coalesce(e.withdrawn_version <= hash_lists.version, 0) AS withdrawn
    FROM hash_entries AS e JOIN hash_lists ON hash_lists.id = e.list_id
    JOIN matches ON matches.entry_id = e.id AND matches.algorithm <> 'phash'
    JOIN hits ON hits.id = matches.hit_id LEFT JOIN entry_quarantines AS q ON q.entry_id = e.id
    WHERE e.list_id = ? GROUP BY e.id ORDER BY e.id
"""


def outcomes(db: Database, list_id: int) -> list[EntryOutcome]:
    """The entries of a list that have raised hits, by number."""
    return [EntryOutcome(**{**row, "withdrawn": bool(row["withdrawn"])}) for row in db.rows(_OUTCOMES, list_id)]
