"""What all workers together know of traps: how much of each was let through, and what pages of an address said lately.

PREFIX:trap:RUN:SIGNATURE   set: numbers of the URLs that were let through, at most the budget
PREFIX:said:RUN:ADDRESS     list: packed sketches of the last pages, the newest first

Both expire. Names are digests under the deployment's key, so that no host stands in Redis for longer than its queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.records import RunId

LIFE: Final = 86_400
"""Seconds after its last use that a budget is remembered."""
PAGES: Final = 32
"""Sketches remembered for one address."""
PAGES_LIFE: Final = 3_600
_LET_THROUGH: Final = """
local n, most, answer = redis.call('SCARD', KEYS[1]), tonumber(ARGV[1]), {}
for i = 3, #ARGV do
  if redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 1 then
    answer[#answer + 1] = '1'
  elseif n < most then
    redis.call('SADD', KEYS[1], ARGV[i])
    n = n + 1
    answer[#answer + 1] = '1'
  else
    answer[#answer + 1] = '0'
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return table.concat(answer)
"""
_SAY: Final = """
local before = redis.call('LRANGE', KEYS[1], 0, -1)
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return before
"""


class TrapBook:
    """number_key: of the deployment. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str, number_key: bytes) -> None:
        self._client = client
        self._prefix = prefix
        self._number_key = number_key

    async def let_through(self, run: RunId, signature: str, numbers: Sequence[int], budget: int) -> list[bool]:
        """Which of these URLs are within the budget of a signature. Those that were once, are for good."""
        key = self._key("trap", run, signature)
        arguments = str(budget), str(LIFE), *map(str, numbers)
        flags: bytes = await answered(self._client.eval(_LET_THROUGH, 1, key, *arguments))
        return [flag == ord("1") for flag in flags]

    async def said(self, run: RunId, address: str, sketch: bytes) -> list[bytes]:
        """The sketches of the last pages of an address, before this one is added to them."""
        arguments = sketch, str(PAGES), str(PAGES_LIFE)
        before: list[bytes] = await answered(self._client.eval(_SAY, 1, self._key("said", run, address), *arguments))
        return before

    def _key(self, table: str, run: RunId, name: str) -> str:
        digest = blake2b(f"{run}\0{name}".encode(), digest_size=12, key=self._number_key).hexdigest()
        return f"{self._prefix}:{table}:{digest}"
