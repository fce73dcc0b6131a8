"""Answers of the DNS, shared by the workers of a deployment: what one of them asked, no other asks while it holds.

An answer lies in one of a fixed number of slots, which the keyed digest of its name chooses, sealed under a key that
only the name gives: so no host name stands in Redis (nor does an alias that it leads to), the memory has a bound, and a
slot that another name has taken is simply a miss. Slots expire with their answers. Failures that may pass stay with the
worker that met them. What an answer says is judged by everybody who uses it, as if it came from the DNS itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Final

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.bus.together import Together
from crawler.errors import RedisUnavailable
from crawler.fetch.dnscache import LASTING, MemoryDnsCache, Resolved
from crawler.ranges import parse_address
from crawler.records import Rejected

SLOTS: Final = 131_072
MOST_BYTES: Final = 512
"""Of one sealed answer; a longer one is not shared. With SLOTS, the bound on all of them."""
_NONCE: Final = 12
_SECRET: Final = 32


class SharedDnsCache:
    """Implements `crawler.fetch.dnscache.DnsCache`; in front of the slots, every worker remembers what it used last.

    prefix: of every key.  number_key: the deployment's.  nameservers: whose answers these are, for another campaign may
    ask others.  now: epoch seconds. A server that does not answer makes every question a miss.
    """

    def __init__(
        self,
        client: Redis,
        prefix: str,
        number_key: bytes,
        nameservers: Sequence[str] = (),
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._number_key = number_key
        self._salt = blake2b(" ".join(nameservers).encode(), digest_size=16).digest()
        self._now = now
        self._near = MemoryDnsCache()
        self._read = Together(self._get)
        self._write = Together(self._set)

    async def get(self, host: str) -> Resolved | Rejected | None:
        """See DnsCache."""
        known = await self._near.get(host)
        if known is not None:
            return known
        slot, secret = self._place(host)
        try:
            stored = await self._read.ask(slot)
        except RedisUnavailable:
            return None
        found = None if stored is None else _opened(secret, stored)
        if found is None:
            return None
        answer, until, ttl = found
        left = min(until - self._now(), ttl)
        if left <= 0:
            return None
        await self._near.put(host, answer, left)
        return answer

    async def put(self, host: str, answer: Resolved | Rejected, ttl: float) -> None:
        """See DnsCache."""
        await self._near.put(host, answer, ttl)
        if isinstance(answer, Rejected) and answer.reason not in LASTING:
            return
        slot, secret = self._place(host)
        sealed = _sealed(secret, answer, self._now() + ttl, ttl)
        if len(sealed) > MOST_BYTES:
            return
        try:
            await self._write.ask((slot, sealed, max(1, int(ttl * 1000))))
        except RedisUnavailable:
            return  # the others ask for themselves

    def _place(self, host: str) -> tuple[str, bytes]:
        """The slot of a name and the key of its answer."""
        digest = blake2b(
            host.encode(), digest_size=8 + _SECRET, key=self._number_key, salt=self._salt, person=b"dns"
        ).digest()
        # One hash tag for all: a cluster answers a command about many of them as well.
        return f"{self._prefix}:{{dns}}:{int.from_bytes(digest[:8]) % SLOTS:x}", digest[8:]

    async def _get(self, slots: Sequence[str]) -> Sequence[bytes | None]:
        found: Sequence[bytes | None] = await answered(self._client.mget(slots))
        return found

    async def _set(self, entries: Sequence[tuple[str, bytes, int]]) -> Sequence[object]:
        pipeline = self._client.pipeline(transaction=False)
        for slot, sealed, milliseconds in entries:
            pipeline.set(slot, sealed, px=milliseconds)
        done: Sequence[object] = await answered(pipeline.execute())
        return done


def _sealed(secret: bytes, answer: Resolved | Rejected, until: float, ttl: float) -> bytes:
    match answer:
        case Resolved(addresses, chain):
            fields = [until, ttl, "", addresses, chain]
        case Rejected(reason):
            fields = [until, ttl, reason, (), ()]
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(secret).encrypt(nonce, msgpack.packb(fields), None)


def _opened(secret: bytes, stored: bytes) -> tuple[Resolved | Rejected, float, float] | None:
    """Answer, when it ends (epoch seconds) and its TTL; None for another name's, and for what cannot be read."""
    try:
        plain = AESGCM(secret).decrypt(stored[:_NONCE], stored[_NONCE:], None)
        until, ttl, reason, addresses, chain = msgpack.unpackb(plain)
    except (InvalidTag, ValueError, msgpack.UnpackException):
        return None
    if reason:
        return Rejected(str(reason)), float(until), float(ttl)
    if not addresses or any(isinstance(parse_address(str(each)), Rejected) for each in addresses):
        return None
    return Resolved(tuple(addresses), tuple(chain), float(ttl)), float(until), float(ttl)
