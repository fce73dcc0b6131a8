"""A real browser as judge: what it asks for as an image has to be among what discovery names.

The browser is Debian's Chromium without a window. It reaches nothing but the loopback addresses that it is told.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Frame, Page, Request, Response, sync_playwright

from crawler.discover.page import discover
from crawler.records import Candidate, Kind, PageContent
from crawler.urls import canonical, parts

CHROMIUM = shutil.which("chromium")
_ARGUMENTS = (
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"),
    *("--disable-gpu", "--disable-quic"),
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)
_MOST_DOCUMENTS = 60  # frames and sheets of one page
_QUIET = 40  # milliseconds without a request, after which a page has asked for everything
_LONGEST = 25  # times that
_MAY_SHOW = frozenset(("document", "other", "fetch"))  # as what else a browser asks for a picture: frames, objects


@dataclass(frozen=True)
class View:
    """How a page is looked at. width: of the window, CSS pixels.  scale: device pixels in one."""

    scripts: bool = True
    width: int = 1280
    scale: float = 1.0


VIEWS = (View(), View(scripts=False, width=400, scale=2.0))
"""One with and one without scripts, as unlike as they get."""
MORE_VIEWS = (View(width=400), View(scripts=False, scale=2.0))
"""With them, two widths by two pixel densities: for pages that choose their images by these."""


@dataclass(frozen=True)
class Judge:
    """A browser and the addresses of the hosts that it and the tests may visit (besides 127.0.0.1)."""

    browser: Browser
    addresses: Mapping[str, str]
    _pages: dict[View, Page] = field(default_factory=dict)

    def asked(self, url: str, view: View = VIEWS[0]) -> set[str]:
        """The images, as canonical URLs, that the page at `url` makes the browser ask for, scrolled to its end."""
        page = self._page(view)
        with _images(page) as seen:
            page.goto(url, wait_until="load", timeout=30_000)
            page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
            _settle(page, seen)
        return {form for _, form in seen} - {url}

    def asked_in_frames(self, url: str, view: View) -> dict[str, set[str]]:
        """The same for every frame of the page at `url`, by the frame's name; frames within them belong to them."""
        page = self._page(view)
        with _images(page) as seen:
            page.goto(url, wait_until="load", timeout=60_000)
            _settle(page, seen)
        found: dict[str, set[str]] = {}
        for frame, form in seen:
            found.setdefault(_outermost(frame), set()).add(form)
        return found

    def missed(self, url: str, asked: set[str]) -> set[str]:
        """What of `asked` discovery does not find on the page, its frames and its style sheets."""
        return asked - self.found(url)

    def found(self, url: str) -> set[str]:
        """Every candidate of the page; of its frames and style sheets too, which a browser loads by itself."""
        found: set[str] = set()
        waiting, done = [url], {url}
        while waiting:
            content = self._content(waiting.pop())
            found.update(each.url for each in content.candidates)
            loaded = {each.url for each in content.candidates if _is_loaded(each)} - done
            assert len(done) + len(loaded) < _MOST_DOCUMENTS, "frames without end"
            done |= loaded
            waiting += loaded
        return found

    def fetch(self, url: str) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        """(status, headers, body) of a plain GET."""
        where = parts(url)
        with closing(HTTPConnection(self.addresses.get(where.host, where.host), where.port, timeout=20)) as connection:
            connection.request("GET", where.target, headers={"Host": f"{where.host}:{where.port}"})
            answer = connection.getresponse()
            return answer.status, tuple(answer.getheaders()), answer.read()

    def _content(self, url: str) -> PageContent:
        status, headers, body = self.fetch(url)
        if status != 200:
            return PageContent()
        content_type = next((value for name, value in headers if name.lower() == "content-type"), None)
        return discover(body, content_type, url, headers)

    def _page(self, view: View) -> Page:
        if view not in self._pages:
            context: BrowserContext = self.browser.new_context(
                java_script_enabled=view.scripts,
                viewport={"width": view.width, "height": 800},
                device_scale_factor=view.scale,
            )
            self._pages[view] = context.new_page()
        return self._pages[view]


@contextmanager
def _images(page: Page) -> Iterator[list[tuple[Frame, str]]]:
    """(frame, canonical URL) of the images asked for while the block runs."""
    seen: list[tuple[Frame, str]] = []

    def note(request: Request) -> None:
        form = canonical(request.url) if request.url.startswith("http") else None
        if isinstance(form, str) and request.redirected_from is None:
            seen.append((request.frame, form))

    def on_request(request: Request) -> None:
        if request.resource_type == "image":
            note(request)

    def on_response(response: Response) -> None:
        is_image = response.headers.get("content-type", "").startswith("image/")
        if is_image and response.request.resource_type in _MAY_SHOW:
            note(response.request)

    page.on("request", on_request)
    page.on("response", on_response)
    try:
        yield seen
    finally:
        page.remove_listener("request", on_request)
        page.remove_listener("response", on_response)


def _outermost(frame: Frame) -> str:
    """The name of the page's frame that holds `frame`; known only once that is loaded."""
    while frame.parent_frame is not None and frame.parent_frame.parent_frame is not None:
        frame = frame.parent_frame
    return frame.name


def _settle(page: Page, seen: list[tuple[Frame, str]]) -> None:
    """Wait until nothing more is asked for and no image is still to come, within bounds."""
    for _ in range(_LONGEST):
        before = len(seen)
        page.wait_for_timeout(_QUIET)
        if len(seen) == before and page.evaluate("[...document.images].every(image => image.complete)"):
            return


def _is_loaded(candidate: Candidate) -> bool:
    return candidate.kind is Kind.SHEET or candidate.source in ("frame", "object", "embed", "svg")


@contextmanager
def judge(addresses: Mapping[str, str] | None = None) -> Iterator[Judge]:
    """A judge until the block ends. addresses: name -> loopback address; no other name resolves.

    Skips the test where Chromium cannot be started.
    """
    known = dict(addresses or {})
    mapped = [f"MAP {name} {address}" for name, address in known.items()]
    kept = [f"EXCLUDE {address}" for address in sorted({*known.values(), "127.0.0.1"})]
    rules = "--host-resolver-rules=" + ", ".join([*mapped, "MAP * ~NOTFOUND", *kept])
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*_ARGUMENTS, rules])
        except Error as error:
            pytest.skip(f"Chromium cannot be started here: {str(error).splitlines()[0]}")
        with closing(browser):
            yield Judge(browser, known)
