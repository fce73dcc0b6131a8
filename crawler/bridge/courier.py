"""Sends the request of a lease: in its slot, to its address, if robots.txt allows. Nothing else leaves a worker."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from crawler.bridge.rules import product_token, unpack_rules
from crawler.bridge.runs import RunBook, ServedRun
from crawler.bus.stops import StopKind
from crawler.fetch.headers import request_headers
from crawler.fetch.robots import RobotsRules
from crawler.frontier.base import Frontier
from crawler.ranges import politeness_key
from crawler.records import Failed, Fetched, FetchFailed, FetchOrder, Kind, Lease, Skipped
from crawler.urls import parts

_RULES_KEPT = 1_024
_SLOTS = 5
_STOPPED_PAUSE = 1.0
"""Seconds for which a stopped address is not claimed again; after a stop is lifted, so long may pass."""


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request did not leave in time, was stopped, or its run is not served here: the lease is given back."""


Sent = Fetched | FetchFailed | Failed | Skipped | Unsent


class _Gate:
    """Asked when the connection stands: sends within the lease's slot, or takes another one and waits for it."""

    def __init__(self, frontier: Frontier, runs: RunBook, lease: Lease) -> None:
        self._frontier = frontier
        self._runs = runs
        self._lease: Lease | None = lease

    async def ready(self) -> bool:
        """Whether to send now."""
        loop = asyncio.get_running_loop()
        for _ in range(_SLOTS):
            if self._lease is None:
                return False
            await _until(self._lease.not_before)
            if not self._runs.is_running(self._lease.item.run):
                return False
            if loop.time() <= self._lease.send_by:
                return True
            self._lease = await self._frontier.reslot(self._lease)
        return False


async def _until(moment: float) -> None:
    if (wait := moment - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(wait)


@dataclass(slots=True)
class _Flight:
    """A lease between being taken up and its answer. aborted: by a stop."""

    lease: Lease
    aborted: bool = False


class Courier:
    """One per worker, for both lanes. max_page_bytes: cap on what is not an image."""

    def __init__(self, frontier: Frontier, runs: RunBook, max_page_bytes: int) -> None:
        self._frontier = frontier
        self._runs = runs
        self._max_page_bytes = max_page_bytes
        self._rules: OrderedDict[tuple[int, str], RobotsRules | Failed] = OrderedDict()
        self._flights: dict[asyncio.Task[object], _Flight] = {}

    async def send(self, lease: Lease) -> Sent:
        """Wait for the slot and send, unless a stop forbids it. Raises RedisUnavailable: nothing was sent."""
        stop = self._runs.stops.forbids(lease.item.url, lease.item.address)
        if stop is not None:
            if stop is StopKind.PREFIX:
                await self._frontier.block(politeness_key(lease.item.address), _STOPPED_PAUSE)
            return Unsent()
        task = asyncio.current_task()
        assert task is not None, "a request is sent from a task"
        flight = self._flights[task] = _Flight(lease)
        try:
            return await self._send(lease)
        except asyncio.CancelledError:
            if not flight.aborted or task.cancelling() > 1:
                raise
            return Unsent()
        finally:
            del self._flights[task]
            if flight.aborted:
                task.uncancel()

    def abort_stopped(self) -> None:
        """End what is under way and forbidden by a stop by now: connections close, and the URLs are given back."""
        stops = self._runs.stops
        for task, flight in self._flights.items() if stops else ():
            item = flight.lease.item
            if not flight.aborted and stops.forbids(item.url, item.address) is not None:
                flight.aborted = True
                task.cancel()

    async def _send(self, lease: Lease) -> Sent:
        served = self._runs.get(lease.item.run)
        if served is None:
            # A run that was announced a moment ago, or one that is gone for good: the control records know.
            await self._runs.refresh()
            if not self._runs.is_known(lease.item.run):
                return Failed("run-lost")
            served = self._runs.get(lease.item.run)
        if served is None or not self._runs.is_running(lease.item.run):
            return Unsent()
        objection = await self._objection(lease, served)
        if objection is not None:
            return objection
        await _until(lease.not_before)
        gate = _Gate(self._frontier, self._runs, lease)
        answer = await served.fetcher.fetch(self._order(lease, served, gate))
        return Unsent() if isinstance(answer, FetchFailed) and answer.reason == "late" else answer

    def _order(self, lease: Lease, served: ServedRun, gate: _Gate) -> FetchOrder:
        item, campaign = lease.item, served.campaign
        headers = request_headers(
            item.kind,
            item.url,
            user_agent=campaign.identity.user_agent,
            contact=campaign.identity.contact,
            referrer=item.referrer,
        )
        return FetchOrder(
            url=item.url,
            address=item.address,
            headers=headers,
            # What comes back may be an image or a page on either lane; the fetcher's own caps go by what it is.
            max_bytes=max(campaign.limits.max_image_bytes, self._max_page_bytes),
            deadline=lease.expires,
            # A page that breaks off still has links; of an image, half is better than none once it was tried again.
            allow_partial=not item.kind.on_image_lane or item.attempts > 0,
            ready=gate.ready,
        )

    async def _objection(self, lease: Lease, served: ServedRun) -> Failed | Skipped | Unsent | None:
        """Why a URL may not be asked for: its host left the scope, or what its robots.txt says."""
        url = parts(lease.item.url)
        if not served.scope.permits_port(url.port) or not served.scope.judge_host_name(url.host).in_scope:
            return Skipped("out-of-scope")
        limits, identity = served.campaign.limits, served.campaign.identity
        if lease.item.kind is Kind.ROBOTS or limits.robots != "obey":
            return None
        rules = await self._robots(lease)
        if rules is None:
            return Unsent()  # every queue has rules; without them its run is gone
        if isinstance(rules, Failed):
            return rules
        return None if rules.allows(lease.item.url, product_token(identity.user_agent)) else Skipped("robots")

    async def _robots(self, lease: Lease) -> RobotsRules | Failed | None:
        key = lease.partition, lease.queue
        if key in self._rules:
            self._rules.move_to_end(key)
            return self._rules[key]
        stored = await self._frontier.robots_rules(lease)
        if stored is None:
            return None
        self._rules[key] = unpack_rules(stored)
        while len(self._rules) > _RULES_KEPT:
            self._rules.popitem(last=False)
        return self._rules[key]
