"""Leases in Redis: claimed, completed, moved to another slot. What never changes of a queue is read once and kept."""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import msgpack

from crawler.errors import RecordCorrupt
from crawler.frontier.base import STREAK, VISIT, Completion, Limits
from crawler.frontier.clock import ServerClock
from crawler.frontier.codec import parse_run, unpack_url
from crawler.frontier.ops import INDEXES, packed_ends, packed_op
from crawler.frontier.redis_link import RedisLink
from crawler.packing import packed_raw
from crawler.records import FrontierUrl, Lease, RunId

_PER_BATCH = len(INDEXES)
"""As in claim.lua: the token of a lease is its batch times this, and its index."""
_QUEUES_KEPT = 65_536
_Batches = defaultdict[int, dict[int, int]]
"""Of leases that end: by batch and index, the position in a call."""
_ENDED = ord("1")
"""What `complete.lua` answers for a lease that it ended."""


@dataclass(frozen=True, slots=True)
class _Queue:
    """What never changes of a queue."""

    run: RunId
    origin: str
    address: str


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """Seconds, as in FrontierSettings. attempts: deliveries before a URL has failed."""

    lookahead: float
    send_window: float
    life: float
    robots_ttl: float
    attempts: int


class Leases:
    """The leases of one process."""

    def __init__(self, link: RedisLink, times: LeaseTimes) -> None:
        self._link = link
        self._times = times
        spans = (times.lookahead, times.send_window, times.life, times.robots_ttl)
        self._milliseconds = tuple(round(1000 * span) for span in spans)
        self._queues: OrderedDict[tuple[int, bytes, bytes], _Queue] = OrderedDict()
        # Partitions may lie on different servers.
        self._clocks: defaultdict[int, ServerClock] = defaultdict(ServerClock)

    async def claim(
        self, partition: int, pages: int, images: int, leases: list[Lease], page_streaks: bool
    ) -> float | None:
        """Add leases to a list; seconds until something is due there, None when nothing waits."""
        longest = STREAK if page_streaks else 1
        before = time.monotonic()
        reply = await self._link.run("claim", partition, pages, images, *self._milliseconds, longest)
        now, soonest, generation, batch, *rows = msgpack.unpackb(reply, raw=True)
        earliest, latest = self._clocks[partition].told(before, now / 1000, time.monotonic())
        queues = await self._known(partition, generation, set(rows[1::4]))
        window, life = self._times.send_window, self._times.life
        name, token = generation.hex(), batch * _PER_BATCH
        for slot, number, version, found in zip(rows[::4], rows[1::4], rows[2::4], rows[3::4], strict=True):
            place = f"{name}:{_number(number)}:{version}"
            streak, step, places, elements = 0, 0.0, 1, (found,)
            if type(found) is list:
                streak, (step, places, elements) = token, found
            delay = (slot - now) / 1000
            for element in elements:
                send_by = earliest + delay + window
                try:
                    queue = queues[number]
                    item = unpack_url(element, queue.run, queue.origin, queue.address)
                    times = latest + delay, send_by, send_by + life
                    leases.append(Lease(item, partition, token, place, *times, streak, places))
                except (RecordCorrupt, UnicodeDecodeError, KeyError):
                    await self._corrupt(partition, token)
                token += 1
                delay += step / 1000
        return (soonest - now) / 1000 if soonest >= 0 else None

    async def _known(self, partition: int, generation: bytes, numbers: set[bytes]) -> dict[bytes, _Queue]:
        """What never changes of queues; without those that are gone or damaged."""
        kept, known, missing = self._queues, {}, []
        for number in numbers:
            queue = kept.get((partition, generation, number))
            if queue is None:
                missing.append(number)
            else:
                known[number] = queue
        if missing:
            facts = await self._link.hash_some(
                f"{self._link.prefixes[partition]}:fact", [_number(name) for name in missing]
            )
            for number, fact in zip(missing, facts, strict=True):
                queue = _queue(fact)
                if queue is not None:
                    known[number] = kept[partition, generation, number] = queue
            while len(kept) > _QUEUES_KEPT:
                kept.popitem(last=False)
        return known

    async def _corrupt(self, partition: int, token: int) -> None:
        """A record that cannot be read goes to the dead letters, and stops nobody."""
        failed = packed_raw({"o": "failed", "n": "corrupt-record"})
        batch, index = divmod(token, _PER_BATCH)
        await self._send(partition, packed_ends([(batch, [index], [failed], [-1])]))

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        """As in `Frontier.complete`."""
        held = [False] * len(completions)
        partitions: defaultdict[int, _Batches] = defaultdict(lambda: defaultdict(dict))
        for position, completion in enumerate(completions):
            lease = completion.lease
            batch, index = divmod(lease.token, _PER_BATCH)
            # A lease ends once: whatever else a call says of it comes too late.
            partitions[lease.partition][batch].setdefault(index, position)
        for partition, batches in partitions.items():
            reply = await self._send(partition, _packed(batches, completions))
            positions = chain.from_iterable(rows.values() for rows in batches.values())
            for position, answer in zip(positions, reply, strict=True):
                held[position] = answer == _ENDED
        return held

    async def _send(self, partition: int, packed: bytes) -> bytes:
        reply: bytes = await self._link.run("complete", partition, packed, self._times.attempts)
        return reply

    async def reslot(self, lease: Lease, ahead: float) -> Lease | None:
        """As in `Frontier.reslot`."""
        window, life = self._times.send_window, self._times.life
        batch, index = divmod(lease.token, _PER_BATCH)
        times = [round(1000 * span) for span in (window, life, ahead)]
        before = time.monotonic()
        reply = await self._link.run("reslot", lease.partition, str(batch), INDEXES[index], *times)
        if not reply:
            return None
        not_before, send_by = self._within(lease.partition, before, reply)
        return lease._replace(not_before=not_before, send_by=send_by, expires=send_by + life)

    def _within(self, partition: int, before: float, reply: list[bytes]) -> tuple[float, float]:
        """When the request of a slot may leave, and until when. reply: the server's time and the slot."""
        now, slot = float(reply[0]) / 1000, float(reply[1]) / 1000
        earliest, latest = self._clocks[partition].told(before, now, time.monotonic())
        return latest + slot - now, earliest + slot - now + self._times.send_window

    async def visit(
        self, partition: int, item: FrontierUrl, politeness: str, limits: Limits, within: float
    ) -> Lease | None:
        """As in `Frontier.visit`."""
        window, life = self._times.send_window, self._times.life
        times = [round(1000 * span) for span in (within, window, life)]
        rate = repr(float(limits.requests_per_second))
        before = time.monotonic()
        reply = await self._link.run("visit", partition, politeness, rate, limits.concurrency, *times)
        if not reply:
            return None
        not_before, send_by = self._within(partition, before, reply)
        token = int(reply[2]) * _PER_BATCH
        return Lease(item, partition, token, VISIT, not_before, send_by, send_by + life)


def _packed(batches: _Batches, completions: Sequence[Completion]) -> bytes:
    rows = []
    for batch, places in batches.items():
        ended = [completions[position] for position in places.values()]
        latencies = [-1 if end.latency is None else round(1000 * end.latency) for end in ended]
        rows.append((batch, places, [packed_op(end) for end in ended], latencies))
    return packed_ends(rows)


def _queue(fact: bytes | None) -> _Queue | None:
    if fact is None:
        return None
    try:
        run, origin, address, _robots = msgpack.unpackb(fact, raw=True)
        return _Queue(parse_run(run.decode()), origin.decode(), address.decode())
    except (ValueError, AttributeError, TypeError, RecordCorrupt, msgpack.UnpackException):
        return None


def _number(name: bytes) -> int:
    return int.from_bytes(name, "little")


def queue_number(lease: Lease) -> int:
    """The number of a lease's queue within its partition."""
    return int(lease.queue.split(":")[1])
