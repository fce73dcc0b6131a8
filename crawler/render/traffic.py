"""What one page's browser asks for, request by request: each is answered by the door, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

from playwright.async_api import Error, Page, Request, Route

from crawler.records import Rejected
from crawler.render.blank import blank
from crawler.render.page import Bounds, Door, For, Opened, Part, Shown

_PARTS: Final = {
    "script": For.SCRIPT,
    "stylesheet": For.SHEET,
    "document": For.FRAME,
    "xhr": For.DATA,
    "fetch": For.DATA,
}
"""What is asked for in the browser's name, by Playwright's resource types. Fonts, films, sockets, pings are not."""
_PASSED_ON: Final = frozenset(
    [
        "access-control-allow-credentials",
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "content-language",
        "content-security-policy",
        "content-type",
        "cross-origin-embedder-policy",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "last-modified",
        "link",
        "referrer-policy",
        "x-content-type-options",
        "x-frame-options",
    ]
)
"""Headers of answers that the browser gets. Its cookies are none: sessions are kept per host, outside of it."""
_OPEN: Final = {"Access-Control-Allow-Origin": "*", "Timing-Allow-Origin": "*"}

_Got = TypeVar("_Got")


class Traffic:
    """The requests of one page while it is open. shown: where everything is noted."""

    def __init__(self, opened: Opened, door: Door, bounds: Bounds, shown: Shown) -> None:
        self._opened = opened
        self._door = door
        self._bounds = bounds
        self._shown = shown
        self._page: Page | None = None
        self._handed_over = False
        self._requests = 0
        self._bytes = 0
        self._posted = 0
        self._busy = 0
        self._changed = asyncio.get_running_loop().time()
        self._closed = False
        self._errands: set[asyncio.Task[object]] = set()

    def close(self) -> None:
        """Answer nothing more, and let go of what is under way."""
        self._closed = True
        for errand in self._errands:
            errand.cancel()

    @property
    def flooded(self) -> bool:
        """Whether the page wanted to send more than it may be held in memory."""
        return self._posted > self._bounds.posted_bytes

    def of(self, page: Page) -> None:
        """The page whose requests these are; others (windows that it opens) get nothing."""
        self._page = page
        page.on("framenavigated", self._note_change)  # a frame that has come is only about to ask for what it shows

    def _note_change(self, frame: object) -> None:
        del frame
        self._changed = asyncio.get_running_loop().time()

    async def quiet(self, until: float) -> None:
        """Return when nothing was asked for and nothing is awaited for a while, at the latest at a monotonic time."""
        loop = asyncio.get_running_loop()
        while (now := loop.time()) < until:
            still = now - self._changed
            if still >= (self._bounds.stalled if self._busy else self._bounds.quiet):
                return
            await asyncio.sleep(min(self._bounds.quiet / 4, until - now))

    async def handle(self, route: Route) -> None:
        """Answer one request. Never raises: a page that is gone wants no answer."""
        self._requests += 1
        if self._closed or self._requests > self._bounds.requests:
            self._shown.cut["requests"] += 1
            return await _refuse(route)
        loop = asyncio.get_running_loop()
        self._busy += 1
        self._changed = loop.time()
        try:
            await self._answer(route, route.request)
        finally:
            self._busy -= 1
            self._changed = loop.time()

    async def _answer(self, route: Route, request: Request) -> None:
        kind = request.resource_type
        if self._is_own_document(request):
            return await self._document(route, request)
        if request.method != "GET":
            reason = "render-method"
            # The driver hands over what was to be sent, and keeps it as long as the page.
            self._posted += len(request.post_data_buffer or b"")
        elif not self._is_of_page(request):
            reason = "render-window"
        elif kind == "image":
            return await self._image(route, request.url)
        elif kind in _PARTS:
            return await self._part(route, request.url, _PARTS[kind])
        else:
            reason = "render-kind"
        self._shown.refused[reason] += 1
        return await _refuse(route)

    def _is_own_document(self, request: Request) -> bool:
        if self._page is None or not request.is_navigation_request():
            return False
        try:
            return request.frame == self._page.main_frame
        except Error:  # of a window that is only about to be there
            return False

    def _is_of_page(self, request: Request) -> bool:
        try:
            return request.frame.page is self._page
        except Error:  # of no frame, or of one that is not there yet: a worker's, a window's
            return not request.is_navigation_request()

    async def _document(self, route: Route, request: Request) -> None:
        """The page itself, once and as it was received. Wherever it wants to go after that is a link, and not gone."""
        if self._handed_over:
            if request.method == "GET":
                self._shown.links.setdefault(request.url)
            else:
                self._shown.refused["render-method"] += 1
            # "No content": the page stays. After a refusal the browser would put its own error page in its place.
            with suppress(Error):
                await route.fulfill(status=204)
            return None
        self._handed_over = True
        return await _fulfil(route, Part(200, self._opened.headers, self._opened.body))

    async def _image(self, route: Route, url: str) -> None:
        if url not in self._shown.images:
            if len(self._shown.images) >= self._bounds.images:
                self._shown.cut["images"] += 1
                return await _refuse(route)
            self._shown.images[url] = None
        size = await self._errand(self._door.image(url))
        if isinstance(size, Rejected):
            self._shown.refused[size.reason] += 1
            return await _refuse(route)
        with suppress(Error):
            await route.fulfill(status=200, headers=_OPEN, content_type="image/png", body=blank(size))
        return None

    async def _errand(self, work: Coroutine[Any, Any, _Got]) -> _Got | Rejected:
        """In a task of its own, so that it can be ended while the browser's driver waits for this one."""
        task = asyncio.ensure_future(work)
        self._errands.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            return Rejected("render-closed")
        finally:
            task.cancel()
            self._errands.discard(task)

    async def _part(self, route: Route, url: str, what: For) -> None:
        if self._shown.parts >= self._bounds.parts or self._bytes >= self._bounds.part_bytes:
            self._shown.cut["parts"] += 1
            return await _refuse(route)
        self._shown.parts += 1
        part = await self._errand(self._door.part(url, what))
        if isinstance(part, Rejected):
            self._shown.refused[part.reason] += 1
            return await _refuse(route)
        self._bytes += len(part.body)
        return await _fulfil(route, part)


async def _refuse(route: Route) -> None:
    with suppress(Error):
        await route.abort("blockedbyclient")


async def _fulfil(route: Route, part: Part) -> None:
    headers: dict[str, str] = {}
    for name, value in part.headers:
        if name.lower() in _PASSED_ON:
            # A header that comes twice is a list (RFC 9110, 5.3).
            headers[name.lower()] = f"{headers[name.lower()]}, {value}" if name.lower() in headers else value
    with suppress(Error):
        await route.fulfill(status=part.status, headers=headers, body=part.body)
