"""The frontier in memory: the reference that other implementations are compared with, and a double for tests.

One process, one partition, and nothing outlives it. What `redis.py` keeps in indexes and counters is searched and
counted here, so that the code can be read and believed. Every method runs without a pause, so each is one atomic step.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count

from crawler.frontier.base import Admission, Claimed, Completion, DeadLetter, Judged, RunCounts, StreamEntry
from crawler.frontier.codec import pack_discovered
from crawler.frontier.memory_parts import LANES, Delayed, Held, Place, Queue, Run, Stream, admitted, rules_of
from crawler.frontier.ops import chunks
from crawler.records import Discovered, Done, Failed, FrontierUrl, Kind, Lease, Rekind, Retry, RunId, Skipped
from crawler.urls import parts


class MemoryFrontier:
    """Implements `crawler.frontier.base.Frontier`.

    clock: seconds, never running backwards; leases are told in its readings.  lease_seconds, send_window, lookahead,
    robots_ttl: seconds, as in `FrontierSettings`.  attempts: deliveries before a URL has failed.
    abandoned: seconds after which a stream entry that was handed out and not acknowledged is handed out again.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        lease_seconds: float = 90.0,
        send_window: float = 0.25,
        lookahead: float = 0.1,
        attempts: int = 4,
        robots_ttl: float = 86_400.0,
        abandoned: float = 60.0,
    ) -> None:
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._window = send_window
        self._lookahead = lookahead
        self._attempts = attempts
        self._robots_ttl = robots_ttl
        self._numbers = count(1)
        self._images_first = False
        self._runs: dict[RunId, Run] = {}
        self._places: dict[str, Place] = {}
        self._leases: dict[int, Held] = {}
        self._delayed: list[Delayed] = []
        self._admitted: set[str] = set()
        self._discoveries = Stream(abandoned)
        self._results = Stream(abandoned)
        self._arrived = asyncio.Event()

    # ------------------------------------------------------------ leases

    async def claim(self, pages: int, images: int) -> Claimed:
        now = self._clock()
        self._wake(now)
        wanted = {False: pages, True: images}
        # The lanes go first in turn: where both wait at one address, neither starves.
        self._images_first = not self._images_first
        leases: list[Lease] = []
        for lane in sorted(LANES, reverse=self._images_first):
            leases += self._claim_lane(lane, wanted[lane], now)
        asked = [lane for lane in LANES if wanted[lane] > 0]
        dues = [place.due for place in self._places.values() if any(place.waits(lane) for lane in asked)]
        dues += [delayed.at for delayed in self._delayed]
        return Claimed(tuple(leases), max(min(dues) - now, 0.0) if dues else None)

    def _wake(self, now: float) -> None:
        """Put what waited long enough back at the front of its queue."""
        due = sorted((delayed for delayed in self._delayed if delayed.at <= now), key=lambda delayed: delayed.at)
        self._delayed = [delayed for delayed in self._delayed if delayed.at > now]
        for delayed in due:
            delayed.queue.push(delayed.item, -next(self._numbers))

    def _claim_lane(self, images: bool, wanted: int, now: float) -> list[Lease]:
        leases: list[Lease] = []
        for place in sorted(self._places.values(), key=lambda place: place.due):
            while len(leases) < wanted and place.free and place.due <= now + self._lookahead:
                taken = place.take(images, now - self._robots_ttl, next(self._numbers))
                if taken is None:
                    break
                leases.append(self._lease(place, *taken, now))
        return leases

    def _lease(self, place: Place, queue: Queue, item: FrontierUrl, now: float) -> Lease:
        token = next(self._numbers)
        place.inflight.add(token)
        lease = self._slotted(Lease(item, 0, token, queue.name, 0.0, 0.0, 0.0), place, now)
        self._leases[token] = Held(queue, item, lease.expires)
        return lease

    def _slotted(self, lease: Lease, place: Place, now: float) -> Lease:
        # Requests leave within the window of their slot, so slots are stretched by it: see docs/adr/0003.
        slot = max(place.due, now)
        place.next_slot = slot + (1 + self._window) / place.rate
        send_by = slot + self._window
        return replace(lease, not_before=slot, send_by=send_by, expires=send_by + self._lease_seconds)

    async def reslot(self, lease: Lease) -> Lease | None:
        held = self._leases.get(lease.token)
        if held is None:
            return None
        lease = self._slotted(lease, held.queue.place, self._clock())
        self._leases[lease.token] = replace(held, expires=lease.expires)
        return lease

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        return [self._complete(completion) for completion in completions]

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        return await self.complete([Completion(lease, None) for lease in leases])

    def _complete(self, completion: Completion) -> bool:
        held = self._release(completion.lease.token)
        if held is None:
            return False
        if self._known(held.queue.run):
            self._finish(held.queue, held.item, completion)
        if completion.block > 0:
            held.queue.place.block(self._clock() + completion.block)
        return True

    def _release(self, token: int) -> Held | None:
        held = self._leases.pop(token, None)
        if held is not None:
            held.queue.place.inflight.discard(token)
        return held

    def _known(self, run: Run) -> bool:
        """False for a run that was forgotten while leases of it were out."""
        return self._runs.get(run.id) is run

    def _finish(self, queue: Queue, item: FrontierUrl, completion: Completion) -> None:
        outcome = completion.outcome
        if outcome is None:
            queue.push(item, -next(self._numbers))
            return
        if isinstance(outcome, Rekind):
            moved = replace(item, kind=outcome.kind)
            if outcome.url is not None:
                moved = replace(moved, url=outcome.url, via=(*item.via, item.url))
            queue.push(moved, next(self._numbers))
            return
        if isinstance(outcome, Retry) and item.attempts + 1 < self._attempts:
            self._again(queue, item, outcome.reason, outcome.after)
            return
        self._emit(queue.run, outcome)
        if item.kind is Kind.ROBOTS:
            queue.open_gate(rules_of(outcome, completion.robots), self._clock(), next(self._numbers))
        else:
            queue.run.end(item, outcome)

    def _again(self, queue: Queue, item: FrontierUrl, reason: str, after: float) -> None:
        later = replace(item, attempts=item.attempts + 1)
        self._delayed.append(Delayed(self._clock() + after, queue, later))
        queue.run.retried[reason] += 1

    def _emit(self, run: Run, outcome: Done | Failed | Skipped | Retry) -> None:
        if isinstance(outcome, Done) and outcome.discovered is not None:
            for part in chunks(outcome.discovered):
                self._discoveries.append(run.id, pack_discovered(part))
        if isinstance(outcome, Done | Failed):
            for payload in outcome.results:
                self._results.append(run.id, payload)
                self._arrived.set()
        if not isinstance(outcome, Retry):
            run.tally.update(outcome.tally)

    async def block(self, politeness: str, seconds: float) -> None:
        self._places.setdefault(politeness, Place()).block(self._clock() + seconds)

    async def robots_rules(self, lease: Lease) -> bytes | None:
        run = self._runs.get(lease.item.run)
        queues = [] if run is None else run.queues.values()
        number = lease.queue.partition(":")[0]
        return next((queue.rules for queue in queues if str(queue.number) == number), None)

    async def reap(self, n: int = 200) -> int:
        now = self._clock()
        over = sorted((held.expires, token) for token, held in self._leases.items() if held.expires <= now)[:n]
        for _, token in over:
            held = self._release(token)
            if held is None or not self._known(held.queue.run):
                continue
            # robots.txt is asked for until it has an answer; its own outcome decides when to give up.
            if held.item.kind is Kind.ROBOTS or held.item.attempts + 1 < self._attempts:
                self._again(held.queue, held.item, "lease-expired", 0.0)
            else:
                held.queue.run.end(held.item, Failed("lease-expired"))
        return len(over)

    # ------------------------------------------------------------ discoveries and results

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        for found in discovered:
            self._discoveries.append(run, pack_discovered(found))

    async def discoveries(self, n: int) -> list[StreamEntry]:
        return self._discoveries.read(n, self._clock())

    async def discard(self, entries: Sequence[StreamEntry], reason: str) -> None:
        for entry in entries:
            self._run(entry.run).tally[reason] += self._discoveries.acknowledge(entry)

    async def backlog(self) -> int:
        return len(self._discoveries) + len(self._results)

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

    async def admit(self, admissions: Sequence[Admission]) -> None:
        for admission in admissions:
            if admission.entry.number not in self._admitted:
                self._admitted.add(admission.entry.number)
                for url in admission.urls:
                    self._admit(admission, url)
            self._discoveries.acknowledge(admission.entry)

    def _admit(self, admission: Admission, url: Judged) -> None:
        run = self._run(admission.entry.run)
        if url.number in run.seen:
            return
        run.seen.add(url.number)
        skip = url.skip
        if skip is None:
            run.hosts[url.host] += 1
            skip = "host-budget" if run.hosts[url.host] > admission.urls_per_host else None
        if skip is not None:
            run.skipped[skip] += 1
            return
        queue = self._queue(run, admission, url)
        item = admitted(admission, url, queue.address)
        queue.push(item, next(self._numbers))

    def _queue(self, run: Run, admission: Admission, url: Judged) -> Queue:
        """The queue of a URL's origin and politeness key; the first URL gives it its address."""
        assert url.address is not None
        assert url.politeness is not None
        place = self._places.setdefault(url.politeness, Place())
        place.allow(run.id, admission.limits(url.politeness))
        origin = parts(url.candidate.url).origin
        if (origin, url.politeness) not in run.queues:
            queue = run.queues[origin, url.politeness] = Queue(next(self._numbers), run, url.address, place)
            for lane in LANES:
                place.rotation[lane].append(queue)
            if admission.robots:
                queue.robots = FrontierUrl(f"{origin}/robots.txt", run.id, Kind.ROBOTS, url.address)
                queue.close_gate(next(self._numbers))
        return run.queues[origin, url.politeness]

    # ------------------------------------------------------------ runs

    def _run(self, run: RunId) -> Run:
        return self._runs.setdefault(run, Run(run))

    async def counts(self, run: RunId) -> RunCounts:
        known = self._runs.get(run, Run(run))
        waiting = Counter(disc=self._discoveries.count(run), res=self._results.count(run))
        waiting["delayed"] = sum(delayed.queue.run is known for delayed in self._delayed)
        for queue in known.queues.values():
            waiting.update("robots_queued" if item.kind is Kind.ROBOTS else "queued" for item in queue.items())
        held = (held.item for held in self._leases.values() if held.queue.run is known)
        waiting.update("robots_leased" if item.kind is Kind.ROBOTS else "leased" for item in held)
        return known.counts(waiting)

    async def hold(self, run: RunId, held: bool) -> None:
        self._run(run).held = held

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        return list(deque(self._runs.get(run, Run(run)).dead, maxlen=n))

    async def forget(self, run: RunId) -> None:
        gone = self._runs.pop(run, None)
        self._delayed = [delayed for delayed in self._delayed if delayed.queue.run is not gone]
        for place in self._places.values():
            place.forget(run)
