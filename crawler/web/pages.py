"""Templates. What an expression puts out is escaped; its control and bidirectional characters are neutralised."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from crawler.service.texts import plain

_DEEDS: Final = {"see-removed": "saw it gone", "see-up": "saw it up", "see-moved": "saw it moved"}
"""Events of the table of states whose names say little to who reads what happened."""


def render(template: str, status: int = 200, **values: Any) -> Response:
    """A page from `templates/`."""
    return HTMLResponse(_environment().get_template(template).render(**values), status)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("crawler.web", "templates"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["minute"] = _minute
    made.filters["deed"] = lambda event: _DEEDS.get(event, event)
    made.filters["lines"] = lambda text: str(text).splitlines()
    return made


def _shown(value: object) -> object:
    """Markup is our own; everything else may be a stranger's text."""
    if value is None:
        return "–"
    return value if isinstance(value, Markup | int | float) else plain(value)


def _minute(at: str | None) -> str:
    """ "2026-06-17 08:30" of a time in ISO 8601."""
    return "–" if at is None else at[:16].replace("T", " ")
