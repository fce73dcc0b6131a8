"""The frontier in Redis (>= 7.0) or Valkey: thin Python around the scripts beside it. See `base.lua` for the keys."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import structlog
from redis.asyncio import Redis

from crawler.errors import RedisUnavailable
from crawler.frontier.base import Admission, Claimed, Completion, Find, HostFacts, Limits, Origin, StreamEntry
from crawler.frontier.codec import MOVED, pack_discovered
from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.frontier.keys import ADMITTERS, RECORDERS, partition_of
from crawler.frontier.redis_admit import Admissions
from crawler.frontier.redis_leases import Leases, LeaseTimes, queue_number
from crawler.frontier.redis_link import RedisLink
from crawler.frontier.redis_runs import Runs
from crawler.records import Discovered, FrontierUrl, Lease, RunId

_log = structlog.get_logger()
_MOVED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class FrontierSettings:
    """prefix: first part of every key.  partitions: of the deployment.  consumer: unique name of this process.

    lease_seconds, send_window, lookahead, robots_ttl, keep: seconds.  attempts: deliveries before a URL has failed.
    wake_every: seconds at the least between two looks for what waited long enough, beside those of every claim.
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
    wake_every: float = 0.0


class RedisFrontier:
    """Implements `crawler.frontier.base.Frontier`."""

    def __init__(self, client: Redis, settings: FrontierSettings) -> None:
        s = self._settings = settings
        self._link = RedisLink(client, s.prefix, s.partitions, s.consumer)
        times = LeaseTimes(s.lookahead, s.send_window, s.lease_seconds, s.robots_ttl, s.attempts)
        self._leases = Leases(self._link, times)
        self._admissions = Admissions(self._link, s.partitions, s.keep)
        self._runs = Runs(self._link)
        self._partitions = range(s.partitions)
        self._woken = 0.0

    # ------------------------------------------------------------ leases

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
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
                next_due = await self._leases.claim(partition, *wanted, leases, page_streaks)
            except RedisUnavailable:
                if not leases:
                    raise
                break  # what the other partitions gave must not be lost with this one
            if next_due is not None:
                due.append(next_due)
        return Claimed(tuple(leases), min(due, default=None))

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        return await self._leases.complete(completions)

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        return await self._leases.reslot(lease, ahead)

    async def visit(self, item: FrontierUrl, politeness: str, limits: Limits, within: float) -> Lease | None:
        partition = partition_of(politeness, self._settings.partitions)
        return await self._leases.visit(partition, item, politeness, limits, within)

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        return await self.complete([Completion(lease, None) for lease in leases])

    async def block(self, politeness: str, seconds: float) -> None:
        partition = partition_of(politeness, self._settings.partitions)
        await self._link.run("block", partition, politeness, round(1000 * seconds))

    async def host_facts(self, lease: Lease) -> HostFacts:
        prefix, number = self._link.prefixes[lease.partition], str(queue_number(lease))
        robots = await self._link.hash_value(f"{prefix}:robots", number)
        return HostFacts(robots, await self._link.hash_value(f"{prefix}:session", number))

    async def relocate(self, host: str, politeness: str) -> int:
        partition = partition_of(politeness, self._settings.partitions)
        waited: int = await self._link.run("relocate", partition, host, politeness, _MOVED_AT_ONCE)
        return waited

    async def boost(self, find: Find) -> None:
        await self._runs.boost(find)

    async def reap(self, n: int = 200) -> int:
        reaped = 0
        for partition in self._partitions:
            leases, damaged = await self._link.run("reap", partition, n, self._settings.attempts)
            if damaged:
                lost = await self._link.run("mend", partition)
                _log.error("damaged frontier records set right", partition=partition, lost_urls=lost)
            reaped += leases
        return reaped

    # ------------------------------------------------------------ discoveries and results

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        partition = partition_of(str(run), self._settings.partitions)
        await self._link.run("offer", partition, str(run), *(pack_discovered(found) for found in discovered))

    async def discoveries(self, n: int) -> list[StreamEntry]:
        entries = await self._link.read("disc", ADMITTERS, n)
        now = monotonic()
        if entries or now < self._woken + self._settings.wake_every:
            return entries
        self._woken = now
        if not await self._wake():
            return entries
        return await self._link.read("disc", ADMITTERS, n)

    async def _wake(self) -> int:
        """Bring back what waited long enough, for a worker that claims nothing at the moment; how much it was."""
        ttl = round(1000 * self._settings.robots_ttl)
        return sum([await self._link.run("wake", partition, ttl) for partition in self._partitions])

    async def backlog(self) -> int:
        return sum([await self._link.run("backlog", partition) for partition in self._partitions])

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
                if stream == "disc" and entry.payload.startswith(MOVED):
                    await self._link.run("bury", entry.partition, str(entry.run), reason)

    async def admit(self, admissions: Sequence[Admission]) -> None:
        await self._admissions.admit(admissions)

    # ------------------------------------------------------------ runs

    async def counts(self, run: RunId) -> RunCounts:
        return await self._runs.counts(run)

    async def hold(self, run: RunId, held: bool) -> None:
        await self._runs.hold(run, held)

    async def limit(self, run: RunId, limits: Callable[[str], Limits]) -> None:
        await self._runs.limit(run, limits)

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        return await self._runs.dead_letters(run, n)

    async def forget(self, run: RunId) -> None:
        await self._runs.forget(run)

    async def retire(self, run: RunId, hosts: Sequence[Origin]) -> bool:
        return await self._runs.retire(run, hosts)

    async def carry_over(self, run: RunId, urls_per_host: int) -> int:
        return await self._runs.carry_over(run, urls_per_host)

    async def coverage(self, campaign: str) -> list[Coverage]:
        return await self._runs.coverage(campaign)

    async def state(self) -> FrontierState:
        return await self._runs.state()
