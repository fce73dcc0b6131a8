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
from crawler.records import Rejected

NOBODY_THERE: Final = frozenset({"connect-refused", "connect-timeout", "unreachable"})
"""Failures after which a host may lie elsewhere."""
_SLOW = 2.0
_DOUBT_EVERY = 60.0
_DOUBTED = 10_000
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a host lies: the address that was judged in scope, or why there is none.

    passing: the reason may be gone in a while.
    """

    address: str | None = None
    politeness: str | None = None
    skip: str | None = None
    passing: bool = False


class Places:
    """One per worker."""

    def __init__(self, frontier: Frontier, hosts: HostBook) -> None:
        self._frontier = frontier
        self._hosts = hosts
        self._doubted: OrderedDict[str, float] = OrderedDict()

    async def place(self, served: ServedRun, host: str, port: int, *, last: bool) -> Placed:
        """Resolve and judge. last: an answer that is late is waited for, and a passing trouble is final."""
        if not served.scope.permits_port(port) or not served.scope.judge_host_name(host).in_scope:
            return Placed(skip="out-of-scope")
        try:
            # One dead zone must not hold up a whole batch: the resolver goes on, and the answer is there next time.
            async with asyncio.timeout(None if last else _SLOW):
                resolved = await served.resolver.resolve(host)
        except TimeoutError:
            return Placed(passing=True)
        if isinstance(resolved, Rejected):
            return Placed(skip=resolved.reason, passing=FAILURES[resolved.reason].retry and not last)
        addresses = [each for each in resolved.addresses if served.scope.judge(each).in_scope]
        if not addresses:
            return Placed(skip="out-of-scope")
        # An address is where it is.
        agreed = host if host in addresses else await self._agreed(host, addresses)
        if agreed not in addresses and not served.scope.judge(agreed).in_scope:
            agreed = addresses[0]
        return Placed(agreed, politeness_key(agreed))

    async def doubt(self, served: ServedRun, host: str) -> None:
        """Nobody answers where a host is queued: look whether it lies elsewhere now. Best effort, in seconds."""
        now = asyncio.get_running_loop().time()
        if self._doubted.get(host, 0.0) > now:
            return
        self._doubted[host] = now + _DOUBT_EVERY
        while len(self._doubted) > _DOUBTED:
            self._doubted.popitem(last=False)
        try:
            async with asyncio.timeout(_SLOW):
                resolved = await served.resolver.resolve(host)
                if isinstance(resolved, Rejected):
                    return
                addresses = [each for each in resolved.addresses if served.scope.judge(each).in_scope]
                if addresses:
                    await self._agreed(host, addresses, doubted=True)
        except (TimeoutError, RedisUnavailable):
            return  # the next failure asks again

    async def _agreed(self, host: str, addresses: Sequence[str], *, doubted: bool = False) -> str:
        agreed = await self._hosts.agree(host, addresses, doubted=doubted)
        if agreed.old is not None:
            # Whoever dies in between leaves the record as it is, and the next one to ask moves what waits.
            urls = await self._frontier.relocate(host, politeness_key(agreed.old))
            await self._hosts.moved(host, agreed.old)
            _log.info("host moved to another address", urls=urls)
        return agreed.address
