"""Notices: what waits for a second person, what left, and one notice with the act that comes next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from starlette.responses import Response

from crawler.errors import InvalidInput, OptionInvalid, Refused
from crawler.notice.instruments import INSTRUMENTS
from crawler.service import delivery, papers
from crawler.service import notices as service
from crawler.web.gate import status_of
from crawler.web.ways import Visit, Way, go

_SHOWN: Final = 200
_WAITING: Final = frozenset({"draft", "approved", "sending", "doubt"})
_VIEWS: Final[dict[str, Callable[[dict[str, Any]], bool]]] = {
    "open": lambda row: row["state"] in _WAITING,
    "sent": lambda row: row["state"] == "sent",
    "overdue": lambda row: bool(row["overdue"]),
    "ended": lambda row: row["state"] in ("failed", "withdrawn"),
}


def overview(visit: Visit) -> Response:
    """Notices of one list: those that wait for somebody first of all."""
    return _overview(visit)


def draft(visit: Visit) -> Response:
    """Draft what has to be said, and show what came of it. A second click finds nothing more to draft."""
    options, name, again = visit.desk.options, visit.field("instrument"), visit.field("again") == "yes"
    try:
        done = service.draft_notices(visit.db, visit.person, options, name=name, again=again)
    except InvalidInput as error:
        return _overview(visit, problem=str(error), status=status_of(error, "POST"))
    return _overview(visit, drafted=done)


def send(visit: Visit) -> Response:
    """Send what is approved and due, and show what came of it. A second click finds nothing more to send."""
    home, options = visit.desk.home, visit.desk.options
    try:
        outbox = delivery.outbox_of(home, options)
        done = delivery.send_notices(home, visit.db, visit.person, options, outbox)
    except (Refused, OptionInvalid) as error:
        return _overview(visit, problem=str(error), status=status_of(error, "POST"))
    return _overview(visit, went=done)


def notice(visit: Visit) -> Response:
    """One notice, URLs masked."""
    return _notice(visit)


def reveal(visit: Visit) -> Response:
    """One notice with its URLs, for this answer only."""
    reason = visit.field("reason")
    try:
        return _notice(visit, reason=reason)
    except OptionInvalid:
        raise
    except InvalidInput as error:
        return _notice(visit, problem=str(error), status=400)


def approve(visit: Visit) -> Response:
    """Approve the draft as the form showed it, and no other."""
    return _acting(
        visit,
        lambda notice_id: service.approve_notice(
            visit.db, visit.person, visit.desk.options, notice_id, revision=visit.number("revision")
        ),
    )


def withdraw(visit: Visit) -> Response:
    """Take back what has not left."""
    return _acting(visit, lambda notice_id: service.withdraw_notice(visit.db, visit.person, notice_id))


def _acting(visit: Visit, act: Callable[[str], object]) -> Response:
    notice_id = visit.ask.path["id"]
    try:
        act(notice_id)
    except OptionInvalid:
        raise
    except (Refused, InvalidInput) as error:
        return _notice(visit, problem=str(error), status=status_of(error, "POST"))
    return go(f"/notices/{notice_id}")


def _notice(visit: Visit, *, reason: str | None = None, problem: str | None = None, status: int = 200) -> Response:
    shown = papers.show_notice(visit.db, visit.person, visit.desk.options, visit.ask.path["id"], reveal_reason=reason)
    return visit.page(
        "notice.html",
        status,
        notice=shown,
        revealed=reason is not None or visit.desk.home.lab,
        barred=visit.person.name in shown["confirmed_by"],
        problem=problem,
    )


def _overview(
    visit: Visit,
    *,
    drafted: dict[str, Any] | None = None,
    went: dict[str, Any] | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response:
    view = visit.ask.query.get("view", "open")
    if view not in _VIEWS:
        raise InvalidInput(f"there is no such list; it is one of {', '.join(_VIEWS)}")
    everything = service.list_notices(visit.db, visit.person)
    views = {name: [row for row in everything if belongs(row)] for name, belongs in _VIEWS.items()}
    return visit.page(
        "notices.html",
        status,
        view=view,
        counts={name: len(rows) for name, rows in views.items()},
        rows=views[view][:_SHOWN] if view == "open" else views[view][: -_SHOWN - 1 : -1],
        approved=sum(row["state"] == "approved" for row in everything),
        instruments=list(INSTRUMENTS.values()),
        drafted=drafted,
        went=went,
        problem=problem,
    )


WAYS: Final = (
    Way("GET", "/notices", "notices.read", overview),
    Way("POST", "/notices/draft", "notices.draft", draft),
    Way("POST", "/notices/send", "notices.send", send),
    Way("GET", "/notices/{id}", "notices.read", notice),
    Way("POST", "/notices/{id}/approve", "notices.approve", approve),
    Way("POST", "/notices/{id}/withdraw", "notices.withdraw", withdraw),
    Way("POST", "/notices/{id}/reveal", "notices.reveal", reveal),
)
