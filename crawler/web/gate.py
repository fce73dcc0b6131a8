"""The gate before every page: cross-site requests, sessions, roles, and errors as pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from crawler.errors import InvalidInput, NotAuthorised, OptionInvalid, Refused, Unavailable, VangnetError
from crawler.service.actors import require
from crawler.service.signing_in import resume
from crawler.store.database import open_store
from crawler.web.pages import render
from crawler.web.ways import Ask, Desk, Visit, Way, go

COOKIE: Final = "vangnet"
SECURE_COOKIE: Final = "__Host-vangnet"
"""The cookie's name over TLS; browsers then hold it to this host."""

_MAX_FORM: Final = 65_536
_MAX_FIELDS: Final = 40
_TYPED: Final = ("reason", "text", "owner", "assessor", "reference")
"""Fields that a person typed, given back when a page could not take them."""


def endpoint(desk: Desk, way: Way) -> Callable[[Request], Awaitable[Response]]:
    """What Starlette calls for a route."""

    async def serve(request: Request) -> Response:
        if way.method == "POST" and not _same_site(request):
            return _problem(403, "this form was sent from another site; open the desk itself and send it from there")
        try:
            ask = await _read(request)
        except InvalidInput as error:
            return _problem(413, str(error))
        return await run_in_threadpool(answer, desk, way, ask)

    return serve


def answer(desk: Desk, way: Way, ask: Ask) -> Response:
    """Open the store, look who asks and whether they may, and answer. Errors become pages."""
    try:
        with open_store(desk.home, busy_seconds=desk.patience) as db:
            actor = None if ask.token is None else resume(db, ask.token)
            if way.act is not None:
                if actor is None:
                    return _sign_in_first(way, ask)
                require(db, actor, way.act)
            return way.handler(Visit(desk, db, ask, actor))
    except VangnetError as error:
        return _problem(status_of(error, way.method), str(error), ask)


def status_of(error: VangnetError, method: str) -> int:
    """The status that says what kind of error it is."""
    if isinstance(error, NotAuthorised):
        return 403
    if isinstance(error, Refused):
        return 409
    if isinstance(error, OptionInvalid):
        # What the desk was started with, and nothing that the browser sent.
        return 503
    if isinstance(error, InvalidInput):
        return 404 if method == "GET" else 400
    return 503 if isinstance(error, Unavailable) else 500


def cookie_name(secure: bool) -> str:
    """Under which name the token travels."""
    return SECURE_COOKIE if secure else COOKIE


def _sign_in_first(way: Way, ask: Ask) -> Response:
    if ask.fragment:
        # htmx replaces the page, in place of putting the form into a corner of it.
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in"})
    if way.method == "GET":
        return go("/sign-in")
    return _problem(401, "your session is over; sign in again, nothing was recorded", ask)


def _problem(status: int, text: str, ask: Ask | None = None) -> Response:
    typed = {} if ask is None else {name: ask.form[name] for name in _TYPED if ask.form.get(name)}
    if ask is not None and ask.fragment:
        return render("_problem.html", 200, text=text)
    return render("error.html", status, text=text, typed=typed)


def _same_site(request: Request) -> bool:
    """Whether our own page sent it: browsers say so themselves, older ones name the origin at least."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("origin") == f"{request.url.scheme}://{request.headers.get('host', '')}"


async def _read(request: Request) -> Ask:
    """Raises InvalidInput for a form that is too large."""
    secure = request.url.scheme == "https"
    return Ask(
        path={name: str(value) for name, value in request.path_params.items()},
        query=dict(request.query_params),
        form=await _form(request) if request.method == "POST" else {},
        token=request.cookies.get(cookie_name(secure)),
        origin=f"web:{request.client.host if request.client else 'unknown'}",
        secure=secure,
        fragment=request.headers.get("hx-request") == "true",
    )


async def _form(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            raise InvalidInput("the form is too large; shorten what you wrote")
    try:
        fields = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise InvalidInput("the form cannot be read; open the page again") from error
    # Browsers send line ends as CR LF.
    return {name: value.replace("\r\n", "\n") for name, value in fields}
