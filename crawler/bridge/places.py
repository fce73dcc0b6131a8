"""Where a host is queued: at an address that it has now and that is in scope. One that moved takes along what waits."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from crawler.bridge.runs import ServedRun
from crawler.bus.hosts import HostBook
from crawler.errors import RedisUnavailable
from crawler.fetch.failures import FAILURES
from crawler.frontier.base import Frontier
from crawler.ranges import politeness_key
from crawler.records import Rejected, RunId

NOBODY_THERE: Final = frozenset({"address-changed", "connect-refused", "connect-timeout", "unreachable"})
"""Failures after which a host may lie elsewhere."""
OUT_OF_SCOPE: Final = "out-of-scope"
SILENT: Final = frozenset({"dns-timeout", "dns-unreachable"})
"""Failures that are the nameserver's and not the name's."""
_SLOW = 2.0
_DOUBTED = 10_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a host lies: the address that was judged in scope, or why there is none.

    passing: the reason may be gone in a while.  pointer: where the host lies outside the scope, if the campaign names a
    page there that is read for links.
    """

    address: str | None = None
    politeness: str | None = None
    skip: str | None = None
    passing: bool = False
    pointer: str | None = None


@dataclass(frozen=True, slots=True)
class _Usable:
    """Addresses of a host that may be connected to. pointer: they lie outside the scope, for links only."""

    addresses: Sequence[str]
    pointer: bool = False


class Places:
    """One per worker."""

    def __init__(self, frontier: Frontier, hosts: HostBook) -> None:
        self._frontier = frontier
        self._hosts = hosts
        self._doubted: OrderedDict[str, float] = OrderedDict()
        self._complained: set[RunId] = set()

    async def place(self, served: ServedRun, host: str, port: int, *, last: bool) -> Placed:
        """Resolve and judge. last: an answer that is late is waited for, and a passing trouble is final."""
        if not served.scope.permits_port(port) or not served.scope.judge_host_name(host).in_scope:
            return Placed(skip=OUT_OF_SCOPE)
        try:
            # One dead zone must not hold up a whole batch: the resolver goes on, and the answer is there next time.
            async with asyncio.timeout(None if last else _SLOW):
                resolved = await served.resolver.resolve(host)
        except TimeoutError:
            return Placed(passing=True)
        if isinstance(resolved, Rejected):
            self._complain(served, resolved.reason)
            return Placed(skip=resolved.reason, passing=FAILURES[resolved.reason].retry and not last)
        usable = _usable(served, host, resolved.addresses)
        if not usable.addresses:
            return Placed(skip=OUT_OF_SCOPE)
        # An address is where it is.
        address = host if host in usable.addresses else await self._agreed(served, host, usable)
        if usable.pointer:
            return Placed(skip=OUT_OF_SCOPE, pointer=address)
        return Placed(address, politeness_key(address))

    def _complain(self, served: ServedRun, reason: str) -> None:
        """Say once for a run that its nameserver is silent: until its names have failed, nothing else tells."""
        if reason not in SILENT or served.run in self._complained:
            return
        self._complained.add(served.run)
        servers = ", ".join(served.campaign.network.nameservers)
        _log.warning(
            "a name could not be looked up, and is asked for again for some minutes; if all names fail, correct "
            + ("network.nameservers of the campaign" if servers else "/etc/resolv.conf"),
            run=str(served.run),
            reason=reason,
            nameservers=servers or "the system's",
        )

    async def doubt(self, served: ServedRun, host: str, address: str) -> None:
        """Nobody answers at the address where a host is queued: look whether it lies elsewhere now.

        Best effort, in seconds.
        """
        now = asyncio.get_running_loop().time()
        if self._doubted.get(host, 0.0) > now:
            return
        self._doubted[host] = now + self._hosts.doubted_sticky
        while len(self._doubted) > _DOUBTED:
            self._doubted.popitem(last=False)
        try:
            async with asyncio.timeout(_SLOW):
                # What is kept of an earlier answer may be what led here.
                resolved = await served.resolver.resolve(host, fresh=True)
                if isinstance(resolved, Rejected):
                    return
                usable = _usable(served, host, resolved.addresses)
                if not usable.addresses:
                    return
                await self._agreed(served, host, usable, silent=address)
        except (TimeoutError, RedisUnavailable):
            return  # the next failure asks again

    async def _agreed(self, served: ServedRun, host: str, usable: _Usable, *, silent: str | None = None) -> str:
        """Where to queue a host. silent: its address that does not answer."""
        agreed = await self._hosts.agree(host, usable.addresses, doubted=silent is not None)
        if agreed.old is not None:
            # Whoever dies in between leaves the record as it is, and the next one to ask moves what waits.
            urls = await self._frontier.relocate(host, politeness_key(agreed.old))
            await self._hosts.moved(host, agreed.old)
            _log.info("host moved to another address", urls=urls)
        address = _standing(served, usable, agreed.address)
        if silent is not None and silent not in (address, agreed.old, *usable.addresses):
            # Queued there by somebody who had not heard yet that the host moved.
            await self._frontier.relocate(host, politeness_key(silent))
        return address


def _standing(served: ServedRun, usable: _Usable, address: str) -> str:
    """The address that is agreed on, if this run may connect to it, else one to which it may."""
    if address not in usable.addresses:
        # The record is as old as its last asker: what it says must be in scope, and outside the scope in the DNS now.
        stands = not usable.pointer and served.scope.judge(address).in_scope
        return address if stands else usable.addresses[0]
    return address


def _usable(served: ServedRun, host: str, addresses: Sequence[str]) -> _Usable:
    within = [each for each in addresses if served.scope.judge(each).in_scope]
    if within or host not in served.pointers.hosts:
        return _Usable(within)
    return _Usable([each for each in addresses if served.pointers.admits(each)], pointer=True)
