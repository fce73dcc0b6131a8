"""What becomes of a lease of the page lane once its answer is there: links, sitemaps, rules, or an image after all."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from time import time

from crawler.bridge import swept
from crawler.bridge.answers import Answered, NotAnswered, concluded, unanswered
from crawler.bridge.errands import Errands
from crawler.bridge.examine import Findings, drawn, examine, look_up
from crawler.bridge.guesses import is_guess, no_sitemap
from crawler.bridge.outcomes import broken_off, unsupported, unusable
from crawler.bridge.recheck import Render, revisited, unreached
from crawler.bridge.rendering import Rendered, Renderer, is_whole
from crawler.bridge.robotsfile import RobotsJudge
from crawler.bridge.rules import pack_unreachable
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bridge.suspects import Traps, repeated
from crawler.discover.page import discover
from crawler.errors import RedisUnavailable
from crawler.fetch.budget import Hold
from crawler.frontier.base import Completion
from crawler.records import (
    Discovered,
    Done,
    Failed,
    Fetched,
    FetchFailed,
    Kind,
    Lease,
    PageContent,
    Retry,
    Skipped,
)

_QUICK = 262_144
_RENDERED = frozenset({Kind.PAGE, Kind.SWEEP})
_FEED_FACTOR = 10
"""Sitemaps hold up to 50,000 URLs (sitemaps.org), ten times what a page may name."""


@dataclass(frozen=True, slots=True)
class PageOutcome:
    """The one item that a callback yields: how the lease of its request ended."""

    completion: Completion


class PageJudge:
    """Turns answers on the page lane into outcomes.

    most: candidates taken from one page.  traps: what pages said before; None: nobody remembers.  renderer: of pages
    made by script; None: they are taken as they come.  errands: ask for a robots.txt that moved to another address;
    None: nobody does.
    """

    def __init__(
        self,
        runs: RunBook,
        most: int,
        traps: Traps | None = None,
        renderer: Renderer | None = None,
        errands: Errands | None = None,
    ) -> None:
        self._runs = runs
        self._renderer = renderer
        self._robots = RobotsJudge(errands)
        self._most = most
        self._traps = traps

    async def answered(self, lease: Lease, answered: Answered, hold: Hold | None = None) -> PageOutcome:
        """An answer arrived. Raises SandboxUnavailable when an image in it could not be looked at.

        hold: pays for the images that stand in a page itself, beside the page.
        """
        return self._outcome(concluded(await self._answered(lease, answered.fetched, hold), answered))

    async def unanswered(self, lease: Lease, sent: NotAnswered) -> PageOutcome:
        """No answer arrived."""
        completion = unanswered(lease, sent)
        if lease.item.kind is Kind.ROBOTS and isinstance(sent, FetchFailed):
            served = self._runs.get(lease.item.run)
            if served is not None and swept.is_swept(served, lease):
                completion = await swept.unreachable(served, lease, sent) or completion
            completion = completion._replace(robots=pack_unreachable(sent.reason))
        served = self._runs.get(lease.item.run)
        if lease.item.kind is Kind.RECHECK and served is not None:
            completion = unreached(served, completion)
        return self._outcome(swept.ended(completion) if lease.item.kind is Kind.SWEEP else completion)

    def _outcome(self, completion: Completion) -> PageOutcome:
        served = self._runs.get(completion.lease.item.run)
        pointer = served is not None and served.is_pointer(completion.lease.item)
        return PageOutcome(of_pointer(completion) if pointer else completion)

    async def _answered(self, lease: Lease, fetched: Fetched, hold: Hold | None) -> Completion:
        served = self._runs.get(lease.item.run)
        if served is None:
            # The run is being made ready anew; the request was sent, so its slot is used.
            return Completion(lease, Retry("run-renewed", 0.0))
        if lease.item.kind is Kind.RECHECK:
            return await revisited(
                served, lease, fetched, partial(self._discover, served), self._rendering(served, hold)
            )
        ended = broken_off(lease, fetched)
        if ended is None and lease.item.kind is Kind.ROBOTS:
            ended = await self._robots.answered(served, lease, fetched)
            return await swept.with_names(served, lease, fetched, ended) if swept.is_swept(served, lease) else ended
        ended = ended or unusable(lease, fetched, time()) or unsupported(lease, fetched)
        if ended is not None:
            return _bare(lease, ended)
        return await self._read(served, lease, fetched, hold)

    async def _read(self, served: ServedRun, lease: Lease, fetched: Fetched, hold: Hold | None) -> Completion:
        if served.is_pointer(lease.item):
            return await self._pointer(served, lease, fetched)
        if fetched.kind == "image" or fetched.digests is not None:
            return image_completion(lease, await examine_lease(served, lease, fetched))
        return await self._page(served, lease, fetched, hold)

    async def _page(self, served: ServedRun, lease: Lease, fetched: Fetched, hold: Hold | None) -> Completion:
        item = lease.item
        content = await self._discover(served, lease, fetched)
        if content.sketch is not None and is_guess(item):
            # A page in the place of a sitemap is what such a server says to everything.
            return Completion(lease, Skipped("no-sitemap"))
        rendered = Rendered(lease, content)
        if self._renderer is not None and item.kind in _RENDERED:
            answer = await self._renderer.render(served, lease, fetched, content, hold)
            if isinstance(answer, Retry):
                return Completion(lease, answer)
            rendered = answer
        lease, content = rendered.lease, rendered.content
        if hold is not None:
            hold.take(sum(len(image.body) for image in content.data_images))
        tally = Counter({f"rejected:{reason}": n for reason, n in content.rejected.items()})
        tally["pages"] += 1
        tally["truncated"] += fetched.truncated is not None
        tally.update(rendered.tally)
        content = await self._suspected(lease, content, tally)
        results = list(rendered.results)
        file = drawn(fetched)
        if file is not None:
            findings = await look_up(served, lease, file, len(fetched.body))
            results += findings.results
            tally.update(findings.tally)
        for image in content.data_images:
            findings = await examine(served, lease, image.body, f"{item.url}#data-{image.number}", item.url)
            results += findings.results
            tally.update(findings.tally)
            tally["data-images"] += 1
        found = _discovered(lease, content)
        return Completion(lease, Done(found, tuple(results), {name: n for name, n in tally.items() if n}))

    def _rendering(self, served: ServedRun, hold: Hold | None) -> Render | None:
        renderer = self._renderer
        if renderer is None:
            return None

        async def render(lease: Lease, fetched: Fetched, content: PageContent) -> tuple[Lease, PageContent, bool]:
            answer = await renderer.render(served, lease, fetched, content, hold)
            if isinstance(answer, Retry):
                return lease, content, False  # a visit is not tried again
            return answer.lease, answer.content, is_whole(answer.tally)

        return render

    async def _suspected(self, lease: Lease, content: PageContent, tally: Counter[str]) -> PageContent:
        """The content, its links marked when other pages said the same: they are worth less than those of others."""
        sketch = content.sketch
        if sketch is None or self._traps is None or lease.item.kind not in (Kind.PAGE, Kind.FEED):
            return content
        tally["soft-404"] += sketch.missing
        tally["consent-wall"] += sketch.wall
        try:
            marked = await repeated(self._traps, lease.item.run, lease.item.address, content)
        except RedisUnavailable:
            return content  # which is a hint the less, and no reason to ask for the page again
        tally["repeated-pages"] += marked is not None
        return marked or content

    async def _pointer(self, served: ServedRun, lease: Lease, fetched: Fetched) -> Completion:
        """A page outside the scope: its links, and nothing of the images in it."""
        if fetched.kind == "image" or fetched.digests is not None:
            return Completion(lease, Skipped(f"unsupported({fetched.kind})"))
        content = await self._discover(served, lease, fetched)
        tally = Counter({f"rejected:{reason}": n for reason, n in content.rejected.items()})
        tally.update({"pages": 1, "links": len(content.candidates), "data-images": len(content.data_images)})
        tally["truncated"] += fetched.truncated is not None
        return Completion(lease, Done(_discovered(lease, content), tally=dict(tally)))

    async def _discover(self, served: ServedRun, lease: Lease, fetched: Fetched) -> PageContent:
        most = _FEED_FACTOR * self._most if lease.item.kind is Kind.FEED else self._most
        arguments = (fetched.body, fetched.header("Content-Type"), lease.item.url, fetched.headers, most)
        files = served.campaign.limits.digest_only
        if len(fetched.body) <= _QUICK:
            return discover(*arguments, files=files)
        # A page of megabytes takes seconds; in a thread it takes them from the event loop in slices only.
        return await asyncio.to_thread(discover, *arguments, files=files)


def _discovered(lease: Lease, content: PageContent) -> Discovered | None:
    if not content.candidates:
        return None
    return Discovered(content.candidates, lease.item.depth + 1, lease.item.url)


async def examine_lease(served: ServedRun, lease: Lease, fetched: Fetched) -> Findings:
    """Look at the image that a lease's own URL answered with, or look up the digests of a file."""
    if fetched.digests is not None:
        return await look_up(served, lease, fetched.digests, fetched.digested_bytes)
    return await examine(served, lease, fetched.body, lease.item.url, lease.item.referrer)


def of_pointer(completion: Completion) -> Completion:
    """The end of a pointer's lease under counters of their own: each begins with "pointer:"."""
    outcome = completion.outcome
    if not isinstance(outcome, Done | Failed | Skipped):
        return completion
    tally = {f"pointer:{name}": n for name, n in outcome.tally.items() if n}
    if not isinstance(outcome, Done):
        tally[f"pointer:{'failed' if isinstance(outcome, Failed) else 'skipped'}"] = 1
    return completion._replace(outcome=replace(outcome, tally=tally))


def _bare(lease: Lease, ended: Completion) -> Completion:
    """An end without a body, as those count it that were only looked for there."""
    if lease.item.kind is Kind.SWEEP:
        return swept.ended(ended)
    return no_sitemap(ended) if is_guess(lease.item) else ended


def image_completion(lease: Lease, findings: Findings) -> Completion:
    """The end of a lease whose answer was looked at. Undecodable is not clean: it has failed, for a reason."""
    if findings.failure is not None:
        return Completion(lease, Failed(findings.failure, findings.results, findings.tally))
    return Completion(lease, Done(None, findings.results, findings.tally))
