"""The seen set of a run: whatever its numbers are and however often buckets were split, each is new exactly once."""

from __future__ import annotations

import random
import re
from importlib.resources import files

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from crawler.frontier.base import Admission, Judged, Limits
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.frontier.redis_admit import _LOW_BITS
from crawler.records import Candidate, Discovered, Kind, RunId
from tests.contract.steps import ADDRESS, RUN, new_entries

# What Lua's doubles do not hold, what has fewer digits than its buckets are told by, and what ends a signed number.
ODD = (
    0,
    1,
    -1,
    2**63 - 1,
    -(2**63),
    10**15,
    -(10**15),
    10**15 - 1,
    1 - 10**15,
    -(10**14),
    2**53 + 1,
    -(2**20),
    2**20 - 1,
)
FEW = 100


async def new_of(frontier: RedisFrontier, numbers: list[int], run: RunId = RUN) -> int:
    """How many of the numbers a run has not seen, which it has then."""
    before = (await frontier.counts(run)).discovered
    urls = tuple(
        Judged(Candidate(f"http://a.example/{at}", Kind.PAGE, "a"), number, "a.example", ADDRESS, ADDRESS, "elsewhere")
        for at, number in enumerate(numbers)
    )
    # In parts, for a script that is given thousands keeps the server from all others.
    for first in range(0, len(urls), 1000):
        some = urls[first : first + 1000]
        found = Discovered(tuple(url.candidate for url in some))
        await frontier.offer(run, [found])
        for entry in await new_entries(frontier):
            await frontier.admit([Admission(entry, found, some, lambda _: Limits(1.0, 1), 10, False)])
    return (await frontier.counts(run)).discovered - before


async def buckets(client: Redis) -> dict[bytes, int]:
    """Numbers in each, by the bucket's key."""
    names = [key async for key in client.scan_iter("t:*:seen:*") if not key.endswith(b"shape")]
    return {name: await client.scard(name) for name in names}


@pytest.mark.parametrize("count", [290, 291, 420, 1160, 1161, 1700, 4700, 7000])
async def test_every_number_is_new_once_at_each_stage_of_a_round(
    frontier: RedisFrontier, client: Redis, count: int
) -> None:
    pick = random.Random(count)
    numbers = [*ODD, *(pick.randrange(-(2**63), 2**63) for _ in range(count - len(ODD)))]
    assert await new_of(frontier, numbers) == count
    assert await new_of(frontier, numbers[::-1]) == 0
    counts = await frontier.counts(RUN)
    assert counts.tally == {}
    held = await buckets(client)
    assert sum(held.values()) == count
    assert max(held.values()) <= 512
    assert {await client.object("encoding", key) for key in held} <= {b"intset"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sets(
        st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-(10**16), 10**16), st.integers(-500, 500)),
        max_size=FEW,
    ),
    st.integers(300, 1500),
    st.randoms(use_true_random=False),
)
async def test_no_number_is_lost_among_others(
    frontier: RedisFrontier, client: Redis, some: set[int], others: int, pick: random.Random
) -> None:
    await client.flushdb()
    numbers = list(some | {pick.randrange(-(2**63), 2**63) for _ in range(others)})
    assert await new_of(frontier, list(some)) == len(some)
    assert await new_of(frontier, numbers) == len(numbers) - len(some)
    assert await new_of(frontier, numbers) == 0
    assert (await frontier.counts(RUN)).tally == {}


@given(st.one_of(st.sampled_from(ODD), st.integers(-(2**63), 2**63 - 1)), st.integers(0, 10))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_low_bits_of_a_magnitude_are_exact(client: Redis, number: int, rounds: int) -> None:
    script = (
        "local sub = string.sub\n"
        + (files("crawler.frontier") / "seen.lua").read_text()
        + "\nreturn string.format('%d', low_of(ARGV[1], tonumber(ARGV[2])))"
    )
    assert int(await client.eval(script, 0, str(number), 4**rounds)) == abs(number) % 4**rounds


@pytest.mark.parametrize("count", [200, 300, 700, 1300, 5100])
async def test_a_shape_that_is_gone_is_found_again(frontier: RedisFrontier, client: Redis, count: int) -> None:
    pick = random.Random(count)
    numbers = [pick.randrange(-(2**63), 2**63) for _ in range(count)]
    assert await new_of(frontier, numbers) == count
    shapes = {key: await client.get(key) async for key in client.scan_iter("t:*:seen:*:shape")}
    for key in shapes:
        await client.delete(key)
    assert await new_of(frontier, numbers) == 0
    assert {key: await client.get(key) for key in shapes} == shapes
    assert (await frontier.counts(RUN)).tally == {"corrupt-record": len(shapes)}


@pytest.mark.parametrize("count", [900, 9000])
async def test_the_life_of_every_bucket_is_prolonged(frontier: RedisFrontier, client: Redis, count: int) -> None:
    pick = random.Random(count)
    await new_of(frontier, [pick.randrange(-(2**63), 2**63) for _ in range(count)])
    for key in await buckets(client):
        assert await client.expire(key, 60)
    await new_of(frontier, [pick.randrange(-(2**63), 2**63) for _ in range(count)])
    lives = [await client.ttl(key) for key in await buckets(client)]
    assert min(lives) > 60


@pytest.mark.parametrize("lost", [1, 7])
async def test_a_bucket_that_is_gone_with_the_shape_takes_no_other_along(client: Redis, lost: int) -> None:
    frontier = RedisFrontier(client, FrontierSettings("t", 1, "one"))
    pick = random.Random(1)
    numbers = [pick.randrange(-(2**63), 2**63) for _ in range(4700)]
    await new_of(frontier, numbers)
    bucket = f"t:{{p0}}:seen:{RUN}:{lost}"
    held = await client.scard(bucket)
    assert await client.delete(bucket, f"t:{{p0}}:seen:{RUN}:shape") == 2
    assert await new_of(frontier, numbers) == held > 0


async def test_a_number_that_leaves_for_good_is_not_counted_any_more(frontier: RedisFrontier, client: Redis) -> None:
    await new_of(frontier, list(range(200)))
    damaged = list(await buckets(client))
    for bucket in damaged:
        await client.srem(bucket, await client.srandmember(bucket))
        assert await client.sadd(bucket, "rubbish") == 1
    await new_of(frontier, list(range(2**40, 2**40 + 3000)))
    held = await buckets(client)
    shapes = [await client.get(key) async for key in client.scan_iter("t:*:seen:*:shape")]
    assert sum(int(shape.split()[2]) for shape in shapes) == sum(held.values()) == 3200 - len(damaged)
    assert [key for key in held if await client.ttl(key) <= 0] == []


def test_a_reservation_tells_as_many_bits_as_buckets_are_told_by() -> None:
    text = (files("crawler.frontier") / "seen.lua").read_text()
    found = re.search(r"local START, STEP, BITS = \d+, \d+, (\d+)\n", text)
    assert found is not None
    assert 2 ** int(found[1]) - 1 == _LOW_BITS


@pytest.mark.parametrize("most", [1, 20])
async def test_a_run_that_is_forgotten_half_way_and_then_damaged_leaves_nothing(client: Redis, most: int) -> None:
    frontier = RedisFrontier(client, FrontierSettings("t", 1, "one"))
    pick = random.Random(1)
    await new_of(frontier, [pick.randrange(-(2**63), 2**63) for _ in range(7000)])
    while await frontier._link.run("forget", 0, str(RUN), most) > 30:
        pass
    await client.set(f"t:{{p0}}:seen:{RUN}:shape", b"\x01rubbish")
    # A late admitter's number lives no longer than others.
    assert await new_of(frontier, [7, 8, 9]) == 3
    assert [key for key in await buckets(client) if await client.ttl(key) <= 0] == []
    await frontier.forget(RUN)
    assert [key async for key in client.scan_iter("t:*:seen:*")] == []


@pytest.mark.parametrize("count", [200, 300, 1300, 5100])
async def test_a_run_is_forgotten_with_all_its_buckets(frontier: RedisFrontier, client: Redis, count: int) -> None:
    pick = random.Random(count)
    await new_of(frontier, [pick.randrange(-(2**63), 2**63) for _ in range(count)])
    assert await buckets(client)
    await frontier.forget(RUN)
    assert await buckets(client) == {}
