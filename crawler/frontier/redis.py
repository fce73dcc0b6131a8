"""The frontier in Redis (>= 7.0) or Valkey: thin Python around the scripts beside it. See `common.lua` for the keys."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
from redis.asyncio import Redis

from crawler.errors import RecordCorrupt
from crawler.frontier.base import Admission, Claimed, Completion, DeadLetter, Judged, RunCounts, StreamEntry
from crawler.frontier.codec import pack_discovered, parse_run, unpack_url
from crawler.frontier.keys import ADMITTERS, RECORDERS, partition_of
from crawler.frontier.ops import completion_op, counts_of, enqueue_groups
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


class RedisFrontier:
    """Implements `crawler.frontier.base.Frontier`."""

    def __init__(self, client: Redis, settings: FrontierSettings) -> None:
        self._settings = settings
        self._link = RedisLink(client, settings.prefix, settings.partitions, settings.consumer)
        self._partitions = range(settings.partitions)

    # ------------------------------------------------------------ leases

    async def claim(self, pages: int, images: int) -> Claimed:
        s = self._settings
        leases: list[Lease] = []
        due: list[float] = []
        order = list(self._partitions)
        random.shuffle(order)
        for partition in order:
            want_pages = pages - sum(not lease.item.kind.on_image_lane for lease in leases)
            want_images = images - sum(lease.item.kind.on_image_lane for lease in leases)
            if want_pages <= 0 and want_images <= 0:
                break
            before = time.monotonic()
            reply = await self._link.run(
                "claim",
                partition,
                max(want_pages, 0),
                max(want_images, 0),
                *(round(1000 * value) for value in (s.lookahead, s.send_window, s.lease_seconds, s.robots_ttl)),
            )
            now, soonest = float(reply[0]), float(reply[1])
            if soonest >= 0:
                due.append((soonest - now) / 1000)
            leases += [
                lease
                for row in reply[2:]
                if (lease := await self._lease(partition, row, now, before, time.monotonic())) is not None
            ]
        return Claimed(tuple(leases), min(due, default=None))

    async def _lease(self, partition: int, row: list[bytes], now: float, before: float, after: float) -> Lease | None:
        token, slot, run, origin, address, queue, robots_at, element = row
        delay = (float(slot) - now) / 1000
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
                held[i] = bool(answer)
        return held

    async def _complete(self, partition: int, ops: list[dict[str, Any]]) -> list[int]:
        packed = msgpack.packb(ops, use_bin_type=False)
        reply: list[int] = await self._link.run("complete", partition, packed, self._settings.attempts)
        return reply

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
            await self._link.add(f"{self._link.prefixes[entry.partition]}:cnt:{entry.run}", f"t:{reason}", 1)
        await self._link.acknowledge(stream, group, entries)

    async def admit(self, admissions: Sequence[Admission]) -> None:
        flags = await self._reserve(admissions)
        queued: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for admission, answer in zip(admissions, flags, strict=True):
            fresh = [url for url, flag in zip(admission.urls, answer, strict=True) if flag == "1"]
            for partition, places in self._places([url.politeness or "" for url in fresh]).items():
                groups = enqueue_groups(admission, [fresh[i] for i in places])
                queued[partition].append({"m": _marker(admission.entry), "r": str(admission.entry.run), "g": groups})
        for partition, entries in queued.items():
            packed = msgpack.packb(entries, use_bin_type=False)
            await self._link.run("enqueue", partition, packed, round(self._settings.keep))
        await self._link.acknowledge("disc", ADMITTERS, [admission.entry for admission in admissions])

    async def _reserve(self, admissions: Sequence[Admission]) -> list[list[str]]:
        """One flag per URL of each admission: "0" seen before, "1" admitted, "2" skipped."""
        flags = [["0"] * len(admission.urls) for admission in admissions]
        calls: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
        for number, admission in enumerate(admissions):
            hosts = [url.host for url in admission.urls]
            for partition, places in self._places(hosts).items():
                calls[partition].append((number, places))
        for partition, parts in calls.items():
            entries = [_reservation(admissions[number], places) for number, places in parts]
            packed = msgpack.packb(entries, use_bin_type=False)
            reply = await self._link.run("reserve", partition, packed, round(self._settings.keep))
            for (number, places), answer in zip(parts, reply, strict=True):
                for place, flag in zip(places, answer.decode(), strict=True):
                    flags[number][place] = flag
        return flags

    def _places(self, keys: Sequence[str]) -> dict[int, list[int]]:
        """Positions in `keys`, by the partition that each key belongs to."""
        groups: dict[int, list[int]] = defaultdict(list)
        for position, key in enumerate(keys):
            groups[partition_of(key, self._settings.partitions)].append(position)
        return groups

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


def _marker(entry: StreamEntry) -> str:
    return f"{entry.partition}:{entry.number}"


def _reservation(admission: Admission, places: list[int]) -> dict[str, Any]:
    urls: list[Judged] = [admission.urls[i] for i in places]
    return {
        "m": _marker(admission.entry),
        "r": str(admission.entry.run),
        "b": admission.urls_per_host,
        "u": [[str(url.number), url.host, url.skip or ""] for url in urls],
    }


def _dead_letter(packed: bytes, run: RunId) -> DeadLetter:
    reason, origin, element = msgpack.unpackb(packed, raw=True)
    try:
        item = unpack_url(element, run, (origin or b"").decode(), "")
    except (RecordCorrupt, UnicodeDecodeError):
        return DeadLetter(None, None, reason.decode(errors="replace"))
    return DeadLetter(item.url, item.kind, reason.decode(errors="replace"))
