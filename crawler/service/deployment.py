"""The server that all processes of a deployment share, as acts of people reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from crawler.bus.client import connect
from crawler.bus.control import Control
from crawler.frontier.base import Frontier
from crawler.options import Options
from crawler.parts import frontier_of


@dataclass(frozen=True, slots=True)
class Server:
    """Where the deployment's server is, and the options under which this process joins. url: may hold a password."""

    options: Options
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Deployment:
    """Which runs are active, and where their URLs stand."""

    control: Control
    frontier: Frontier


@asynccontextmanager
async def joined(server: Server) -> AsyncIterator[Deployment]:
    """The deployment whose server is at `server`, for the length of the block.

    Raises OptionInvalid for a URL that is none, RedisUnavailable, HomeUnusable for another format or partitioning.
    """
    client = await connect(server.url)
    try:
        control = Control(client, server.options.key_prefix)
        await control.check_format(server.options.partitions)
        yield Deployment(control, frontier_of(client, server.options))
    finally:
        await client.aclose()


@asynccontextmanager
async def controlled(server: Server) -> AsyncIterator[Control]:
    """Its control records alone: in an emergency nothing else has to be in order. Raises as `joined` does."""
    client = await connect(server.url)
    try:
        yield Control(client, server.options.key_prefix)
    finally:
        await client.aclose()
