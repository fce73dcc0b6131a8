"""The frontier under test: the reference in memory, and Redis with one partition and with five."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from crawler.frontier.base import Frontier
from crawler.frontier.memory import MemoryFrontier
from crawler.frontier.redis import FrontierSettings, RedisFrontier


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Bench:
    """A frontier, and how its time passes. exact: seconds within which its slots are told."""

    frontier: Frontier
    sleep: Callable[[float], Awaitable[None]]
    exact: float


@pytest.fixture(params=["memory", "redis-1", "redis-5"])
def build(request: pytest.FixtureRequest) -> Callable[..., Bench]:
    """Makes a bench of the settings that both implementations know."""
    kind, _, partitions = request.param.partition("-")
    connection = request.getfixturevalue("client") if kind == "redis" else None

    def made(**settings: Any) -> Bench:
        settings = {"lease_seconds": 0.2, "send_window": 0.25} | settings
        if connection is None:
            clock = Clock()
            return Bench(MemoryFrontier(clock, **settings), clock.sleep, 1e-6)
        redis = RedisFrontier(connection, FrontierSettings("t", int(partitions), "one", **settings))
        # The server's clock is read in whole milliseconds.
        return Bench(redis, asyncio.sleep, 0.002)

    return made


@pytest.fixture
def bench(build: Callable[..., Bench]) -> Bench:
    return build()


@pytest.fixture
def frontier(bench: Bench) -> Frontier:
    return bench.frontier
