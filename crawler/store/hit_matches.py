"""Which entries of hash lists a hit matched, and the class of certainty that they give it together."""

from __future__ import annotations

from crawler.match.certainty import Certainty, Evidence, certainty
from crawler.records import HitReport
from crawler.store.database import Database
from crawler.store.entries import EntryFacts


def merge_matches(
    db: Database, report: HitReport, hit_id: str, entries: dict[int, EntryFacts], list_versions: dict[int, int]
) -> None:
    """Of several matches of one entry by one algorithm the nearest stays, whatever the order of the reports."""
    for match in report.found.matches:
        facts = entries.get(match.entry)
        list_id = facts.list_id if facts else None
        db.execute(
            "INSERT INTO matches (hit_id, entry_id, algorithm, list_id, list_version, label, category, size, distance, "
            "threshold, transform, benign) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (hit_id, entry_id, algorithm) DO UPDATE SET distance = excluded.distance, "
            "threshold = excluded.threshold, transform = excluded.transform "
            "WHERE (excluded.distance, excluded.transform) < (distance, transform)",
            hit_id,
            match.entry,
            match.algorithm,
            list_id,
            _version(db, list_id, list_versions),
            facts.label if facts else str(match.entry),
            facts.category if facts else None,
            facts.size if facts else None,
            match.distance,
            match.threshold,
            match.transform,
            int(match.benign),
        )


def _version(db: Database, list_id: int | None, list_versions: dict[int, int]) -> int | None:
    """The version of a list that the index held; the latest one when the index is not one of ours."""
    if list_id is None:
        return None
    if list_id not in list_versions:
        list_versions[list_id] = int(db.value("SELECT version FROM hash_lists WHERE id = ?", list_id))
    return list_versions[list_id]


def certainty_of(db: Database, hit_id: str) -> Certainty:
    """The class that all matches of a hit give it together."""
    rows = db.rows(
        "SELECT name, entry_id, algorithm, distance, benign, size = bytes AS size_agrees FROM matches "
        "JOIN hits ON hits.id = hit_id JOIN images ON images.id = image_id "
        "LEFT JOIN hash_lists ON hash_lists.id = list_id WHERE hit_id = ?",
        hit_id,
    )
    evidence = [
        Evidence(
            list=row["name"] or "",
            entry=row["entry_id"],
            algorithm=row["algorithm"],
            distance=row["distance"],
            size_agrees=bool(row["size_agrees"]),
            benign=bool(row["benign"]),
        )
        for row in rows
    ]
    try:
        return certainty(evidence)
    except ValueError:
        # Such a report should not exist; a person sees it in the weakest class, instead of nobody.
        return "C"
