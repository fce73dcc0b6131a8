"""How a worker that nobody knows becomes known: it asks in Redis, and the recorder, which has the database, decides.

PREFIX:{ctl}:joining   hash: verify key -> "SECONDS:?" + request, or "SECONDS:!" + answer; SECONDS of the server's clock

A request shows that the asker has the secret half of the key: a signature over key, recorder, time and name. Who asks
again for a key that is known, or repeats what somebody else asked, changes nothing. See docs/adr/0011.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, cast

import msgpack
from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey
from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.bus.envelope import verify_key
from crawler.records import Rejected

MOST, LIFE = 64, 120
"""Requests that may be open at once, and the seconds after which one is forgotten."""

_PURPOSE = b"vangnet join 1"
_LONGEST = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")

# KEYS: the hash. ARGV: a field with a value to store ("" and "": none), MOST, LIFE.
# Returns the server's time and, flat, at most MOST fields with their values; false when there was no room.
_EXCHANGE = """
local now = tonumber(redis.call('TIME')[1])
local most, life = tonumber(ARGV[3]), tonumber(ARGV[4])
local rows = redis.call('HRANDFIELD', KEYS[1], most, 'WITHVALUES')
local live = {}
for i = 1, #rows, 2 do
  local at = tonumber(string.match(rows[i + 1], '^(%d+):') or '0')
  if at + life < now or at > now + life then
    redis.call('HDEL', KEYS[1], rows[i])
  else
    live[#live + 1] = rows[i]
    live[#live + 1] = string.sub(rows[i + 1], 1, 600)
  end
end
if ARGV[1] ~= '' then
  if redis.call('HLEN', KEYS[1]) >= most and redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return false end
  redis.call('HSET', KEYS[1], ARGV[1], now .. ':' .. ARGV[2])
  redis.call('EXPIRE', KEYS[1], life)
end
return {now, live}
"""


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A worker that wants to be known to a recorder, and has shown that the key is its own.

    verify_key: 32 bytes.  name: of its host, as it says.  at: seconds of the server's clock when it asked.
    """

    verify_key: bytes = field(repr=False)
    name: str
    at: int


def host_name(text: str) -> str:
    """What a request may call a host that calls itself `text`."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:63].lstrip(".-_")
    return name or "worker"


def pack_request(signing: bytes, name: str, recorder: bytes, at: int) -> bytes:
    """A signed request.

    signing: seed of the worker's key.  recorder: public key (32 bytes) of the recorder that is asked.
    """
    key = SigningKey(signing)
    signature = key.sign(_signed(bytes(key.verify_key), name, recorder, at)).signature
    packed: bytes = msgpack.packb([name, at, signature])
    return packed


def read_request(verify_key: bytes, packed: bytes, recorder: bytes, now: int) -> JoinRequest | Rejected:
    """The request that stands under a verify key, if it is one, made for this recorder and in the last minutes."""
    if len(packed) > _LONGEST or len(verify_key) != 32:
        return Rejected("damaged")
    try:
        name, at, signature = msgpack.unpackb(packed, max_array_len=3, max_map_len=0, max_ext_len=0)
        if not (isinstance(name, str) and type(at) is int and isinstance(signature, bytes) and _NAME.match(name)):
            return Rejected("damaged")
        VerifyKey(verify_key).verify(_signed(verify_key, name, recorder, at), signature)
    except (CryptoError, ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return Rejected("damaged", "or made for another recorder")
    return JoinRequest(verify_key, name, at) if abs(now - at) <= LIFE else Rejected("old")


def _signed(verify_key: bytes, name: str, recorder: bytes, at: int) -> bytes:
    return _PURPOSE + verify_key + recorder + at.to_bytes(8, "big") + name.encode()


class Joining:
    """The place in Redis where workers ask. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str) -> None:
        self._client = client
        self._key = f"{prefix}:{{ctl}}:joining"

    async def ask(self, signing: bytes, name: str, recorder: bytes) -> bool:
        """Ask `recorder` to believe the key of `signing`. False when too many others are asking."""
        now, _ = await self._exchange() or (0, [])
        request = pack_request(signing, name, recorder, now)
        return await self._exchange(verify_key(signing), b"?" + request) is not None

    async def requests(self, recorder: bytes) -> list[JoinRequest]:
        """What asks `recorder` now, at most MOST. What is no request is dropped."""
        now, rows = await self._exchange() or (0, [])
        found = []
        for key, value in zip(rows[::2], rows[1::2], strict=True):
            mark, packed = value.partition(b":")[2][:1], value.partition(b":")[2][1:]
            if mark != b"?":
                continue
            request = read_request(key, packed, recorder, now)
            if isinstance(request, JoinRequest):
                found.append(request)
        return found

    async def settle(self, verify_key: bytes, answer: str) -> None:
        """Put an answer in the place of a request: "welcome", or why not."""
        await self._exchange(verify_key, b"!" + answer.encode())

    async def answer(self, verify_key: bytes) -> str | None:
        """What the recorder answered, None while it has not."""
        value = await answered(cast("Awaitable[Any]", self._client.hget(self._key, cast("str", verify_key)))) or b""
        said = value.partition(b":")[2]
        return said[1:].decode(errors="replace") if said[:1] == b"!" else None

    async def _exchange(self, field: bytes = b"", value: bytes = b"") -> tuple[int, list[bytes]] | None:
        arguments = cast("list[str]", [field, value, MOST, LIFE])
        reply = await answered(self._client.eval(_EXCHANGE, 1, self._key, *arguments))
        return None if reply is None else (int(reply[0]), list(reply[1]))
