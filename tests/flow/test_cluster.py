"""A crawl whose server is a Redis Cluster of three nodes, with partitions on all of them, by real processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from crawler.frontier.keys import partition_prefix
from tests.chaos.site import served
from tests.servers.cluster import SERVER, redis_cluster
from tests.servers.vangnet import Vangnet

PARTITIONS = 4
"""The fewest that lie on all three nodes."""
RATE, CONCURRENCY = 50.0, 4


@pytest.mark.skipif(SERVER is None, reason="redis-server is not installed (Debian: redis-server)")
def test_a_crawl_over_a_cluster_finds_everything(tmp_path: Path) -> None:
    with redis_cluster(tmp_path / "cluster") as url, served(6, 4, 3) as site:
        with Redis.from_url(url) as node:
            tags = [partition_prefix("vangnet", n) for n in range(PARTITIONS)]
            assert {node.execute_command("CLUSTER", "KEYSLOT", tag) * 3 // 16_384 for tag in tags} == {0, 1, 2}
        vangnet = Vangnet(tmp_path / "home", environment={"REDIS_URL": url, "VANGNET_PARTITIONS": str(PARTITIONS)})
        vangnet.hash_list(*site.plan.hashes)
        file = vangnet.campaign(site.plan.seed, rate=RATE, concurrency=CONCURRENCY)
        done = vangnet.json("crawl", file, "--workers", 2)
        assert done["urls"] == site.plan.urls
        assert site.impolite(RATE, CONCURRENCY) == {}
        hits = {hit["image_url"]: hit["sightings"] for hit in vangnet.json("hits", "list")}
        assert hits == dict.fromkeys(site.plan.planted, 1) != {}
