"""The frontier in memory: the reference that other implementations are compared with, and a double for tests.

One process, one partition, and nothing outlives it. What `redis.py` keeps in indexes and counters is searched and
counted here, so that the code can be read and believed. Every method runs without a pause, so each is one atomic step.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress

from crawler.frontier.base import Admission, Judged, Limits, Origin, StreamEntry
from crawler.frontier.codec import MOVED, pack_discovered
from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.frontier.memory_leases import MemoryLeases
from crawler.frontier.memory_parts import LANES, Host, Place, Queue
from crawler.frontier.memory_runs import BUDGETS, Run, admitted
from crawler.records import Discovered, FrontierUrl, Kind, RunId
from crawler.urls import parts


class MemoryFrontier(MemoryLeases):
    """Implements `crawler.frontier.base.Frontier`. For clock and settings see `MemoryLeases`."""

    # ------------------------------------------------------------ discoveries and results

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        for found in discovered:
            self._discoveries.append(run, pack_discovered(found))

    async def discoveries(self, n: int) -> list[StreamEntry]:
        return self._discoveries.read(n, self._clock())

    async def discard(self, entries: Sequence[StreamEntry], reason: str) -> None:
        for entry in entries:
            run, held = self._run(entry.run), self._discoveries.acknowledge(entry)
            run.tally[reason] += held
            if held and entry.payload.startswith(MOVED):
                run.failed[reason] += 1
                run.dead.append(DeadLetter(None, None, reason))

    async def backlog(self) -> int:
        held = [run for run, state in self._runs.items() if state.held]
        return sum(len(stream) - sum(map(stream.count, held)) for stream in (self._discoveries, self._results))

    async def results(self, n: int, wait: float) -> list[StreamEntry]:
        self._arrived.clear()
        entries = self._results.read(n, self._clock())
        if not entries and wait > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), wait)
            entries = self._results.read(n, self._clock())
        return entries

    async def ack_results(self, entries: Sequence[StreamEntry]) -> None:
        for entry in entries:
            self._results.acknowledge(entry)

    async def refuse(self, entries: Sequence[StreamEntry], reason: str) -> None:
        for entry in entries:
            self._run(entry.run).tally[reason] += self._results.acknowledge(entry)

    # ------------------------------------------------------------ admission

    async def admit(self, admissions: Sequence[Admission]) -> None:
        for admission in admissions:
            entry = admission.entry
            if entry.number not in self._admitted:
                self._admitted.add(entry.number)
                for url in admission.urls:
                    self._admit(admission, url)
                put_off = admission.put_off([url for url in admission.urls if url.later])
                if put_off is not None:
                    later = pack_discovered(put_off)
                    self._discoveries.append_later(entry.run, later, self._clock() + admission.after)
            self._discoveries.acknowledge(entry)

    def _admit(self, admission: Admission, url: Judged) -> None:
        run, moved = self._run(admission.entry.run), admission.discovered.moved
        if url.later or (url.number in run.seen and not moved):
            return
        run.seen.add(url.number)
        skip = url.skip or (None if moved else run.spend(url, admission))
        if skip is not None:
            run.skipped[skip] += 1
            if skip in BUDGETS:
                self._carry.keep(run.id, admission, url, skip)
            return
        queue = self._queue(run, admission, url)
        item = admitted(admission, url, queue.address)
        queue.push(queue.band(item, self._clock()), item, next(self._numbers))

    def _queue(self, run: Run, admission: Admission, url: Judged) -> Queue:
        """The queue of a URL's origin and politeness key; the first URL gives it its address."""
        assert url.address is not None
        assert url.politeness is not None
        place = self._places.setdefault(url.politeness, Place())
        place.allow(run.id, admission.limits(url.politeness))
        origin = parts(url.candidate.url).origin
        name = run.id, origin, url.politeness
        if name not in self._queues:
            place.hosts.setdefault(origin, Host())
            queue = self._queues[name] = Queue(next(self._numbers), run, origin, url.address, place)
            for lane in LANES:
                place.rotation[lane].append(queue)
            if admission.robots:
                queue.robots = FrontierUrl(f"{origin}/robots.txt", run.id, Kind.ROBOTS, url.address)
                queue.close_gate(next(self._numbers))
        return self._queues[name]

    async def relocate(self, host: str, politeness: str) -> int:
        self._wake(self._clock())
        waited = 0
        for name, queue in list(self._queues.items()):
            if name[2] == politeness and not queue.moved and parts(f"{queue.origin}/").host == host:
                del self._queues[name]
                # What comes back to it finds it by itself; what is admitted from now on gets a queue of its own.
                self._queues[name[0], f"~{queue.number}", politeness] = queue
                waited += self._close(queue)
        return waited

    def _close(self, queue: Queue) -> int:
        waited = [item for item in queue.items() if item.kind is not Kind.ROBOTS]
        for item in queue.close():
            self._send_on(queue, item)
        return len(waited)

    async def carry_over(self, run: RunId, urls_per_host: int) -> int:
        found = list(self._carry.take(run, urls_per_host))
        await self.offer(run, found)
        return sum(len(each.candidates) for each in found)

    async def coverage(self, campaign: str) -> list[Coverage]:
        return self._carry.coverage(campaign)

    # ------------------------------------------------------------ runs

    def _run(self, run: RunId) -> Run:
        return self._runs.setdefault(run, Run(run))

    async def counts(self, run: RunId) -> RunCounts:
        known = self._runs.get(run, Run(run))
        waiting = Counter(disc=self._discoveries.count(run), res=self._results.count(run))
        waiting["later"] = self._discoveries.count_later(run)
        late = (delayed.item for delayed in self._delayed if delayed.queue.run is known)
        waiting.update("robots_delayed" if item.kind is Kind.ROBOTS else "delayed" for item in late)
        for queue in self._queues_of(run):
            waiting.update("robots_queued" if item.kind is Kind.ROBOTS else "queued" for item in queue.items())
        held = (held.item for held in self._leases.values() if held.queue.run is known)
        waiting.update("robots_leased" if item.kind is Kind.ROBOTS else "leased" for item in held)
        return known.counts(waiting)

    async def state(self) -> FrontierState:
        now, places = self._clock(), self._places.values()
        waiting = [(place, place.waiting(LANES)) for place in places]
        asked = [place for place, queues in waiting if any(queue.host.parked <= now for queue in queues)]
        free = [place for place in asked if place.free]
        due = sum(place.due <= now for place in free)
        return FrontierState(
            addresses=len(places),
            due=due,
            waiting=len(free) - due,
            busy=len(asked) - len(free),
            hot=sum(place.hot > now for place in places),
            slowed=sum(place.pace.slow > 1 for place in places),
            queues=len(self._queues),
            leases=len(self._leases),
            delayed=len(self._delayed),
            parked=len({queue.host for _, queues in waiting for queue in queues if queue.host.parked > now}),
            discoveries=len(self._discoveries),
            results=len(self._results),
        )

    async def hold(self, run: RunId, held: bool) -> None:
        self._run(run).held = held

    async def limit(self, run: RunId, limits: Callable[[str], Limits]) -> None:
        for politeness, place in self._places.items():
            if run in place.limits:
                place.allow(run, limits(politeness))

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        return list(deque(self._runs.get(run, Run(run)).dead, maxlen=n))

    async def forget(self, run: RunId) -> None:
        gone = self._runs.pop(run, None)
        self._delayed = [delayed for delayed in self._delayed if delayed.queue.run is not gone]
        self._discoveries.forget(run)
        self._queues = {name: queue for name, queue in self._queues.items() if queue.run is not gone}
        for place in self._places.values():
            place.forget(run)

    async def retire(self, run: RunId, hosts: Sequence[Origin]) -> bool:
        if any(delayed.queue.run.id == run for delayed in self._delayed):
            return False
        for origin, politeness in hosts:
            queue = self._queues.get((run, origin, politeness))
            if queue is not None and queue.at_rest(self._clock()):
                del self._queues[run, origin, politeness]
                queue.place.let_go(queue)
        return True
