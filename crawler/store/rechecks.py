"""Visits of noticed hits: planned, answered once each, and what they say of a hit together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from crawler.recheck.outcome import NOT_RENDERED, Judged, Outcome, Visit, is_expiring, judge
from crawler.recheck.schedule import Check, Watched, gone_from
from crawler.records import Attribution, FoundImage, RecheckReport, Rejected, RunId
from crawler.review.states import Event, Status, after
from crawler.store import audit, decisions
from crawler.store.actors import RECORDER
from crawler.store.database import Database, Row
from crawler.store.indexes import counted
from crawler.store.retention import ERASED
from crawler.store.sealed import new_id

SUFFIX = "~recheck"
"""Ends the name of a campaign in the runs of its re-visits; no campaign file can have such a name."""

NOT_JUDGED = "unknown"
"""What is noted of the page of a missed image where no list was searched by which it would be known again there."""

_WATCHED = ("noticed", "still-up", "removed")
_EVENTS = {Outcome.UP: Event.SEE_UP, Outcome.MOVED: Event.SEE_MOVED}


@dataclass(frozen=True, slots=True)
class Target:
    """A hit that is watched, and where it is visited. url: of the image, or of the page that holds it inline."""

    hit_id: str
    campaign: str
    url: str = field(repr=False)
    page_url: str | None = field(repr=False)
    watched: Watched


def targets(db: Database) -> list[Target]:
    """All hits that are visited now and then: named in a delivered notice, not moved, and not erased."""
    checks: dict[str, list[Check]] = defaultdict(list)
    for hit_id, at, outcome in db.stream(
        "SELECT hit_id, checked_at, outcome FROM rechecks WHERE outcome IS NOT NULL ORDER BY checked_at, rowid"
    ):
        checks[hit_id].append(Check(at, Outcome(outcome)))
    rows = db.rows(
        "SELECT hits.id, campaign, image_url, page_url, status, max(delivered_at) AS delivered_at, "
        "(SELECT max(missing_from) FROM removals WHERE removals.hit_id = hits.id) AS missing_from FROM hits "
        "JOIN notice_hits ON notice_hits.hit_id = hits.id JOIN notices ON notices.id = notice_id "
        "WHERE notices.state = 'sent' AND status IN (?, ?, ?) GROUP BY hits.id ORDER BY delivered_at, hits.id",
        *_WATCHED,
    )
    found = (_target(db, row, tuple(checks[row["id"]])) for row in rows)
    return [target for target in found if target.url != ERASED]


def _target(db: Database, row: Row, checks: tuple[Check, ...]) -> Target:
    removed = row["missing_from"] if row["status"] == Status.REMOVED else None
    url, mark, _ = db.sealer.open("hits", "image_url", row["id"], row["image_url"]).partition("#data-")
    page = db.sealer.open_optional("hits", "page_url", row["id"], row["page_url"])
    since = row["delivered_at"]
    recent = tuple(check for check in checks if check.at >= since)
    return Target(row["id"], row["campaign"], url, None if mark else page, Watched(since, recent, removed))


def plan(db: Database, campaign: str, chosen: Iterable[Target]) -> RunId:
    """A new run that visits these hits of one campaign. Opens a transaction."""
    with db.write():
        sql = "SELECT coalesce(max(number), 0) + 1 FROM recheck_runs WHERE campaign = ?"
        number, now = int(db.value(sql, campaign)), db.clock()
        db.insert("recheck_runs", {"campaign": campaign, "number": number, "started_at": now})
        for target in chosen:
            row = {"id": new_id(), "campaign": campaign, "run": number, "hit_id": target.hit_id}
            db.insert("rechecks", row | {"target_blind": target_blind(db, target.url), "planned_at": now})
    return RunId(campaign + SUFFIX, number)


def settle(db: Database, run: RunId, detail: str) -> int:
    """Close a run: visits that brought no answer were not made, for the reason `detail`. Returns how many."""
    with db.write():
        sql = (
            "UPDATE rechecks SET checked_at = ?, outcome = 'unreachable', detail = ? "
            "WHERE campaign = ? AND run = ? AND outcome IS NULL"
        )
        campaign, now = run.campaign.removesuffix(SUFFIX), db.clock()
        left = db.execute(sql, now, detail, campaign, run.number)
        finish = "UPDATE recheck_runs SET finished_at = ? WHERE campaign = ? AND number = ? AND finished_at IS NULL"
        db.execute(finish, now, campaign, run.number)
    return left


def outcomes(db: Database, runs: Iterable[RunId]) -> dict[str, int]:
    """Outcome -> visits, over these runs."""
    counted: dict[str, int] = defaultdict(int)
    for run in runs:
        for row in db.rows(
            "SELECT outcome, count(*) AS n FROM rechecks WHERE campaign = ? AND run = ? AND outcome IS NOT NULL "
            "GROUP BY outcome",
            run.campaign.removesuffix(SUFFIX),
            run.number,
        ):
            counted[row["outcome"]] += row["n"]
    return dict(sorted(counted.items()))


def record_visits(
    db: Database, batch: Sequence[tuple[RecheckReport, Attribution]], spacing: float
) -> list[tuple[str, Outcome]]:
    """Record what visits brought, and conclude what they say together, in one transaction. Looks are for `looks.py`.

    Idempotent: a visit is answered once, whatever is delivered again. Returns (hit id, outcome) of what was new.
    Raises StoreUnavailable; the same batch may then be given again.
    """
    recorded = []
    with db.write():
        for report, attribution in batch:
            for row in _open_visits(db, report):
                seen = _visit(db, row, report, attribution)
                judged = judge(seen)
                _answer(db, row["id"], report, attribution, judged)
                if judged.outcome is Outcome.ABSENT and row["paged"] and not seen.covered:
                    # Its page is looked at next, with the same lists.
                    db.execute("UPDATE rechecks SET page = ? WHERE id = ?", NOT_JUDGED, row["id"])
                conclude(db, row["hit_id"], judged.outcome, spacing)
                recorded.append((row["hit_id"], judged.outcome))
        if recorded:
            runs = sorted({str(report.run) for report, _ in batch})
            audit.append(db, RECORDER, "rechecks.record", runs[0], detail={"runs": runs, "visits": len(recorded)})
    return recorded


def _open_visits(db: Database, report: RecheckReport) -> list[Row]:
    return db.rows(
        "SELECT rechecks.id, hit_id, image_url, domain, hits.ip AS first_ip, attribution, "
        "page_url IS NOT NULL AS paged FROM rechecks "
        "JOIN hits ON hits.id = hit_id "
        "WHERE rechecks.campaign = ? AND rechecks.run = ? AND target_blind = ? AND outcome IS NULL",
        report.run.campaign.removesuffix(SUFFIX),
        report.run.number,
        target_blind(db, report.target),
    )


def _visit(db: Database, row: Row, report: RecheckReport, attribution: Attribution) -> Visit:
    url = db.sealer.open("hits", "image_url", row["hit_id"], row["image_url"])
    return Visit(
        answer=report.answer,
        same=any(is_same(db, row["hit_id"], image) for image in report.found),
        other_site=attribution.domain != row["domain"],
        # At the same address, other facts come from newer tables.
        other_hoster=report.address != row["first_ip"]
        and _hoster(attribution) != _first_hoster(db, row["attribution"]),
        expiring=is_expiring(url.partition("#")[0]),
        covered=counted(db, report.index, row["hit_id"]),
        inline="#data-" in url,
    )


def is_same(db: Database, hit_id: str, image: FoundImage) -> bool:
    """Whether an image is that of a hit: by its digest, or by an entry that both match."""
    blind = db.value("SELECT sha256_blind FROM images JOIN hits ON image_id = images.id WHERE hits.id = ?", hit_id)
    if db.sealer.blind("sha256", image.sha256) == blind:
        return True
    matched = db.rows("SELECT entry_id FROM matches WHERE hit_id = ? AND benign = 0", hit_id)
    entries = {row["entry_id"] for row in matched}
    return any(match.entry in entries and not match.benign for match in image.matches)


def _hoster(attribution: Attribution) -> tuple[Any, Any]:
    return attribution.facts.asn, attribution.facts.abuse_contact


def _first_hoster(db: Database, attribution: str) -> tuple[Any, Any]:
    sql = "SELECT json_extract(?1, '$.asn') AS asn, json_extract(?1, '$.abuse_contact') AS contact"
    row = db.row(sql, attribution)
    assert row is not None, "a query without a table has one row"
    return row["asn"], row["contact"]


def _answer(db: Database, visit: str, report: RecheckReport, attribution: Attribution, judged: Judged) -> None:
    moved = report.url if judged.outcome is Outcome.MOVED else None
    db.execute(
        "UPDATE rechecks SET checked_at = ?, outcome = ?, detail = ?, ip = ?, holder = ?, moved_to = ? WHERE id = ?",
        report.checked_at,
        judged.outcome.value,
        judged.detail,
        report.address,
        attribution.facts.holder,
        db.sealer.seal_optional("rechecks", "moved_to", visit, moved),
        visit,
    )


def conclude(db: Database, hit_id: str, outcome: Outcome, spacing: float) -> None:
    """Move the hit where its visits lead. spacing: as in `record_visits`."""
    status = Status(db.value("SELECT status FROM hits WHERE id = ?", hit_id))
    event = _EVENTS.get(outcome)
    if status is Status.REMOVED:
        # It came back, which is a new case for people.
        event = None if event is None else Event.REOPEN
    elif event is None and _is_gone(db, hit_id, spacing):
        event = Event.SEE_REMOVED
    target = None if event is None else after(status, event)
    if target is None or isinstance(target, Rejected) or target is status:
        return
    assert event is not None
    reason = f"seen by a re-visit: {outcome}"
    decisions.decide(db, RECORDER, hit_id, event=event, before=status, after=target, reason=reason, assessment=None)
    audit.append(db, RECORDER, f"hits.{event}", hit_id, detail={"before": status.value, "after": target.value})


def _is_gone(db: Database, hit_id: str, spacing: float) -> bool:
    """Whether enough visits missed it; then the interval in which it went is noted."""
    since = db.value(
        "SELECT max(delivered_at) FROM notices JOIN notice_hits ON notice_id = notices.id WHERE hit_id = ?", hit_id
    )
    rows = db.rows(
        "SELECT checked_at, outcome FROM rechecks WHERE hit_id = ? AND outcome IS NOT NULL AND checked_at >= ? "
        # Where the page could not be looked through, or not as a browser shows it, it may be there under another URL.
        "AND NOT (outcome = 'absent' AND coalesce(page IN (?, ?), 0)) ORDER BY checked_at, rowid",
        hit_id,
        since or 0.0,
        NOT_JUDGED,
        NOT_RENDERED,
    )
    checks = [Check(row["checked_at"], Outcome(row["outcome"])) for row in rows]
    missing_from = gone_from(checks, spacing)
    if missing_from is None:
        return False
    seen = [check.at for check in checks if check.outcome is Outcome.UP and check.at <= missing_from]
    sighted = "SELECT max(found_at) FROM sightings WHERE hit_id = ? AND found_at <= ?"
    seen.append(db.value(sighted, hit_id, missing_from) or missing_from)
    row = {"hit_id": hit_id, "seen_until": max(seen), "missing_from": missing_from}
    db.insert("removals", row | {"recorded_at": db.clock()})
    return True


def target_blind(db: Database, url: str) -> bytes:
    """The blind index of a URL that is visited."""
    return db.sealer.blind("recheck", url)
