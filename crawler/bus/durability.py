"""Whether a server keeps what it is given: its settings, as far as it tells them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

from crawler.bus.client import answered, connect
from crawler.errors import RedisUnavailable


@dataclass(frozen=True, slots=True)
class Durability:
    """None: the server does not tell. skew: seconds that its clock is ahead of ours.  replicas: of a single server."""

    version: str
    append_only: bool | None
    fsync: str | None
    eviction: str | None
    cluster: bool
    replicas: int
    skew: float


def durability(url: str) -> Durability:
    """What the server at `url` says. Raises OptionInvalid, RedisUnavailable as `connect` does."""
    return asyncio.run(_durability(url))


async def _durability(url: str) -> Durability:
    client: Any = await connect(url)
    try:
        before = time.time()
        seconds, microseconds = await answered(client.time())
        now = (before + time.time()) / 2
        facts: dict[str, Any] = await answered(client.info())
        persistence = facts.get("aof_enabled")
        return Durability(
            version=str(facts.get("redis_version", "unknown")),
            append_only=None if persistence is None else bool(persistence),
            fsync=await _setting(client, "appendfsync"),
            eviction=str(facts["maxmemory_policy"]) if "maxmemory_policy" in facts else None,
            cluster=bool(int(facts.get("cluster_enabled", 0))),
            replicas=int(facts.get("connected_slaves", 0)),
            skew=float(seconds) + float(microseconds) / 1e6 - now,
        )
    finally:
        await client.aclose()


async def _setting(client: Any, name: str) -> str | None:
    """A setting, where the server lets us read it: many providers forbid CONFIG."""
    try:
        found = await answered(client.config_get(name))
    except RedisUnavailable:
        return None
    value = found.get(name, found.get(name.encode()))
    return value.decode() if isinstance(value, bytes) else value
