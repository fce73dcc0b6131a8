"""How far the sweep of a run is, shared by all workers: one of them feeds at a time, and any other takes over from it.

PREFIX:{ctl}:sweep:RUN   hash: digest (of what is swept), cursor, of (positions), holder and until (who feeds, and how
                         long that holds without another word), next (when more may be fed); times in ms of the server

The cursor moves after its addresses were put into the discoveries. Whoever is killed in between leaves them to be put
there once more, which changes nothing, since what was seen is not admitted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.bus.control import run_key, sweep_key
from crawler.records import RunId

_HOLD_MS: Final = 3_000
_TURN: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('EXISTS', KEYS[2]) == 0 then return {-1, 0} end
local record = redis.call('HMGET', KEYS[1], 'digest', 'cursor', 'holder', 'until', 'next')
if record[1] ~= ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'cursor', 0, 'of', ARGV[4])
  record = {ARGV[2], 0}
elseif record[3] and record[3] ~= ARGV[1] and tonumber(record[4]) > now then
  return {-1, 0}
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', now + ARGV[3])
return {tonumber(record[2]), math.max((tonumber(record[5] or 0)) - now, 0)}
"""
_ADVANCE: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local cursor, due = unpack(redis.call('HMGET', KEYS[1], 'cursor', 'next'))
if cursor ~= ARGV[1] then return 0 end
local next_due = math.ceil(math.max(now, tonumber(due or 0)) + tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'cursor', ARGV[2], 'next', string.format('%d', next_due))
if ARGV[4] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then redis.call('HSET', KEYS[2], 'swept', '1') end
return 1
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """The feeder's turn. cursor: position to go on from.  wait: seconds until more may be fed."""

    cursor: int
    wait: float


class SweepBook:
    """consumer: unique name of this process. Every method raises RedisUnavailable when the server does not answer."""

    def __init__(self, client: Redis, prefix: str, consumer: str) -> None:
        self._client = client
        self._prefix = prefix
        self._consumer = consumer

    async def turn(self, run: RunId, digest: str, positions: int) -> Turn | None:
        """Take up feeding, or go on with it; None while another process feeds, or when the run is over.

        digest: of what is swept, in which order; when it changes, the sweep begins again.
        """
        keys = sweep_key(self._prefix, run), run_key(self._prefix, run)
        arguments = self._consumer, digest, str(_HOLD_MS), str(positions)
        cursor, wait = await answered(self._client.eval(_TURN, 2, *keys, *arguments))
        return Turn(cursor, wait / 1000) if cursor >= 0 else None

    async def advance(self, run: RunId, before: int, after: int, cost: float, *, last: bool) -> bool:
        """Move the cursor; False when somebody else has moved it. cost: seconds until more may be fed.

        last: all of it is fed now, which the run's marker says from now on.
        """
        keys = sweep_key(self._prefix, run), run_key(self._prefix, run)
        arguments = str(before), str(after), str(round(1000 * cost, 3)), "1" if last else "0"
        return bool(await answered(self._client.eval(_ADVANCE, 2, *keys, *arguments)))
