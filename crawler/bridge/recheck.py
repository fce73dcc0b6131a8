"""Visits of URLs that stand in a notice: one answer each, whatever it is, sealed to the recorder as hits are.

A visit is not tried again by the frontier: when the next one is due is for the schedule of re-visits to say. A redirect
goes back into the frontier like any other, so that politeness and scope hold where it leads to. So does the page that
showed an image which its URL does not have any more, and what images that page shows now: the depth of a lease tells
the three apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from time import time

from crawler.bridge.examine import drawn
from crawler.bridge.outcomes import broken_off, unsupported, unusable
from crawler.bridge.runs import ServedRun
from crawler.frontier.base import Completion
from crawler.match.names import state_name
from crawler.recheck.outcome import NOT_RENDERED, PAGE_DEPTH, is_missed
from crawler.records import (
    Candidate,
    DataImage,
    Discovered,
    Done,
    Failed,
    Fetched,
    FoundImage,
    FrontierUrl,
    Kind,
    Lease,
    Outcome,
    PageContent,
    RecheckReport,
    Rekind,
    Retry,
    Skipped,
)
from crawler.render.strip import stripped, together
from crawler.render.wanted import wanted

MOST_INLINE = 512
"""`data:` images of one page that are looked at."""
MOST_SHOWN = 256
"""Images that a page names, of which it is looked at whether they are what was missed."""

Discover = Callable[[Lease, Fetched], Awaitable[PageContent]]
Render = Callable[[Lease, Fetched, PageContent], Awaitable[tuple[Lease, PageContent, bool]]]
"""The lease as it is then, what the page shows, and whether it was rendered to its end."""


def asked_as(item: FrontierUrl) -> Kind:
    """What a request says that it wants: of a page that is looked through for an image, a page."""
    return Kind.PAGE if item.kind is Kind.RECHECK and item.depth == PAGE_DEPTH else item.kind


async def revisited(
    served: ServedRun, lease: Lease, fetched: Fetched, discover: Discover, render: Render | None = None
) -> Completion:
    """The end of a visit that was answered. Raises SandboxUnavailable: it was not looked at.

    render: what a page made by script shows; None: there is no browser.
    """
    ended = broken_off(lease, fetched) or unusable(lease, fetched, time()) or unsupported(lease, fetched)
    if ended is not None:
        return _reported(served, ended)
    if fetched.digests is not None:
        # A file that nobody looks into: it is another one, or it is still there.
        looked_up = await served.sandbox.look_up(fetched.digests, fetched.digested_bytes)
        return _visited(served, lease, "image", () if looked_up.found is None else (looked_up.found,))
    drawing = drawn(fetched)
    if drawing is not None:
        looked_up = await served.sandbox.look_up(drawing, len(fetched.body))
        if looked_up.found is not None:
            return _visited(served, lease, "image", (looked_up.found,))
    if fetched.kind == "image":
        answer = await served.sandbox.examine(fetched.body)
        name = "image" if answer.decoded else "undecodable"
        found = () if answer.found is None else (answer.found,)
        return _visited(served, lease, name, found)
    content = await discover(lease, fetched)
    name = "page"
    if wanted(served.campaign.limits.render, fetched.body, content):
        lease, content, name = await _as_shown(lease, fetched, content, render)
    return await _page(served, lease, fetched, content, name)


def unreached(served: ServedRun, completion: Completion) -> Completion:
    """The end of a visit without an answer; one whose request was not sent stays as it is, and comes back."""
    return completion if completion.outcome is None else _reported(served, completion)


async def _as_shown(
    lease: Lease, fetched: Fetched, content: PageContent, render: Render | None
) -> tuple[Lease, PageContent, str]:
    """A page made by script, as far as it could be rendered; a page in the place of an image is not looked through."""
    item = lease.item
    looked_through = item.depth == PAGE_DEPTH or (item.depth == 0 and item.referrer is None)
    if render is None or not looked_through:
        return lease, content, NOT_RENDERED
    lease, content, whole = await render(lease, fetched, content)
    return lease, content, "page" if whole else NOT_RENDERED


async def _page(served: ServedRun, lease: Lease, fetched: Fetched, content: PageContent, name: str) -> Completion:
    # A crawl that renders the page looks at what stands in the text of its scripts as well.
    inside = (await asyncio.to_thread(stripped, fetched.body, fetched.header("Content-Type")))[1]
    inline = [
        (image, found)
        for image in together(content.data_images, inside)[:MOST_INLINE]
        if (found := (await served.sandbox.examine(image.body)).found) is not None
    ]
    if lease.item.depth < PAGE_DEPTH:
        return _visited(served, lease, name, tuple(found for _, found in inline), content)
    results = [_seal(served, lease, name, ()), *(_seal_inline(served, lease, *each) for each in inline)]
    shown = _shown(lease.item, content) if lease.item.depth == PAGE_DEPTH else None
    return Completion(lease, Done(shown, tuple(results), {"looks": 1}))


def _reported(served: ServedRun, completion: Completion) -> Completion:
    """The same end with the report of it; a redirect that goes on has none yet."""
    lease, outcome = completion.lease, completion.outcome
    if isinstance(outcome, Done) and outcome.discovered is not None:
        return completion._replace(outcome=replace(outcome, discovered=_traceable(lease.item, outcome.discovered)))
    name = _name(outcome)
    if lease.item.depth > PAGE_DEPTH:
        return completion._replace(outcome=Failed(name, (), {"looks": 1}))
    results = (_seal(served, lease, name, ()),)
    if lease.item.depth == PAGE_DEPTH:
        return completion._replace(outcome=Failed(name, results, {"looks": 1}))
    elsewhere = _elsewhere(lease.item, name)
    # The frontier follows up what was done; that the URL failed is in the report.
    done = Done(elsewhere, results, {"rechecks": 1}) if elsewhere else Failed(name, results, {"rechecks": 1})
    return completion._replace(outcome=done)


def _visited(
    served: ServedRun, lease: Lease, answer: str, found: tuple[FoundImage, ...], content: PageContent | None = None
) -> Completion:
    """content: of a page in the place of an image, or around it."""
    if lease.item.depth >= PAGE_DEPTH:
        # An image of a page that was looked at; of one that does not match nothing is told.
        results = (_seal(served, lease, answer, found),) if found else ()
        return Completion(lease, Done(None, results, {"looks": 1}))
    elsewhere = None if found else _elsewhere(lease.item, answer, content)
    return Completion(lease, Done(elsewhere, (_seal(served, lease, answer, found),), {"rechecks": 1}))


def _elsewhere(item: FrontierUrl, answer: str, content: PageContent | None = None) -> Discovered | None:
    """Where to look for an image that was missed at its URL: the page that showed it, or this very one."""
    if not is_missed(answer, _target(item)):
        return None
    if item.referrer is not None:
        return Discovered((Candidate(item.referrer, Kind.RECHECK, "missed", 1),), PAGE_DEPTH)
    return None if content is None else _shown(item, content)


def _shown(item: FrontierUrl, content: PageContent) -> Discovered | None:
    urls = dict.fromkeys(each.url for each in content.candidates if each.kind is Kind.IMAGE)
    candidates = tuple(Candidate(url, Kind.RECHECK, "shown", 2) for url in list(urls)[:MOST_SHOWN])
    # Only a page that was redirected is not the referrer by which its hits are known.
    via = item.via[:1]
    return Discovered(candidates, PAGE_DEPTH + 1, item.url, via) if candidates else None


def _traceable(item: FrontierUrl, found: Discovered) -> Discovered:
    """A redirect of a page's image keeps the page at the head of its way, as that of a visited URL keeps that URL."""
    if item.depth > PAGE_DEPTH and not item.via and item.referrer is not None:
        return replace(found, via=(item.referrer, *found.via))
    return found


def _target(item: FrontierUrl) -> str:
    """What was to be visited; of what is looked at on a page, that page."""
    if item.via:
        return item.via[0]
    return item.referrer or item.url if item.depth > PAGE_DEPTH else item.url


def _name(outcome: Outcome | None) -> str:
    match outcome:
        case Failed() | Skipped() | Retry():
            return outcome.reason
        case Done():
            return next(iter(outcome.tally), "nothing")
        case Rekind() | None:
            return "nothing"


def _seal_inline(served: ServedRun, lease: Lease, image: DataImage, found: FoundImage) -> bytes:
    return _seal(served, lease, "image", (found,), f"#data-{image.number}")


def _seal(served: ServedRun, lease: Lease, answer: str, found: tuple[FoundImage, ...], mark: str = "") -> bytes:
    """mark: of an image inside of the page that answered."""
    item, target = lease.item, _target(lease.item)
    look = item.depth >= PAGE_DEPTH
    text = f"recheck\0{item.run}\0{target}" + (f"\0{item.url}{mark}" if look else "")
    return served.sealer.seal(
        RecheckReport(
            serial=blake2b(text.encode(), digest_size=16).hexdigest(),
            run=item.run,
            target=target,
            url=item.url + mark,
            checked_at=time(),
            address=item.address,
            index=state_name(served.sandbox.index, served.sandbox.number),
            answer=answer,
            found=found,
            look=look,
        )
    )
