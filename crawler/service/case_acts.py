"""Acts on case items: each moves all hits of the item that it can move, or none, in one transaction.

`version` is that of the item as the person saw it. An act on an item that has changed since then is refused, so that
nobody decides on what they have not seen, and nothing is decided twice by a second click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from crawler.errors import InvalidInput, Refused
from crawler.records import Rejected
from crawler.review.states import Event, Status, after, decide
from crawler.service.actors import require
from crawler.service.cases import held_by_another, known
from crawler.service.hits import why_refused
from crawler.service.revealing import given_reason
from crawler.store import audit, cases, decisions, hit_views
from crawler.store.actors import Actor
from crawler.store.cases import CaseRow
from crawler.store.database import Database
from crawler.store.hit_views import HitState
from crawler.store.sealed import new_id
from crawler.store.times import iso

MAX_HOLD_DAYS: Final = 365
MAX_NAME: Final = 200
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class _Order:
    """What a person wants done. assessment, assessor: of one that came back from elsewhere.

    hold: for whom, and how many seconds.
    """

    event: Event
    reason: str
    version: int | None
    assessment: str | None = None
    assessor: str | None = None
    hold: tuple[str, float] | None = None


def confirm_case(
    db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None
) -> dict[str, Any]:
    """Confirm an item. Returns {"id", "status", "hits": how many moved}.

    Raises NotAuthorised; InvalidInput for an unknown id or an empty reason; Refused when the item's state or class does
    not permit it, when its lists have withdrawn what matched, when it changed since `version`, or somebody else has it.
    """
    return _act(db, actor, case_id, _Order(Event.CONFIRM, reason, version))


def reject_case(db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None) -> dict[str, Any]:
    """Reject an item; as `confirm_case`."""
    return _act(db, actor, case_id, _Order(Event.REJECT, reason, version))


def refer_case(db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None) -> dict[str, Any]:
    """Have an item assessed elsewhere, by people who may see the image; as `confirm_case`. `assess_case` brings back
    what they say."""
    return _act(db, actor, case_id, _Order(Event.REFER, reason, version))


def assess_case(
    db: Database,
    actor: Actor,
    case_id: str,
    *,
    listed: bool,
    assessor: str,
    reference: str,
    reason: str,
    version: int | None = None,
) -> dict[str, Any]:
    """Note what an assessment elsewhere said, which confirms or rejects the item; as `confirm_case`.

    listed: whether it found what the list says.  assessor: who made it.  reference: under which it is filed there.
    """
    who, filed = _named(assessor, "who assessed it"), _named(reference, "the reference of the assessment")
    event = Event.CONFIRM if listed else Event.REJECT
    return _act(db, actor, case_id, _Order(event, reason, version, assessment=filed, assessor=who))


def hold_case(
    db: Database,
    actor: Actor,
    case_id: str,
    *,
    owner: str,
    days: int,
    reason: str,
    version: int | None = None,
) -> dict[str, Any]:
    """Hold an item for an investigation; as `confirm_case`. owner: for whom.  days: 1 to 365, then it comes back."""
    name = _named(owner, "for whom it is held")
    if not 1 <= days <= MAX_HOLD_DAYS:
        raise InvalidInput(f"a hold lasts 1 to {MAX_HOLD_DAYS} days")
    return _act(db, actor, case_id, _Order(Event.HOLD, reason, version, hold=(name, days * _DAY)))


def resume_case(db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None) -> dict[str, Any]:
    """End a hold before its time; as `confirm_case`."""
    return _act(db, actor, case_id, _Order(Event.RESUME, reason, version))


def reopen_case(db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None) -> dict[str, Any]:
    """Bring a decided item back into the queue, whoever decided it; as `confirm_case`."""
    return _act(db, actor, case_id, _Order(Event.REOPEN, reason, version))


def quarantine_case(
    db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None
) -> dict[str, Any]:
    """Put an item aside because what matched cannot be trusted; as `confirm_case`."""
    return _act(db, actor, case_id, _Order(Event.QUARANTINE, reason, version))


def lift_case(db: Database, actor: Actor, case_id: str, *, reason: str, version: int | None = None) -> dict[str, Any]:
    """Bring an item back from quarantine; as `confirm_case`."""
    return _act(db, actor, case_id, _Order(Event.LIFT, reason, version))


def note_case(db: Database, actor: Actor, case_id: str, *, text: str) -> dict[str, Any]:
    """Keep a note about an item, sealed. Returns {"id", "note"}. Raises NotAuthorised, InvalidInput."""
    require(db, actor, "cases.note")
    given = given_reason(text)
    known(db, case_id)
    with db.write():
        note = decisions.add_note(db, actor, case_id, "note", given)
        audit.append(db, actor, "cases.note", case_id, detail={"note": note})
    return {"id": case_id, "note": note}


def _act(db: Database, actor: Actor, case_id: str, order: _Order) -> dict[str, Any]:
    require(db, actor, f"hits.{order.event}")
    reason = given_reason(order.reason)
    with db.write():
        case = known(db, case_id)
        moves, why = _moves(db, actor, case, order)
        if why is None:
            act_id = new_id()
            for state, target in moves:
                decisions.decide(
                    db,
                    actor,
                    state.id,
                    event=order.event,
                    before=state.status,
                    after=target,
                    reason=reason,
                    assessment=order.assessment,
                    assessor=order.assessor,
                    act_id=act_id,
                )
            if order.hold is not None:
                owner, seconds = order.hold
                cases.set_hold(db, case_id, owner, db.clock() + seconds)
            cases.end_hold_of_none(db, case_id)
            cases.end_lease(db, case_id)
            detail: dict[str, Any] = {"hits": [state.id for state, _ in moves], "after": moves[0][1]}
            audit.append(db, actor, f"cases.{order.event}", case_id, detail=detail)
        else:
            audit.append(db, actor, f"cases.{order.event}", case_id, result="refused", detail={"why": why[0]})
    if why is not None:
        raise Refused(why[1])
    return outcome(db, case_id, len(moves))


def _moves(
    db: Database, actor: Actor, case: CaseRow, order: _Order
) -> tuple[list[tuple[HitState, Status]], tuple[str, str] | None]:
    """The hits that the event moves and where to; or none, a short name of the reason, and the reason."""
    if stale := stale_since(db, case, order.version):
        return [], ("stale", stale)
    if taken := held_by_another(db, actor, case):
        return [], ("taken", taken)
    moves: list[tuple[HitState, Status]] = []
    states = hit_views.states_of_case(db, case.id)
    for state in states:
        if isinstance(after(Status(state.status), order.event), Rejected):
            continue
        target = decide(
            Status(state.status),
            order.event,
            certainty=state.certainty,
            near_may_confirm=state.near_may_confirm,
            assessed=order.assessment is not None,
            withdrawn=state.withdrawn,
        )
        if isinstance(target, Rejected):
            return [], (target.reason, why_refused(f"item {case.id}", state, order.event, target))
        if state.leaving:
            return [], ("leaving", on_its_way(case, state.leaving))
        moves.append((state, target))
    if not moves:
        now = " and ".join(sorted({state.status for state in states}))
        return [], ("illegal-transition", f"item {case.id} is {now}; {order.event} is not possible from there")
    return moves, None


def on_its_way(case: CaseRow, notice_id: str) -> str:
    """Why nothing can be taken back just now: a hoster may have been told already."""
    return (
        f"item {case.id} is named in notice {notice_id}, which is being sent or may have arrived; wait for it, or say "
        "what became of it with `vangnet notices resolve`"
    )


def stale_since(db: Database, case: CaseRow, version: int | None) -> str | None:
    """Why an act on what a person saw is refused: it has changed since; None when it has not."""
    if version is None or version == case.version:
        return None
    last = cases.last_decision(db, case.id)
    who = f"; {last[-1]['actor']} did {last[-1]['event']} at {iso(last[-1]['at'])[11:16]} UTC" if last else ""
    return f"item {case.id} has changed since you opened it{who}; look at it again, nothing of yours was recorded"


def outcome(db: Database, case_id: str, moved: int) -> dict[str, Any]:
    """What acts on items return."""
    statuses = sorted({state.status for state in hit_views.states_of_case(db, case_id)})
    return {"id": case_id, "status": statuses, "hits": moved}


def _named(text: str, what: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > MAX_NAME:
        raise InvalidInput(f"say {what}, in at most {MAX_NAME} characters")
    return name
