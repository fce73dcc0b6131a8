"""Names to addresses: both families, by the nameservers of the campaign, with what went wrong told apart.

Only the DNS is asked, never a hosts file or a search domain. What an address may be used for is not judged here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from types import TracebackType
from typing import Final

import aiodns
import pycares
from aiodns import error as ares

from crawler.errors import OptionInvalid
from crawler.fetch.dnscache import LASTING, DnsCache, MemoryDnsCache, Resolved
from crawler.ranges import canonical_address
from crawler.records import Rejected

_MAX_CHAIN: Final = 16
_MAX_ADDRESSES: Final = 32
_MAX_POINTERS: Final = 8
_ADDRESS: Final = (pycares.ARecordData, pycares.AAAARecordData)
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")
_LITERAL: Final = re.compile(r":|[0-9]\]?\Z")
"""What no name has that is not also tried as an address: parsing every name as one costs as much as the cache."""
_REASONS: Final = {
    ares.ARES_ENOTFOUND: "dns-nxdomain",
    ares.ARES_ENODATA: "dns-no-address",
    ares.ARES_ESERVFAIL: "dns-servfail",
    ares.ARES_ENOTIMP: "dns-servfail",
    ares.ARES_EFORMERR: "dns-servfail",
    ares.ARES_EBADRESP: "dns-servfail",
    ares.ARES_EREFUSED: "dns-refused",
    ares.ARES_ETIMEOUT: "dns-timeout",
    ares.ARES_ECANCELLED: "dns-timeout",
    ares.ARES_ECONNREFUSED: "dns-unreachable",
    ares.ARES_EBADNAME: "dns-bad-name",
}
# When the families disagree on why there is no address: the first of these that one of them says.
_PRECEDENCE: Final = (
    "dns-nxdomain",
    "dns-bad-name",
    "dns-timeout",
    "dns-unreachable",
    "dns-servfail",
    "dns-refused",
    "dns-no-address",
)
_RENEWED: Final = 5.0
"""Seconds for which a channel has asked little enough to count as fresh."""


@dataclass(frozen=True, slots=True)
class DnsTimes:
    """Seconds.

    timeout: for the first try at a nameserver; c-ares doubles it at later rounds.  floor, ceiling: bounds on the TTL
    that an answer is kept for.  negative: how long "there is no such name" is kept.  trouble: how long a failure that
    may pass is kept, so that a dead zone is not asked for at every link to it.
    """

    timeout: float = 2.0
    floor: float = 60.0
    ceiling: float = 86_400.0
    negative: float = 300.0
    trouble: float = 30.0


_DEFAULT_TIMES: Final = DnsTimes()


class Resolver:
    """Asks the DNS, at most `parallel` names at a time; an async context manager, made within a running loop.

    nameservers: "127.0.0.1:5353", "[::1]:53", "192.0.2.1"; all are tried, `tries` rounds; empty: the system's.
    cache: where answers are kept; None: in this process.
    Raises OptionInvalid when a nameserver is no address.
    """

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        *,
        times: DnsTimes = _DEFAULT_TIMES,
        tries: int = 2,
        parallel: int = 256,
        cache: DnsCache | None = None,
    ) -> None:
        servers = [nameserver_text(each) for each in nameservers]
        self._times = times
        self._cache: DnsCache = MemoryDnsCache() if cache is None else cache
        self._slots = asyncio.Semaphore(parallel)
        self._asked: dict[str, asyncio.Task[Resolved | Rejected]] = {}
        self._servers = servers
        self._tries = tries
        self._left: set[asyncio.Task[None]] = set()
        self._dns = self._channel()

    async def __aenter__(self) -> Resolver:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop. Questions that are under way are cancelled."""
        for task in list(self._asked.values()):
            task.cancel()
        for left in self._left:
            left.cancel()
        await asyncio.gather(*self._asked.values(), *self._left, return_exceptions=True)
        await self._dns.close()

    async def resolve(self, host: str, *, fresh: bool = False) -> Resolved | Rejected:
        """All addresses of a host (lower case, IDNA form, without brackets), or why there is none.

        An IP literal resolves to itself, in canonical form, with the ceiling as TTL. A Rejected has one of the "dns-…"
        classes of `failures.py`. Questions for one name that come while it is being asked wait for the same answer.
        fresh: the nameservers are asked, whatever is kept of earlier answers.
        """
        literal = canonical_address(host.strip("[]")) if _LITERAL.search(host) else None
        if literal is not None:
            return Resolved((literal,), (), self._times.ceiling)
        name = host.rstrip(".")
        if not _NAME.match(name):
            return Rejected("dns-bad-name")
        known = None if fresh else await self._cache.get(name)
        if known is not None:
            return known
        if fresh:
            self._renew()
        task = self._asked.get(name)
        if task is None:
            task = asyncio.create_task(self._ask(name))
            self._asked[name] = task
            # Called with the task, which `pop` then takes as its default.
            task.add_done_callback(partial(self._asked.pop, name))
        return await asyncio.shield(task)

    async def reverse(self, address: str) -> tuple[str, ...] | Rejected:
        """The names that the DNS gives an IP address, at most _MAX_POINTERS, in lower case; or why there is none.

        They are claims of whoever holds the address's reverse zone, and resolve to anything or nothing. Not cached:
        who asks, asks once. Raises ValueError when `address` is none.
        """
        async with self._slots:
            try:
                answer = await self._dns.query_dns(ip_address(address).reverse_pointer, "PTR")
            except aiodns.error.DNSError as error:
                return Rejected(_REASONS.get(error.args[0], "dns-servfail"))
        found = (each.data.dname for each in answer.answer if isinstance(each.data, pycares.PTRRecordData))
        names = dict.fromkeys(name.rstrip(".").lower() for name in found)
        return tuple(name for name in names if _NAME.match(name))[:_MAX_POINTERS]

    def _channel(self) -> aiodns.DNSResolver:
        loop = asyncio.get_running_loop()
        self._made = loop.time()
        dns = aiodns.DNSResolver(loop=loop, timeout=self._times.timeout, tries=self._tries)
        if self._servers:
            dns.nameservers = self._servers
        return dns

    def _renew(self) -> None:
        """Ask through a channel that knows nothing: c-ares keeps answers for their TTL and cannot be told not to."""
        if asyncio.get_running_loop().time() - self._made < _RENEWED:
            return
        # Questions on their way end where they began.
        left = asyncio.create_task(_close_later(self._dns, 4 * self._tries * self._times.timeout))
        self._left.add(left)
        left.add_done_callback(self._left.discard)
        self._dns = self._channel()

    async def _ask(self, name: str) -> Resolved | Rejected:
        async with self._slots:
            # Both are on their way before the first is waited for; a task more for each would cost as much as reading.
            questions = (self._dns.query_dns(name, "A"), self._dns.query_dns(name, "AAAA"))
            found: list[Resolved] = []
            reasons: set[str] = set()
            try:
                for question in questions:
                    try:
                        found.append(_read(name, await question))
                    except aiodns.error.DNSError as error:
                        reasons.add(_REASONS.get(error.args[0], "dns-servfail"))
            finally:
                for question in questions:
                    question.cancel()
        result = self._joined(found, reasons)
        await self._cache.put(name, result, self._keep_for(result))
        return result

    def _joined(self, found: list[Resolved], reasons: set[str]) -> Resolved | Rejected:
        """One answer from those for the two families."""
        useful = [each for each in found if each.addresses]
        if useful:
            addresses = tuple(address for each in useful for address in each.addresses)
            ttl = min(each.ttl for each in useful)
            ttl = min(max(ttl, self._times.floor), self._times.ceiling)
            if reasons - LASTING:  # the other family is not known: ask again as soon as that is decent
                ttl = self._times.floor
            return Resolved(addresses, useful[0].cname_chain, ttl)
        if found:
            reasons = reasons | {"dns-no-address"}
        return Rejected(next((each for each in _PRECEDENCE if each in reasons), "dns-servfail"))

    def _keep_for(self, result: Resolved | Rejected) -> float:
        if isinstance(result, Resolved):
            return result.ttl
        return self._times.negative if result.reason in LASTING else self._times.trouble


async def _close_later(dns: aiodns.DNSResolver, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        await dns.close()


def _read(name: str, answer: pycares.DNSResult) -> Resolved:
    """The addresses at the end of the chain of aliases that begins at `name`; records for other names do not count."""
    aliases: dict[str, tuple[str, float]] = {}
    records: dict[str, list[tuple[str, float]]] = {}
    for each in answer.answer:
        owner, data = _plain(each.name), each.data
        if isinstance(data, _ADDRESS):
            records.setdefault(owner, []).append((data.addr, float(each.ttl)))
        elif isinstance(data, pycares.CNAMERecordData):
            aliases[owner] = (_plain(data.cname), float(each.ttl))
    chain: list[str] = []
    ttls: list[float] = []
    owner = name
    while owner in aliases and len(chain) < _MAX_CHAIN:
        owner, ttl = aliases[owner]
        chain.append(owner)
        ttls.append(ttl)
    here = records.get(owner, [])[:_MAX_ADDRESSES]
    ttls += [ttl for _, ttl in here]
    return Resolved(_sorted({address for address, _ in here}), tuple(chain), min(ttls, default=0.0))


def _plain(name: str) -> str:
    return name.rstrip(".").lower()


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    """Addresses as canonical text, each once, IPv4 before IPv6, each family in numerical order."""
    found = {canonical_address(text) for text in texts} - {None}
    if len(found) < 2:
        return tuple(each for each in found if each is not None)
    return tuple(sorted((each for each in found if each is not None), key=lambda each: (":" in each, ip_address(each))))


def nameserver_text(text: str) -> str:
    """A nameserver in the form that c-ares reads. Raises OptionInvalid."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?|([0-9.]+)(?::(\d{1,5}))?|([0-9A-Fa-f:.]+)", text.strip())
    host = None if match is None else canonical_address(match[1] or match[3] or match[5])
    port = 53 if match is None else int(match[2] or match[4] or 53)
    if host is None or not 1 <= port <= 65535:
        raise OptionInvalid(f"nameserver {text!r} is no address with a port: write 192.0.2.1:53 or [2001:db8::1]:53")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
