"""The application: routes, the hosts it answers to, and the headers of every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crawler.store.database import open_store
from crawler.web.gate import endpoint
from crawler.web.pages import render
from crawler.web.routes import WAYS
from crawler.web.ways import Desk

_log = structlog.get_logger()

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), clipboard-read=()",
}


def desk_app(desk: Desk, hosts: Sequence[str]) -> Starlette:
    """The desk of a home.  hosts: names (and addresses) under which browsers reach it; others are turned away."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        del app
        # One connection that stays: without it the last page to close would fold the log into the file each time.
        with open_store(desk.home, busy_seconds=desk.patience):
            yield

    return Starlette(
        routes=[Route(way.path, endpoint(desk, way), methods=[way.method]) for way in WAYS],
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={404: _nowhere, 405: _nowhere, Exception: _internal},
        lifespan=lifespan,
    )


class _Headers:
    """Adds the headers to every answer, those of errors and of the other middleware included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
            await send(message)

        await self._app(scope, receive, add if scope["type"] == "http" else send)


async def _nowhere(request: Request, error: Exception) -> Response:
    del request, error
    return render("error.html", 404, text="there is no such page", typed={})


async def _internal(request: Request, error: Exception) -> Response:
    del request, error
    _log.error("page failed", exc_info=True)
    return render("error.html", 500, text="internal error; nothing was recorded", typed={})
