"""Host to address, shared by all workers: who resolves a host first decides, for as long as the record lives.

A host that answers with several addresses would otherwise be crawled from several queues at once. The record says where
a host is queued, never whether that is in scope: each worker judges the address itself. It is sticky: a host that no
longer answers with its address gets another one, but not more often than once in a while, since some names answer
differently every time. Until what waits at the old address was moved, the record says so to everybody who asks.
"""

from __future__ import annotations

import time
from asyncio import Semaphore
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from redis.asyncio import Redis

from crawler.bus.client import answered

_LIFE = 86_400
_LOCAL_LIFE = 60.0
_LOCAL_SIZE = 65_536
_AT_ONCE = 16
"""Questions at the same time: each takes a connection, and a page may name thousands of hosts."""

_AGREE = """
-- KEYS[1]: the record, "address seconds [old address]". ARGV: seconds that it stays, seconds that it lives, then the
-- addresses that the host may have now, ours first. Returns the address, and the one to move from or "".
local address, since, old = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+) ?(%S*)$')
local now = tonumber(redis.call('TIME')[1])
for i = 3, #ARGV do
  if ARGV[i] == address then
    redis.call('EXPIRE', KEYS[1], ARGV[2])
    return {address, old}
  end
end
if address and now - tonumber(since) < tonumber(ARGV[1]) then return {address, old} end
-- What was left behind before the last move is moved no more: that took longer than a record stays.
old = address and address ~= ARGV[3] and address or ''
redis.call('SET', KEYS[1], ARGV[3] .. ' ' .. now .. ' ' .. old, 'EX', ARGV[2])
return {ARGV[3], old}
"""
_MOVED = """
-- KEYS[1]: the record. ARGV: the old address, from which everything was moved.
local record = redis.call('GET', KEYS[1]) or ''
local kept, old = string.match(record, '^(%S+ %d+) ?(%S*)$')
if old == ARGV[1] then redis.call('SET', KEYS[1], kept .. ' ', 'KEEPTTL') end
return 1
"""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Where a host is queued. old: where it was before, as long as what waits there was not moved; None: nowhere."""

    address: str
    old: str | None = None


class HostBook:
    """number_key: keys the names' digests, so that no host name stands in Redis for longer than its queue.

    sticky, doubted_sticky: seconds that a record stays as it is, and those for an address that does not answer now.
    """

    def __init__(
        self, client: Redis, prefix: str, number_key: bytes, *, sticky: float = 3_600.0, doubted_sticky: float = 60.0
    ) -> None:
        self._agree = client.register_script(_AGREE)
        self._moved = client.register_script(_MOVED)
        self._prefix = prefix
        self._number_key = number_key
        self._sticky = sticky
        self.doubted_sticky = doubted_sticky
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._asking = Semaphore(_AT_ONCE)

    async def agree(self, host: str, addresses: Sequence[str], *, doubted: bool = False) -> Agreed:
        """Where all workers queue `host`. addresses: those that it may have now, at least one; the first is ours.

        doubted: its address does not answer, so that a newer answer of the DNS counts sooner.
        """
        known = self._known.get(host)
        if known is not None and known[1] > time.monotonic() and not doubted:
            return Agreed(known[0])
        sticky = self.doubted_sticky if doubted else self._sticky
        async with self._asking:
            reply = await answered(self._agree(keys=[self._key(host)], args=[sticky, _LIFE, *addresses]))
        address, old = (each.decode() for each in reply)
        if not old:
            # Who is told of a move asks again, until it is done.
            self._remember(host, address)
        return Agreed(address, old or None)

    async def moved(self, host: str, old: str) -> None:
        """Note that nothing waits for a host at its old address any more."""
        await answered(self._moved(keys=[self._key(host)], args=[old]))

    def _key(self, host: str) -> str:
        return f"{self._prefix}:host:{blake2b(host.encode(), digest_size=16, key=self._number_key).hexdigest()}"

    def _remember(self, host: str, address: str) -> None:
        self._known[host] = (address, time.monotonic() + min(_LOCAL_LIFE, self._sticky))
        while len(self._known) > _LOCAL_SIZE:
            self._known.popitem(last=False)
