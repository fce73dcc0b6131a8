"""The frontier's door to Redis: scripts by name and partition, streams with consumer groups, errors translated."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from crawler.cancelling import heeding
from crawler.errors import RecordCorrupt, RedisUnavailable
from crawler.frontier.base import StreamEntry
from crawler.frontier.codec import parse_run
from crawler.frontier.keys import partition_prefix

_log = structlog.get_logger()
_IDLE_MS = 30_000
"""A stream entry that its reader did not acknowledge for so long is given to another."""
_DEAD_MS = 3_600_000
"""A consumer that has not asked for so long is dead; what it held was given to others long before."""
_RECLAIM_EVERY = 5.0
"""Seconds between two looks for such entries."""


_ON_TABLES = ("tables", "common")
_BEFORE: dict[str, tuple[str | tuple[str, ...], ...]] = {
    **dict.fromkeys(("backlog", "bury", "carry", "lift", "offer", "overview"), ()),
    **dict.fromkeys(("ack", "unmark"), ("settling",)),
    "enqueue": ("settling", *_ON_TABLES),
    "claim": ("handing", "plain", (*_ON_TABLES, "tend", "turns")),
    "complete": ("ending", (*_ON_TABLES, "endings")),
    "reserve": ("seen", "marks", "cover"),
    "carry_over": ("cover",),
    "forget": (*_ON_TABLES, "seen"),
    "wake": (*_ON_TABLES, "tend"),
    "relocate": (*_ON_TABLES, "tend"),
}
"""Files between saving.lua and the script: tables.lua and common.lua where nothing else is said. Those in brackets are
made by `rare()` when they are asked for, since a function costs to make even where it is never called. Each part is a
function within the one before, and Lua lets one name 60 things at most of all that stand around it."""
_RARE = """
local rare_made
local function rare_make()
{}
end
local function rare()
  rare_made = rare_made or rare_make()
  return rare_made
end
"""


@dataclass(frozen=True, slots=True)
class _Script:
    """digest: what the server knows a text by that it has run before."""

    text: str
    digest: str


def _script(name: str) -> _Script:
    text = _text(name)
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())


class RedisLink:
    """One process's connection to the partitions of a deployment. consumer: unique name of this process."""

    def __init__(self, client: Redis, prefix: str, partitions: int, consumer: str) -> None:
        self._client = client
        self._consumer = consumer
        self._scripts: dict[str, _Script] = {}
        self._reclaimed: dict[str, float] = {}
        self._cursors: dict[str, bytes] = {}
        self.prefixes = tuple(partition_prefix(prefix, n) for n in range(partitions))

    async def run(self, script: str, partition: int, *arguments: Any) -> Any:
        """What a script of this package answers in a partition."""
        known = self._scripts.get(script)
        if known is None:
            known = self._scripts[script] = _script(script)
        # Not by the library's own object for scripts, which costs as much again as the command.
        ask: Callable[..., Awaitable[Any]] = self._client.execute_command
        try:
            return await _translated(ask("EVALSHA", known.digest, 1, self.prefixes[partition], *arguments))
        except _NoScriptError:
            return await _translated(ask("EVAL", known.text, 1, self.prefixes[partition], *arguments))

    async def hash_value(self, key: str, name: str) -> bytes | None:
        """One field of a hash."""
        return cast("bytes | None", await _translated(self._client.hget(key, name)))

    async def hash_some(self, key: str, names: Sequence[int]) -> list[bytes | None]:
        """Fields of a hash."""
        return cast("list[bytes | None]", await _translated(self._client.hmget(key, [str(name) for name in names])))

    async def length(self, key: str) -> int:
        """Members of a set."""
        return int(await _translated(self._client.scard(key)))

    async def hash_values(self, key: str) -> dict[bytes, bytes]:
        """A whole hash."""
        return cast("dict[bytes, bytes]", await _translated(self._client.hgetall(key)))

    async def add(self, key: str, name: str, by: int) -> None:
        """Move one counter."""
        await _translated(self._client.hincrby(key, name, by))

    async def newest(self, key: str, n: int) -> list[bytes]:
        """The last n elements of a list."""
        return cast("list[bytes]", await _translated(self._client.lrange(key, -n, -1)))

    async def read(self, stream: str, group: str, n: int, wait: float | None = None) -> list[StreamEntry]:
        """At most n entries, abandoned ones first. wait: seconds for the first, with one partition only."""
        entries: list[StreamEntry] = []
        for partition, prefix in enumerate(self.prefixes):
            key = f"{prefix}:{stream}"
            if len(entries) < n:
                abandoned = await self._abandoned(key, group, n - len(entries))
                entries += await self._readable(partition, stream, group, abandoned)
            if len(entries) < n:
                block = round(1000 * wait) if wait and len(self.prefixes) == 1 and not entries else None
                fresh = await self._fresh(key, group, n - len(entries), block)
                entries += await self._readable(partition, stream, group, fresh)
        return entries

    async def _readable(self, partition: int, stream: str, group: str, rows: list[Any]) -> list[StreamEntry]:
        """The entries in rows of a stream. One that cannot be read is dropped and logged, and stops nobody."""
        entries = []
        for number, fields in rows:
            try:
                if fields:
                    payload = fields[b"d"] if b"d" in fields else fields[b"r"]
                    entries.append(StreamEntry(partition, number.decode(), parse_run(fields[b"run"].decode()), payload))
            except (RecordCorrupt, UnicodeDecodeError, KeyError):
                _log.error("damaged entry dropped", stream=stream, entry=number.decode())
                run = fields.get(b"run", b"damaged")
                await self.run("ack", partition, stream, group, number, run, b"", 0)
        return entries

    async def acknowledge(
        self, stream: str, group: str, entries: Sequence[StreamEntry], later: Sequence[tuple[bytes, float]] = ()
    ) -> int:
        """Acknowledge and remove entries, and move the counters of their runs; how many were still pending.

        later: for each entry a payload (b"" for none) that becomes discoveries of its run after so many seconds.
        """
        groups: dict[int, list[str | bytes | int]] = defaultdict(list)
        for entry, after in zip(entries, later or [(b"", 0.0)] * len(entries), strict=True):
            groups[entry.partition] += acknowledgement(entry, *after)
        return sum([await self.run("ack", partition, stream, group, *each) for partition, each in groups.items()])

    async def _fresh(self, key: str, group: str, n: int, block: int | None) -> list[Any]:
        try:
            reply = await _translated(self._client.xreadgroup(group, self._consumer, {key: ">"}, count=n, block=block))
        except _NoGroupError:
            await self._make_group(key, group)
            return []
        if not reply:
            return []
        # RESP3 answers a mapping of stream to batches, RESP2 a list of pairs.
        return list(next(iter(reply.values()))[0] if isinstance(reply, dict) else reply[0][1])

    async def _abandoned(self, key: str, group: str, n: int) -> list[Any]:
        now = time.monotonic()
        if now - self._reclaimed.get(key, 0.0) < _RECLAIM_EVERY:
            return []
        self._reclaimed[key] = now
        try:
            start = self._cursors.get(key, b"0-0")
            claim = self._client.xautoclaim(key, group, self._consumer, _IDLE_MS, start_id=start, count=n)
            reply = await _translated(claim)
            self._cursors[key] = reply[0]
            if not reply[1]:
                await self._dismiss_dead(key, group)
        except _NoGroupError:
            return []
        return list(reply[1])

    async def _dismiss_dead(self, key: str, group: str) -> None:
        """Delete consumers that asked for nothing for long and hold nothing: processes of other nights."""
        for consumer in await _translated(self._client.xinfo_consumers(key, group)):
            if consumer["pending"] == 0 and consumer["idle"] > _DEAD_MS:
                await _translated(self._client.xgroup_delconsumer(key, group, consumer["name"]))

    async def _make_group(self, key: str, group: str) -> None:
        try:
            await self._client.xgroup_create(key, group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise RedisUnavailable(f"Redis refused a consumer group: {error}") from error
        except (RedisError, OSError) as error:
            raise RedisUnavailable(_SILENT.format(error)) from error


def acknowledgement(entry: StreamEntry, payload: bytes, seconds: float) -> tuple[str | bytes | int, ...]:
    """What scripts are told of an entry that ends: see `settling.lua`."""
    return entry.number, str(entry.run), payload, round(1000 * seconds)


def _text(script: str) -> str:
    """A script with what comes before it. Each part is a function within the one before, for what that one names is
    then taken over as it is; to find a name of the same function, Lua walks past the others that are in use."""
    here = files("crawler.frontier")

    def read(*names: str) -> str:
        return "".join((here / f"{name}.lua").read_text() for name in names)

    parts = ("base", "state", "saving", *_BEFORE.get(script, _ON_TABLES), script)
    texts = [read(part) if isinstance(part, str) else _RARE.format(read(*part)) for part in parts]
    return "\nreturn (function()\n".join(texts) + "\nend)()" * (len(texts) - 1)


_SILENT = "Redis does not answer: {}; check REDIS_URL and the server"


class _NoScriptError(Exception):
    """The server has not run this script since it started."""


class _NoGroupError(Exception):
    """The stream or its consumer group does not exist yet."""


async def _translated(reply: Awaitable[Any]) -> Any:
    try:
        return await heeding(reply)
    except NoScriptError as error:
        raise _NoScriptError from error
    except ResponseError as error:
        if str(error).startswith("NOGROUP"):
            raise _NoGroupError from error
        raise RedisUnavailable(f"Redis refused a command: {error}") from error
    except (RedisError, OSError) as error:
        raise RedisUnavailable(_SILENT.format(error)) from error
