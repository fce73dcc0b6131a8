"""Pages made by script: which of them are rendered, when there is a browser for them, and what comes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from crawler.bridge.door import LookDoor, Means, PageDoor, Seen
from crawler.bridge.errands import Errands, Tenure
from crawler.bridge.partcache import PartCache
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bridge.sizes import AWAITED, SizeBoard
from crawler.discover.acts import acts
from crawler.discover.page import discover
from crawler.errors import RedisUnavailable
from crawler.fetch.budget import Hold
from crawler.fetch.failures import FAILURES
from crawler.frontier.base import Frontier
from crawler.records import Candidate, DataImage, Fetched, Kind, Lease, PageContent, Retry
from crawler.render.leftovers import clear_up
from crawler.render.machine import unavailable
from crawler.render.page import Bounds, Opened, Shown
from crawler.render.strip import genuine, stripped, together
from crawler.render.wanted import wanted
from crawler.urls import canonical

if TYPE_CHECKING:
    from crawler.render.pool import Pool

PUT_OFF: Final = Retry("render-put-off", 1.0)
"""The end of a page that waited for a browser when its run was paused or its worker told to stop."""
_PUT_OFF_TIMES: Final = 2
"""After which such a page is taken as it came, for its attempts are not without end."""
_CACHE: Final = 33_554_432
_STARTING: Final = 15.0
"""Seconds for a browser to come up, where none is idle."""
_LOOK: Final = 1.0
_HTML: Final = "text/html; charset=utf-8"
_LINK: Final = 6
_PASSING: Final = frozenset({"busy", "lease-lost", "made", "no-slot", "parts", "redis", "rests", "unsent"})
"""Refusals ("render-…") of what the page might be given another time."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """processes: browsers at once.  directory: of profiles, on tmpfs.  bounds, most: of one page, most: candidates."""

    processes: int
    directory: Path
    bounds: Bounds
    most: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a page is after it was rendered. lease: its lease as it is now.  content: of both its forms.

    results: sealed reports of images that came in answers to scripts.  tally: counters.
    """

    lease: Lease
    content: PageContent
    results: tuple[bytes, ...] = ()
    tally: Counter[str] = field(default_factory=Counter)


class Renderer:
    """One per worker. The first page that wants it starts a browser; what killed workers left is removed at once."""

    def __init__(
        self, frontier: Frontier, runs: RunBook, errands: Errands, sizes: SizeBoard, settings: RenderSettings
    ) -> None:
        self._frontier = frontier
        self._runs = runs
        self._settings = settings
        self._means = Means(frontier, errands, sizes, PartCache(_CACHE))
        self._pool: Pool | None = None
        self._told = False
        self._stopped = False
        clear_up(settings.directory)

    def stop(self) -> None:
        """Begin no rendering any more: pages that wait for a browser are put off."""
        self._stopped = True

    async def close(self) -> None:
        """End all browsers."""
        if self._pool is not None:
            await self._pool.close()

    async def render(
        self, served: ServedRun, lease: Lease, fetched: Fetched, content: PageContent, hold: Hold | None
    ) -> Rendered | Retry:
        """What a page shows, together with what it said itself; only the latter where it is not to be rendered, or
        could not be, which the tally says. Raises SandboxUnavailable.
        """
        as_it_came = Rendered(lease, content)
        if not wanted(served.campaign.limits.render, fetched.body, content):
            return as_it_came
        pool = self._browsers()
        if pool is None:
            as_it_came.tally["render-unavailable"] += 1
            return as_it_came
        tenure = Tenure(lease, 0.0, hold)
        try:
            turn = await self._turn(pool, tenure)
        except RedisUnavailable:
            turn = False
        if not turn and lease.item.attempts < _PUT_OFF_TIMES:
            return PUT_OFF
        if not turn:
            as_it_came.tally["render-put-off"] += 1
            return replace(as_it_came, lease=tenure.lease)
        try:
            return await self._rendered(pool, served, tenure, fetched, content)
        finally:
            pool.turns.release()

    def _browsers(self) -> Pool | None:
        if self._pool is None and not self._told:
            reason = unavailable(self._settings.directory)
            if reason is not None:
                _log.warning("pages made by script are taken as they come", why=reason)
                self._told = True
                return None
            from crawler.render.pool import Pool, PoolSettings

            self._pool = Pool(PoolSettings(self._settings.processes, self._settings.directory, self._settings.bounds))
        return self._pool

    async def _turn(self, pool: Pool, tenure: Tenure) -> bool:
        """Wait for a browser, while the lease is kept alive. False: it is not to be waited for any more."""
        taking = asyncio.ensure_future(pool.turns.acquire())
        taken = False
        try:
            while not self._stopped and self._runs.is_running(tenure.lease.item.run):
                if not await tenure.lasts(self._frontier, _STARTING + self._settings.bounds.seconds):
                    break
                await asyncio.wait({taking}, timeout=_LOOK)
                if taking.done():
                    taken = True
                    break
            return taken
        finally:
            if taking.done() and not taken:
                pool.turns.release()
            taking.cancel()

    async def _rendered(
        self, pool: Pool, served: ServedRun, tenure: Tenure, fetched: Fetched, content: PageContent
    ) -> Rendered:
        tenure.ends = asyncio.get_running_loop().time() + _STARTING + self._settings.bounds.seconds
        kind = LookDoor if tenure.lease.item.kind is Kind.RECHECK else PageDoor
        door = kind(self._means, served, tenure, self._settings.bounds.parts)
        # The images in the page itself are looked at with it. Most are among its content, and those that only a script
        # would have shown are in the text all the same.
        body, inside, _ = await asyncio.to_thread(stripped, fetched.body, fetched.header("Content-Type"))
        opened = Opened(fetched.url, served.campaign.identity.user_agent, fetched.headers, body)
        shown = await pool.render(opened, door)
        if door.failure is not None:
            raise door.failure
        others = (*inside, *(DataImage(0, each) for each in door.seen.bodies))
        whole = replace(content, data_images=together(content.data_images, others))
        merged = await self._merged(whole, shown, fetched.url, files=served.campaign.limits.digest_only)
        return Rendered(tenure.lease, merged, tuple(door.seen.results), _tally(shown, door.seen))

    async def _merged(self, content: PageContent, shown: Shown, url: str, *, files: bool) -> PageContent:
        most = self._settings.most
        found = list(_candidates(shown, url))
        sketch, images, rejected = content.sketch, content.data_images, Counter(content.rejected)
        if shown.dom is not None:
            dom = await asyncio.to_thread(discover, shown.dom, _HTML, url, (), most, files=files)
            found += dom.candidates
            # Static forms of pages made by script are all alike, so only what they show can be compared.
            sketch = dom.sketch or sketch
            images = together(images, genuine(dom.data_images))
        # In an order that is the same in the next run, for by their numbers hits are known again.
        images = together(images, genuine(DataImage(0, body) for body in sorted(shown.made)))
        distinct = {candidate.url: candidate for candidate in reversed((*content.candidates, *found))}
        candidates = tuple(reversed(distinct.values()))
        rejected["cut"] += max(len(candidates) - most, 0)
        return PageContent(candidates[:most], images, dict(+rejected), sketch)


def is_whole(tally: Counter[str]) -> bool:
    """Whether a page was rendered to its end, and nothing of it is missing that might be there in a while. tally: of a
    `Rendered`."""
    return tally["rendered"] > 0 and not any(map(_is_missing, tally))


def _is_missing(name: str) -> bool:
    what, _, reason = name.removesuffix(")").partition("(")
    if what != "render-refused":
        return what == "render-cut"
    return reason in _PASSING or reason.startswith("robots-") or (reason in FAILURES and FAILURES[reason].retry)


def _candidates(shown: Shown, page: str) -> Iterable[Candidate]:
    for urls, kind, priority in ((shown.images, Kind.IMAGE, AWAITED), (shown.links, Kind.PAGE, _LINK)):
        for each in urls:
            url = canonical(each, page)
            if isinstance(url, str) and url != page and not acts(url, page):
                yield Candidate(url, kind, "rendered", priority)


def _tally(shown: Shown, seen: Seen) -> Counter[str]:
    tally = Counter(seen.tally)
    tally["rendered"] += shown.problem is None
    tally["render-parts"] += shown.parts
    tally["render-images"] += len(shown.images)
    tally["render-clicks"] += shown.clicks
    if shown.problem is not None:
        tally[shown.problem] += 1
    for reason, n in shown.refused.items():
        tally[f"render-refused({reason.removeprefix('render-')})"] += n
    for reason, n in shown.cut.items():
        tally[f"render-cut({reason})"] += n
    return +tally
