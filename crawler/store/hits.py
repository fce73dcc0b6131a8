"""Recording hits: one hit is one image (by sha256) at one resource; seeing it again is a sighting of it.

Recording is idempotent by the serial of a report: a second delivery changes nothing and counts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from crawler.errors import InvalidInput
from crawler.records import Attribution, FoundImage, HitReport, RunId
from crawler.review.states import START, Event
from crawler.store import audit, decisions
from crawler.store.actors import RECORDER
from crawler.store.database import Database
from crawler.store.entries import EntryFacts, entry_facts
from crawler.store.hit_marks import remark
from crawler.store.hit_matches import certainty_of, merge_matches
from crawler.store.indexes import versions
from crawler.store.retention import erased_mark
from crawler.store.sealed import new_id
from crawler.urls import resource_key

BY_VISIT = 0
"""The run of a hit or sighting that no crawl brought, but a look at the page of another hit."""


@dataclass(frozen=True, slots=True)
class HitRecorded:
    """What became of one report.

    new: a hit that was not known; else a sighting was added.  repeated: this serial was recorded before, so nothing
    changed.
    """

    hit_id: str
    new: bool
    repeated: bool = False


def record(db: Database, report: HitReport, attribution: Attribution) -> HitRecorded:
    """Record one report; see `record_many`."""
    return record_many(db, [(report, attribution)])[0]


def record_many(db: Database, batch: Sequence[tuple[HitReport, Attribution]]) -> list[HitRecorded]:
    """Record reports in one transaction, all or none; returns one result for each, in order.

    Entries of lists that were dropped meanwhile are recorded with an unknown list: a match is never lost.
    Raises StoreUnavailable when the database cannot be written; the same batch may then be given again.
    """
    with db.write():
        entries = entry_facts(db, sorted({match.entry for report, _ in batch for match in report.found.matches}))
        indexes = {index: versions(db, index) for index in {report.index for report, _ in batch}}
        results = [
            _record(db, report, attribution, entries, dict(indexes[report.index])) for report, attribution in batch
        ]
        # A worker may have matched against an entry that was withdrawn a moment ago, and a new match may be a ground.
        remark(db, sorted({result.hit_id for result in results if not result.repeated}))
        _audit(db, batch, results)
        return results


def resource_blind(db: Database, image_url: str) -> bytes:
    """The blind index of the resource that an image's URL stands for; a `#data-N` part counts."""
    url, mark, fragment = image_url.partition("#")
    try:
        key = resource_key(url)
    except InvalidInput:
        # A hit at a URL that is not canonical is still a hit; it is then a resource of its own.
        key = url
    return db.sealer.blind("resource", key + mark + fragment)


def _record(
    db: Database,
    report: HitReport,
    attribution: Attribution,
    entries: dict[int, EntryFacts],
    list_versions: dict[int, int],
) -> HitRecorded:
    # As it is: a version that kept serials so may have recorded what is delivered again now.
    known = db.value(
        "SELECT hit_id FROM sightings WHERE serial IN (?, ?)", _kept_serial(db, report.serial), report.serial
    )
    if known is not None:
        return HitRecorded(known, new=False, repeated=True)
    image_id = _image(db, report.found, report.found_at)
    blind = resource_blind(db, report.image_url)
    hit_id = db.value("SELECT id FROM hits WHERE image_id = ? AND resource_blind = ?", image_id, blind)
    new = hit_id is None
    if hit_id is None:
        hit_id = _insert_hit(db, report, attribution, image_id, blind)
    else:
        _refill(db, report, hit_id)
    _insert_sighting(db, report, attribution, hit_id)
    _reopen_if_back(db, hit_id, report.found_at, by_visit=report.run.number == BY_VISIT)
    merge_matches(db, report, hit_id, entries, list_versions)
    db.execute(
        "UPDATE hits SET certainty = ?, changed_at = ? WHERE id = ?", certainty_of(db, hit_id), db.clock(), hit_id
    )
    return HitRecorded(hit_id, new)


def _reopen_if_back(db: Database, hit_id: str, found_at: float, *, by_visit: bool) -> None:
    """An image that was gone and is seen again is a new case for people; a report from before it went says nothing.

    by_visit: what else the run of visits came upon that found it moved is for `looks.py` to weigh.
    """
    row = db.row(
        "SELECT status, CASE status "
        "WHEN 'removed' THEN (SELECT max(missing_from) FROM removals WHERE hit_id = hits.id) "
        "WHEN 'moved' THEN (SELECT max(CASE WHEN ?2 THEN coalesce(finished_at, 9e99) ELSE checked_at END) "
        "FROM rechecks JOIN recheck_runs ON recheck_runs.campaign = rechecks.campaign AND number = run "
        "WHERE hit_id = hits.id AND outcome = 'moved') END AS gone_at FROM hits WHERE id = ?1",
        hit_id,
        by_visit,
    )
    if row is None or row["gone_at"] is None or found_at <= row["gone_at"]:
        return
    moved = {"before": row["status"], "after": START.value}
    decisions.decide(db, RECORDER, hit_id, event=Event.REOPEN, **moved, reason="seen again by a crawl")
    audit.append(db, RECORDER, f"hits.{Event.REOPEN}", hit_id, detail=moved)


def _image(db: Database, found: FoundImage, seen_at: float) -> str:
    blind = db.sealer.blind("sha256", found.sha256)
    known = db.row("SELECT id FROM images WHERE sha256_blind = ?", blind)
    if known is not None:
        # A first sight of it may have failed to decode; then the dimensions come with a later one.
        db.execute(
            "UPDATE images SET width = coalesce(width, ?), height = coalesce(height, ?), "
            "quality = coalesce(quality, ?) WHERE id = ?",
            found.width,
            found.height,
            found.quality,
            known["id"],
        )
        return str(known["id"])
    image_id = new_id()
    db.insert(
        "images",
        {
            "id": image_id,
            "sha256_blind": blind,
            "sha256": db.sealer.seal("images", "sha256", image_id, found.sha256.hex()),
            "md5": db.sealer.seal("images", "md5", image_id, found.md5.hex()),
            "bytes": found.size,
            "width": found.width,
            "height": found.height,
            "quality": found.quality,
            "first_seen_at": seen_at,
        },
    )
    return image_id


def _insert_hit(db: Database, report: HitReport, attribution: Attribution, image_id: str, blind: bytes) -> str:
    hit_id, seal = new_id(), db.sealer
    page = report.page_url
    db.insert(
        "hits",
        {
            "id": hit_id,
            "image_id": image_id,
            "case_id": _case(db, image_id, attribution.domain or attribution.address, report.found_at),
            "resource_blind": blind,
            "image_url_blind": seal.blind("image_url", report.image_url),
            "page_url_blind": None if page is None else seal.blind("page_url", page),
            "image_url": seal.seal("hits", "image_url", hit_id, report.image_url),
            "page_url": seal.seal_optional("hits", "page_url", hit_id, page),
            "redirects": seal.seal_texts("hits", "redirects", hit_id, report.redirects),
            "campaign": report.run.campaign,
            "run": report.run.number,
            "status": START.value,
            "certainty": "C",
            "found_at": report.found_at,
            "domain": attribution.domain,
            "icann_domain": attribution.icann_domain,
            "ip": attribution.address,
            "attribution": json.dumps(asdict(attribution.facts)),
            "changed_at": db.clock(),
        },
    )
    return hit_id


def _refill(db: Database, report: HitReport, hit_id: str) -> None:
    """Give a hit whose URLs were erased those of this report, so that people know what they decide on."""
    seal, page = db.sealer, report.page_url
    db.execute(
        "UPDATE hits SET image_url_blind = ?, page_url_blind = ?, image_url = ?, page_url = ?, redirects = ? "
        "WHERE id = ? AND page_url_blind = ?",
        seal.blind("image_url", report.image_url),
        None if page is None else seal.blind("page_url", page),
        seal.seal("hits", "image_url", hit_id, report.image_url),
        seal.seal_optional("hits", "page_url", hit_id, page),
        seal.seal_texts("hits", "redirects", hit_id, report.redirects),
        hit_id,
        erased_mark(db),
    )


def _case(db: Database, image_id: str, site: str, at: float) -> str:
    known: str | None = db.value("SELECT id FROM cases WHERE image_id = ? AND site = ?", image_id, site)
    if known is not None:
        return known
    case_id = new_id()
    db.insert("cases", {"id": case_id, "image_id": image_id, "site": site, "opened_at": at})
    return case_id


def _insert_sighting(db: Database, report: HitReport, attribution: Attribution, hit_id: str) -> None:
    sighting, seal = new_id(), db.sealer
    db.insert(
        "sightings",
        {
            "id": sighting,
            "serial": _kept_serial(db, report.serial),
            "hit_id": hit_id,
            "campaign": report.run.campaign,
            "run": report.run.number,
            "found_at": report.found_at,
            "ip": attribution.address,
            "index_sha256": report.index,
            "image_url": seal.seal("sightings", "image_url", sighting, report.image_url),
            "page_url": seal.seal_optional("sightings", "page_url", sighting, report.page_url),
            "redirects": seal.seal_texts("sightings", "redirects", sighting, report.redirects),
            "attribution": json.dumps(asdict(attribution.facts)),
        },
    )


def _kept_serial(db: Database, serial: str) -> str:
    """A worker makes a serial of URL and digest, without a key: as it is, a guess could be tried against it."""
    return db.sealer.blind("serial", serial).hex()


def _audit(db: Database, batch: Sequence[tuple[HitReport, Attribution]], results: list[HitRecorded]) -> None:
    """One event for each run of the batch that something new was recorded of."""
    runs: dict[RunId, list[HitRecorded]] = {}
    for (report, _), result in zip(batch, results, strict=True):
        if not result.repeated:
            runs.setdefault(report.run, []).append(result)
    for run, recorded in runs.items():
        detail = {"hits": [result.hit_id for result in recorded if result.new], "sightings": len(recorded)}
        audit.append(db, RECORDER, "hits.record", str(run), detail=detail)
