"""Acts on hits: list, show, confirm, reject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crawler.errors import InvalidInput, Refused
from crawler.records import Rejected
from crawler.review.states import Event, Status, decide
from crawler.service.actors import require
from crawler.service.revealing import given_reason, may_reveal
from crawler.store import audit, cases, decisions, hit_views
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_views import HitState


def list_hits(
    db: Database,
    actor: Actor,
    *,
    campaign: str | None = None,
    status: str | None = None,
    reveal_reason: str | None = None,
) -> Iterator[dict[str, Any]]:
    """The hits, as the design's JSON; URLs are masked unless this is the lab or a reason to reveal them is given.

    campaign: seen in one of its runs.  status: a value of `Status`.
    Raises NotAuthorised, and InvalidInput for an unknown status or an empty reason.
    """
    require(db, actor, "hits.read")
    if status is not None and status not in set(Status):
        raise InvalidInput(f"there is no status {status!r}; it is one of {', '.join(Status)}")
    reveal = may_reveal(db, actor, "hits.reveal", campaign or "all hits", reveal_reason)
    return hit_views.hits_json(db, reveal=reveal, campaign=campaign, status=status)


def show_hit(db: Database, actor: Actor, hit_id: str, *, reveal_reason: str | None = None) -> dict[str, Any]:
    """One hit, as `list_hits` gives it, and its {"seen": [sightings], "visits": [re-visits], "decisions": [with their
    reasons]}.

    Raises InvalidInput when there is none of this id.
    """
    require(db, actor, "hits.read")
    _state(db, hit_id)
    reveal = may_reveal(db, actor, "hits.reveal", hit_id, reveal_reason)
    if not db.home.lab:
        # Reasons are sealed, and reading what is sealed leaves a trace.
        with db.write():
            audit.append(db, actor, "hits.show", hit_id)
    return whole_hit(db, hit_id, reveal=reveal)


def whole_hit(db: Database, hit_id: str, *, reveal: bool) -> dict[str, Any]:
    """A hit whose id was just read, with all that hangs on it: as `show_hit` gives it."""
    hit = hit_views.hit_json(db, hit_id, reveal=reveal)
    assert hit is not None, "hits are not deleted"
    return hit | {
        "seen": hit_views.sightings_json(db, hit_id, reveal=reveal),
        "visits": hit_views.visits_json(db, hit_id, reveal=reveal),
        "decisions": decisions.decisions_json(db, hit_id),
    }


def confirm_hit(
    db: Database, actor: Actor, hit_id: str, *, reason: str, assessment: str | None = None
) -> dict[str, Any]:
    """Confirm a hit. Returns {"id", "status", "decision"}.

    reason: why, kept sealed.  assessment: reference of an assessment made elsewhere; class B and C need one where a
    list's policy asks for it.
    Raises NotAuthorised; InvalidInput for an unknown id or an empty reason; Refused when the hit's state or class does
    not permit it.
    """
    require(db, actor, "hits.confirm")
    return _decide(db, actor, hit_id, Event.CONFIRM, reason=given_reason(reason), assessment=assessment)


def reject_hit(db: Database, actor: Actor, hit_id: str, *, reason: str) -> dict[str, Any]:
    """Reject a hit; as `confirm_hit`."""
    require(db, actor, "hits.reject")
    return _decide(db, actor, hit_id, Event.REJECT, reason=given_reason(reason))


def _decide(
    db: Database, actor: Actor, hit_id: str, event: Event, *, reason: str, assessment: str | None = None
) -> dict[str, Any]:
    assessed = bool(assessment and assessment.strip())
    with db.write():
        state = _state(db, hit_id)
        target = decide(
            Status(state.status),
            event,
            certainty=state.certainty,
            near_may_confirm=state.near_may_confirm,
            assessed=assessed,
            withdrawn=state.withdrawn,
        )
        taken = _taken(db, actor, state)
        if taken is not None:
            audit.append(db, actor, f"hits.{event}", hit_id, result="refused", detail={"why": "taken"})
        elif isinstance(target, Rejected):
            audit.append(db, actor, f"hits.{event}", hit_id, result="refused", detail={"why": target.reason})
        else:
            decision = decisions.decide(
                db,
                actor,
                hit_id,
                event=event,
                before=state.status,
                after=target,
                reason=reason,
                assessment=assessment if assessed else None,
            )
            detail = {"decision": decision, "before": state.status, "after": target}
            audit.append(db, actor, f"hits.{event}", hit_id, detail=detail)
    if taken is not None:
        raise Refused(taken)
    if isinstance(target, Rejected):
        raise Refused(why_refused(f"hit {hit_id}", state, event, target))
    return {"id": hit_id, "status": target.value, "decision": decision}


def why_refused(what: str, state: HitState, event: Event, rejected: Rejected) -> str:
    """The line for people. what: for instance "hit 3f…"."""
    if rejected.reason == "assessment-needed":
        return (
            f"{what} is of class {state.certainty} and its list wants an assessment made elsewhere; give its "
            "reference with --assessment, or have it assessed"
        )
    if rejected.reason == "withdrawn":
        return f"{what}: no list stands behind what it matched any more; reject it, or leave it until one does again"
    return f"{what} is {state.status}; {event} is not possible from there"


def _taken(db: Database, actor: Actor, state: HitState) -> str | None:
    """Why the hit has to be left to somebody else just now: its item is being looked at."""
    case = cases.find(db, state.case_id)
    holder = None if case is None else case.leased_to(db.clock())
    if holder in (None, actor.name):
        return None
    return f"hit {state.id} is with {holder} at the desk just now; wait, or ask"


def _state(db: Database, hit_id: str) -> HitState:
    state = hit_views.state_of(db, hit_id)
    if state is None:
        raise InvalidInput(f"there is no hit {hit_id!r}; see `vangnet hits list`")
    return state
