"""The frontier on a real Redis Cluster of three nodes: every partition lies in one slot, and nothing crosses slots."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio.cluster import RedisCluster

from crawler.frontier.base import Completion
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.records import Discovered, Done, Kind
from tests.frontier.test_redis import RUN, admit, claim, fill
from tests.servers.cluster import SERVER, redis_cluster


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[RedisCluster]:
    with redis_cluster(tmp_path) as url:
        connection = RedisCluster.from_url(url)
        yield connection
        await connection.aclose()


@pytest.mark.skipif(SERVER is None, reason="redis-server is not installed (Debian: redis-server)")
async def test_the_whole_way_over_partitions_on_three_nodes(client: RedisCluster) -> None:
    frontier = RedisFrontier(client, FrontierSettings("t", 16, "one", lease_seconds=60.0))
    for n in range(12):
        await fill(frontier, [(f"http://h{n}.example/{i}", Kind.PAGE) for i in range(5)], address=f"192.0.2.{n}")
    leases = []
    for _ in range(20):
        leases += await claim(frontier)
    assert len({lease.item.url for lease in leases}) == len(leases) == 60
    assert len({lease.partition for lease in leases}) > 3
    found = Discovered((), 1, None)
    done = [Completion(lease, Done(found, (b"sealed",))) for lease in leases]
    assert await frontier.complete(done) == [True] * 60
    assert await frontier.complete(done) == [False] * 60
    await admit(frontier)
    for _ in range(30):
        await frontier.ack_results(await frontier.results(100, 0.0))
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.unfinished) == (60, 60, 0)
    keys = [key async for key in client.scan_iter("t:*")]
    assert all(b"{p" in key for key in keys)
