"""Sends the request of a lease: in its slot, to its address, if robots.txt allows. Nothing else leaves a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from itertools import takewhile
from time import monotonic, time

from crawler.bridge.answers import Answered, Sent, Unsent
from crawler.bridge.cloaking import looks_refused, shows_more
from crawler.bridge.gate import Flight, Gate, Renewals, until
from crawler.bridge.hostmemory import Host, HostMemory
from crawler.bridge.outcomes import pause
from crawler.bridge.places import NOBODY_THERE, Places
from crawler.bridge.pointers import READABLE
from crawler.bridge.recheck import asked_as
from crawler.bridge.revisiting import Revisiting
from crawler.bridge.rules import product_token
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bridge.swept import CONNECT_SECONDS, is_swept
from crawler.bridge.turns import Turns
from crawler.bus.stops import StopKind
from crawler.errors import RedisUnavailable
from crawler.fetch.budget import Hold
from crawler.fetch.headers import request_headers
from crawler.fetch.robots import RobotsRules
from crawler.fetch.sniff import OPAQUE
from crawler.fetch.validators import NOTHING, Validators
from crawler.frontier.base import Frontier
from crawler.ranges import politeness_key
from crawler.records import Failed, Fetched, FetchFailed, FetchOrder, Kind, Lease, Skipped
from crawler.urls import parts

_STRETCH = 2.0
"""More than what slots are stretched by for the send window (docs/adr/0003)."""
_TO_COMPLETE = 5.0
"""Seconds before the end of a lease at which a second look is over, so that the first answer can still count."""
STOPPED_PAUSE = 1.0
"""Seconds for which a stopped host or address is not claimed again; after a stop is lifted, so long may pass."""


@dataclass(frozen=True, slots=True)
class _Asking:
    """Under which name a request is sent, and what is known already of what it asks for."""

    user_agent: str
    validators: Validators = NOTHING


class Courier:
    """One per worker, for both lanes. max_page_bytes: cap on what is not an image.

    revisiting: knows which images were clean on another night; None: nobody knows.
    """

    def __init__(
        self,
        frontier: Frontier,
        runs: RunBook,
        places: Places,
        max_page_bytes: int,
        revisiting: Revisiting | None = None,
    ) -> None:
        self._revisiting = revisiting
        self._frontier = frontier
        self._renewals = Renewals(frontier)
        self._turns = Turns()
        self._runs = runs
        self._places = places
        self._max_page_bytes = max_page_bytes
        self.hosts = HostMemory(frontier)
        self._flights: dict[asyncio.Task[object], Flight] = {}

    async def send(self, lease: Lease, hold: Hold | None = None) -> Sent:
        """Wait for the slot and send, unless a stop forbids it. Raises RedisUnavailable: nothing was sent.

        hold: the share that the answer's body has in a budget of bytes.
        """
        stop = self._runs.stops.forbids(lease.item.url, lease.item.address)
        if stop is not None:
            return await self._stopped(lease, stop)
        task = asyncio.current_task()
        assert task is not None, "a request is sent from a task"
        flight = self._flights[task] = Flight(lease, monotonic())
        try:
            return await self._send(flight, hold)
        except asyncio.CancelledError:
            if not flight.aborted or task.cancelling() > 1:
                raise
        finally:
            del self._flights[task]
            if flight.aborted:
                task.uncancel()
        if flight.sent:
            await self._use_up_slot(lease)
        return Unsent(park=STOPPED_PAUSE)

    def stalled(self, seconds: float) -> int:
        """Images that have been under way for so long."""
        since = monotonic() - seconds
        old = takewhile(lambda flight: flight.since < since, self._flights.values())
        return sum(flight.lease.item.kind.on_image_lane for flight in old)

    def abort_stopped(self) -> None:
        """End what is under way and forbidden by a stop by now: connections close, and the URLs are given back."""
        stops = self._runs.stops
        for task, flight in self._flights.items() if stops else ():
            item = flight.lease.item
            if not flight.aborted and stops.forbids(item.url, item.address) is not None:
                flight.aborted = True
                task.cancel()

    async def _stopped(self, lease: Lease, stop: StopKind) -> Unsent:
        """What is stopped waits, and does not come around with every claim."""
        if stop is StopKind.PREFIX:
            await self._frontier.block(politeness_key(lease.item.address), STOPPED_PAUSE)
        return Unsent(park=STOPPED_PAUSE if stop is StopKind.HOST else 0.0)

    async def _use_up_slot(self, lease: Lease) -> None:
        """A lease that is given back leaves its slot to another request. This one's was used: the other has to wait."""
        key, served = politeness_key(lease.item.address), self._runs.get(lease.item.run)
        rate = 1.0 if served is None else served.campaign.limits_for(key)[0]
        await self._frontier.block(key, max(STOPPED_PAUSE, _STRETCH / rate))

    async def _send(self, flight: Flight, hold: Hold | None) -> Sent:
        lease = flight.lease
        served = await self._served(lease)
        if isinstance(served, Failed | Unsent):
            return served
        url, scope = parts(lease.item.url), served.scope
        if not scope.permits_port(url.port) or not scope.judge_host_name(url.host).in_scope:
            return Skipped("out-of-scope")
        # A robots.txt is asked for before anything is known of its host, and says the same to everybody.
        host = None if lease.item.kind is Kind.ROBOTS else await self.hosts.host(lease)
        objection = None if host is None else _objection(lease, served, host)
        pointer = served.is_pointer(lease.item)
        if objection is not None and (pointer or served.campaign.limits.robots == "obey"):
            return objection
        known = NOTHING if self._revisiting is None else await self._revisiting.validators(served, lease)
        asking = _Asking(served.campaign.identity.user_agent, known)
        if not await self._turns.take(lease):
            return Unsent(missed=True)
        try:
            sent = await self._in_turn(flight, served, host, asking, hold)
        finally:
            self._turns.leave(lease)
        disallowed = isinstance(objection, Failed | Skipped)
        return replace(sent, disallowed=disallowed) if isinstance(sent, Answered) else sent

    async def _in_turn(
        self, flight: Flight, served: ServedRun, host: Host | None, asking: _Asking, hold: Hold | None
    ) -> Sent:
        lease = flight.lease
        await until(lease.not_before)
        if self._turns.is_closed(lease) or not self._runs.is_running(lease.item.run):
            return Unsent(missed=True)  # without a connection either
        order = self._order(lease, served, self._gate(flight), host, asking)
        url, pointer = parts(lease.item.url), served.is_pointer(lease.item)
        if pointer:
            order = replace(order, accept_bodies=READABLE, digest_bodies=frozenset())
            answer = await served.pointers.fetch(order, lease.item.kind, hold)
        else:
            answer = await served.fetcher.fetch(order, hold)
        if isinstance(answer, FetchFailed):
            if answer.reason in NOBODY_THERE and not url.is_address:
                await self._places.doubt(served, url.host, lease.item.address)
            return Unsent() if answer.reason == "late" else answer
        if (seconds := pause(lease, answer, time())) > 0:
            self._turns.close(lease, seconds)
        sent = Answered(answer, _learned(served, host, answer), conditional=asking.validators != NOTHING)
        if host is None or pointer or not _has_second_look(served, host, lease, answer):
            return sent
        return await self._second_look(flight, served, host, sent, hold)

    async def _second_look(
        self, flight: Flight, served: ServedRun, host: Host, first: Answered, hold: Hold | None
    ) -> Answered:
        """Ask once more under the campaign's second name, in another slot of the lease; what shows more counts."""
        ends = flight.lease.expires - _TO_COMPLETE
        try:
            again = await self._frontier.reslot(flight.lease)
            if again is None or again.send_by > ends:
                return first
            flight.lease = again
            await until(again.not_before)
            asking = _Asking(served.campaign.identity.second_user_agent)
            order = self._order(again, served, self._gate(flight), host, asking)
            second = await served.fetcher.fetch(replace(order, deadline=ends), hold)
        except RedisUnavailable:
            return first  # which was sent and answered, so that it counts
        if isinstance(second, FetchFailed) or not shows_more(first.fetched, second):
            return first
        return replace(first, fetched=second, session=_learned(served, host, second) or first.session, cloaked=True)

    def _gate(self, flight: Flight) -> Gate:
        return Gate(self._renewals, self._runs, self._turns, flight)

    async def _served(self, lease: Lease) -> ServedRun | Failed | Unsent:
        served = self._runs.get(lease.item.run)
        if served is None:
            # A run that was announced a moment ago, or one that is gone for good: the control records know.
            await self._runs.refresh()
            if not self._runs.is_known(lease.item.run):
                return Failed("run-lost")
            served = self._runs.get(lease.item.run)
        return Unsent() if served is None or not self._runs.is_running(lease.item.run) else served

    def _order(self, lease: Lease, served: ServedRun, gate: Gate, host: Host | None, asking: _Asking) -> FetchOrder:
        item, campaign = lease.item, served.campaign
        headers = request_headers(
            asked_as(item),
            item.url,
            user_agent=asking.user_agent,
            contact=campaign.identity.contact,
            referrer=item.referrer,
            cookies=host.cookies(item.url, time()) if host is not None and _keeps_sessions(served) else (),
            validators=asking.validators,
        )
        return FetchOrder(
            url=item.url,
            address=item.address,
            headers=headers,
            # What comes back may be an image or a page on either lane; the fetcher's own caps go by what it is.
            max_bytes=max(campaign.limits.max_image_bytes, self._max_page_bytes),
            deadline=lease.expires,
            digest_bodies=OPAQUE if campaign.limits.digest_only else frozenset(),
            # A page that breaks off still has links; of an image, half is better than none once it was tried again.
            allow_partial=not item.kind.on_image_lane or item.attempts > 0,
            connect=CONNECT_SECONDS if is_swept(served, lease) else None,
            ready=gate.ready,
        )


def _keeps_sessions(served: ServedRun) -> bool:
    return served.campaign.limits.session == "host"


def _learned(served: ServedRun, host: Host | None, answer: Fetched) -> bytes | None:
    """The host's session as it is now, None when the answer did not change it or none is kept."""
    return host.learn(answer, time()) if host is not None and _keeps_sessions(served) else None


def _has_second_look(served: ServedRun, host: Host, lease: Lease, answer: Fetched) -> bool:
    """Whether to ask once more under another name, which robots.txt has to allow as well."""
    name = served.campaign.identity.second_user_agent
    if not name or not looks_refused(lease.item.kind, answer):
        return False
    if served.campaign.limits.robots != "obey":
        return True
    return isinstance(host.rules, RobotsRules) and host.rules.allows(lease.item.url, product_token(name))


def _objection(lease: Lease, served: ServedRun, host: Host) -> Failed | Skipped | Unsent | None:
    """What robots.txt has against a URL."""
    if host.rules is None:
        return Unsent()  # every queue has rules; without them its run is gone
    if isinstance(host.rules, Failed):
        return host.rules
    token = product_token(served.campaign.identity.user_agent)
    return None if host.rules.allows(lease.item.url, token) else Skipped("robots")
