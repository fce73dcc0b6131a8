"""The report: per hoster and domain what was found, what was said, and how long it took until it was gone.

Hits, images, matches and notices are different counts and stay so. No URL is in it, and no digest.
"""

from __future__ import annotations

import csv
import io
import json
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from math import inf
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from crawler.errors import HomeUnusable
from crawler.recheck.survival import Duration, Step, remaining, removed_within
from crawler.review.states import Status
from crawler.service.actors import require
from crawler.service.report_page import page
from crawler.service.texts import plain
from crawler.store import audit, figures
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.figures import HitFigures
from crawler.store.times import iso

HOUR: Final = 3600.0
HORIZON_HOURS: Final = 24
_AGES: Final = ((24.0, "under 1 day"), (72.0, "1 to 3 days"), (168.0, "3 to 7 days"), (720.0, "7 to 30 days"))
_OLDEST: Final = "over 30 days"
_MEASURING: Final = frozenset({"up", "moved", "absent"})
_OPEN: Final = frozenset({Status.NOTICED.value, Status.STILL_UP.value})
_COLUMNS: Final = (
    "asn",
    "hits",
    "images",
    "matches",
    "notices",
    "noticed",
    "removed",
    "still_up",
    "moved",
    "unsettled",
    "within_removed",
    "within_judged",
    "within_undetermined",
    "within_pending",
    "within_share",
    "within_low",
    "within_high",
    "median_hours",
)


def make_report(db: Database, actor: Actor) -> dict[str, Any]:
    """The whole report as one JSON object.

    {"made_at", "horizon_hours", "totals", "hosters": [...], "domains": [...], "curve": [{"from_hours", "to_hours",
    "remaining"}], "followed_hours", "open_by_age": [{"age", "hits"}], "unmeasured": [{"hoster", "asn", "hits",
    "reason"}]}.
    hosters, domains: {"name", "asn", "hits", "images", "matches", "notices", "noticed" (hits named in a delivered
    notice), "removed", "still_up", "moved", "unsettled", "within", "median_hours"}.
    followed_hours: how long after its notice the hit was looked at that was followed longest.
    within: see `recheck.survival.Share`, and "pending": noticed less than the horizon ago.
    Raises NotAuthorised.
    """
    require(db, actor, "report.read")
    found, now = figures.hit_figures(db), db.clock()
    durations = _durations(found)
    with db.write():
        audit.append(db, actor, "report.make", "", detail={"hits": len(found)})
    return {
        "made_at": iso(now),
        "horizon_hours": HORIZON_HOURS,
        "totals": _group("all", found, now) | {"notices_by_state": figures.notice_counts(db)},
        "hosters": _groups(found, now, lambda hit: (hit.hoster, hit.asn)),
        "domains": _groups(found, now, lambda hit: (hit.domain, hit.asn)),
        "curve": [
            {"from_hours": step.start / HOUR, "to_hours": step.end / HOUR, "remaining": step.remaining}
            for step in remaining(durations)
        ],
        "followed_hours": max((_followed(each) for each in durations), default=0.0) / HOUR,
        "open_by_age": _ages(found, now),
        "unmeasured": _unmeasured(found),
    }


def write_report(document: dict[str, Any], out: Path) -> list[Path]:
    """Write report.html, report.json, hosters.csv and domains.csv into a directory, over older ones.

    Returns the files. Raises HomeUnusable when it cannot be written.
    """
    bodies = {
        "report.html": page(document),
        "report.json": json.dumps(document, indent=2, ensure_ascii=False) + "\n",
        "hosters.csv": _csv("hoster", document["hosters"]),
        "domains.csv": _csv("domain", document["domains"]),
    }
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, body in bodies.items():
            fresh = out / f".{name}.{token_hex(4)}"
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                file.write(body)
            fresh.replace(out / name)
    except OSError as error:
        raise HomeUnusable(f"{out}: {error.strerror or error}; give another --out") from error
    return [out / name for name in bodies]


def _groups(
    found: Iterable[HitFigures], now: float, key: Callable[[HitFigures], tuple[str, int | None]]
) -> list[dict[str, Any]]:
    """One row for each key, those with most hits first."""
    grouped: dict[tuple[str, int | None], list[HitFigures]] = defaultdict(list)
    for hit in found:
        grouped[key(hit)].append(hit)
    rows = [_group(name, hits, now) | {"asn": asn} for (name, asn), hits in grouped.items()]
    return sorted(rows, key=lambda row: (-row["hits"], row["name"]))


def _group(name: str, hits: Sequence[HitFigures], now: float) -> dict[str, Any]:
    status = Counter(hit.status for hit in hits)
    noticed = [hit for hit in hits if hit.delivered_at is not None]
    return {
        "name": plain(name),
        "asn": None,
        "hits": len(hits),
        "images": len({hit.image for hit in hits}),
        "matches": sum(hit.matches for hit in hits),
        "notices": len({notice for hit in hits for notice in hit.notices}),
        "noticed": len(noticed),
        "removed": status[Status.REMOVED.value],
        "still_up": status[Status.STILL_UP.value],
        "moved": status[Status.MOVED.value],
        "unsettled": status[Status.NOTICED.value],
        "within": _within(noticed, now),
        "median_hours": _median(remaining(_durations(hits))),
    }


def _within(noticed: Sequence[HitFigures], now: float) -> dict[str, Any]:
    """The share removed in time, of those whose time is over: earlier, only removals could be known already."""
    over = [hit for hit in noticed if hit.delivered_at is not None and hit.delivered_at + HORIZON_HOURS * HOUR <= now]
    return asdict(removed_within(_durations(over), HORIZON_HOURS * HOUR)) | {"pending": len(noticed) - len(over)}


def _durations(hits: Iterable[HitFigures]) -> list[Duration]:
    """One for each hit of a delivered notice, from its delivery on."""
    return [_duration(hit, hit.delivered_at) for hit in hits if hit.delivered_at is not None]


def _duration(hit: HitFigures, delivered_at: float) -> Duration:
    if hit.missing_from is None or hit.seen_until is None or hit.missing_from <= delivered_at:
        return Duration(max(hit.seen_up - delivered_at, 0.0))
    return Duration(max(hit.seen_until - delivered_at, 0.0), hit.missing_from - delivered_at)


def _followed(duration: Duration) -> float:
    """Seconds after delivery until which something is known."""
    return duration.until if duration.until < inf else duration.after


def _median(steps: list[Step]) -> float | None:
    """Hours by which half was gone at the latest; None when less than half is."""
    return next((step.end / HOUR for step in steps if step.remaining <= 0.5 and step.end < inf), None)


def _ages(found: Iterable[HitFigures], now: float) -> list[dict[str, Any]]:
    """How long ago the notices of what is still open were delivered."""
    counted: Counter[str] = Counter()
    for hit in found:
        if hit.status in _OPEN and hit.delivered_at is not None:
            hours = (now - hit.delivered_at) / HOUR
            counted[next((name for most, name in _AGES if hours < most), _OLDEST)] += 1
    return [{"age": name, "hits": counted[name]} for name in (*(name for _, name in _AGES), _OLDEST)]


def _unmeasured(found: Iterable[HitFigures]) -> list[dict[str, Any]]:
    """Hosters with a delivered notice of which no visit could tell whether anything is gone, and why."""
    grouped: dict[tuple[str, int | None], list[HitFigures]] = defaultdict(list)
    for hit in found:
        if hit.delivered_at is not None:
            grouped[hit.hoster, hit.asn].append(hit)
    rows = []
    for (name, asn), hits in grouped.items():
        outcomes = Counter(outcome for hit in hits for outcome in hit.outcomes)
        if not _MEASURING & outcomes.keys():
            reason = outcomes.most_common(1)[0][0] if outcomes else "not visited yet"
            rows.append({"hoster": plain(name), "asn": asn, "hits": len(hits), "reason": reason})
    return sorted(rows, key=lambda row: (-row["hits"], row["hoster"]))


def _csv(first: str, rows: Iterable[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((first, *_COLUMNS))
    for row in rows:
        flat = row | {f"within_{name}": value for name, value in row["within"].items()}
        writer.writerow((_cell(row["name"]), *(flat[name] for name in _COLUMNS)))
    return out.getvalue()


def _cell(text: str) -> str:
    """A stranger's text that no spreadsheet takes for a formula, however wide or hidden its first character is."""
    begins = unicodedata.normalize("NFKC", text).lstrip("\ufffd \t\r\n")[:1]
    return f"'{text}" if begins in ("=", "+", "-", "@") else text
