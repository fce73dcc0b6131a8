"""The queue, and case items with their evidence and what people do with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.responses import Response

from crawler.errors import InvalidInput, NotAuthorised, Refused
from crawler.service import case_acts, case_undo, cases
from crawler.web.gate import status_of
from crawler.web.ways import Visit, Way, go

_Act = Callable[[Visit, str], object]


def queue(visit: Visit) -> Response:
    """A list of items, those to decide first of all."""
    found = cases.list_cases(visit.db, visit.person, view=visit.ask.query.get("view", "open"))
    return visit.page("queue.html", found=found, views=list(cases.VIEWS), empty=visit.ask.query.get("empty"))


def take_next(visit: Visit) -> Response:
    """Take the next item and go there."""
    case_id = cases.take_next(visit.db, visit.person, skip=visit.field("skip") or None)
    return go("/queue?empty=1" if case_id is None else f"/items/{case_id}")


def item(visit: Visit) -> Response:
    """One item, URLs masked."""
    return _item(visit, visit.ask.path["id"])


def reveal(visit: Visit) -> Response:
    """One item with its URLs, for this answer only."""
    case_id = visit.ask.path["id"]
    try:
        return _item(visit, case_id, reason=visit.field("reason"))
    except InvalidInput as error:
        return _item(visit, case_id, problem=str(error), status=400)


def _item(
    visit: Visit, case_id: str, *, reason: str | None = None, problem: str | None = None, status: int = 200
) -> Response:
    case = cases.show_case(visit.db, visit.person, case_id, reveal_reason=reason)
    return visit.page(
        "item.html",
        status,
        case=case,
        first=case["hits"][0],
        mine=case["lease"] is not None and case["lease"]["actor"] == visit.person.name,
        undo=case_undo.may_undo(visit.db, visit.person, case_id),
        problem=problem,
        typed=visit.ask.form if problem else {},
        now=visit.ask.query.get("done"),
    )


def _doing(name: str, act: _Act) -> Callable[[Visit], Response]:
    """A handler that does `act` and shows the item; what was typed comes back when the act is refused."""

    def handler(visit: Visit) -> Response:
        case_id = visit.ask.path["id"]
        try:
            act(visit, case_id)
        except NotAuthorised:
            raise
        except (Refused, InvalidInput) as error:
            return _item(visit, case_id, problem=str(error), status=status_of(error, "POST"))
        return go("/queue" if name == "release" else f"/items/{case_id}?done={name}")

    return handler


def _given(visit: Visit) -> dict[str, Any]:
    return {"reason": visit.field("reason"), "version": visit.number("version")}


def _assess(visit: Visit, case_id: str) -> object:
    verdict = visit.field("verdict")
    if verdict not in ("listed", "harmless"):
        raise InvalidInput("say what the assessment found")
    return case_acts.assess_case(
        visit.db,
        visit.person,
        case_id,
        listed=verdict == "listed",
        assessor=visit.field("assessor"),
        reference=visit.field("reference"),
        **_given(visit),
    )


def _hold(visit: Visit, case_id: str) -> object:
    owner, days = visit.field("owner"), visit.number("days")
    return case_acts.hold_case(visit.db, visit.person, case_id, owner=owner, days=days, **_given(visit))


def _with_reason(act: Callable[..., object]) -> _Act:
    return lambda visit, case_id: act(visit.db, visit.person, case_id, **_given(visit))


ACTS: Final[Mapping[str, tuple[str, _Act]]] = {
    "take": ("cases.take", lambda visit, case_id: cases.take_case(visit.db, visit.person, case_id)),
    "release": ("cases.take", lambda visit, case_id: cases.release_case(visit.db, visit.person, case_id)),
    "confirm": ("hits.confirm", _with_reason(case_acts.confirm_case)),
    "reject": ("hits.reject", _with_reason(case_acts.reject_case)),
    "refer": ("hits.refer", _with_reason(case_acts.refer_case)),
    "assess": ("hits.confirm", _assess),
    "hold": ("hits.hold", _hold),
    "resume": ("hits.resume", _with_reason(case_acts.resume_case)),
    "reopen": ("hits.reopen", _with_reason(case_acts.reopen_case)),
    "quarantine": ("hits.quarantine", _with_reason(case_acts.quarantine_case)),
    "lift": ("hits.lift", _with_reason(case_acts.lift_case)),
    "undo": (
        "cases.take",
        lambda visit, case_id: case_undo.undo_case(visit.db, visit.person, case_id, version=visit.number("version")),
    ),
    "note": (
        "cases.note",
        lambda visit, case_id: case_acts.note_case(visit.db, visit.person, case_id, text=visit.field("text")),
    ),
}
"""Last part of a path -> what it takes, and what it does."""

WAYS: Final = (
    Way("GET", "/queue", "hits.read", queue),
    Way("POST", "/queue/next", "cases.take", take_next),
    Way("GET", "/items/{id}", "hits.read", item),
    Way("POST", "/items/{id}/reveal", "hits.reveal", reveal),
    *(Way("POST", f"/items/{{id}}/{name}", needs, _doing(name, act)) for name, (needs, act) in ACTS.items()),
)
