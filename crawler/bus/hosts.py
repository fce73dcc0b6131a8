"""Host to address, shared by all workers: who resolves a host first decides, for as long as the record lives.

A host that answers with several addresses would otherwise be crawled from several queues at once. The record says where
a host is queued, never whether that is in scope: each worker judges the address itself.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import blake2b
from time import monotonic

from redis.asyncio import Redis

from crawler.bus.client import answered

_LIFE = 3600
_LOCAL_LIFE = 60.0
_LOCAL_SIZE = 65_536
_AT_ONCE = 16
"""Questions at the same time: each takes a connection, and a page may name thousands of hosts."""


class HostBook:
    """number_key: keys the names' digests, so that no host name stands in Redis for longer than its queue."""

    def __init__(self, client: Redis, prefix: str, number_key: bytes) -> None:
        self._client = client
        self._prefix = prefix
        self._number_key = number_key
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def agree(self, host: str, address: str) -> str:
        """The address under which all workers queue `host`; `address` is ours if nobody came before."""
        known = self._known.get(host)
        if known is not None and known[1] > monotonic():
            return known[0]
        digest = blake2b(host.encode(), digest_size=16, key=self._number_key).hexdigest()
        key = f"{self._prefix}:host:{digest}"
        async with self._asking:
            first = await answered(self._client.set(key, address, nx=True, ex=_LIFE))
            found = None if first else await answered(self._client.get(key))
        agreed = found.decode() if isinstance(found, bytes) else address
        self._known[host] = (agreed, monotonic() + _LOCAL_LIFE)
        while len(self._known) > _LOCAL_SIZE:
            self._known.popitem(last=False)
        return agreed
