"""The frontier under test on a real server, with one partition and with five."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from crawler.frontier.redis import FrontierSettings, RedisFrontier


@pytest.fixture(params=[1, 5])
def frontier(client: Redis, request: pytest.FixtureRequest) -> RedisFrontier:
    return RedisFrontier(client, FrontierSettings("t", request.param, "one", lease_seconds=0.2, send_window=0.25))
