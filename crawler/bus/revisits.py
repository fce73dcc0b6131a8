"""Validators of images that were clean, for the next night: keyed numbers, bounded memory, a fixed life.

PREFIX:{seen-before}:SLICE:BUCKET   hash: keyed 64-bit number -> packed validators

A bucket holds at most 128 small fields, so that the server keeps it in one compact piece. Time is cut into slices of
half a life, for every bucket at another moment; what is read lies in the present slice or the one before, and a slice
expires as a whole. Nothing is ever prolonged: whatever a server says, an image is fetched again after one life.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import time
from typing import Any

import structlog
from redis.asyncio import Redis

from crawler.bus.client import answered
from crawler.errors import RedisUnavailable

PER_BUCKET = 128
_BUCKET_BYTES = 10_752
"""Of a full bucket: 128 times a number, at most 64 bytes, and what the server adds to them."""
_AT_ONCE = 256
_SOON = 0.5
_log = structlog.get_logger()

_RECALL = """
local found = {}
for i = 1, #ARGV do
    found[i] = redis.call('HGET', KEYS[2 * i - 1], ARGV[i]) or redis.call('HGET', KEYS[2 * i], ARGV[i])
end
return found
"""

_REMEMBER = """
local most = tonumber(ARGV[1])
for i = 1, #KEYS do
    local number, value, ends = ARGV[3 * i - 1], ARGV[3 * i], ARGV[3 * i + 1]
    if redis.call('HLEN', KEYS[i]) >= most and redis.call('HEXISTS', KEYS[i], number) == 0 then
        redis.call('HDEL', KEYS[i], redis.call('HRANDFIELD', KEYS[i]))
    end
    redis.call('HSET', KEYS[i], number, value)
    redis.call('EXPIREAT', KEYS[i], ends)
end
return 1
"""


class Revisits:
    """One per worker. memory: bytes that all of it takes in Redis at the most; 0: nothing is kept.  life: seconds.

    Questions of one moment travel together, and so does what is to be remembered. All of it is best effort: without an
    answer an image is fetched as if it had never been.  clock: epoch seconds.
    """

    def __init__(self, client: Redis, prefix: str, memory: int, life: float, clock: Callable[[], float] = time) -> None:
        self._base = f"{prefix}:{{seen-before}}"
        self._buckets = memory // (2 * _BUCKET_BYTES)
        self._half = life / 2
        self._clock = clock
        self._recall, self._remember = client.register_script(_RECALL), client.register_script(_REMEMBER)
        self._questions: list[tuple[bytes, asyncio.Future[bytes | None]]] = []
        self._news: dict[bytes, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def kept(self) -> bool:
        """Whether anything is kept at all."""
        return self._buckets > 0

    async def recall(self, number: bytes) -> bytes | None:
        """What was remembered under a number of 8 bytes, None when nothing was, or nobody knows."""
        if not self.kept:
            return None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bytes | None] = loop.create_future()
        self._questions.append((number, answer))
        if len(self._questions) == 1:
            loop.call_soon(self._ask)
        return await answer

    def remember(self, number: bytes, value: bytes) -> None:
        """Keep up to 64 bytes under a number of 8. Returns at once."""
        if not self.kept:
            return
        self._news[number] = value
        if len(self._news) == 1:
            asyncio.get_running_loop().call_later(_SOON, self._tell)
        elif len(self._news) >= _AT_ONCE:
            self._tell()

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        self._tell()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _ask(self) -> None:
        questions, self._questions = self._questions, []
        self._spawn(self._answer(questions))

    def _tell(self) -> None:
        news, self._news = self._news, {}
        if news:
            self._spawn(self._keep(news))

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, questions: list[tuple[bytes, asyncio.Future[bytes | None]]]) -> None:
        places = [self._places(number) for number, _ in questions]
        keys = [key for now, before, _ in places for key in (now, before)]
        try:
            found = await answered(self._recall(keys=keys, args=[number for number, _ in questions]))
        except RedisUnavailable as error:
            _log.warning("validators not known", error=str(error))
            found = [None] * len(questions)
        for (_, answer), value in zip(questions, found, strict=True):
            if not answer.done():
                answer.set_result(value)

    async def _keep(self, news: dict[bytes, bytes]) -> None:
        keys: list[str] = []
        arguments: list[bytes | int] = [PER_BUCKET]
        for number, value in news.items():
            now, _, ends = self._places(number)
            keys.append(now)
            arguments += [number, value, ends]
        try:
            await answered(self._remember(keys=keys, args=arguments))
        except RedisUnavailable as error:
            _log.warning("validators not kept", error=str(error))

    def _places(self, number: bytes) -> tuple[str, str, int]:
        """The keys of a number's bucket in this slice and the one before, and when this one ends to be read."""
        bucket = int.from_bytes(number, "big") % self._buckets
        moved = self._half * bucket / self._buckets
        part = int((self._clock() + moved) // self._half)
        ends = int((part + 2) * self._half - moved) + 1
        return f"{self._base}:{part}:{bucket}", f"{self._base}:{part - 1}:{bucket}", ends
