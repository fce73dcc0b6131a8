"""One page in a browser, from its bytes to what it shows: opened, scrolled, clicked, read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from typing import Any, Final

from playwright.async_api import Browser, BrowserContext, CDPSession, Dialog, Error, Page, ViewportSize

from crawler.render.clicks import chosen, offers_from
from crawler.render.made import Made
from crawler.render.page import Bounds, Door, Opened, Shown
from crawler.render.traffic import Traffic

_EXPLORE: Final = resources.files("crawler.render").joinpath("explore.js").read_text("utf-8")
_DOM: Final = resources.files("crawler.render").joinpath("dom.js").read_text("utf-8")
_PRESS: Final = """((numbers) => {
  for (const number of numbers) {
    const e = state.offered[number];
    state.seen.set(e, (state.seen.get(e) || 0) + 1);
    e.click();
  }
})(%s)"""
_NO_QUESTIONS: Final = """
for (const name of ["alert", "confirm", "prompt", "print", "open"]) {
  Object.defineProperty(globalThis, name, { value: () => null, writable: true, configurable: true });
}
// No form is ever submitted, whoever asks for it.
addEventListener("submit", (event) => event.preventDefault(), true);
Object.defineProperty(HTMLFormElement.prototype, "submit", { value: () => undefined });"""
"""Nobody is there to answer; the driver would, but a thousand times over takes it longer than a page may."""
_AT_ONCE: Final = 4
"""Things pressed before the page is given time to react."""
_WINDOW: Final = ViewportSize(width=1280, height=1024)


class Session:
    """One page in one browser. shown: is filled in as far as it comes."""

    def __init__(self, browser: Browser, opened: Opened, door: Door, bounds: Bounds, shown: Shown) -> None:
        self._browser = browser
        self._opened = opened
        self._bounds = bounds
        self._shown = shown
        self._traffic = Traffic(opened, door, bounds, shown)
        self._made = Made(bounds, shown)
        self._context: BrowserContext | None = None
        self._cdp: CDPSession | None = None
        self.crashed = False

    async def run(self) -> None:
        """Render. Raises playwright's Error when the browser or the page's process is gone; TimeoutError is up to the
        caller, who bounds all of this."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._bounds.seconds * self._bounds.exploring
        self._context = await self._browser.new_context(
            service_workers="block",
            accept_downloads=False,
            user_agent=self._opened.identity,
            viewport=_WINDOW,
            locale="nl-NL",
        )
        await self._context.route("**/*", self._traffic.handle)
        await self._context.add_init_script(_NO_QUESTIONS)
        page = await self._context.new_page()
        self._traffic.of(page)
        # Alerts and questions are dismissed; windows that it opens are closed.
        page.on("dialog", _dismiss)
        page.on("crash", self._note_crash)
        self._context.on("page", lambda other: asyncio.ensure_future(_close(other)) if other is not page else None)
        self._cdp = await self._context.new_cdp_session(page)
        await self._made.watch(self._cdp)
        with suppress(Error):  # a document that breaks off may have shown something all the same
            await page.goto(self._opened.url, wait_until="commit", timeout=1000 * self._bounds.seconds)
        with suppress(Error):  # what stalls has shown what it has
            # A frame that was answered and not read yet asks for nothing, and is not quiet for that.
            await page.wait_for_load_state("load", timeout=1000 * self._bounds.stalled)
        await self._traffic.quiet(ends)
        await self._explore(ends)
        await self._read()

    @property
    def flooded(self) -> bool:
        """Whether the page wanted to send so much that it has to end."""
        return self._traffic.flooded or self._made.flooded

    async def close(self) -> None:
        """Let go of the page and all that it stored. Raises playwright's Error when the browser is gone."""
        self._traffic.close()
        self._made.close()
        if self._context is not None:
            await self._context.close()

    def _note_crash(self, page: Page) -> None:
        del page
        self.crashed = True

    async def _explore(self, ends: float) -> None:
        """Scroll and press until nothing more comes of it, or the bounds are reached. ends: a monotonic time."""
        loop = asyncio.get_running_loop()
        before = (-1, -1, -1)
        for _ in range(self._bounds.rounds):
            found = await self._evaluate(_EXPLORE)
            left = min(self._bounds.clicks - self._shown.clicks, _AT_ONCE)
            press = chosen(offers_from(found), self._opened.url, left)
            size = found.get("size") if isinstance(found, Mapping) else 0
            now = int(size or 0), len(self._shown.images), self._shown.clicks
            scrolled = isinstance(found, Mapping) and bool(found.get("scrolled"))
            if not press and not scrolled and now == before:
                return
            before = now
            if press:
                await self._evaluate(_PRESS % press)
                self._shown.clicks += len(press)
            await asyncio.sleep(self._bounds.quiet)
            await self._traffic.quiet(ends)
            if loop.time() >= ends:
                self._shown.cut["time"] += 1
                return
        self._shown.cut["rounds"] += 1

    async def _read(self) -> None:
        found = await self._evaluate(_DOM.replace("MOST", str(self._bounds.dom_chars)))
        if isinstance(found, Mapping):
            self._shown.dom = str(found.get("text", "")).encode("utf-8", "replace")
            if found.get("cut"):
                self._shown.cut["dom"] += 1
            self._made.drawn(found.get("drawn"))
            if found.get("left"):
                self._shown.cut["made"] += int(found["left"])
        await self._made.settle()

    async def _evaluate(self, expression: str) -> Any:
        """Run a script in a world of its own, where nothing that the page did to its own is seen."""
        assert self._cdp is not None
        tree = await self._cdp.send("Page.getFrameTree")
        frame = tree["frameTree"]["frame"]["id"]
        world = await self._cdp.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "vangnet"})
        answer = await self._cdp.send(
            "Runtime.evaluate",
            {"expression": expression, "contextId": world["executionContextId"], "returnByValue": True},
        )
        return answer.get("result", {}).get("value")


async def _dismiss(dialog: Dialog) -> None:
    with suppress(Error):
        await dialog.dismiss()


async def _close(page: Page) -> None:
    with suppress(Error):
        await page.close()
