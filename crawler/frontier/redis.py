"""The frontier in Redis (>= 7.0) or Valkey: thin Python around the scripts beside it. See `common.lua` for the keys."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgpack
from redis.asyncio import Redis

from crawler.errors import RecordCorrupt, RedisUnavailable
from crawler.frontier.base import Admission, Claimed, Completion, DeadLetter, RunCounts, StreamEntry
from crawler.frontier.codec import pack_discovered, parse_run, unpack_url
from crawler.frontier.keys import ADMITTERS, RECORDERS, partition_of
from crawler.frontier.ops import completion_op, counts_of
from crawler.frontier.redis_admit import Admissions
from crawler.frontier.redis_link import RedisLink
from crawler.records import Discovered, Lease, RunId


@dataclass(frozen=True, slots=True)
class FrontierSettings:
    """prefix: first part of every key.  partitions: of the deployment.  consumer: unique name of this process.

    lease_seconds, send_window, lookahead, robots_ttl, keep: seconds.  attempts: deliveries before a URL has failed.
    """

    prefix: str
    partitions: int
    consumer: str
    lease_seconds: float = 90.0
    send_window: float = 0.25
    lookahead: float = 0.1
    attempts: int = 4
    robots_ttl: float = 86_400.0
    keep: float = 2_592_000.0


_ENDED = ord("1")
"""What `complete.lua` answers for a lease that it ended."""


class RedisFrontier:
    """Implements `crawler.frontier.base.Frontier`."""

    def __init__(self, client: Redis, settings: FrontierSettings) -> None:
        self._settings = settings
        self._link = RedisLink(client, settings.prefix, settings.partitions, settings.consumer)
        self._admissions = Admissions(self._link, settings.partitions, settings.keep)
        self._partitions = range(settings.partitions)

    # ------------------------------------------------------------ leases

    async def claim(self, pages: int, images: int) -> Claimed:
        leases: list[Lease] = []
        due: list[float] = []
        order = list(self._partitions)
        random.shuffle(order)
        for partition in order:
            taken = sum(lease.item.kind.on_image_lane for lease in leases)
            wanted = max(pages - len(leases) + taken, 0), max(images - taken, 0)
            if wanted == (0, 0):
                break
            try:
                next_due = await self._claim(partition, wanted, leases)
            except RedisUnavailable:
                if not leases:
                    raise
                break  # what the other partitions gave must not be lost with this one
            if next_due is not None:
                due.append(next_due)
        return Claimed(tuple(leases), min(due, default=None))

    async def _claim(self, partition: int, wanted: tuple[int, int], leases: list[Lease]) -> float | None:
        s = self._settings
        times = (round(1000 * value) for value in (s.lookahead, s.send_window, s.lease_seconds, s.robots_ttl))
        before = time.monotonic()
        now, soonest, *rows = msgpack.unpackb(await self._link.run("claim", partition, *wanted, *times), raw=True)
        after = time.monotonic()
        for row in rows:
            lease = await self._lease(partition, row, now, before, after)
            if lease is not None:
                leases.append(lease)
        return (soonest - now) / 1000 if soonest >= 0 else None

    async def _lease(self, partition: int, row: list[Any], now: float, before: float, after: float) -> Lease | None:
        token, slot, run, origin, address, queue, robots_at, element = row
        delay = (slot - now) / 1000
        send_by = before + delay + self._settings.send_window
        try:
            item = unpack_url(element, parse_run(run.decode()), origin.decode(), address.decode())
        except (RecordCorrupt, UnicodeDecodeError):
            op = {"t": token.decode(), "o": "failed", "n": "corrupt-record"}
            await self._complete(partition, [op])
            return None
        return Lease(
            item=item,
            partition=partition,
            token=int(token),
            queue=f"{queue.decode()}:{robots_at.decode()}",
            not_before=after + delay,
            send_by=send_by,
            expires=send_by + self._settings.lease_seconds,
        )

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        by_partition: dict[int, list[int]] = defaultdict(list)
        for position, completion in enumerate(completions):
            by_partition[completion.lease.partition].append(position)
        held = [False] * len(completions)
        for partition, positions in by_partition.items():
            reply = await self._complete(partition, [completion_op(completions[i]) for i in positions])
            for i, answer in zip(positions, reply, strict=True):
                held[i] = answer == _ENDED
        return held

    async def _complete(self, partition: int, ops: list[dict[str, Any]]) -> bytes:
        packed = msgpack.packb(ops, use_bin_type=False)
        reply: bytes = await self._link.run("complete", partition, packed, self._settings.attempts)
        return reply

    async def reslot(self, lease: Lease) -> Lease | None:
        s = self._settings
        times = round(1000 * s.send_window), round(1000 * s.lease_seconds)
        before = time.monotonic()
        reply = await self._link.run("reslot", lease.partition, str(lease.token), *times)
        if not reply:
            return None
        delay = (float(reply[1]) - float(reply[0])) / 1000
        send_by = before + delay + s.send_window
        slot = time.monotonic() + delay
        return replace(lease, not_before=slot, send_by=send_by, expires=send_by + s.lease_seconds)

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        return await self.complete([Completion(lease, None) for lease in leases])

    async def block(self, politeness: str, seconds: float) -> None:
        partition = partition_of(politeness, self._settings.partitions)
        await self._link.run("block", partition, politeness, round(1000 * seconds))

    async def robots_rules(self, lease: Lease) -> bytes | None:
        number = lease.queue.partition(":")[0]
        return await self._link.hash_value(f"{self._link.prefixes[lease.partition]}:q:{number}", "robots")

    async def reap(self, n: int = 200) -> int:
        return sum([await self._link.run("reap", p, n, self._settings.attempts) for p in self._partitions])

    # ------------------------------------------------------------ discoveries and results

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        partition = partition_of(str(run), self._settings.partitions)
        await self._link.run("offer", partition, str(run), *(pack_discovered(found) for found in discovered))

    async def discoveries(self, n: int) -> list[StreamEntry]:
        return await self._link.read("disc", ADMITTERS, n)

    async def backlog(self) -> int:
        return await self._link.stream_length("disc") + await self._link.stream_length("res")

    async def results(self, n: int, wait: float) -> list[StreamEntry]:
        return await self._link.read("res", RECORDERS, n, wait)

    async def ack_results(self, entries: Sequence[StreamEntry]) -> None:
        await self._link.acknowledge("res", RECORDERS, entries)

    async def discard(self, entries: Sequence[StreamEntry], reason: str) -> None:
        await self._drop("disc", ADMITTERS, entries, reason)

    async def refuse(self, entries: Sequence[StreamEntry], reason: str) -> None:
        await self._drop("res", RECORDERS, entries, reason)

    async def _drop(self, stream: str, group: str, entries: Sequence[StreamEntry], reason: str) -> None:
        for entry in entries:
            # Whoever acknowledges it counts it: a second delivery does neither.
            if await self._link.acknowledge(stream, group, [entry]):
                await self._link.add(f"{self._link.prefixes[entry.partition]}:cnt:{entry.run}", f"t:{reason}", 1)

    async def admit(self, admissions: Sequence[Admission]) -> None:
        await self._admissions.admit(admissions)

    # ------------------------------------------------------------ runs

    async def counts(self, run: RunId) -> RunCounts:
        rows: list[dict[bytes, bytes]] = []
        for prefix in self._link.prefixes:
            rows.append(await self._link.hash_values(f"{prefix}:cnt:{run}"))
        return counts_of(rows)

    async def hold(self, run: RunId, held: bool) -> None:
        for partition in self._partitions:
            cursor = b"0"
            while True:
                state = "paused" if held else "running"
                cursor = await self._link.run("hold", partition, str(run), state, cursor, 500)
                if cursor in (b"0", "0"):
                    break

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        letters: list[DeadLetter] = []
        for prefix in self._link.prefixes:
            packed = await self._link.newest(f"{prefix}:dead:{run}", n)
            letters += [_dead_letter(item, run) for item in packed]
        return letters[-n:]

    async def forget(self, run: RunId) -> None:
        for partition in self._partitions:
            while await self._link.run("forget", partition, str(run), 500):
                pass


def _dead_letter(packed: bytes, run: RunId) -> DeadLetter:
    reason, origin, element = msgpack.unpackb(packed, raw=True)
    try:
        item = unpack_url(element, run, (origin or b"").decode(), "")
    except (RecordCorrupt, UnicodeDecodeError):
        return DeadLetter(None, None, reason.decode(errors="replace"))
    return DeadLetter(item.url, item.kind, reason.decode(errors="replace"))
