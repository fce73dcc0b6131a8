"""Emergency stops: set, lifted and listed. They hold for every campaign and every worker, within seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from crawler.bus.control import Control
from crawler.bus.stops import Stop, StopKind
from crawler.errors import InvalidInput
from crawler.ranges import parse_prefix
from crawler.records import Rejected
from crawler.service.actors import require
from crawler.service.address import read_target
from crawler.service.deployment import Server, controlled
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.times import iso


def read_stop_target(*, everything: bool, host: str | None, prefix: str | None) -> Stop:
    """The stop that a person asks for. A host is a name with every name below it; an address is a prefix.

    Raises InvalidInput when not exactly one of the three is given, or when it is not what it should be.
    """
    if everything + (host is not None) + (prefix is not None) != 1:
        raise InvalidInput("say what to stop: one of --all, --host HOST and --prefix PREFIX")
    if host is not None:
        return _host(host)
    if prefix is not None:
        network = parse_prefix(prefix)
        if isinstance(network, Rejected):
            raise InvalidInput(f"{prefix[:80]!r} {network.detail}")
        return Stop(StopKind.PREFIX, str(network))
    return Stop(StopKind.ALL)


def set_stop(db: Database, actor: Actor, server: Server, stop: Stop) -> dict[str, Any]:
    """Put a stop in force: {"stop", "changed"}; changed: False when it was in force already.

    No request that it forbids leaves any worker 5 s later; what it holds up keeps its place in the queues.
    Raises NotAuthorised, RedisUnavailable.
    """
    require(db, actor, "stops.set")
    stop = Stop(stop.kind, stop.target, time.time())

    async def act() -> bool:
        async with controlled(server) as control:
            with db.write():
                audit.append(db, actor, "stops.set", _object(db, stop), detail={"kind": stop.kind.value})
                return await control.set_stop(stop)

    changed = asyncio.run(act())
    return {"stop": _json(db, stop), "changed": changed}


def lift_stop(db: Database, actor: Actor, server: Server, stop: Stop) -> dict[str, Any]:
    """Take a stop back: {"stop", "changed"}. Raises NotAuthorised, InvalidInput when none is so, RedisUnavailable."""
    require(db, actor, "stops.lift")

    async def act() -> None:
        async with controlled(server) as control:
            with db.write():
                audit.append(db, actor, "stops.lift", _object(db, stop), detail={"kind": stop.kind.value})
                if not await control.lift_stop(stop):
                    raise InvalidInput("there is no such stop; see `vangnet stop --list`")

    asyncio.run(act())
    return {"stop": _json(db, stop), "changed": True}


def list_stops(db: Database, actor: Actor, server: Server) -> list[dict[str, Any]]:
    """The stops in force: [{"id", "kind", "target", "since"}]; target: None for all. Raises NotAuthorised."""
    require(db, actor, "stops.read")

    async def act() -> Sequence[Stop]:
        async with controlled(server) as control:
            return await _all(control)

    return [_json(db, stop) for stop in asyncio.run(act())]


async def _all(control: Control) -> Sequence[Stop]:
    return tuple(await control.stops())


def _host(text: str) -> Stop:
    target = read_target(text)
    if "://" in text or target.port is not None:
        raise InvalidInput("--host takes a name or an address, without scheme, port and path")
    if target.is_address:
        network = parse_prefix(target.host)
        if isinstance(network, Rejected):
            raise InvalidInput(f"{text[:80]!r} {network.detail}")
        return Stop(StopKind.PREFIX, str(network))
    return Stop(StopKind.HOST, target.host)


def _json(db: Database, stop: Stop) -> dict[str, Any]:
    since = iso(stop.since) if stop.since else None
    return {"id": _object(db, stop), "kind": stop.kind.value, "target": stop.target or None, "since": since}


def _object(db: Database, stop: Stop) -> str:
    """What the audit record calls a stop: equal for equal stops, and no host name."""
    return f"stop-{db.sealer.blind('stop', stop.name).hex()[:12]}"
