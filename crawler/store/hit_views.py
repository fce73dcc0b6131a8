"""Reading hits: the JSON of a hit, lists of them, and counts that no report may mix up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from crawler.records import RunId
from crawler.store.database import Database, Row
from crawler.store.hit_marks import WITHDRAWN
from crawler.store.times import iso
from crawler.urls import masked

_CHUNK = 500
_HOSTER = ("asn", "as_name", "network", "holder", "abuse_contact", "country", "evidence")


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Different things that one run saw: images by sha256, hits, of them new in this run, matches of these hits, and
    sightings."""

    images: int
    hits: int
    new_hits: int
    matches: int
    sightings: int


@dataclass(frozen=True, slots=True)
class HitState:
    """What a decision needs to know.  near_may_confirm, withdrawn: as in `crawler.review.states.decide`.

    leaving: the notice that names it and is being sent, or may have arrived; None when there is none.
    """

    id: str
    case_id: str
    status: str
    certainty: str
    near_may_confirm: bool
    withdrawn: bool
    leaving: str | None


def hits_json(
    db: Database, *, reveal: bool, campaign: str | None = None, status: str | None = None
) -> Iterator[dict[str, Any]]:
    """The hits in the order in which they were found, each as the design's JSON of a hit.

    reveal: URLs as they are; else masked.  campaign: seen in a run of this campaign.  status: in this state only.
    Times are ISO 8601 in UTC. Reads in chunks, so that memory does not grow with the number of hits.
    """
    ids = [
        str(row[0])
        for row in db.stream(
            "SELECT id FROM hits WHERE (?2 IS NULL OR status = ?2) AND (?1 IS NULL OR id IN "
            "(SELECT hit_id FROM sightings WHERE campaign = ?1)) ORDER BY found_at, id",
            campaign,
            status,
        )
    ]
    for start in range(0, len(ids), _CHUNK):
        wanted = json.dumps(ids[start : start + _CHUNK])
        rows = db.rows(
            "SELECT * FROM hit_rows WHERE id IN (SELECT value FROM json_each(?)) ORDER BY found_at, id", wanted
        )
        matches, marks = _matches(db, wanted), _marks(db, wanted)
        for row in rows:
            yield _hit(db, row, matches.get(row["id"], []), marks.get(row["id"]), reveal)


def hit_json(db: Database, hit_id: str, *, reveal: bool) -> dict[str, Any] | None:
    """One hit, or None when there is none of this id."""
    row = db.row("SELECT * FROM hit_rows WHERE id = ?", hit_id)
    if row is None:
        return None
    wanted = json.dumps([hit_id])
    return _hit(db, row, _matches(db, wanted).get(hit_id, []), _marks(db, wanted).get(hit_id), reveal)


def sightings_json(db: Database, hit_id: str, *, reveal: bool) -> list[dict[str, Any]]:
    """The sightings of a hit, the first one first."""
    seal, shown = db.sealer, _shown(db, reveal)
    return [
        {
            "campaign": row["campaign"],
            "run": row["run"],
            "found_at": iso(row["found_at"]),
            "ip": row["ip"],
            "index": row["index_sha256"],
            "image_url": shown(seal.open("sightings", "image_url", row["id"], row["image_url"])),
            "page_url": shown(seal.open_optional("sightings", "page_url", row["id"], row["page_url"])),
            "redirects": [shown(url) for url in seal.open_texts("sightings", "redirects", row["id"], row["redirects"])],
        }
        for row in db.rows("SELECT * FROM sightings WHERE hit_id = ? ORDER BY found_at, serial", hit_id)
    ]


def visits_json(db: Database, hit_id: str, *, reveal: bool) -> list[dict[str, Any]]:
    """The re-visits of a hit that are over, the first one first.

    page: what the page that showed it answered, when it was asked.  moved_to: where the image stands now.
    """
    shown, names = _shown(db, reveal), ("outcome", "detail", "ip", "page")
    return [
        {
            "at": iso(row["checked_at"]),
            **{name: row[name] for name in names},
            "moved_to": shown(db.sealer.open_optional("rechecks", "moved_to", row["id"], row["moved_to"])),
        }
        for row in db.rows(
            "SELECT * FROM rechecks WHERE hit_id = ? AND outcome IS NOT NULL ORDER BY checked_at, rowid", hit_id
        )
    ]


def state_of(db: Database, hit_id: str) -> HitState | None:
    """What a decision about a hit rests on, or None when there is none of this id."""
    row = db.row(_STATES + "WHERE hits.id = ?", hit_id)
    return None if row is None else _state(row)


def states_of_case(db: Database, case_id: str) -> list[HitState]:
    """The same for every hit of a case item, in the order in which they were found."""
    return [_state(row) for row in db.rows(_STATES + "WHERE case_id = ? ORDER BY found_at, hits.id", case_id)]


_STATES = f"""
    SELECT hits.id, case_id, status, certainty,
        NOT EXISTS (
            SELECT 1 FROM matches LEFT JOIN hash_lists ON hash_lists.id = list_id
            WHERE hit_id = hits.id AND benign = 0 AND coalesce(near, 'assess') <> 'confirm'
        ) AS near_may_confirm,
        {WITHDRAWN} AS withdrawn,
        (
            SELECT notice_id FROM notice_hits JOIN notices ON notices.id = notice_id
            WHERE hit_id = hits.id AND live = 1 AND state IN ('sending', 'doubt')
        ) AS leaving
    FROM hits
"""


def _state(row: Row) -> HitState:
    flags = {name: bool(row[name]) for name in ("near_may_confirm", "withdrawn")}
    return HitState(**{**row, **flags})


def run_counts(db: Database, run: RunId) -> RunCounts:
    """What one run saw."""
    row = db.row(
        """
        WITH seen AS (SELECT DISTINCT hit_id FROM sightings WHERE campaign = ?1 AND run = ?2) SELECT
            (SELECT count(DISTINCT image_id) FROM hits WHERE id IN seen) AS images,
            (SELECT count(*) FROM seen) AS hits,
            (SELECT count(*) FROM hits WHERE campaign = ?1 AND run = ?2) AS new_hits,
            (SELECT count(*) FROM matches WHERE hit_id IN seen) AS matches,
            (SELECT count(*) FROM sightings WHERE campaign = ?1 AND run = ?2) AS sightings
        """,
        run.campaign,
        run.number,
    )
    assert row is not None, "an aggregate query has one row"
    return RunCounts(**row)


def _hit(
    db: Database, row: Row, matches: list[dict[str, Any]], mark: dict[str, Any] | None, reveal: bool
) -> dict[str, Any]:
    seal, shown = db.sealer, _shown(db, reveal)
    hit_id, image_id, facts = row["id"], row["image_id"], json.loads(row["attribution"])
    return {
        "id": hit_id,
        "campaign": row["campaign"],
        "run": row["run"],
        "status": row["status"],
        "certainty": row["certainty"],
        "image_url": shown(seal.open("hits", "image_url", hit_id, row["image_url"])),
        "page_url": shown(seal.open_optional("hits", "page_url", hit_id, row["page_url"])),
        "redirects": [shown(url) for url in seal.open_texts("hits", "redirects", hit_id, row["redirects"])],
        "found_at": iso(row["found_at"]),
        "sightings": row["sightings"],
        "domain": row["domain"],
        "icann_domain": row["icann_domain"],
        "ip": row["ip"],
        "hoster": {name: facts[name] for name in _HOSTER},
        "cdn": None if facts["cdn"] is None else {"name": facts["cdn"], "origin": "unknown"},
        "sha256": seal.open("images", "sha256", image_id, row["sha256"]),
        "md5": seal.open("images", "md5", image_id, row["md5"]),
        "width": row["width"],
        "height": row["height"],
        "bytes": row["bytes"],
        "quality": row["quality"],
        "matches": matches,
        "mark": mark,
    }


def _marks(db: Database, hit_ids: str) -> dict[str, dict[str, Any]]:
    """Hit id -> {"reason", "at"}, of those that nothing stands behind any more; hit_ids: a JSON array."""
    sql = (
        "SELECT hit_id, reason, marked_at FROM hit_marks "
        "WHERE lifted_at IS NULL AND hit_id IN (SELECT value FROM json_each(?))"
    )
    return {row["hit_id"]: {"reason": row["reason"], "at": iso(row["marked_at"])} for row in db.rows(sql, hit_ids)}


def _matches(db: Database, hit_ids: str) -> dict[str, list[dict[str, Any]]]:
    """Hit id -> its matches, digests first, then the nearest; hit_ids: a JSON array."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in db.rows(
        "SELECT hit_id, name, list_version, label, algorithm, distance, threshold, category, transform FROM matches "
        "LEFT JOIN hash_lists ON hash_lists.id = list_id WHERE hit_id IN (SELECT value FROM json_each(?)) "
        "ORDER BY hit_id, benign, threshold > 0, distance, name, entry_id, algorithm",
        hit_ids,
    ):
        match = {
            "list": row["name"],
            "list_version": row["list_version"],
            "entry": row["label"],
            "algorithm": row["algorithm"],
            "distance": row["distance"],
            "threshold": row["threshold"],
            "category": row["category"],
            "transform": row["transform"],
        }
        found.setdefault(row["hit_id"], []).append(match)
    return found


def _shown(db: Database, reveal: bool) -> Callable[[str | None], str | None]:
    """How a URL is shown. A `#data-N` part stays: it says which image of the page it was."""
    if reveal:
        return lambda url: url
    key = db.sealer.mask_key()

    def mask(url: str | None) -> str | None:
        if url is None:
            return None
        plain, mark, fragment = url.partition("#")
        return masked(plain, key) + mark + fragment

    return mask
