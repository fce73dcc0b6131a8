"""Reading a notice: shown, exported in a form that machines read, or bundled with everything that proves it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from crawler.errors import HomeUnusable, InvalidInput, Refused
from crawler.notice.facts import Notice
from crawler.notice.mail import reports_of, text_of, write_mail
from crawler.notice.text import notice_text
from crawler.notice.xarf import reports
from crawler.options import Options
from crawler.service.actors import require
from crawler.service.notices import composed, known_notice, notice_json
from crawler.service.revealing import may_reveal
from crawler.store import audit, decisions, deliveries, notices
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.notices import NoticeRow
from crawler.store.times import iso_optional
from crawler.urls import masked

FORMS: Final = ("text", "xarf", "arf")
_REPLY: Final = re.compile(r"[2-5][0-9]{2}(?: [245]\.[0-9]{1,3}\.[0-9]{1,3})?(?![0-9.])", re.ASCII)
_DRAFT_ID: Final = "<draft@draft.invalid>"


def show_notice(
    db: Database, actor: Actor, options: Options, notice_id: str, *, reveal_reason: str | None = None
) -> dict[str, Any]:
    """A notice as listings have it, with {"confirmed_by": [names], "text", "urls": [...], "attempts": [...],
    "receipts": [...]}.

    confirmed_by: who may not approve it.
    URLs are masked, and of answers of mail servers there is the code alone, unless this is the lab or a reason to
    reveal them is given.
    Raises NotAuthorised, InvalidInput for an unknown id or an empty reason.
    """
    require(db, actor, "notices.read")
    row = known_notice(db, notice_id)
    reveal = may_reveal(db, actor, "notices.reveal", notice_id, reveal_reason)
    if not db.home.lab:
        # Answers of servers are sealed, and reading what is sealed leaves a trace.
        with db.write():
            audit.append(db, actor, "notices.show", notice_id)
    notice = _notice(db, options, row)
    shown = notice if reveal else _masked(db, notice)
    withdrawn = {hit.id: hit.withdrawn for hit in notices.hits_of(db, notice_id)}
    named = [
        {"hit": url.hit_id, "url": url.url, "inline": url.inline, "ip": url.ip, "certainty": url.certainty}
        | {"withdrawn": withdrawn[url.hit_id]}
        for url in shown.urls
    ]
    return notice_json(db, row) | {
        "confirmed_by": sorted(notices.confirmers(db, notice_id)),
        "text": _form(db, notice, "text").decode() if reveal else notice_text(shown),
        "urls": named,
        "attempts": [_attempt(each, reveal=reveal) for each in deliveries.attempts_of(db, notice_id)],
        "receipts": [
            {"kind": each["kind"], "received_at": iso_optional(each["received_at"]), "actor": each["actor"]}
            for each in deliveries.receipts_of(db, notice_id)
        ],
    }


def export_notice(
    db: Database, actor: Actor, options: Options, notice_id: str, form: str, *, reveal_reason: str | None = None
) -> bytes:
    """A notice as text, as a JSON array of XARF reports, or as the mail (arf), which is the very one that leaves.

    Outside of the lab it takes a reason, for it names URLs. Raises NotAuthorised, InvalidInput, Refused.
    """
    require(db, actor, "notices.read")
    if form not in FORMS:
        raise InvalidInput(f"there is no form {form!r}; it is one of {', '.join(FORMS)}")
    row = known_notice(db, notice_id)
    _must_reveal(db, actor, notice_id, reveal_reason)
    return _form(db, _notice(db, options, row), form)


def bundle_notice(
    db: Database, actor: Actor, options: Options, notice_id: str, target: Path, *, reveal_reason: str | None = None
) -> dict[str, Any]:
    """Write a ZIP file with the notice in all forms, attempts, receipts, decisions and audit events, for a court.

    manifest.json has the sha256 of every other file. Mode 0600. Returns {"file", "files", "sha256"}.
    Raises as `export_notice` does, Refused when the file exists, HomeUnusable when it cannot be written.
    """
    require(db, actor, "notices.read")
    row = known_notice(db, notice_id)
    _must_reveal(db, actor, notice_id, reveal_reason)
    body, names = _zip(_papers(db, _notice(db, options, row), row))
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(body)
    except FileExistsError as error:
        raise Refused(f"{target} exists; give another file, a bundle is never written over") from error
    except OSError as error:
        raise HomeUnusable(f"{target}: {error.strerror}; give another file") from error
    digest = hashlib.sha256(body).hexdigest()
    with db.write():
        audit.append(db, actor, "notices.bundle", notice_id, detail={"bundle": digest})
    return {"file": str(target), "files": names, "sha256": digest}


def _notice(db: Database, options: Options, row: NoticeRow) -> Notice:
    hits = notices.hits_of(db, row.id)
    return composed(db, options, row, hits, message_id=row.message_id or _DRAFT_ID, at=row.approved_at or db.clock())


def _form(db: Database, notice: Notice, form: str) -> bytes:
    """What was approved, as it was approved; of a draft, what it would be now."""
    mail = notices.mail_of(db, notice.id)
    if form == "text":
        return (notice_text(notice) if mail is None else text_of(mail)).encode()
    if form == "xarf":
        return (json.dumps(reports(notice) if mail is None else reports_of(mail), indent=2) + "\n").encode()
    return write_mail(notice) if mail is None else mail


def _masked(db: Database, notice: Notice) -> Notice:
    key = db.sealer.mask_key()
    urls = [
        replace(url, url=masked(url.url, key), page_url=None if url.page_url is None else masked(url.page_url, key))
        for url in notice.urls
    ]
    return replace(notice, urls=tuple(urls))


def _papers(db: Database, notice: Notice, row: NoticeRow) -> dict[str, bytes]:
    hits = [url.hit_id for url in notice.urls]
    events = [event for about in (notice.id, *hits) for event in audit.events(db, object_id=about)]
    found: dict[str, Any] = {
        "notice.json": notice_json(db, row),
        "attempts.json": [_attempt(each) for each in deliveries.attempts_of(db, notice.id)],
        "receipts.json": [
            each | {"received_at": iso_optional(each["received_at"])} for each in deliveries.receipts_of(db, notice.id)
        ],
        "decisions.json": {hit: decisions.decisions_json(db, hit) for hit in hits},
        "audit.json": sorted(events, key=lambda event: int(event["serial"])),
    }
    papers = {name: (json.dumps(value, indent=2) + "\n").encode() for name, value in found.items()}
    named = {"text": "notice.txt", "xarf": "xarf.json", "arf": "notice.eml"}
    return papers | {name: _form(db, notice, form) for form, name in named.items()}


def _zip(papers: dict[str, bytes]) -> tuple[bytes, list[str]]:
    sums = {name: hashlib.sha256(body).hexdigest() for name, body in sorted(papers.items())}
    papers = {**papers, "manifest.json": (json.dumps(sums, indent=2) + "\n").encode()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in sorted(papers.items()):
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return out.getvalue(), sorted(papers)


def _attempt(row: dict[str, Any], *, reveal: bool = True) -> dict[str, Any]:
    """reveal: what the other side said as it is; it may name URLs. Else its reply code, or nothing."""
    times = {name: iso_optional(row[name]) for name in ("started_at", "finished_at")}
    said = row["said"]
    if said is not None and not reveal:
        code = _REPLY.match(said)
        said = code[0] if code else None
    return times | {"channel": row["channel"], "result": row["result"], "said": said}


def _must_reveal(db: Database, actor: Actor, notice_id: str, reason: str | None) -> None:
    if not may_reveal(db, actor, "notices.reveal", notice_id, reason):
        raise Refused("this names URLs as they are; give --reveal and --reason: why they have to be seen")
