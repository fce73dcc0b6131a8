"""Signing in and out, the way to one's first page, and the static files."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final

from starlette.responses import Response

from crawler.errors import InvalidInput, NotAuthorised, Refused
from crawler.service import signing_in
from crawler.web.gate import cookie_name
from crawler.web.ways import Visit, Way, go, may

_TYPES: Final = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8"}
_FIRST: Final = (("cases.take", "/queue"), ("campaigns.start", "/campaigns"), ("audit.read", "/audit"))


def home(visit: Visit) -> Response:
    """The page where somebody of this role begins."""
    return go(next((page for act, page in _FIRST if may(visit.person, act)), "/queue"))


def sign_in_page(visit: Visit) -> Response:
    """The form; whoever is signed in already goes on."""
    return go("/") if visit.actor else visit.page("sign-in.html", problem=None, name="")


def sign_in(visit: Visit) -> Response:
    """Open a session and hand its token to the browser."""
    name = visit.field("name").strip()[:64]
    try:
        token = _token(visit, name)
    except NotAuthorised as error:
        return visit.page("sign-in.html", 401, problem=str(error), name=name)
    except Refused as error:
        return visit.page("sign-in.html", 429, problem=str(error), name=name)
    if visit.actor is not None and visit.ask.token is not None:
        signing_in.sign_out(visit.db, visit.actor, visit.ask.token)
    response = go("/")
    secure = visit.ask.secure
    response.set_cookie(cookie_name(secure), token, path="/", secure=secure, httponly=True, samesite="strict")
    return response


def sign_out(visit: Visit) -> Response:
    """End the session, if there is one."""
    if visit.actor is not None and visit.ask.token is not None:
        signing_in.sign_out(visit.db, visit.actor, visit.ask.token)
    response = go("/sign-in")
    secure = visit.ask.secure
    response.delete_cookie(cookie_name(secure), path="/", secure=secure, httponly=True, samesite="strict")
    return response


def static(visit: Visit) -> Response:
    """A file that every page needs."""
    name = visit.ask.path["name"]
    content = _files().get(name)
    if content is None:
        raise InvalidInput("there is no such file")
    kind = _TYPES[name.rpartition(".")[2]]
    return Response(content, headers={"Content-Type": kind, "Cache-Control": "max-age=300"})


def _token(visit: Visit, name: str) -> str:
    if visit.desk.home.lab:
        if not name:
            raise NotAuthorised("give a name; in the lab any will do")
        return signing_in.enter_lab(visit.db, name, origin=visit.ask.origin)
    password, code = visit.field("password"), visit.field("code")
    return signing_in.sign_in(visit.db, name, password, code, origin=visit.ask.origin)


@cache
def _files() -> dict[str, bytes]:
    found = resources.files("crawler.web").joinpath("static").iterdir()
    return {file.name: file.read_bytes() for file in found if file.name.rpartition(".")[2] in _TYPES}


WAYS: Final = (
    Way("GET", "/", "hits.read", home),
    Way("GET", "/sign-in", None, sign_in_page),
    Way("POST", "/sign-in", None, sign_in),
    Way("POST", "/sign-out", None, sign_out),
    Way("GET", "/static/{name}", None, static),
)
