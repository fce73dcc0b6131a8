"""Requests that a page's script makes while the page is rendered: each waits for its slot like any other request.

They are sent by the courier, so scope, stops, robots.txt, sessions and pinning hold as everywhere. At the page's own
address they use the page's lease, one after the other, each in another slot of it; elsewhere the frontier gives a
lease for a visit. What another host permits is asked for first.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from random import uniform
from time import time
from typing import Final
from weakref import WeakValueDictionary

from crawler.bridge.answers import Answered, Sent, Unsent
from crawler.bridge.courier import Courier
from crawler.bridge.hostmemory import MAX_BYTES
from crawler.bridge.outcomes import pause
from crawler.bridge.places import OUT_OF_SCOPE, Places
from crawler.bridge.rules import crawl_delay, pack_rules, pack_unreachable, unpack_rules
from crawler.bridge.runs import ServedRun
from crawler.fetch.budget import Hold
from crawler.fetch.robots import RobotsRules, parse_robots
from crawler.frontier.base import Completion, Frontier, HostFacts, Limits
from crawler.ranges import politeness_key
from crawler.records import Done, Failed, Fetched, FetchFailed, Kind, Lease, Rejected, RunId, Skipped
from crawler.urls import canonical, parts

_ROBOTS_KEPT: Final = 1_000
ROBOTS_HOPS: Final = 5
"""Redirects of one robots.txt that are followed (RFC 9309, 2.3.1.2)."""
_ROBOTS_LIFE: Final = 3_600.0
_BUSY_PAUSE: Final = (0.05, 0.15)
"""Seconds between two questions for a place, by chance: a busy address gives its places away at even intervals, and who
asks at even intervals as well may never meet a moment between them."""
_SLOTS: Final = 5
"""Of the page's lease for one request, where others of its streak have its places."""
_SPARE: Final = 10.0
"""Seconds of a lease that are kept for what comes after the rendering."""
_Key = tuple[RunId, str]
"""A run and an origin."""


@dataclass(frozen=True, slots=True)
class _Errand:
    """One request. rules: what another host than the page's permits, packed; None: the page's own, or robots.txt."""

    url: str
    kind: Kind
    address: str
    rules: bytes | None


@dataclass(slots=True)
class Tenure:
    """The lease of a page that is being rendered, kept alive. ends: monotonic seconds at which the rendering is over.

    resting: addresses that asked for a pause, so that this page asks nothing more there.
    """

    lease: Lease
    ends: float
    hold: Hold | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    resting: set[str] = field(default_factory=set)

    @property
    def politeness(self) -> str:
        return politeness_key(self.lease.item.address)

    async def renew(self, frontier: Frontier) -> bool:
        """Take another slot, and with it another life of the lease. False: the lease is lost."""
        again = await frontier.reslot(self.lease)
        if again is None:
            return False
        self.lease = again
        return True

    async def lasts(self, frontier: Frontier, seconds: float) -> bool:
        """Whether the lease goes on for so long; it is renewed for that."""
        left = self.lease.expires - asyncio.get_running_loop().time()
        return left > seconds + _SPARE or await self.renew(frontier)


class Errands:
    """One per worker."""

    def __init__(self, frontier: Frontier, courier: Courier, places: Places) -> None:
        self._frontier = frontier
        self._courier = courier
        self._places = places
        self._robots: OrderedDict[_Key, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._asking: WeakValueDictionary[_Key, asyncio.Lock] = WeakValueDictionary()

    async def get(self, served: ServedRun, tenure: Tenure, url: str, kind: Kind) -> Fetched | Rejected:
        """The answer to a GET request for a canonical URL. Raises RedisUnavailable."""
        item = tenure.lease.item
        target, own = parts(url), parts(item.url)
        if target.origin == own.origin:
            # A Crawl-delay is kept by the frontier between URLs; the requests of one page would break it.
            if await self._own_delay(served, tenure.lease) > 0:
                return Rejected("render-crawl-delay")
            return await self._ask(served, tenure, _Errand(url, kind, item.address, None))
        placed = await self._places.place(served, target.host, target.port, last=True)
        if placed.address is None:
            return Rejected(placed.skip or "dns-timeout")
        rules = await self._rules(served, tenure, target.origin)
        if isinstance(rules, Rejected):
            return rules
        return await self._ask(served, tenure, _Errand(url, kind, placed.address, rules))

    async def _own_delay(self, served: ServedRun, lease: Lease) -> float:
        rules = (await self._courier.hosts.host(lease)).rules
        return crawl_delay(rules, served.campaign) if isinstance(rules, RobotsRules) else 0.0

    async def _rules(self, served: ServedRun, tenure: Tenure, origin: str) -> bytes | Rejected:
        """What another host permits, as `rules.py` packs it, remembered for an hour. One part asks for all that wait
        for it; when it cannot, the next one does."""
        key = served.run, origin
        packed: bytes | Rejected | None = self._known(key)
        if packed is None:
            async with self._asking.setdefault(key, asyncio.Lock()):
                packed = self._known(key) or await self._asked(served, tenure, origin)
        if isinstance(packed, Rejected):
            return packed
        rules = unpack_rules(packed)
        if isinstance(rules, RobotsRules) and crawl_delay(rules, served.campaign) > 0:
            return Rejected("render-crawl-delay")
        return packed

    def _known(self, key: _Key) -> bytes | None:
        ends, packed = self._robots.get(key, (0.0, b""))
        return packed if ends > asyncio.get_running_loop().time() else None

    async def robots_txt(self, served: ServedRun, tenure: Tenure, url: str, hops: int = ROBOTS_HOPS) -> Sent | Rejected:
        """The answer to a request for a robots.txt, wherever in the scope its redirects lead. Raises RedisUnavailable.

        hops: redirects that are followed at the most. A redirect is the answer where it is one too many, or leads to
        what lies out of the scope; Rejected by `Places`' reason where the first URL does, or where one has no address.
        """
        sent: Sent | Rejected | None = None
        for left in range(hops, -1, -1):
            target = parts(url)
            placed = await self._places.place(served, target.host, target.port, last=True)
            if placed.address is None:
                reason = placed.skip or "dns-timeout"
                return sent if sent is not None and reason == OUT_OF_SCOPE else Rejected(reason)
            sent = await self._send(served, tenure, _Errand(url, Kind.ROBOTS, placed.address, None))
            moved = _moved(url, sent)
            if moved is None or not left:
                break
            url = moved
        assert sent is not None
        return sent

    async def _asked(self, served: ServedRun, tenure: Tenure, origin: str) -> bytes | Rejected:
        sent = await self.robots_txt(served, tenure, f"{origin}/robots.txt")
        if isinstance(sent, Rejected):
            return sent
        if isinstance(sent, Unsent | Skipped | Failed):
            return Rejected("render-unsent")
        packed = _packed(sent)
        self._keep((served.run, origin), packed)
        return packed

    def _keep(self, key: _Key, packed: bytes) -> None:
        _, old = self._robots.pop(key, (0.0, b""))
        self._bytes += len(packed) - len(old)
        self._robots[key] = asyncio.get_running_loop().time() + _ROBOTS_LIFE, packed
        while len(self._robots) > 1 and (len(self._robots) > _ROBOTS_KEPT or self._bytes > MAX_BYTES):
            _, (_, oldest) = self._robots.popitem(last=False)
            self._bytes -= len(oldest)

    async def _ask(self, served: ServedRun, tenure: Tenure, errand: _Errand) -> Fetched | Rejected:
        sent = await self._send(served, tenure, errand)
        match sent:
            case Answered():
                return sent.fetched
            case Unsent():
                return Rejected("render-unsent")
            case Rejected():
                return sent
            case FetchFailed() | Failed() | Skipped():
                return Rejected(sent.reason)

    async def _send(self, served: ServedRun, tenure: Tenure, errand: _Errand) -> Sent | Rejected:
        if politeness_key(errand.address) in tenure.resting:
            return Rejected("render-rests")
        if politeness_key(errand.address) == tenure.politeness:
            # One at a time: the page's lease has one place in flight.
            async with tenure.lock:
                sent = await self._in_tenure(served, tenure, errand)
                await self._rest(tenure, errand, sent)
                return sent
        lease = await self._visit(served, tenure, errand)
        if lease is None:
            return Rejected("render-busy")
        # Whoever breaks off may do so after it was sent: then its slot is used.
        ended = Completion(lease, Done())
        try:
            outcome = await self._through(served, tenure, errand, lease)
            ended = _ended(lease, outcome)
        finally:
            await self._frontier.complete([ended])
        await self._rest(tenure, errand, outcome)
        return outcome

    async def _in_tenure(self, served: ServedRun, tenure: Tenure, errand: _Errand) -> Sent | Rejected:
        """In a slot of the page's lease, and in another one where others of its streak had all places until then."""
        sent: Sent | Rejected = Rejected("render-busy")
        for _ in range(_SLOTS):
            if not await tenure.renew(self._frontier):
                return Rejected("render-lease-lost")
            sent = await self._through(served, tenure, errand, tenure.lease)
            if not (isinstance(sent, Unsent) and sent.missed):
                break
        return sent

    async def _through(self, served: ServedRun, tenure: Tenure, errand: _Errand, slot: Lease) -> Sent | Rejected:
        if slot.not_before >= tenure.ends:
            return Rejected("render-no-slot")
        page = tenure.lease.item
        item = page._replace(url=errand.url, kind=errand.kind, address=errand.address, referrer=page.url, via=())
        lease = slot._replace(item=item)
        if errand.rules is not None:
            # Of another host than the lease's: what is known of it is known here.
            lease = lease._replace(queue=f"render {served.run} {parts(errand.url).origin}")
            self._courier.hosts.introduce(lease, HostFacts(errand.rules))
        return await self._courier.send(lease, tenure.hold)

    async def _visit(self, served: ServedRun, tenure: Tenure, errand: _Errand) -> Lease | None:
        """A lease at another address, as soon as there is one; None when the rendering is over before that."""
        key = politeness_key(errand.address)
        rate, concurrency = served.campaign.limits_for(key)
        item = tenure.lease.item._replace(url=errand.url, kind=errand.kind, address=errand.address)
        loop = asyncio.get_running_loop()
        while (left := tenure.ends - loop.time()) > 0:
            lease = await self._frontier.visit(item, key, Limits(rate, concurrency), left)
            if lease is not None:
                return lease
            await asyncio.sleep(uniform(*_BUSY_PAUSE))
        return None

    async def _rest(self, tenure: Tenure, errand: _Errand, sent: Sent | Rejected) -> None:
        """An address that is in trouble is left alone, by everybody as long as it says and by this page for good."""
        if isinstance(sent, Answered) and (seconds := pause(tenure.lease, sent.fetched, time())) > 0:
            key = politeness_key(errand.address)
            tenure.resting.add(key)
            await self._frontier.block(key, seconds)


def _moved(url: str, sent: Sent | Rejected) -> str | None:
    """Where a robots.txt has moved to."""
    if not isinstance(sent, Answered) or not 300 <= sent.fetched.status < 400 or sent.fetched.location is None:
        return None
    target = canonical(sent.fetched.location, url)
    return target if isinstance(target, str) else None


def _packed(sent: Answered | FetchFailed) -> bytes:
    """As `pages.py` takes a robots.txt. One that moves on and on counts as none."""
    if isinstance(sent, FetchFailed):
        return pack_unreachable(sent.reason)
    fetched = sent.fetched
    if fetched.status >= 500 or fetched.status == 429:
        return pack_unreachable(f"robots-http-{fetched.status}")
    moved = 300 <= fetched.status < 400
    return pack_rules(parse_robots(b"", 404) if moved else parse_robots(fetched.body, fetched.status))


def _ended(lease: Lease, sent: Sent | Rejected) -> Completion:
    """The end of a visit's lease: its slot is given back when nothing was sent."""
    if isinstance(sent, Answered):
        timings = sent.fetched.timings
        return Completion(lease, Done(), latency=None if timings is None else timings.header)
    return Completion(lease, Done(), unsent=not isinstance(sent, FetchFailed))
