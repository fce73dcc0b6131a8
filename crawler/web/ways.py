"""What a route of the desk is made of: the way in, the visit, and what a handler can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal

from starlette.responses import RedirectResponse, Response

from crawler.errors import InvalidInput
from crawler.home import Home
from crawler.options import Options
from crawler.service.actors import PERMITS
from crawler.service.deployment import Server
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.web.pages import render

PATIENCE: Final = 5.0
"""Seconds that a page waits for a database that somebody else writes to."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the pages are made for.  url: of the deployment's server.  patience: seconds to wait for the database."""

    home: Home
    options: Options
    url: str = field(repr=False)
    patience: float = PATIENCE

    @property
    def server(self) -> Server:
        """As the acts on campaigns take it."""
        return Server(self.options, self.url)


@dataclass(frozen=True, slots=True)
class Ask:
    """What a browser sent, read and bounded. token: of a session, from the cookie.  fragment: htmx asks for a part.

    origin: where it came from, for the record: "web:192.0.2.1".
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str] = field(repr=False)
    token: str | None = field(repr=False)
    origin: str
    secure: bool
    fragment: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One request on its way to an answer. actor: who signed in, None on pages for everybody."""

    desk: Desk
    db: Database
    ask: Ask
    actor: Actor | None

    @property
    def person(self) -> Actor:
        """Who signed in; there is somebody on every page that needs a role."""
        assert self.actor is not None, "the gate lets nobody in here who has not signed in"
        return self.actor

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page, or a part of one."""
        known = {"actor": self.actor, "can": partial(may, self.actor), "lab": self.desk.home.lab}
        return render(template, status, **known, **values)

    def field(self, name: str) -> str:
        """A field of the form, "" when it was not sent."""
        return self.ask.form.get(name, "")

    def number(self, name: str) -> int:
        """A field that holds a whole number. Raises InvalidInput."""
        text = self.field(name)
        if not text.isascii() or not text.isdecimal() or len(text) > 9:
            raise InvalidInput(f"{name} has to be a whole number")
        return int(text)


@dataclass(frozen=True, slots=True)
class Way:
    """A route. act: what a person must be permitted; None: for everybody, which sign-in and the static files are."""

    method: Literal["GET", "POST"]
    path: str
    act: str | None
    handler: Callable[[Visit], Response]


def may(actor: Actor | None, act: str) -> bool:
    """Whether a role of the actor permits an act, for what a page offers; acts check it again."""
    return actor is not None and not actor.roles.isdisjoint(PERMITS.get(act, frozenset()))


def go(location: str) -> Response:
    """Look there next; a reload there repeats nothing."""
    return RedirectResponse(location, status_code=303)
