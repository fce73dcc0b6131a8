"""The audit record, for auditors."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from crawler.service import audit as service
from crawler.web.ways import Visit, Way

_LAST: Final = 200


def events(visit: Visit) -> Response:
    """The latest events, or those about one object."""
    return _page(visit, None)


def verify(visit: Visit) -> Response:
    """The same, and whether the whole chain holds."""
    return _page(visit, service.verify(visit.db, visit.person))


def _page(visit: Visit, verdict: object) -> Response:
    about = visit.ask.query.get("object", "").strip() or None
    found = service.events(visit.db, visit.person, last=_LAST, object_id=about)
    return visit.page("audit.html", events=list(reversed(found)), about=about, verdict=verdict)


WAYS: Final = (
    Way("GET", "/audit", "audit.read", events),
    Way("POST", "/audit/verify", "audit.read", verify),
)
