"""Acts on notices: draft, list, show, approve, withdraw. How they leave stands in `service/delivery.py`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from crawler.errors import InvalidInput, NotAuthorised, OptionInvalid, Refused
from crawler.notice.clock import clock
from crawler.notice.facts import Issuer, Notice, NoticeUrl, mail_address
from crawler.notice.instruments import MOST_HOURS, Instrument, instrument
from crawler.notice.mail import new_message_id, write_mail
from crawler.options import Options
from crawler.records import Rejected
from crawler.review.states import Status
from crawler.service.actors import require
from crawler.service.campaigns import legal_basis, require_approval
from crawler.store import audit, deliveries, notices
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.notices import NoticeHit, NoticeRow
from crawler.store.times import iso, iso_optional

XARF_CLASSES = ("A1", "A2", "B1", "B2")
_OVER = frozenset({Status.REMOVED.value})


def draft_notices(
    db: Database, actor: Actor, options: Options, *, name: str = "notice", hours: int | None = None, again: bool = False
) -> dict[str, Any]:
    """Draft what has to be said: one notice for each abuse contact, instrument and deadline.

    name: of the instrument.  hours: another deadline than the instrument's.  again: for hits that are still up after a
    notice, in place of those confirmed.
    Returns {"drafts": [as `list_notices`], "hits", "without_contact": [hit ids]}; the last stay confirmed.
    Raises NotAuthorised, InvalidInput for an unknown instrument or deadline, OptionInvalid without an issuer.
    """
    require(db, actor, "notices.draft")
    chosen = _instrument(name)
    deadline = chosen.deadline_hours if hours is None else hours
    if not 1 <= deadline <= MOST_HOURS:
        raise InvalidInput(f"a deadline of {deadline} hours is out of range; give 1 to {MOST_HOURS}")
    issuer_of(options)
    with db.write():
        groups: dict[str, list[NoticeHit]] = defaultdict(list)
        lost: list[str] = []
        for hit in notices.wanting(db, again=again):
            contact = mail_address(hit.hoster.get("abuse_contact"))
            if isinstance(contact, Rejected):
                lost.append(hit.id)
            else:
                groups[contact].append(hit)
        made = []
        for contact, hits in sorted(groups.items()):
            notice = notices.open_draft(
                db, actor, contact, instrument=chosen.name, hours=deadline, hoster=hits[0].hoster
            )
            notices.add_hits(db, notice, [hit.id for hit in hits])
            audit.append(db, actor, "notices.draft", notice, detail={"hits": [hit.id for hit in hits]})
            made.append(notice)
    drafts = [notice_json(db, _known(db, notice)) for notice in made]
    return {"drafts": drafts, "hits": sum(map(len, groups.values())), "without_contact": lost}


def list_notices(db: Database, actor: Actor, *, state: str | None = None) -> list[dict[str, Any]]:
    """All notices, the oldest first, without a URL in them; see `notice_json`. Raises NotAuthorised."""
    require(db, actor, "notices.read")
    return [notice_json(db, row) for row in notices.all_notices(db, state=state)]


def approve_notice(
    db: Database, actor: Actor, options: Options, notice_id: str, *, revision: int | None = None
) -> dict[str, Any]:
    """Approve a draft as it stands: its mail and Message-ID are fixed from here on. Returns it as `list_notices` does.

    revision: that the approver looked at; None for whatever it is.
    Hits that are not confirmed any more, or that their lists have withdrawn, are taken out first. Raises NotAuthorised
    (also for whoever confirmed one of the hits), InvalidInput for an unknown id, Refused when it is no draft, has
    changed, or has no hit left.
    """
    require(db, actor, "notices.approve")
    objection: Exception | None = None
    with db.write():
        row = _known(db, notice_id)
        objection = _approval_objection(db, actor, row, revision) or _unfounded(db, options, row)
        if objection is None:
            stale = [hit.id for hit in notices.hits_of(db, notice_id) if not may_be_noticed(hit)]
            if stale:
                notices.drop_hits(db, notice_id, stale)
                audit.append(db, actor, "notices.drop", notice_id, detail={"hits": stale})
            if notices.hits_of(db, notice_id):
                _fix(db, actor, options, _known(db, notice_id))
            else:
                notices.set_state(db, notice_id, "draft", "withdrawn")
                objection = Refused(f"notice {notice_id} has no confirmed hit left; it was withdrawn")
        else:
            audit.append(db, actor, "notices.approve", notice_id, result="refused", detail={"why": str(objection)})
    if objection is not None:
        raise objection
    return notice_json(db, _known(db, notice_id))


def withdraw_notice(db: Database, actor: Actor, notice_id: str) -> dict[str, Any]:
    """Take a draft or an approved notice back; its hits may be drafted anew. Returns it as `list_notices` does.

    Raises NotAuthorised, InvalidInput for an unknown id, Refused for one that left already.
    """
    require(db, actor, "notices.withdraw")
    with db.write():
        row = _known(db, notice_id)
        done = row.state in ("draft", "approved") and notices.set_state(db, notice_id, row.state, "withdrawn")
        result = "done" if done else "refused"
        audit.append(db, actor, "notices.withdraw", notice_id, result=result, detail={"before": row.state})
    if not done:
        raise Refused(f"notice {notice_id} is {row.state}; only what has not left can be withdrawn")
    return notice_json(db, _known(db, notice_id))


def notice_json(db: Database, row: NoticeRow) -> dict[str, Any]:
    """{"id", "state", "instrument", "deadline_hours", "contact", "hoster", "asn", "hits", "open", "revision",
    "created_at", "created_by", "approved_at", "approved_by", "message_id", "attempts", "next_attempt_at",
    "delivered_at", "due_at", "overdue", "bounced"}.

    hits: how many.  open: of these, not known to be gone.  overdue: None before delivery.  bounced: a receipt says that
    it did not arrive, so that the deadline proves nothing.
    """
    hits = notices.hits_of(db, row.id)
    left = sum(hit.status not in _OVER for hit in hits)
    bounced = any(receipt["kind"] == "failed" for receipt in deliveries.receipts_of(db, row.id))
    late = None
    if row.delivered_at is not None:
        late = clock(row.delivered_at, row.deadline_hours, db.clock(), open_hits=left).overdue and not bounced
    return {
        "id": row.id,
        "state": row.state,
        "instrument": row.instrument,
        "deadline_hours": row.deadline_hours,
        "contact": row.contact,
        "hoster": row.hoster,
        "asn": row.asn,
        "hits": len(hits),
        "open": left,
        "revision": row.revision,
        "created_at": iso(row.created_at),
        "created_by": row.created_by,
        "approved_at": iso_optional(row.approved_at),
        "approved_by": row.approved_by,
        "message_id": row.message_id,
        "attempts": row.attempts,
        "next_attempt_at": iso_optional(row.next_attempt_at),
        "delivered_at": iso_optional(row.delivered_at),
        "due_at": iso_optional(row.due_at),
        "overdue": late,
        "bounced": bounced,
    }


def issuer_of(options: Options) -> Issuer:
    """On whose behalf notices leave. Raises OptionInvalid, naming what is not set."""
    for name in ("authority", "notice_sender"):
        if not getattr(options, name):
            raise OptionInvalid(f"set VANGNET_{name.upper()}: a notice says who issues it")
    contact = options.notice_contact or options.notice_sender
    for name, address in (("notice_sender", options.notice_sender), ("notice_contact", contact)):
        if isinstance(mail_address(address), Rejected):
            raise OptionInvalid(f"VANGNET_{name.upper()} is no mail address; give one such as a@authority.example")
    return Issuer(options.authority, options.notice_sender, contact)


def composed(
    db: Database, options: Options, row: NoticeRow, hits: Sequence[NoticeHit], *, message_id: str, at: float
) -> Notice:
    """A notice as it would be written at `at` (epoch seconds)."""
    campaigns = sorted({hit.campaign for hit in hits})
    bases = dict.fromkeys(legal_basis(db, options, name) for name in campaigns)
    return Notice(
        id=row.id,
        instrument=_instrument(row.instrument),
        deadline_hours=row.deadline_hours,
        issuer=issuer_of(options),
        contact=row.contact,
        hoster=row.hoster or f"AS{row.asn}",
        legal_bases=tuple(basis for basis in bases if basis),
        issued_at=at,
        urls=tuple(map(_url, hits)),
        message_id=message_id,
    )


def may_be_noticed(hit: NoticeHit) -> bool:
    """Whether a hoster may be told of a hit: a person confirmed it, and its lists still stand behind it."""
    return hit.status in (Status.CONFIRMED, Status.STILL_UP) and not hit.withdrawn


def known_notice(db: Database, notice_id: str) -> NoticeRow:
    """The notice of this id. Raises InvalidInput when there is none."""
    return _known(db, notice_id)


def _known(db: Database, notice_id: str) -> NoticeRow:
    row = notices.find(db, notice_id)
    if row is None:
        raise InvalidInput(f"there is no notice {notice_id!r}; see `vangnet notices list`")
    return row


def _instrument(name: str) -> Instrument:
    found = instrument(name)
    if isinstance(found, Rejected):
        raise InvalidInput(f"there is no instrument {name!r}; it is one of {found.detail}")
    return found


def _approval_objection(db: Database, actor: Actor, row: NoticeRow, revision: int | None) -> Exception | None:
    if row.state != "draft":
        return Refused(f"notice {row.id} is {row.state}; only a draft can be approved")
    if revision is not None and revision != row.revision:
        return Refused(f"notice {row.id} has changed since you saw it (revision {row.revision}); look at it again")
    if actor.name in notices.confirmers(db, row.id):
        return NotAuthorised(f"{actor.name!r} confirmed a hit of notice {row.id}; a second person has to approve it")
    return None


def _unfounded(db: Database, options: Options, row: NoticeRow) -> Refused | None:
    """A notice says what it rests on in the words of campaign files, each of which a second person approved."""
    try:
        for name in sorted({hit.campaign for hit in notices.hits_of(db, row.id)}):
            require_approval(db, options, name)
    except Refused as error:
        return error
    return None


def _fix(db: Database, actor: Actor, options: Options, row: NoticeRow) -> None:
    at = db.clock()
    message_id = new_message_id(issuer_of(options).domain)
    hits = notices.hits_of(db, row.id)
    mail = write_mail(composed(db, options, row, hits, message_id=message_id, at=at))
    notices.approve(db, actor, row.id, message_id=message_id, mail=mail, at=at)
    detail = {"hits": len(hits), "message_id": message_id, "revision": row.revision}
    audit.append(db, actor, "notices.approve", row.id, detail=detail)


def _url(hit: NoticeHit) -> NoticeUrl:
    url, mark, number = hit.image_url.partition("#data-")
    return NoticeUrl(
        hit_id=hit.id,
        url=url,
        page_url=hit.page_url,
        ip=hit.ip,
        domain=hit.domain,
        found_at=hit.found_at,
        certainty=hit.certainty,
        classification=next((each for each in XARF_CLASSES if each in hit.categories), None),
        inline=int(number) if mark else None,
    )
