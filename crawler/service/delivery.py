"""Notices on their way: each leaves once, and what became of it is on record before anything else is done.

    approved ── send ─> sending ─> sent | approved (later) | failed | doubt          doubt ── resolve, receipt ─> …

`sending` is committed before the first byte leaves. A process that dies there leaves it behind, and whoever sends next
finds it: it is then in doubt, and waits for a person or a receipt, unless the same directory tells by itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crawler.errors import InvalidInput, OptionInvalid, Refused, VangnetError
from crawler.home import Home
from crawler.notice.clock import due_at, next_attempt
from crawler.notice.outbox import Attempt, DirectoryOutbox, Envelope, Fate, Outbox
from crawler.notice.smtp import SmtpOutbox
from crawler.options import Options
from crawler.records import Rejected
from crawler.review.states import Event, Status, after
from crawler.service.actors import require
from crawler.service.launch import locked
from crawler.service.notices import known_notice, may_be_noticed, notice_json
from crawler.store import audit, decisions, deliveries, notices
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.notices import NoticeRow
from crawler.store.times import iso_optional

MAX_REASON: Final = 2_000
_CREDENTIAL: Final = "vangnet-smtp"
"""Name of the file in which systemd hands over the password."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def outbox_of(home: Home, options: Options, directory: Path | None = None) -> Outbox:
    """The way out: `directory` when given, else the mail server, else the outbox directory of the options.

    In the lab, mails go to `outbox/` of the home unless something is set.
    Raises OptionInvalid when nothing is set, or a password would travel in the clear.
    """
    if directory is not None:
        return DirectoryOutbox(directory)
    if options.smtp_host:
        return _smtp(options)
    if options.outbox or home.lab:
        return DirectoryOutbox(Path(options.outbox) if options.outbox else home.root / "outbox")
    raise OptionInvalid("set VANGNET_SMTP_HOST or VANGNET_OUTBOX: notices have no way out yet")


def send_notices(home: Home, db: Database, actor: Actor, options: Options, outbox: Outbox) -> dict[str, Any]:
    """Send what is approved and due, each at most once.

    Returns {"sent": [ids], "later", "failed", "doubt", "changed", "errors": [{"notice", "why"}], "why": {id: reason},
    "next_attempt_at"}; changed: their hits are not what was approved any more, so that they are drafts again, or in
    another draft.  why: in our own words, of what is not sent.
    errors: what could not even be tried, for a reason of its own; the others are sent nevertheless.
    Raises NotAuthorised, Refused while another process sends.
    """
    require(db, actor, "notices.send")
    done: dict[str, list[str]] = {name: [] for name in ("sent", "later", "failed", "doubt", "changed")}
    errors: list[dict[str, str]] = []
    why: dict[str, str] = {}
    with _one_sender(home):
        done["doubt"] += _settle_dead(db, actor, notices.all_notices(db, state="sending"), _place(outbox))
        for notice_id in notices.due_for_sending(db, db.clock()):
            try:
                result, reason = _send(db, actor, options, outbox, notice_id)
                done[result].append(notice_id)
                if reason:
                    why[notice_id] = reason
            except VangnetError as error:
                errors.append({"notice": notice_id, "why": str(error)})
    waiting = [row.next_attempt_at for row in notices.all_notices(db, state="approved") if row.next_attempt_at]
    return {**done, "errors": errors, "why": why, "next_attempt_at": iso_optional(min(waiting, default=None))}


def resolve_notice(db: Database, actor: Actor, notice_id: str, *, arrived: bool, reason: str) -> dict[str, Any]:
    """Say of a notice in doubt whether it arrived; if not, it is sent again. Returns it as `list_notices` does.

    reason: how that is known, kept sealed. Raises NotAuthorised, InvalidInput, Refused when it is not in doubt.
    """
    require(db, actor, "notices.resolve")
    text = reason.strip()
    if not text or len(text) > MAX_REASON:
        raise InvalidInput(f"a reason has 1 to {MAX_REASON} characters; say in a line how you know")
    with _one_sender(db.home), db.write():
        row = known_notice(db, notice_id)
        if row.state == "sending":
            _settle_dead(db, actor, [row], None)
            row = known_notice(db, notice_id)
        if row.state == "doubt":
            deliveries.add_receipt(db, actor, notice_id, "resolved", text)
            _conclude(db, actor, notice_id, arrived=arrived)
        result = "done" if row.state == "doubt" else "refused"
        audit.append(db, actor, "notices.resolve", notice_id, result=result, detail={"arrived": arrived})
    if row.state != "doubt":
        raise Refused(f"notice {notice_id} is {row.state}; only one in doubt has anything to resolve")
    return notice_json(db, known_notice(db, notice_id))


def conclude_by_receipt(db: Database, actor: Actor, notice_id: str, kind: str) -> None:
    """A delivery report came in, part of the caller's transaction: it decides a doubt."""
    row = known_notice(db, notice_id)
    if row.state == "doubt" and kind in ("delivered", "reply", "automatic", "failed"):
        if kind == "failed":
            notices.set_state(db, notice_id, "doubt", "failed")
        else:
            _conclude(db, actor, notice_id, arrived=True)


@contextmanager
def _one_sender(home: Home) -> Iterator[None]:
    """One process at a time; the kernel lets go of the lock even after `kill -9`. Raises Refused."""
    with (home.root / "notices.lock").open("w") as lock:
        if not locked(lock):
            raise Refused("another process sends notices from this home; wait for it")
        yield


def _place(outbox: Outbox) -> str | None:
    return str(outbox.directory.resolve()) if isinstance(outbox, DirectoryOutbox) else None


def _settle_dead(db: Database, actor: Actor, rows: Sequence[NoticeRow], place: str | None) -> list[str]:
    """Under the sender's lock, what is `sending` was left behind by a process that died. Returns what is in doubt.

    place: the directory that mails go to now; None when they go to none. Another one does not tell what left before.
    """
    doubtful = []
    with db.write():
        for row in rows:
            attempts = deliveries.open_attempts(db, row.id)
            certain = place is not None and all(attempt["place"] == place for attempt in attempts)
            fate = Fate.LATER if certain else Fate.DOUBT
            for attempt in attempts:
                deliveries.end_attempt(db, attempt["id"], fate.value, "the process that sent ended in between")
            if certain:
                # The file is there with these bytes or it is not: sending again finds out, and does no harm.
                notices.set_state(db, row.id, "sending", "approved", next_attempt_at=db.clock())
            else:
                notices.set_state(db, row.id, "sending", "doubt")
                doubtful.append(row.id)
            audit.append(db, actor, "notices.left-behind", row.id, detail={"fate": fate.value})
    return doubtful


@dataclass(frozen=True, slots=True)
class _Started:
    attempt: str
    envelope: Envelope


def _send(db: Database, actor: Actor, options: Options, outbox: Outbox, notice_id: str) -> tuple[str, str]:
    """What became of it, and why it did not leave."""
    started = _begin(db, actor, options, outbox, notice_id)
    if started is None:
        return "changed", ""
    attempt = outbox.send(started.envelope)
    return _end(db, actor, notice_id, started.attempt, attempt), attempt.why


def _begin(db: Database, actor: Actor, options: Options, outbox: Outbox, notice_id: str) -> _Started | None:
    """Note the attempt; None when what was approved does not hold any more."""
    with db.write():
        row = known_notice(db, notice_id)
        stale = [hit.id for hit in notices.hits_of(db, notice_id) if not may_be_noticed(hit)]
        if stale or row.approved_by in notices.confirmers(db, notice_id):
            _take_back(db, actor, row, stale)
            return None
        mail = notices.mail_of(db, notice_id)
        assert mail is not None, "an approved notice has its mail"
        attempt = deliveries.begin_attempt(db, notice_id, outbox.channel, _place(outbox))
        notices.set_state(db, notice_id, "approved", "sending")
        return _Started(attempt, Envelope(notice_id, options.notice_sender, row.contact, mail))


def _take_back(db: Database, actor: Actor, row: NoticeRow, stale: list[str]) -> None:
    """Withdraw an approval; what is left of the notice stands in the one draft to its contact from here on."""
    kept = [hit.id for hit in notices.hits_of(db, row.id) if hit.id not in stale]
    draft = notices.draft_like(db, row.contact, row.instrument, row.deadline_hours) if kept else None
    if kept and draft is None:
        draft = row.id
        notices.back_to_draft(db, row.id)
        notices.drop_hits(db, row.id, stale)
    else:
        notices.set_state(db, row.id, "approved", "withdrawn")
        if draft is not None:
            notices.add_hits(db, draft, kept)
    audit.append(db, actor, "notices.changed", row.id, detail={"hits": stale, "draft": draft})


def _end(db: Database, actor: Actor, notice_id: str, attempt_id: str, attempt: Attempt) -> str:
    with db.write():
        deliveries.end_attempt(db, attempt_id, attempt.fate.value, attempt.said)
        row = known_notice(db, notice_id)
        match attempt.fate:
            case Fate.ACCEPTED:
                _delivered(db, actor, notice_id, "sending", at=db.clock())
                result = "sent"
            case Fate.DOUBT:
                notices.set_state(db, notice_id, "sending", "doubt")
                result = "doubt"
            case Fate.REFUSED | Fate.LATER:
                again = None if attempt.fate is Fate.REFUSED else next_attempt(row.attempts, db.clock())
                state = "failed" if again is None else "approved"
                notices.set_state(db, notice_id, "sending", state, next_attempt_at=again)
                result = "failed" if again is None else "later"
        audit.append(db, actor, "notices.send", notice_id, detail={"result": result, "attempt": attempt_id})
    return result


def _conclude(db: Database, actor: Actor, notice_id: str, *, arrived: bool) -> None:
    if not arrived:
        notices.set_state(db, notice_id, "doubt", "approved", next_attempt_at=db.clock())
        return
    # When it arrived is not known to the second; the attempt's start is the earliest that it can be.
    last = deliveries.attempts_of(db, notice_id)[-1]
    _delivered(db, actor, notice_id, "doubt", at=last["started_at"])


def _delivered(db: Database, actor: Actor, notice_id: str, before: str, *, at: float) -> None:
    row = known_notice(db, notice_id)
    notices.delivered(db, notice_id, before, at=at, due_at=due_at(at, row.deadline_hours))
    for hit in notices.hits_of(db, notice_id):
        target = after(Status(hit.status), Event.NOTICE)
        detail = {"notice": notice_id, "before": hit.status}
        if isinstance(target, Rejected):
            # A visit saw it gone meanwhile. Its hoster was told of it nevertheless, and that is on record.
            audit.append(db, actor, "hits.notice", hit.id, result="refused", detail=detail | {"why": target.reason})
        else:
            reason = f"named in notice {notice_id}"
            decisions.decide(
                db,
                actor,
                hit.id,
                event=Event.NOTICE,
                before=hit.status,
                after=target,
                reason=reason,
                assessment=None,
            )
            audit.append(db, actor, "hits.notice", hit.id, detail=detail | {"after": target.value})


def _smtp(options: Options) -> SmtpOutbox:
    password = _password(options) if options.smtp_user else None
    if options.smtp_security == "none" and options.smtp_host not in _LOOPBACK:
        raise OptionInvalid("VANGNET_SMTP_SECURITY=none is for a server on this machine; set starttls or tls")
    user = options.smtp_user or None
    return SmtpOutbox(options.smtp_host, options.smtp_port, options.smtp_security, user, password)


def _password(options: Options) -> str:
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(options.smtp_password_file or (Path(directory) / _CREDENTIAL if directory else ""))
    try:
        mode, text = path.stat().st_mode, path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OptionInvalid(
            "VANGNET_SMTP_USER is set without a readable VANGNET_SMTP_PASSWORD_FILE; a password stands in a file only"
        ) from error
    if options.smtp_password_file and mode & 0o077:
        raise OptionInvalid("the file of VANGNET_SMTP_PASSWORD_FILE is open to other accounts; run chmod 600 on it")
    return text
