"""Whatever stands in a record of the frontier: its run ends, with every URL in exactly one outcome."""

from __future__ import annotations

import asyncio
import random

import pytest
from redis.asyncio import Redis

from crawler.frontier.base import Completion, Limits
from crawler.frontier.redis import RedisFrontier
from crawler.records import Done, FrontierUrl, Kind, Retry, RunId
from tests.contract.steps import ADDRESS, RUN, claim, fill

OTHER = RunId("c", 2)
URLS = [(f"http://{host}.example/{n}", Kind.PAGE) for host in "abc" for n in range(4)]


async def finished(frontier: RedisFrontier, client: Redis) -> None:
    """Work until nothing is left; at the end all URLs have their outcome."""
    for _ in range(100):
        await frontier.reap()
        await rest_no_longer(client)
        leases = await claim(frontier)
        await frontier.complete([Completion(lease, Done(), robots=b"rules") for lease in leases])
        if (await frontier.counts(RUN)).unfinished == 0:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"there is no end of it: {await frontier.counts(RUN)}")


async def damage(client: Redis, name: str, number: int) -> bool:
    keys = sorted([key async for key in client.scan_iter(f"t:*:{name}")])
    if not keys:
        return False
    key = keys[number % len(keys)]
    fields = sorted(await client.hkeys(key))
    await client.hset(key, fields[number % len(fields)], "\x01rubbish")
    return True


@pytest.mark.parametrize("name", ["queue", "lease:*", "addr", "fact", "runs"])
@pytest.mark.parametrize("number", [0, 1, 2])
async def test_a_run_with_a_damaged_record_ends(frontier: RedisFrontier, client: Redis, name: str, number: int) -> None:
    await fill(frontier, URLS, robots=True, concurrency=3)
    robots = await claim(frontier)
    await frontier.complete([Completion(lease, Done(), robots=b"rules") for lease in robots])
    leases = await claim(frontier)
    await frontier.complete([Completion(leases.pop(), Retry("reset", 0.0))])
    assert await damage(client, name, number)
    await frontier.complete([Completion(lease, Done()) for lease in leases])
    if name == "addr":
        await claim(frontier)
        await frontier.reap()
        await rest_no_longer(client)
    await finished(frontier, client)
    counts = await frontier.counts(RUN)
    assert counts.discovered == len(URLS)
    assert counts.pending == 0
    lost = counts.failed.get("corrupt-record", 0)
    assert counts.fetched + lost == len(URLS)
    # Of a lease nothing else is known, and a queue's origin stands in its facts; the rest is made anew.
    assert lost <= {"lease:*": 1, "fact": 4}.get(name, 0)
    assert len(await frontier.dead_letters(RUN)) == lost


@pytest.mark.parametrize("name", ["batch", "queues", "numbers", "generation"])
@pytest.mark.parametrize("damage", [b"", b"\xffrubbish", b"1e99", b"0"])
async def test_a_damaged_counter_stops_nothing_and_mixes_nothing_up(
    frontier: RedisFrontier, client: Redis, name: str, damage: bytes
) -> None:
    other = [(f"http://{host}.example/{n}", Kind.PAGE) for host in "def" for n in range(2)]
    await fill(frontier, URLS, concurrency=30)
    leases = await claim(frontier, 1)
    for key in [key async for key in client.scan_iter(f"t:*:{name}")]:
        await client.set(key, damage)
    await fill(frontier, other, run=OTHER, concurrency=30)
    async with asyncio.timeout(10):
        while len(leases) < len(URLS) + len(other):
            leases += await claim(frontier)
            await asyncio.sleep(0.002)
    assert {(lease.item.url, lease.item.run) for lease in leases} == {
        *((url, RUN) for url, _ in URLS),
        *((url, OTHER) for url, _ in other),
    }
    assert len({(lease.partition, lease.token) for lease in leases}) == len(leases)
    assert all(await frontier.complete([Completion(lease, Done()) for lease in leases]))
    assert [(await frontier.counts(run)).unfinished for run in (RUN, OTHER)] == [0, 0]


async def rest_no_longer(client: Redis) -> None:
    """An address whose last request is not known rests for a minute, which a test need not wait for."""
    for key in [key async for key in client.scan_iter("t:*:addr")]:
        for name, packed in (await client.hgetall(key)).items():
            await client.hset(key, name, packed[:20] + bytes(16) + packed[36:])
    for key in [key async for key in client.scan_iter("t:*:due:*")]:
        await client.zadd(key, dict.fromkeys(await client.zrange(key, 0, -1), 0))


async def test_an_address_whose_last_request_is_not_known_rests(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, URLS[:2])
    assert await damage(client, "addr", 0)
    found = await frontier.claim(9, 9)
    assert found.leases == ()
    await frontier.reap()
    again = await frontier.claim(9, 9)
    assert again.leases == ()
    assert again.next_due is not None
    assert again.next_due > 50


@pytest.mark.parametrize("seed", range(6))
async def test_a_run_ends_whatever_is_damaged(frontier: RedisFrontier, client: Redis, seed: int) -> None:
    """Records of all kinds, again and again, while work goes on."""
    rng = random.Random(seed)
    await fill(frontier, URLS, robots=True, concurrency=3)
    for _ in range(6):
        leases = await claim(frontier)
        ends = [Completion(lease, rng.choice([Done(), Retry("reset", 0.0), None]), robots=b"rules") for lease in leases]
        await damage(client, rng.choice(["queue", "lease:*", "addr", "fact", "runs"]), rng.randrange(99))
        await frontier.complete(ends[: rng.randrange(len(ends) + 1)])
        await frontier.reap()
        await rest_no_longer(client)
    await finished(frontier, client)
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.pending) == (len(URLS), 0)
    assert counts.fetched + sum(counts.failed.values()) == len(URLS)


async def test_mending_leaves_a_visit_and_its_place_alone(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, URLS, concurrency=2)
    item = FrontierUrl("http://elsewhere.example/x", RUN, Kind.PAGE, ADDRESS)
    visit = await frontier.visit(item, ADDRESS, Limits(1000.0, 9), 60.0)
    assert visit is not None
    assert await damage(client, "queue", 1)
    await frontier.reap()
    await rest_no_longer(client)
    [lease] = await claim(frontier)  # the other place
    assert await frontier.complete([Completion(visit, Done()), Completion(lease, Done())]) == [True, True]
    await finished(frontier, client)
    assert (await frontier.counts(RUN)).pending == 0


@pytest.mark.parametrize("name", ["queue", "addr", "lease:*"])
async def test_no_byte_of_a_record_fails_a_script(frontier: RedisFrontier, client: Redis, name: str) -> None:
    """Scripts that fail after their first write would lose what they took."""
    await fill(frontier, URLS, concurrency=30)
    leases = await claim(frontier, 2)
    rows = {}
    for key in [key async for key in client.scan_iter(f"t:*:{name}")]:
        rows |= {(key, field): packed for field, packed in (await client.hgetall(key)).items()}
    for offset in range(max(map(len, rows.values()))):
        for value in (0, 7, 255):
            for (key, field), packed in rows.items():
                await client.hset(key, field, packed[:offset] + bytes([value]) + packed[offset + 1 :])
            await frontier.claim(1, 1)
            await frontier.complete([Completion(lease, Done()) for lease in leases[:1]])
            await frontier.reap()
