"""What is remembered of clean images: found again for a while, within bounds, and best effort."""

from __future__ import annotations

import asyncio
import os

import pytest
from redis.asyncio import Redis

from crawler.bus.revisits import PER_BUCKET, Revisits

LIFE = 1_000.0
KIB = 1 << 10


class Clock:
    """Starts in the present, because the server's own clock expires keys."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def clock(client: Redis) -> Clock:
    return Clock(float((await client.time())[0]))


async def test_what_was_remembered_is_found_by_another_worker(client: Redis, clock: Clock) -> None:
    here, there = (Revisits(client, "t", 1 << 20, LIFE, clock) for _ in range(2))
    numbers = [os.urandom(8) for _ in range(40)]
    for number in numbers[:-1]:
        here.remember(number, number[:3] + b"value")
    await here.drain()
    found = await asyncio.gather(*map(there.recall, numbers))
    assert found == [*(number[:3] + b"value" for number in numbers[:-1]), None]


async def test_nothing_lives_longer_than_one_life_nor_less_than_half(client: Redis, clock: Clock) -> None:
    revisits = Revisits(client, "t", 1 << 20, LIFE, clock)
    numbers = [os.urandom(8) for _ in range(100)]
    begun = clock.now
    for number in numbers:
        revisits.remember(number, b"v")
    await revisits.drain()
    for key in await client.keys("*"):
        assert LIFE / 2 < await client.expiretime(key) - begun < LIFE + 2
    clock.now = begun + LIFE / 2 - 1
    assert None not in await asyncio.gather(*map(revisits.recall, numbers))
    clock.now = begun + LIFE + 1
    assert set(await asyncio.gather(*map(revisits.recall, numbers))) == {None}


async def test_memory_is_bounded(client: Redis, clock: Clock) -> None:
    revisits = Revisits(client, "t", 42 * KIB, LIFE, clock)
    for _ in range(5 * PER_BUCKET):
        revisits.remember(os.urandom(8), os.urandom(64))
    await revisits.drain()
    keys = await client.keys("*")
    assert len(keys) == 2
    assert [await client.hlen(key) for key in keys] == [PER_BUCKET] * 2
    assert sum([await client.memory_usage(key) for key in keys]) <= 21 * KIB


async def test_without_memory_nothing_is_asked(client: Redis) -> None:
    revisits = Revisits(client, "t", 0, LIFE)
    revisits.remember(bytes(8), b"v")
    await revisits.drain()
    assert await revisits.recall(bytes(8)) is None
    assert await client.keys("*") == []


async def test_a_server_that_is_away_delays_nobody_for_good() -> None:
    away: Redis = Redis.from_url("redis://127.0.0.1:1", retry=None)
    revisits = Revisits(away, "t", 1 << 20, LIFE)
    revisits.remember(bytes(8), b"v")
    assert await revisits.recall(bytes(8)) is None
    await revisits.drain()
    await away.aclose()
