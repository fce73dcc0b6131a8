"""A real server for what all processes share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from redis.asyncio import Redis

from crawler.bus.control import Control
from crawler.bus.joining import Joining
from crawler.bus.server import start_server, stop_server


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
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


@pytest.fixture
def control(client: Redis) -> Control:
    return Control(client, "t")


@pytest.fixture
def joining(client: Redis) -> Joining:
    return Joining(client, "t")
