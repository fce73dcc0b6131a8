"""What the browser gets of the web, for one page: parts by errands, images only by their size.

An image that is to be shown becomes a URL of the campaign like any other, at once, and ahead of others: an image lane
fetches it, in this worker or another, and hands it to the sandbox. What comes here is how large it is.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from crawler.bridge.errands import Errands, Tenure
from crawler.bridge.examine import Findings, examine
from crawler.bridge.partcache import PartCache
from crawler.bridge.runs import ServedRun
from crawler.bridge.sizes import AWAITED, SizeBoard
from crawler.discover.acts import acts
from crawler.errors import RedisUnavailable, SandboxUnavailable
from crawler.fetch.failures import Disposition, http_outcome
from crawler.frontier.base import Frontier
from crawler.records import Candidate, DataImage, Discovered, Fetched, Kind, Rejected
from crawler.render.blank import DEFAULT, Size, blank, size_of
from crawler.render.page import For, Part
from crawler.render.strip import stripped
from crawler.urls import canonical

_HOPS: Final = 5
_KINDS: Final = {For.SCRIPT: Kind.PART, For.DATA: Kind.PART, For.SHEET: Kind.SHEET, For.FRAME: Kind.PAGE}
_KEPT: Final = 67_108_864
"""Bytes of a page's images that are kept until somebody looks at them."""
_SHARED: Final = frozenset({For.SCRIPT, For.SHEET})
"""What many pages have in common, so that it is asked for once for all of them."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all doors of a worker have in common."""

    frontier: Frontier
    errands: Errands
    sizes: SizeBoard
    cache: PartCache


@dataclass(slots=True)
class Seen:
    """What of a page's images was looked at here, since it came in answers to scripts. results: sealed.

    bodies: images that somebody else looks at.
    """

    results: list[bytes] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    bodies: dict[bytes, None] = field(default_factory=dict, repr=False)


class PageDoor:
    """One per rendering; a `render.page.Door`. failure: why an image in an answer could not be looked at.

    most: requests for parts, of which each hop of a redirect is one.
    """

    def __init__(self, means: Means, served: ServedRun, tenure: Tenure, most: int) -> None:
        self._frontier = means.frontier
        self._errands = means.errands
        self._sizes = means.sizes
        self._cache = means.cache
        self._served = served
        self._tenure = tenure
        self._left = most
        self.seen = Seen()
        self.failure: SandboxUnavailable | None = None

    async def image(self, url: str) -> Size | Rejected:
        """As in `Door`."""
        item = self._tenure.lease.item
        target = self._target(url, item.url)
        if isinstance(target, Rejected):
            return target
        if not self._sizes.knows(target):
            found = Discovered((Candidate(target, Kind.IMAGE, "rendered", AWAITED),), item.depth + 1, item.url)
            with suppress(RedisUnavailable):  # it is among the candidates of the page all the same
                await self._frontier.offer(item.run, [found])
        return await self._sizes.size(target)

    async def part(self, url: str, what: For) -> Part | Rejected:
        """As in `Door`."""
        key = self._served.run, url
        if what in _SHARED and (known := self._cache.get(key)) is not None:
            return known
        try:
            fetched = await self._fetched(url, _KINDS[what])
        except RedisUnavailable:
            return Rejected("render-redis")
        if isinstance(fetched, Rejected):
            return fetched
        try:
            part = await self._part(fetched)
        except SandboxUnavailable as error:
            # In the browser's driver nobody would hear of it.
            self.failure = error
            return Rejected("render-sandbox")
        if isinstance(part, Part) and what in _SHARED and part.status == 200:
            self._cache.put(key, part)
        return part

    async def _fetched(self, url: str, kind: Kind) -> Fetched | Rejected:
        base = self._tenure.lease.item.url
        for _ in range(_HOPS):
            target = self._target(url, base)
            if isinstance(target, Rejected):
                return target
            if self._left <= 0:
                return Rejected("render-parts")
            self._left -= 1
            fetched = await self._errands.get(self._served, self._tenure, target, kind)
            if isinstance(fetched, Rejected):
                return fetched
            if fetched.location is None or http_outcome(fetched.status).disposition is not Disposition.REDIRECT:
                return replace(fetched, url=target)
            url = fetched.location
        return Rejected("render-redirects")

    def _target(self, url: str, base: str) -> str | Rejected:
        target = canonical(url, base)
        if isinstance(target, str) and acts(target, self._tenure.lease.item.url):
            return Rejected("render-acts")
        return target

    async def _part(self, fetched: Fetched) -> Part | Rejected:
        """An answer without its images, which were looked at. Raises SandboxUnavailable."""
        if fetched.skipped_body is not None or fetched.digests is not None:
            return Rejected("render-unsupported")
        if fetched.truncated is not None:
            return Rejected(f"render-{fetched.truncated}")
        if fetched.kind == "image":
            self._count(await self._examined(fetched, fetched.body, fetched.url))
            size = size_of(fetched.body) or DEFAULT
            others = tuple(pair for pair in fetched.headers if pair[0].lower() != "content-type")
            return Part(fetched.status, (*others, ("Content-Type", "image/png")), blank(size))
        body, images, rejected = await asyncio.to_thread(stripped, fetched.body, fetched.header("Content-Type"))
        self.seen.tally.update({f"rejected:{reason}": n for reason, n in rejected.items()})
        await self.examine_all(fetched, images)
        return Part(fetched.status, fetched.headers, body)

    async def examine_all(self, fetched: Fetched, images: Sequence[DataImage]) -> None:
        """Look at images that stood in a text. Raises SandboxUnavailable."""
        for image in images:
            self._count(await self._examined(fetched, image.body, f"{fetched.url}#data-{image.number}"))
            self.seen.tally["data-images"] += 1

    async def _examined(self, fetched: Fetched, body: bytes, image_url: str) -> Findings:
        lease = self._tenure.lease
        # A hit is at the address that handed the image out.
        shown = lease._replace(item=lease.item._replace(address=fetched.address, via=()))
        if self._tenure.hold is not None:
            self._tenure.hold.take(len(body))
        return await examine(self._served, shown, body, image_url, lease.item.url)

    def _count(self, findings: Findings) -> None:
        self.seen.results += findings.results
        self.seen.tally.update(findings.tally)


class LookDoor(PageDoor):
    """Of a page that is looked through once more: its images are for whoever looks, and no URLs of a campaign."""

    async def image(self, url: str) -> Size | Rejected:
        """As in `Door`, of a size that nobody asks for."""
        target = self._target(url, self._tenure.lease.item.url)
        return target if isinstance(target, Rejected) else DEFAULT

    async def _examined(self, fetched: Fetched, body: bytes, image_url: str) -> Findings:
        del fetched, image_url
        if sum(map(len, self.seen.bodies)) + len(body) > _KEPT:
            self.seen.tally["render-cut(images)"] += 1
            return Findings()
        if self._tenure.hold is not None:
            self._tenure.hold.take(len(body))
        self.seen.bodies[body] = None
        return Findings()
