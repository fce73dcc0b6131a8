"""Taking back one's own last decision about a case item."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from crawler.errors import Refused
from crawler.records import Rejected
from crawler.review.states import Event, Status, after
from crawler.service.actors import require
from crawler.service.case_acts import on_its_way, outcome, stale_since
from crawler.service.cases import known, take
from crawler.store import audit, cases, decisions, hit_views
from crawler.store.actors import Actor
from crawler.store.cases import CaseRow
from crawler.store.database import Database
from crawler.store.sealed import new_id

UNDO_SECONDS: Final = 1_800.0
"""How long one's own last decision may be taken back."""

_BACK: Final[Mapping[str, Event]] = MappingProxyType(
    {Status.CLAIMED: Event.CLAIM, Status.ELSEWHERE: Event.REFER, Status.CONFIRMED: Event.CONFIRM}
)
"""State before a decision -> the event that leads back to it from `new`."""
_UNDONE: Final = frozenset({Event.CONFIRM, Event.REJECT, Event.REFER, Event.HOLD})


def undo_case(db: Database, actor: Actor, case_id: str, *, version: int | None = None) -> dict[str, Any]:
    """Take back one's own last decision about an item, within half an hour and before anything followed from it.

    Returns as `confirm_case`. Raises NotAuthorised, InvalidInput, Refused when there is nothing to take back.
    """
    require(db, actor, "cases.take")
    with db.write():
        case = known(db, case_id)
        why = stale_since(db, case, version) or _not_undoable(db, actor, case)
        moved = 0 if why else _undo(db, actor, case)
        detail = {"why": "undo"} if why else {"hits": moved}
        audit.append(db, actor, "cases.undo", case_id, result="refused" if why else "done", detail=detail)
    if why:
        raise Refused(why)
    return outcome(db, case_id, moved)


def may_undo(db: Database, actor: Actor, case_id: str) -> bool:
    """Whether `undo_case` would do something just now."""
    return _not_undoable(db, actor, known(db, case_id)) is None


def _not_undoable(db: Database, actor: Actor, case: CaseRow) -> str | None:
    last = cases.last_decision(db, case.id)
    if not last or last[0]["actor"] != actor.name or last[0]["event"] not in _UNDONE:
        return f"item {case.id}: the last thing that happened to it is no decision of yours; an approver may reopen it"
    if last[0]["at"] < db.clock() - UNDO_SECONDS:
        return f"item {case.id}: your decision is older than half an hour; an approver may reopen it"
    standing = {state.id: state for state in hit_views.states_of_case(db, case.id)}
    if any(standing[row["hit_id"]].status != row["after"] for row in last):
        return f"item {case.id}: something followed from your decision; ask an approver"
    if leaving := next(filter(None, (standing[row["hit_id"]].leaving for row in last)), None):
        return on_its_way(case, leaving)
    return None


def _undo(db: Database, actor: Actor, case: CaseRow) -> int:
    rows, act_id = cases.last_decision(db, case.id), new_id()
    for row in rows:
        at = Status(row["after"])
        first = Event.RESUME if at is Status.HELD else Event.REOPEN
        for event in (first, *([_BACK[row["before"]]] if row["before"] in _BACK else [])):
            target = after(at, event)
            assert not isinstance(target, Rejected), "these events are legal where they are used"
            reason = None if event is Event.CLAIM else "undone by who decided it"
            moved = {"event": event.value, "before": at.value, "after": target.value}
            decisions.decide(db, actor, row["hit_id"], **moved, reason=reason, act_id=act_id)
            at = target
    cases.end_hold_of_none(db, case.id)
    if not all(row["before"] == Status.ELSEWHERE for row in rows):
        take(db, actor, case.id)
    return len(rows)
