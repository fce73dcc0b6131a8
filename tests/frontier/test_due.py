"""Claims where something is damaged: of the sets of due addresses, of their records, or of the claim itself."""

from __future__ import annotations

import asyncio
from hashlib import sha1

import pytest
from redis.asyncio import Redis

from crawler.errors import RedisUnavailable
from crawler.frontier.base import Completion
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.frontier.redis_link import _Script, _script
from crawler.records import Done, Kind
from tests.contract.steps import RUN, claim, fill, urls_of


@pytest.fixture
def frontier(client: Redis) -> RedisFrontier:
    return RedisFrontier(client, FrontierSettings("t", 1, "one", lease_seconds=60.0))


async def fill_each(frontier: RedisFrontier, *kinds: Kind, hosts: range) -> None:
    """A URL of each kind at each host, and every host at an address of its own, which may be asked at once."""
    for n in hosts:
        urls = [(f"http://h{n}.example/{kind}", kind) for kind in kinds]
        await fill(frontier, urls, address=f"192.0.2.{n}", rate=1000.0)


async def test_a_set_that_damaged_records_have_emptied_stops_no_claim(frontier: RedisFrontier, client: Redis) -> None:
    await fill_each(frontier, Kind.PAGE, hosts=range(1))
    await fill_each(frontier, Kind.IMAGE, hosts=range(1, 2))
    await fill_each(frontier, Kind.PAGE, Kind.IMAGE, hosts=range(2, 3))
    assert await client.zrange("t:{p0}:due:b", 0, -1) == [b"192.0.2.2"]
    await client.hset("t:{p0}:addr", "192.0.2.2", b"xx")
    assert set(urls_of(await claim(frontier))) == {"http://h0.example/page", "http://h1.example/image"}
    counts = await frontier.counts(RUN)
    assert (counts.waiting["queued"], counts.waiting["leased"]) == (2, 2)


async def test_what_damaged_records_leave_passes_nobody_over(frontier: RedisFrontier, client: Redis) -> None:
    """More than are read at first are due."""
    await fill_each(frontier, Kind.PAGE, hosts=range(60))
    for name in (await client.zrange("t:{p0}:due:p", 0, -1))[:5]:
        await client.hset("t:{p0}:addr", name, b"xx")
    assert len((await frontier.claim(100, 0)).leases) == 55


async def test_an_address_that_is_due_and_has_no_record_is_not_due_for_ever(
    frontier: RedisFrontier, client: Redis
) -> None:
    """Neither one that has nothing, nor one whose record is gone, which gets its queues anew."""
    await fill_each(frontier, Kind.PAGE, hosts=range(2))
    await client.zadd("t:{p0}:due:p", {b"192.0.2.8": 0, b"192.0.2.9": 0})
    await client.hdel("t:{p0}:addr", "192.0.2.1")
    found = []
    for _ in range(4):
        found += urls_of((await frontier.claim(1, 0)).leases)
    assert found == ["http://h0.example/page"]
    assert await client.zrange("t:{p0}:due:p", 0, -1) == []
    await frontier.reap()
    assert await client.smembers("t:{p0}:damaged") == set()
    # What it was asked last is not known, so it waits for a minute.
    assert await client.zrange("t:{p0}:due:p", 0, -1) == [b"192.0.2.1"]
    next_due = (await frontier.claim(1, 0)).next_due
    assert next_due is not None and next_due > 50


async def test_what_a_claim_took_that_broke_off_comes_back(client: Redis) -> None:
    """Whatever it breaks off for, which no test can know."""
    frontier = RedisFrontier(client, FrontierSettings("t", 1, "one", lease_seconds=0.1, send_window=0.1))
    await fill_each(frontier, Kind.PAGE, Kind.IMAGE, hosts=range(3))
    text = _script("claim").text.replace("if left_to_other then", "if left_to_other then error('broken')")
    frontier._link._scripts["claim"] = _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
    with pytest.raises(RedisUnavailable, match="broken"):
        await claim(frontier)
    assert (await frontier.counts(RUN)).waiting == {"queued": 3, "leased": 3}
    del frontier._link._scripts["claim"]
    await asyncio.sleep(0.3)
    assert await frontier.reap() == 3
    found = []
    async with asyncio.timeout(5):
        while len(found) < 6:
            leases = await claim(frontier)
            found += urls_of(leases)
            await frontier.complete([Completion(lease, Done()) for lease in leases])
            await asyncio.sleep(0.05)
    assert len(set(found)) == 6


async def test_numbers_of_runs_that_are_damaged_with_their_counter_stop_nobody(
    frontier: RedisFrontier, client: Redis
) -> None:
    """Of a run that has no queue from which its number could be known again."""
    await fill_each(frontier, Kind.PAGE, hosts=range(3))
    await client.hset("t:{p0}:runs", "other#1", b"x")
    await client.set("t:{p0}:numbers", b"x")
    assert len(await claim(frontier)) == 3
    numbers = await client.hgetall("t:{p0}:runs")
    assert sorted(numbers.values()) == [b"1", b"2"]
