"""What pages show now of images that a visit missed at their own URLs: moved, signed anew, or no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crawler.recheck.outcome import Judged, Look, Outcome, judge_look
from crawler.records import Attribution, HitReport, RecheckReport, RunId
from crawler.store import audit
from crawler.store.actors import RECORDER
from crawler.store.database import Database, Row
from crawler.store.hits import BY_VISIT, resource_blind
from crawler.store.indexes import counted
from crawler.store.rechecks import NOT_JUDGED, SUFFIX, conclude, is_same, target_blind

_MISSED = f"('{Outcome.ABSENT}', '{Outcome.CHANGED}', '{Outcome.EXPIRED}')"


def sightings(batch: Iterable[tuple[RecheckReport, Attribution]]) -> list[tuple[HitReport, Attribution]]:
    """The listed images that looks came upon, as reports of hits: where an image moved to is a hit of its own."""
    return [
        (
            HitReport(
                serial=f"{report.serial}-{number}",
                run=RunId(report.run.campaign.removesuffix(SUFFIX), BY_VISIT),
                image_url=report.url,
                page_url=report.target,
                redirects=(),
                found_at=report.checked_at,
                address=report.address,
                index=report.index,
                found=found,
            ),
            attribution,
        )
        for report, attribution in batch
        for number, found in enumerate(report.found)
    ]


def record_looks(
    db: Database, batch: Sequence[tuple[RecheckReport, Attribution]], spacing: float
) -> list[tuple[str, Outcome]]:
    """Have the visits that missed an image say where it is, in one transaction.

    spacing: as in `record_visits`, which is given the visits' own reports first.
    Idempotent. Returns (hit id, outcome) of each visit that says something else now. Raises StoreUnavailable.
    """
    changed: list[tuple[str, Outcome]] = []
    with db.write():
        for report, attribution in batch:
            if report.found:
                changed += _record(db, report, attribution, spacing)
            else:
                _note(db, report)
        if changed:
            runs = sorted({str(report.run) for report, _ in batch})
            audit.append(db, RECORDER, "rechecks.look", runs[0], detail={"runs": runs, "visits": len(changed)})
    return changed


def _note(db: Database, report: RecheckReport) -> None:
    """The page was asked: with which answer, where what was missed would have been known again there."""
    for row in db.rows(
        "SELECT rechecks.id, hit_id FROM rechecks JOIN hits ON hits.id = hit_id WHERE rechecks.campaign = ? "
        f"AND rechecks.run = ? AND page IS NULL AND (outcome IS NULL OR outcome IN {_MISSED}) AND page_url_blind = ?",
        report.run.campaign.removesuffix(SUFFIX),
        report.run.number,
        db.sealer.blind("page_url", report.target),
    ):
        page = report.answer if counted(db, report.index, row["hit_id"]) else NOT_JUDGED
        db.execute("UPDATE rechecks SET page = ? WHERE id = ?", page, row["id"])


def _record(db: Database, report: RecheckReport, attribution: Attribution, spacing: float) -> list[tuple[str, Outcome]]:
    place = resource_blind(db, report.url)
    changed = []
    for row in _missed(db, report, attribution, place):
        if not any(is_same(db, row["hit_id"], found) for found in report.found):
            continue
        judged = judge_look(_look(db, row, place, attribution))
        if judged is not None:
            _say(db, row["id"], report, attribution, judged)
            # A removal that this visit's own miss concluded was none.
            own = "hit_id = ? AND recorded_at >= (SELECT planned_at FROM rechecks WHERE id = ?)"
            db.execute(f"DELETE FROM removals WHERE {own}", row["hit_id"], row["id"])
            conclude(db, row["hit_id"], judged.outcome, spacing)
            changed.append((row["hit_id"], judged.outcome))
    return changed


def _missed(db: Database, report: RecheckReport, attribution: Attribution, place: bytes) -> list[Row]:
    """Visits of this run that missed an image which that page showed, or which lay at that domain."""
    return db.rows(
        "SELECT rechecks.id, hit_id, resource_blind, domain, "
        "page_url_blind IS NOT ?3 AND target_blind <> ?4 AS other_page FROM rechecks "
        "JOIN hits ON hits.id = hit_id WHERE rechecks.campaign = ?1 AND rechecks.run = ?2 AND "
        # What its own report has not been read of yet is taken for missed: nobody looks at its page otherwise.
        f"((outcome IN {_MISSED} AND (page_url_blind = ?3 OR target_blind = ?4 OR domain = ?5)) "
        "OR (outcome IS NULL AND target_blind = ?4) "
        # A copy was found first; at its own resource, under another signature, it is up all the same.
        "OR (outcome = 'moved' AND detail IN ('same-page', 'other-page', 'page-of-other-site') "
        "AND resource_blind = ?6))",
        report.run.campaign.removesuffix(SUFFIX),
        report.run.number,
        db.sealer.blind("page_url", report.target),
        target_blind(db, report.target),
        attribution.domain,
        place,
    )


def _look(db: Database, row: Row, place: bytes, attribution: Attribution) -> Look:
    seen = (
        "SELECT max(at) FROM (SELECT max(found_at) AS at FROM sightings WHERE hit_id = ?1 UNION ALL "
        "SELECT max(checked_at) FROM rechecks WHERE hit_id = ?1 AND outcome = 'up')"
    )
    known = "SELECT 1 FROM hits WHERE resource_blind = ? AND id <> ? AND found_at <= ? LIMIT 1"
    last_seen = db.value(seen, row["hit_id"]) or 0.0
    return Look(
        same_resource=place == row["resource_blind"],
        known=db.value(known, place, row["hit_id"], last_seen) is not None,
        other_site=attribution.domain != row["domain"],
        other_page=bool(row["other_page"]),
    )


def _say(db: Database, visit: str, report: RecheckReport, attribution: Attribution, judged: Judged) -> None:
    db.execute(
        "UPDATE rechecks SET checked_at = coalesce(checked_at, ?), outcome = ?, detail = ?, page = 'page', ip = ?, "
        "holder = ?, moved_to = ? WHERE id = ?",
        report.checked_at,
        judged.outcome.value,
        judged.detail,
        report.address,
        attribution.facts.holder,
        db.sealer.seal("rechecks", "moved_to", visit, report.url),
        visit,
    )
