"""How much of what is known was crawled with which version of a list, and where hits were found before.

Of pages without a hit nothing is kept, so "what is known" is two things: for each campaign, the URLs that its largest
finished run fetched; and the pages of hits.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from crawler.records import RunId
from crawler.review.revisit import expected_yield
from crawler.store.database import Database


@dataclass(frozen=True, slots=True)
class Seen:
    """How much was crawled with a version of a list, or a later one.

    imported_at: of the version, seconds since the epoch.  urls: of the `known` ones, as many as a run with it fetched.
    """

    version: int
    imported_at: float
    urls: int
    known: int

    @property
    def share(self) -> float | None:
        """0 to 1; None while no run has finished."""
        return self.urls / self.known if self.known else None


@dataclass(frozen=True, slots=True)
class HitPage:
    """A page on which something was found. url: of the page, or of the image where no page showed it.

    hits: images found there, rejected ones left out.  last_seen: of any of them, seconds since the epoch.
    """

    url: str = field(repr=False)
    hits: int
    last_seen: float


def note_index(db: Database, run: RunId, index: str) -> None:
    """Note which index file (sha256, hex) a run matches against; part of the caller's transaction."""
    row = (run.campaign, run.number, index, db.clock())
    db.execute("INSERT OR IGNORE INTO run_indexes VALUES (?, ?, ?, ?)", *row)


def has_grown(db: Database, run: RunId, index: str) -> bool:
    """Whether a block list of this index file has entries that came after the run before of the same campaign. False
    where no run before is on record with its index."""
    before = db.value(
        "SELECT index_sha256 FROM run_indexes WHERE campaign = ? AND run < ? ORDER BY run DESC, at DESC LIMIT 1",
        run.campaign,
        run.number,
    )
    return before is not None and _grown(db, _held(db, [before]), _held(db, [index]))


def is_behind(db: Database, campaigns: Sequence[str], served: Mapping[int, int]) -> bool:
    """Whether block lists have entries that the latest runs of these campaigns did not look for from their beginning.

    served: list id -> version, of the lists that count.  False where none of these runs is on record with its index.
    """
    known = False
    for campaign in campaigns:
        rows = db.rows(
            "SELECT index_sha256 FROM run_indexes WHERE campaign = ?1 "
            "AND run = (SELECT max(run) FROM run_indexes WHERE campaign = ?1)",
            campaign,
        )
        if rows and not _grown(db, _held(db, [row["index_sha256"] for row in rows]), served):
            return False
        known = known or bool(rows)
    return known


def _held(db: Database, indexes: Sequence[str]) -> dict[int, int]:
    """List id -> the oldest version of it in these index files; lists that one of them lacks are left out."""
    sql = "SELECT list_id, version FROM index_lists WHERE sha256 = ?"
    held = [{row["list_id"]: row["version"] for row in db.rows(sql, index)} for index in set(indexes)]
    common = set.intersection(*(set(each) for each in held))
    return {list_id: min(each[list_id] for each in held) for list_id in common}


def _grown(db: Database, before: Mapping[int, int], after: Mapping[int, int]) -> bool:
    """Whether entries of block lists came between these versions of them (list id -> version)."""
    sql = (
        "SELECT 1 FROM list_versions AS came JOIN hash_lists ON id = list_id AND kind = 'block' "
        "WHERE list_id = ? AND came.version > ? AND came.version <= ? AND added > 0 AND NOT gone LIMIT 1"
    )
    return any(db.value(sql, each, before.get(each, 0), version) is not None for each, version in after.items())


def seen_since(db: Database, list_id: int, versions: int = 5) -> list[Seen]:
    """The latest versions of a list, the latest first, each with how much was crawled since it came into service.

    A run that changed to another index on its way counts by the oldest version that it used.
    """
    runs = [
        (row["campaign"], _fetched(row["summary"]), row["version"])
        for row in db.rows(
            "SELECT runs.campaign, summary, (SELECT min(coalesce(version, 0)) FROM run_indexes LEFT JOIN index_lists "
            "ON sha256 = index_sha256 AND list_id = ? WHERE run_indexes.campaign = runs.campaign AND run = number) "
            "AS version FROM runs WHERE finished_at IS NOT NULL",
            list_id,
        )
    ]
    known = _largest((campaign, fetched) for campaign, fetched, _ in runs)
    found = []
    for row in db.rows(
        "SELECT version, imported_at FROM list_versions WHERE list_id = ? ORDER BY version DESC LIMIT ?",
        list_id,
        versions,
    ):
        used = _largest((campaign, fetched) for campaign, fetched, version in runs if (version or 0) >= row["version"])
        urls = sum(used.values())
        found.append(Seen(row["version"], row["imported_at"], urls, sum(known.values())))
    return found


def hit_pages(db: Database, most: int, campaigns: Sequence[str] = ()) -> list[HitPage]:
    """The pages where something was found, those first that are worth most to visit now; at most so many.

    campaigns: whose finds count, all for none.
    """
    now = db.clock()
    rows = db.stream(
        """
        SELECT min(hits.id), count(DISTINCT image_id), max(last)
        FROM hits JOIN (SELECT hit_id, max(found_at) AS last FROM sightings GROUP BY hit_id) ON hit_id = hits.id
        WHERE status NOT IN ('rejected', 'quarantined')
            AND (?1 = '[]' OR campaign IN (SELECT value FROM json_each(?1)))
        GROUP BY coalesce(page_url_blind, image_url_blind)
        """,
        json.dumps(list(campaigns)),
    )
    best = heapq.nlargest(most, rows, key=lambda row: (expected_yield(row[1], now - row[2]), row[0]))
    return [HitPage(_url(db, hit), count, last) for hit, count, last in best]


def _url(db: Database, hit: str) -> str:
    row = db.row("SELECT image_url, page_url FROM hits WHERE id = ?", hit)
    assert row is not None, "hits are not deleted"
    page = db.sealer.open_optional("hits", "page_url", hit, row["page_url"])
    return page or db.sealer.open("hits", "image_url", hit, row["image_url"])


def _fetched(summary: str | None) -> int:
    urls = json.loads(summary or "{}").get("urls") or {}
    return int(urls.get("fetched", 0))


def _largest(runs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Campaign -> the most URLs that one of these runs fetched."""
    found: dict[str, int] = {}
    for campaign, fetched in runs:
        found[campaign] = max(found.get(campaign, 0), fetched)
    return found
