"""What a worker knows of the hosts of its leases: rules and sessions, asked for once and kept within bounds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from weakref import WeakValueDictionary

from crawler.bridge.rules import unpack_rules
from crawler.errors import RecordCorrupt
from crawler.fetch.cookies import Jar, kept, pack_jar, sendable, unpack_jar
from crawler.fetch.robots import RobotsRules
from crawler.frontier.base import Frontier, HostFacts
from crawler.records import Failed, Fetched, Lease

MAX_HOSTS = 1_024
MAX_BYTES = 8 << 20
"""Of the rules that are remembered, as they are stored; parsed they are several times as large."""


@dataclass(slots=True)
class Host:
    """One host of a run.

    rules: what its robots.txt says, or why that could not be had; None: nobody asked.  weight: bytes of the rules.
    """

    rules: RobotsRules | Failed | None
    jar: Jar = field(repr=False)
    weight: int

    def cookies(self, url: str, now: float) -> tuple[tuple[str, str], ...]:
        """(name, value) for a request for `url`. now: epoch seconds."""
        return sendable(self.jar, url, now)

    def learn(self, fetched: Fetched, now: float) -> bytes | None:
        """Take up the cookies that came with an answer. Returns the session to be kept, None when it is the same."""
        lines = [value for name, value in fetched.headers if name.lower() == "set-cookie"]
        if not lines:
            return None
        before, self.jar = self.jar, kept(self.jar, lines, fetched.url, now)
        return None if self.jar is before else pack_jar(self.jar)


class HostMemory:
    """One per worker. A host whose rules or session changed is another to it: the queue of its leases says so."""

    def __init__(self, frontier: Frontier) -> None:
        self._frontier = frontier
        self._hosts: OrderedDict[tuple[int, str], Host] = OrderedDict()
        self._asking: dict[tuple[int, str], asyncio.Task[Host]] = {}
        self._bytes = 0
        self._parsed: WeakValueDictionary[bytes, RobotsRules] = WeakValueDictionary()

    async def host(self, lease: Lease) -> Host:
        """The host of a lease. Raises RedisUnavailable."""
        key = lease.partition, lease.queue
        host = self._hosts.get(key)
        if host is not None:
            self._hosts.move_to_end(key)
            return host
        asking = self._asking.get(key)
        if asking is None:
            # Leases of a streak come all at once. They ask once, and not as part of one that may be broken off.
            asking = self._asking[key] = asyncio.create_task(self._asked(key, lease))
            asking.add_done_callback(lambda _: self._asking.pop(key))
        return await asyncio.shield(asking)

    async def _asked(self, key: tuple[int, str], lease: Lease) -> Host:
        facts = await self._frontier.host_facts(lease)
        # It may have been introduced meanwhile; all of its leases share one jar.
        return self._hosts.get(key) or self._kept(key, facts)

    def introduce(self, lease: Lease, facts: HostFacts) -> None:
        """Make a host known whose leases come from no queue of its own; what it set since then stays."""
        key = lease.partition, lease.queue
        if key not in self._hosts:
            self._kept(key, facts)

    def _kept(self, key: tuple[int, str], facts: HostFacts) -> Host:
        host = Host(self._rules(facts.robots), _jar(facts.session), len(facts.robots or b""))
        self._hosts[key] = host
        self._bytes += host.weight
        while len(self._hosts) > 1 and (len(self._hosts) > MAX_HOSTS or self._bytes > MAX_BYTES):
            self._bytes -= self._hosts.popitem(last=False)[1].weight
        return host

    def _rules(self, stored: bytes | None) -> RobotsRules | Failed | None:
        """Parsed once for all that have the same: many hosts do, and a host does whose session changed."""
        if stored is None:
            return None
        digest = blake2b(stored, digest_size=16).digest()
        known = self._parsed.get(digest)
        if known is not None:
            return known
        try:
            rules = unpack_rules(stored)
        except RecordCorrupt:
            # What the host permits is not known then, and its URLs end with that as their reason.
            return Failed("robots-corrupt")
        if isinstance(rules, RobotsRules):
            self._parsed[digest] = rules
        return rules


def _jar(stored: bytes | None) -> Jar:
    if stored is None:
        return ()
    try:
        return unpack_jar(stored)
    except RecordCorrupt:
        return ()
