"""Sends the request of a lease: in its slot, to its address, if robots.txt allows. Nothing else leaves a worker."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

from crawler.bridge.rules import product_token, unpack_rules
from crawler.bridge.runs import RunBook, ServedRun
from crawler.fetch.headers import request_headers
from crawler.fetch.robots import RobotsRules
from crawler.frontier.base import Frontier
from crawler.records import Failed, Fetched, FetchFailed, FetchOrder, Kind, Lease, Skipped

_RULES_KEPT = 4_096


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request did not leave in time, or its run is not served here: the lease is given back."""


Sent = Fetched | FetchFailed | Failed | Skipped | Unsent


class Courier:
    """One per worker, for both lanes. max_page_bytes: cap on what is not an image."""

    def __init__(self, frontier: Frontier, runs: RunBook, max_page_bytes: int) -> None:
        self._frontier = frontier
        self._runs = runs
        self._max_page_bytes = max_page_bytes
        self._rules: OrderedDict[tuple[int, str], RobotsRules | Failed] = OrderedDict()

    async def send(self, lease: Lease) -> Sent:
        """Wait for the slot and send. Raises RedisUnavailable when the robots rules cannot be had."""
        served = self._runs.get(lease.item.run)
        if served is None:
            return Unsent()
        if lease.item.kind is not Kind.ROBOTS and (objection := await self._objection(lease, served)) is not None:
            return objection
        loop = asyncio.get_running_loop()
        if (wait := lease.not_before - loop.time()) > 0:
            await asyncio.sleep(wait)
        if loop.time() > lease.send_by:
            return Unsent()
        return await served.fetcher.fetch(self._order(lease, served))

    def _order(self, lease: Lease, served: ServedRun) -> FetchOrder:
        item, campaign = lease.item, served.campaign
        headers = request_headers(
            item.kind,
            item.url,
            user_agent=campaign.identity.user_agent,
            contact=campaign.identity.contact,
            referrer=item.referrer,
        )
        image = item.kind.on_image_lane
        most = campaign.limits.max_image_bytes if image else self._max_page_bytes
        # A page that breaks off still has links; of an image, half is better than none once it was tried again.
        partial = not image or item.attempts > 0
        return FetchOrder(item.url, item.address, headers, most, lease.expires, allow_partial=partial)

    async def _objection(self, lease: Lease, served: ServedRun) -> Failed | Skipped | None:
        """Why a URL may not be asked for, by what its host's robots.txt says."""
        if served.campaign.limits.robots != "obey":
            return None
        rules = await self._robots(lease)
        if rules is None or isinstance(rules, Failed):
            return rules
        token = product_token(served.campaign.identity.user_agent)
        return None if rules.allows(lease.item.url, token) else Skipped("robots")

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
