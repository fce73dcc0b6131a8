"""A bounded number of browsers, each with one page at a time; what fails takes its browser along."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from playwright.async_api import Error

from crawler.errors import RenderUnavailable
from crawler.render.chromium import Chromium
from crawler.render.page import Bounds, Door, Opened, Shown
from crawler.render.session import Session

_LOOK: Final = 0.3
_CLOSING: Final = 2.0
_NO_TRY: Final = 60.0
"""Seconds without another try after a browser that did not come up."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """processes: browsers at once, each of which has about seven processes.  directory: for their profiles, on tmpfs.

    pages: that one browser renders, before it is replaced.  idle: seconds after which one with nothing to do is ended.
    """

    processes: int
    directory: Path
    bounds: Bounds
    pages: int = 50
    idle: float = 30.0


class Pool:
    """One per worker. A page is rendered in a turn; whoever waits for one does so outside of here."""

    def __init__(self, settings: PoolSettings) -> None:
        self._settings = settings
        self._idle: list[Chromium] = []
        self._busy: list[Chromium] = []
        self._ends: dict[int, asyncio.Task[None]] = {}
        self._closed = False
        self._none_before = 0.0
        self.turns = asyncio.Semaphore(settings.processes)

    async def render(self, opened: Opened, door: Door) -> Shown:
        """What a page shows, within the bounds; to be called within one of `turns`. Never raises but CancelledError."""
        shown = Shown()
        try:
            browser = await self._browser()
        except RenderUnavailable:
            shown.problem = "render-unavailable"
            return shown
        self._busy.append(browser)
        session = Session(browser.browser, opened, door, self._settings.bounds, shown)
        run = asyncio.ensure_future(session.run())
        watch = asyncio.ensure_future(self._trouble(browser, session))
        try:
            both = {run, watch}
            await asyncio.wait(both, timeout=self._settings.bounds.seconds, return_when=asyncio.FIRST_COMPLETED)
            shown.problem = _problem(run, watch)
        finally:
            for task in (run, watch):
                task.cancel()
            await asyncio.gather(run, watch, return_exceptions=True)
            closed = await self._let_go(session, browser)
            self._busy.remove(browser)
            await self._put_back(browser, sound=closed and run.done() and shown.problem is None)
        return shown

    async def close(self) -> None:
        """End all browsers, those with a page included."""
        self._closed = True
        for browser in self._busy:
            browser.kill()
        for task in self._ends.values():
            task.cancel()
        for browser in (*self._idle, *self._busy):
            await browser.end()
        self._idle.clear()

    async def _browser(self) -> Chromium:
        while self._idle:
            browser = self._idle.pop()
            self._ends.pop(browser.session).cancel()
            if browser.alive:
                return browser
            await browser.end()
        now = asyncio.get_running_loop().time()
        if now < self._none_before:
            raise RenderUnavailable("a browser did not come up a moment ago")
        try:
            return await Chromium.start(self._settings.directory)
        except RenderUnavailable as error:
            # Where one does not come up, the next will hardly do so; pages are not to wait for each try.
            self._none_before = asyncio.get_running_loop().time() + _NO_TRY
            _log.warning("pages are not rendered for a while", seconds=_NO_TRY, error=str(error))
            raise

    async def _let_go(self, session: Session, browser: Chromium) -> bool:
        """Whether the page could be closed: one whose script never ends cannot."""
        if not browser.alive:
            with suppress(Error, TimeoutError):
                async with asyncio.timeout(_CLOSING):
                    await session.close()
            return False
        try:
            async with asyncio.timeout(_CLOSING):
                await session.close()
        except (Error, TimeoutError):
            return False
        return True

    async def _put_back(self, browser: Chromium, *, sound: bool) -> None:
        browser.pages += 1
        if not sound or self._closed or browser.pages >= self._settings.pages:
            if not sound:
                browser.kill()
            await browser.end()
            return
        self._idle.append(browser)
        self._ends[browser.session] = asyncio.create_task(self._end_later(browser))

    async def _end_later(self, browser: Chromium) -> None:
        await asyncio.sleep(self._settings.idle)
        if browser in self._idle:
            self._idle.remove(browser)
            self._ends.pop(browser.session, None)
            await browser.end()

    async def _trouble(self, browser: Chromium, session: Session) -> str:
        """Returns when a page cannot go on: what the trouble is."""
        while browser.alive and not session.crashed:
            if session.flooded or browser.memory() > self._settings.bounds.memory:
                return "render-memory"
            await asyncio.sleep(_LOOK)
        return "render-crash"


def _problem(run: asyncio.Future[None], watch: asyncio.Future[str]) -> str | None:
    """How a rendering ended: None, when it came to its end."""
    if run.done():
        return _of_error(run.exception())
    return watch.result() if watch.done() else "render-timeout"


def _of_error(error: BaseException | None) -> str | None:
    if error is None:
        return None
    if isinstance(error, Error):
        return "render-crash"
    raise error
