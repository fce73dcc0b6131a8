"""Whoever is told to stop while a question to the server is under way stops: drains and emergency stops rest on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from redis.asyncio import Redis

from crawler.bus.client import connect
from crawler.bus.control import Control
from crawler.bus.server import embedded_server
from crawler.frontier.redis import FrontierSettings, RedisFrontier

TIMES = 40
"""Of a cancellation at any moment, about one in two was once lost: `asyncio.wait_for` of Python 3.11, through which the
client sends, gives back what it has and forgets that it was cancelled."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Redis]:
    directory = tmp_path / "server"
    directory.mkdir(mode=0o700)
    with embedded_server(directory) as server:
        made = await connect(server.url)
        yield made
        await made.aclose()


async def survivors(ask: Callable[[], Awaitable[object]]) -> int:
    """How many of so many tasks that ask again and again go on after they were cancelled."""
    dice, alive = Random(3), 0

    async def work() -> None:
        while True:
            await ask()
            await asyncio.sleep(0.0005)

    for _ in range(TIMES):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.002 + dice.random() / 250)
        task.cancel()
        _, pending = await asyncio.wait({task}, timeout=1.0)
        alive += len(pending)
        while pending:
            task.cancel()
            _, pending = await asyncio.wait({task}, timeout=0.1)
    return alive


async def test_who_asks_the_control_records(client: Redis) -> None:
    assert await survivors(Control(client, "test").stops) == 0


async def test_who_asks_the_frontier(client: Redis) -> None:
    assert await survivors(RedisFrontier(client, FrontierSettings("test", 1, "me")).backlog) == 0
