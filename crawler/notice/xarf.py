"""A notice as XARF v4 reports (https://xarf.org), of category `content` and type `csam`: one for each URL.

Image evidence and hash values, which the format has room for, are never filled in: they would tell what a list knows.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from crawler.errors import VangnetError
from crawler.notice.facts import Notice, NoticeUrl, plain

VERSION: Final = "4.2.0"
_BASELINE: Final = "baseline"


def reports(notice: Notice) -> list[dict[str, Any]]:
    """The reports in the order of the notice's URLs, each valid by the format's own schema.

    classification: as the list's verified category says, "baseline" where it is none of the format's.
    Raises VangnetError when the library finds one invalid: then nothing must leave.
    """
    made = [_report(notice, url) for url in notice.urls]
    for report in made:
        if errors := problems(report):
            raise VangnetError(f"notice {notice.id} makes no valid XARF report ({errors[0]}); nothing was sent")
    return made


def problems(report: dict[str, Any]) -> list[str]:
    """What the `xarf` package has against a report; empty when nothing."""
    import xarf  # late: its models of every kind of report are a quarter of what a recorder imports as it starts

    return [f"{error.field}: {error.message}" for error in xarf.parse(json.dumps(report)).errors]


def _report(notice: Notice, url: NoticeUrl) -> dict[str, Any]:
    issuer = notice.issuer
    party = {"org": plain(issuer.name), "contact": issuer.contact, "domain": issuer.domain}
    report = {
        "xarf_version": VERSION,
        "report_id": url.report_id(notice.id),
        "timestamp": _iso(url.found_at),
        "reporter": party,
        "sender": dict(party),
        "source_identifier": url.ip,
        "category": "content",
        "type": "csam",
        "evidence_source": "crawler",
        "url": url.url,
        "classification": url.classification or _BASELINE,
        "detection_method": "hash_match",
        "media_type": "image",
        "content_removed": False,
        "description": f"{notice.instrument.english.title}, reference {notice.id}; act within "
        f"{notice.deadline_hours} hours of delivery.",
    }
    return report if url.domain is None else report | {"domain": url.domain}


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
