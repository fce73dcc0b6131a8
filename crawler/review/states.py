"""The states of a hit, and which event leads from which to which. This table is the only place that says so.

    new ── claim ─> claimed ── release ─> new
    new, claimed ── confirm ─> confirmed, reject ─> rejected, refer ─> elsewhere, hold ─> held,
                    quarantine ─> quarantined
    elsewhere ── confirm, reject, hold ─> …          held ── resume ─> new          quarantined ── lift ─> new, reject
    confirmed ── notice ─> noticed ── see-removed, see-up, see-moved ─> removed, still-up, moved
    moved ── see-up ─> still-up, by the visit that saw it moved
    confirmed, rejected, elsewhere, removed, moved ── reopen ─> new

Analysts see no image, so what they may confirm follows the class of certainty: A rests on the list's own verified
category; B and C need an assessment made elsewhere, unless the policy of every list that matched says otherwise.
What its lists have withdrawn meanwhile is confirmed by nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from crawler.records import Rejected


class Status(StrEnum):
    """Where a hit stands."""

    NEW = "new"
    CLAIMED = "claimed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    ELSEWHERE = "elsewhere"
    HELD = "held"
    QUARANTINED = "quarantined"
    NOTICED = "noticed"
    REMOVED = "removed"
    STILL_UP = "still-up"
    MOVED = "moved"


class Event(StrEnum):
    """What happens to a hit."""

    CLAIM = "claim"
    RELEASE = "release"
    CONFIRM = "confirm"
    REJECT = "reject"
    REFER = "refer"
    HOLD = "hold"
    RESUME = "resume"
    QUARANTINE = "quarantine"
    LIFT = "lift"
    NOTICE = "notice"
    SEE_REMOVED = "see-removed"
    SEE_UP = "see-up"
    SEE_MOVED = "see-moved"
    REOPEN = "reopen"


_OPEN: Final = {
    Event.CONFIRM: Status.CONFIRMED,
    Event.REJECT: Status.REJECTED,
    Event.REFER: Status.ELSEWHERE,
    Event.HOLD: Status.HELD,
    Event.QUARANTINE: Status.QUARANTINED,
}
_WATCHED: Final = {
    Event.SEE_REMOVED: Status.REMOVED,
    Event.SEE_UP: Status.STILL_UP,
    Event.SEE_MOVED: Status.MOVED,
}

TRANSITIONS: Final[Mapping[Status, Mapping[Event, Status]]] = MappingProxyType(
    {
        Status.NEW: {Event.CLAIM: Status.CLAIMED, **_OPEN},
        Status.CLAIMED: {Event.RELEASE: Status.NEW, **_OPEN},
        Status.ELSEWHERE: {
            Event.CONFIRM: Status.CONFIRMED,
            Event.REJECT: Status.REJECTED,
            Event.HOLD: Status.HELD,
            Event.REOPEN: Status.NEW,
        },
        Status.HELD: {Event.RESUME: Status.NEW},
        Status.QUARANTINED: {Event.LIFT: Status.NEW, Event.REJECT: Status.REJECTED},
        Status.CONFIRMED: {Event.NOTICE: Status.NOTICED, Event.HOLD: Status.HELD, Event.REOPEN: Status.NEW},
        Status.REJECTED: {Event.REOPEN: Status.NEW},
        Status.NOTICED: _WATCHED,
        Status.STILL_UP: {**_WATCHED, Event.NOTICE: Status.NOTICED},
        Status.REMOVED: {Event.REOPEN: Status.NEW},
        Status.MOVED: {Event.SEE_UP: Status.STILL_UP, Event.REOPEN: Status.NEW},
    }
)
"""Status -> the events that are legal there -> where they lead."""

START: Final = Status.NEW


def after(status: Status, event: Event) -> Status | Rejected:
    """Where `event` leads from `status`; Rejected("illegal-transition") when it leads nowhere."""
    target = TRANSITIONS[status].get(event)
    return Rejected("illegal-transition", f"{status} -> {event}") if target is None else target


def decide(
    status: Status,
    event: Event,
    *,
    certainty: str,
    near_may_confirm: bool = False,
    assessed: bool = False,
    withdrawn: bool = False,
) -> Status | Rejected:
    """As `after`, for a decision of an analyst.

    certainty: "A", "B" or "C".  near_may_confirm: every list that matched lets its near hits be confirmed at the desk.
    assessed: an assessment made elsewhere is on record.  withdrawn: the lists hold no entry any more that matched.
    Rejected("withdrawn"), or ("assessment-needed") when a hit of class B or C would be confirmed without.
    """
    if event is Event.CONFIRM and withdrawn:
        return Rejected("withdrawn")
    if event is Event.CONFIRM and certainty != "A" and not (near_may_confirm or assessed):
        return Rejected("assessment-needed", f"class {certainty}")
    return after(status, event)
