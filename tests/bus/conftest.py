"""What all processes share, on a real server."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from crawler.bus.control import Control
from crawler.bus.joining import Joining


@pytest.fixture
def control(client: Redis) -> Control:
    return Control(client, "t")


@pytest.fixture
def joining(client: Redis) -> Joining:
    return Joining(client, "t")
