"""Pages outside the scope that a campaign names, to be read for links and for nothing else.

They have a fetcher of their own, which no other request can reach: it connects to the addresses that the DNS gives for
the hosts of those pages, and asks there for those pages and for robots.txt. The run's own fetcher stays within scope.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crawler.campaign import Campaign
from crawler.fetch.budget import Hold
from crawler.fetch.failures import failure
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.resolver import Resolver
from crawler.fetch.sniff import USABLE
from crawler.records import Fetched, FetchFailed, FetchOrder, Kind, Rejected, ScopeVerdict
from crawler.urls import parts

READABLE: Final = USABLE - {"image"}
"""Bodies that are read there. An image ends with its first bytes."""


class Pointers:
    """Those of one run; none when `scope.pointers` is "none".

    fetcher: makes the fetcher, given the guard that says which addresses it may connect to.
    """

    def __init__(self, campaign: Campaign, resolver: Resolver, fetcher: Callable[[Callable[[str], bool]], Fetcher]):
        named = campaign.seeds.pointers if campaign.scope.pointers == "pages" else ()
        self._pages = frozenset(named)
        self.hosts = frozenset(parts(url).host for url in named)
        self._rules = campaign.plain_rules()
        self._resolver = resolver
        self._open: dict[str, frozenset[str]] = {}
        self._fetcher = fetcher(self._permits) if named else None

    def has(self, url: str, kind: Kind) -> bool:
        """Whether this is one of the pages, or the robots.txt of a host of theirs."""
        if kind is Kind.PAGE:
            return url in self._pages
        if kind is not Kind.ROBOTS or not self.hosts:
            return False
        found = parts(url)
        return found.host in self.hosts and found.target == "/robots.txt"

    def admits(self, address: str) -> bool:
        """Whether an address may be one of theirs: on the public internet (or loopback, in a lab), not excluded."""
        judged = self._rules.judge_address(address)
        if isinstance(judged, ScopeVerdict):
            return judged.in_scope
        return judged[1] is None or judged[1].name == "loopback"

    async def fetch(self, order: FetchOrder, kind: Kind, hold: Hold | None = None) -> Fetched | FetchFailed:
        """As `Fetcher.fetch`, for one of the pages, at an address that its name has now; anything else is refused."""
        host = parts(order.url).host
        if self._fetcher is None or not self.has(order.url, kind):
            return failure("blocked-scope")
        resolved = await self._resolver.resolve(host)
        if isinstance(resolved, Rejected):
            return failure(resolved.reason)
        self._open[host] = frozenset(filter(self.admits, resolved.addresses))
        if order.address not in self._open[host]:
            return failure("address-changed")
        return await self._fetcher.fetch(order, hold)

    async def close(self) -> None:
        """Close every connection."""
        if self._fetcher is not None:
            await self._fetcher.close()

    def _permits(self, address: str) -> bool:
        return any(address in addresses for addresses in self._open.values())
