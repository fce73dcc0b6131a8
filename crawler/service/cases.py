"""Case items as people see them: the queue, the item with its evidence, taking and putting back.

What a person may do with an item stands in `service/case_acts.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from crawler.errors import InvalidInput, Refused
from crawler.records import Rejected
from crawler.review.states import TRANSITIONS, Event, Status, decide
from crawler.service.actors import require
from crawler.service.hits import whole_hit
from crawler.service.revealing import may_reveal
from crawler.store import audit, cases, decisions, hit_views
from crawler.store.actors import DESK, Actor
from crawler.store.cases import CaseRow
from crawler.store.database import Database
from crawler.store.hit_views import HitState
from crawler.store.sealed import new_id
from crawler.store.times import iso, iso_optional

LEASE_SECONDS: Final = 900.0
"""How long an item that was taken stays with whoever took it."""

OPEN: Final = (Status.NEW, Status.CLAIMED)

VIEWS: Final[Mapping[str, tuple[Status, ...]]] = MappingProxyType(
    {
        "open": OPEN,
        "elsewhere": (Status.ELSEWHERE,),
        "held": (Status.HELD, Status.QUARANTINED),
        "confirmed": (Status.CONFIRMED,),
        "noticed": (Status.NOTICED, Status.STILL_UP, Status.REMOVED, Status.MOVED),
        "rejected": (Status.REJECTED,),
    }
)
"""Name of a list of items -> states; an item stands in it when one of its hits is in one of them."""

_SHOWN = 200
_PLACES = 100


def list_cases(db: Database, actor: Actor, *, view: str = "open") -> dict[str, Any]:
    """{"view", "total", "counts": {view: n}, "items": [the first 200]}, the most severe first, then the oldest.

    Raises NotAuthorised, InvalidInput for an unknown view.
    """
    require(db, actor, "hits.read")
    if view not in VIEWS:
        raise InvalidInput(f"there is no list {view!r}; it is one of {', '.join(VIEWS)}")
    counts = {name: cases.count(db, list(states)) for name, states in VIEWS.items()}
    items = cases.items_json(db, list(VIEWS[view]), _SHOWN)
    return {"view": view, "total": counts[view], "counts": counts, "items": items}


def take_next(db: Database, actor: Actor, *, skip: str | None = None) -> str | None:
    """Take the first open item that nobody has, or the one that the actor has already. Returns its id, or None.

    Leases and holds that are over end first.  skip: an item to put back, and not to take now.
    Raises NotAuthorised.
    """
    require(db, actor, "cases.take")
    with db.write():
        _lapse(db)
        if skip is not None and known(db, skip).leased_to(db.clock()) == actor.name:
            _put_back(db, actor, skip)
        case_id = cases.leased_by(db, actor.name) or cases.next_free(db, list(OPEN), actor.name, skip or "")
        if case_id is not None:
            take(db, actor, case_id)
    return case_id


def take(db: Database, actor: Actor, case_id: str) -> None:
    """Give an item to the actor, inside the transaction of an act that was permitted."""
    cases.lease(db, actor, case_id, LEASE_SECONDS)
    _each(db, actor, case_id, Event.CLAIM)
    audit.append(db, actor, "cases.take", case_id)


def take_case(db: Database, actor: Actor, case_id: str) -> None:
    """Take one item. Raises NotAuthorised, InvalidInput for an unknown id, Refused when somebody else has it."""
    require(db, actor, "cases.take")
    with db.write():
        _lapse(db)
        holder = known(db, case_id).leased_to(db.clock())
        if holder in (None, actor.name):
            take(db, actor, case_id)
    if holder not in (None, actor.name):
        raise Refused(_taken(db, known(db, case_id)))


def release_case(db: Database, actor: Actor, case_id: str) -> None:
    """Put an item back into the queue. Raises NotAuthorised, InvalidInput, Refused when it is not the actor's."""
    require(db, actor, "cases.take")
    with db.write():
        mine = known(db, case_id).leased_to(db.clock()) == actor.name
        if mine:
            _put_back(db, actor, case_id)
    if not mine:
        raise Refused(f"item {case_id} is not yours to put back; its lease is over, or somebody else has it")


def show_case(db: Database, actor: Actor, case_id: str, *, reveal_reason: str | None = None) -> dict[str, Any]:
    """One item with its evidence: {"id", "site", "version", "status", "certainty", "opened_at", "lease", "hold",
    "revealed", "places", "hits", "matches", "withdrawn", "history", "notes", "elsewhere", "confirm", "possible"}.

    hits: the first hundred, as `show_hit` gives them.  matches: those of all hits shown, each once.
    withdrawn: no list holds an entry any more that matched.  confirm: "yes", or what stands against it.
    possible: names of events that some hit's state permits.
    Outside of the lab URLs are masked unless a reason to reveal them is given, and reading is on record.
    Raises NotAuthorised, InvalidInput for an unknown id or an empty reason.
    """
    require(db, actor, "hits.read")
    case = known(db, case_id)
    reveal = may_reveal(db, actor, "hits.reveal", case_id, reveal_reason)
    if not db.home.lab:
        with db.write():
            audit.append(db, actor, "cases.show", case_id)
    states = hit_views.states_of_case(db, case_id)
    hits = [whole_hit(db, hit_id, reveal=reveal) for hit_id in cases.hit_ids(db, case_id, _PLACES)]
    now = db.clock()
    return {
        "id": case.id,
        "site": case.site,
        "version": case.version,
        "status": sorted({state.status for state in states}),
        "certainty": min(state.certainty for state in states),
        "opened_at": iso(case.opened_at),
        "lease": {"actor": case.lease_actor, "until": iso_optional(case.lease_until)} if case.leased_to(now) else None,
        "hold": {"owner": case.hold_owner, "until": iso_optional(case.hold_until)} if case.hold_owner else None,
        "revealed": reveal,
        "places": len(states),
        "hits": hits,
        "matches": _merged(hits),
        "withdrawn": all(state.withdrawn for state in states),
        "history": decisions.history_json(db, case_id),
        "notes": decisions.notes_json(db, case_id, "note"),
        "elsewhere": cases.elsewhere_json(db, case),
        "confirm": _confirmable(states),
        "possible": sorted({event.value for state in states for event in TRANSITIONS[Status(state.status)]}),
    }


def known(db: Database, case_id: str) -> CaseRow:
    """The item of this id. Raises InvalidInput when there is none."""
    case = cases.find(db, case_id)
    if case is None:
        raise InvalidInput(f"there is no case item {case_id!r}; see the queue")
    return case


def held_by_another(db: Database, actor: Actor, case: CaseRow) -> str | None:
    """Why the actor has to leave an item to somebody else just now, None when there is no reason."""
    holder = case.leased_to(db.clock())
    return None if holder in (None, actor.name) else _taken(db, case)


def _taken(db: Database, case: CaseRow) -> str:
    del db
    until = (iso_optional(case.lease_until) or "")[11:16]
    return f"item {case.id} is with {case.lease_actor} until {until} UTC; take another one, or ask"


def _put_back(db: Database, actor: Actor, case_id: str) -> None:
    cases.end_lease(db, case_id)
    _each(db, actor, case_id, Event.RELEASE)
    audit.append(db, actor, "cases.release", case_id)


def _lapse(db: Database) -> None:
    leases, holds = cases.lapsed(db)
    for case_id in leases:
        cases.end_lease(db, case_id)
        _each(db, DESK, case_id, Event.RELEASE)
        audit.append(db, DESK, "cases.lapse", case_id, detail={"what": "lease"})
    for case_id in holds:
        _each(db, DESK, case_id, Event.RESUME)
        cases.end_hold_of_none(db, case_id)
        audit.append(db, DESK, "cases.lapse", case_id, detail={"what": "hold"})


def _each(db: Database, actor: Actor, case_id: str, event: Event) -> None:
    """Let `event` happen to every hit of an item whose state permits it; no reason is needed."""
    act_id = new_id()
    for state in hit_views.states_of_case(db, case_id):
        target = TRANSITIONS[Status(state.status)].get(event)
        if target is not None:
            moved = {"event": event.value, "before": state.status, "after": target.value}
            decisions.decide(db, actor, state.id, **moved, reason=None, act_id=act_id)


def _confirmable(states: list[HitState]) -> str:
    """ "yes" when the desk may confirm what is open, else a reason of `decide`, or "closed" when nothing is open."""
    found = "closed"
    for state in states:
        result = decide(
            Status(state.status),
            Event.CONFIRM,
            certainty=state.certainty,
            near_may_confirm=state.near_may_confirm,
            withdrawn=state.withdrawn,
        )
        if not isinstance(result, Rejected):
            found = "yes"
        elif result.reason != "illegal-transition" and Event.CONFIRM in TRANSITIONS[Status(state.status)]:
            return result.reason
    return found


def _merged(hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Matches that several hits share, once each."""
    found: list[dict[str, Any]] = []
    for match in (match for hit in hits for match in hit["matches"]):
        if match not in found:
            found.append(match)
    return found
