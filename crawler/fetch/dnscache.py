"""Answers of the DNS, kept for as long as they are good."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from crawler.records import Rejected

LASTING: Final = frozenset(("dns-nxdomain", "dns-no-address", "dns-bad-name"))
"""Reasons that the DNS itself gives, and which therefore hold for everybody for a while."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a host is.

    addresses: canonical text, IPv4 before IPv6, each family in numerical order, so that a nameserver which turns its
    answers round changes nothing.  cname_chain: the names that it went through, without the host itself.
    ttl: seconds for which this holds, within the resolver's floor and ceiling, as counted from the answer.
    """

    addresses: tuple[str, ...]
    cname_chain: tuple[str, ...] = ()
    ttl: float = 0.0


class DnsCache(Protocol):
    """Where answers are kept. One that many workers share lies behind the same two methods."""

    async def get(self, host: str) -> Resolved | Rejected | None:
        """The answer that is known and still good, else None."""

    async def put(self, host: str, answer: Resolved | Rejected, ttl: float) -> None:
        """Keep an answer for `ttl` seconds."""


class MemoryDnsCache:
    """The answers for the hosts that were asked for last, in this process.

    most: hosts kept.  now: monotonic seconds.
    """

    def __init__(self, most: int = 100_000, now: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._now = now
        self._answers: OrderedDict[str, tuple[float, Resolved | Rejected]] = OrderedDict()

    async def get(self, host: str) -> Resolved | Rejected | None:
        """See DnsCache."""
        known = self._answers.get(host)
        if known is None:
            return None
        if known[0] <= self._now():
            del self._answers[host]
            return None
        self._answers.move_to_end(host)
        return known[1]

    async def put(self, host: str, answer: Resolved | Rejected, ttl: float) -> None:
        """See DnsCache."""
        self._answers[host] = (self._now() + ttl, answer)
        self._answers.move_to_end(host)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
