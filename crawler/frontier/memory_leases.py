"""The half of the in-memory frontier that workers use: leases, and how they end. See `memory.py`."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count, pairwise

from crawler.frontier.base import (
    HOT_SECONDS,
    MISSED,
    STREAK,
    VISIT,
    WAITED,
    Claimed,
    Completion,
    Find,
    HostFacts,
    Limits,
)
from crawler.frontier.codec import pack_discovered, pack_moved
from crawler.frontier.memory_parts import LANES, Delayed, Held, Near, Place, Queue, rules_of
from crawler.frontier.memory_runs import Carry, Run
from crawler.frontier.memory_streams import Stream
from crawler.frontier.ops import chunks
from crawler.records import Done, Failed, FrontierUrl, Kind, Lease, Rekind, Retry, RunId, Skipped


class MemoryLeases:
    """The state of both halves, and what workers do with it.

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
        self._runs: dict[RunId, Run] = {}
        self._places: dict[str, Place] = {}
        self._queues: dict[tuple[RunId, str, str], Queue] = {}
        self._leases: dict[int, Held] = {}
        self._delayed: list[Delayed] = []
        self._discoveries = Stream(abandoned)
        self._results = Stream(abandoned)
        self._arrived = asyncio.Event()
        self._admitted: set[str] = set()
        self._carry = Carry()

    # ------------------------------------------------------------ claims

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        now = self._clock()
        self._wake(now)
        leases: list[Lease] = []
        row = STREAK if page_streaks else 1
        if pages and images:
            # Where both lanes wait at one address they take turns, so that neither starves. Those left to the other are
            # among those that are looked at: with pages of further ones in their place their own would wait for ever.
            able = (place for place in self._places.values() if place.free and place.waiting([False]))
            first = sorted(able, key=lambda place: (place.hot <= now, place.due))[:pages]
            leases += self._claim_lane(False, pages, now, [place for place in first if place.pages_next], row)
        leases += self._claim_lane(True, images, now, self._places.values(), STREAK)
        left = pages - sum(not lease.item.kind.on_image_lane for lease in leases)
        leases += self._claim_lane(False, left, now, self._places.values(), row)
        asked = [lane for lane in LANES if (images if lane else pages) > 0]
        dues = [delayed.at for delayed in self._delayed]
        for place in self._places.values():
            if place.free:
                dues += [max(place.due, queue.host.parked) for queue in place.waiting(asked)]
        return Claimed(tuple(leases), max(min(dues) - now, 0.0) if dues else None)

    def _wake(self, now: float) -> None:
        """Put what waited long enough back at the front of its queue."""
        due = sorted((delayed for delayed in self._delayed if delayed.at <= now), key=lambda delayed: delayed.at)
        self._delayed = [delayed for delayed in self._delayed if delayed.at > now]
        for delayed in due:
            self._put_back(delayed.queue, delayed.band, delayed.item, -next(self._numbers))

    def _put_back(self, queue: Queue, band: int, item: FrontierUrl, order: int) -> None:
        if queue.moved:
            self._send_on(queue, item)
        else:
            queue.push(band, item, order)

    def _send_on(self, queue: Queue, item: FrontierUrl) -> None:
        """To be judged where its host lies now; a new queue asks for robots.txt itself."""
        if item.kind is not Kind.ROBOTS:
            self._discoveries.append(queue.run.id, pack_moved(item, queue.origin))

    def _claim_lane(self, images: bool, wanted: int, now: float, places: Iterable[Place], longest: int) -> list[Lease]:
        leases: list[Lease] = []
        for place in sorted(places, key=lambda place: (place.hot <= now, place.due)):
            while len(leases) < wanted and place.free and place.due <= now + self._lookahead:
                queue = place.take(images, now - self._robots_ttl, now, next(self._numbers))
                if queue is None:
                    break
                place.images_last = images
                leases += self._turn(queue, images, min(wanted - len(leases), longest), now)
        return leases

    def _turn(self, queue: Queue, images: bool, most: int, now: float) -> list[Lease]:
        """One URL of a queue, or a streak."""
        places = queue.place.free
        most = 1 if queue.place.is_alone(now) else min(most, queue.in_a_row(images))
        slots = queue.place.slots(now, self._window, most, now + self._lookahead)
        leases = [self._lease(queue, *queue.pop(images), *pair) for pair in pairwise(slots)]
        if len(leases) == 1:
            return leases
        return [lease._replace(streak=leases[0].token, places=places) for lease in leases]

    def _lease(self, queue: Queue, band: int, item: FrontierUrl, slot: float, following: float) -> Lease:
        token = next(self._numbers)
        queue.place.inflight.add(token)
        return self._slotted(Lease(item, 0, token, queue.name, 0.0, 0.0, 0.0), queue, band, slot, following)

    def _slotted(self, lease: Lease, queue: Queue, band: int, slot: float, following: float) -> Lease:
        queue.leased(slot)
        send_by = slot + self._window
        expires = send_by + self._lease_seconds
        self._leases[lease.token] = Held(queue, band, lease.item, expires, slot, following)
        return lease._replace(not_before=slot, send_by=send_by, expires=expires)

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        held = self._leases.get(lease.token)
        if held is None:
            return None
        slots = held.queue.place.slots(self._clock() + ahead, self._window)
        return self._slotted(lease, held.queue, held.band, *slots)

    async def visit(self, item: FrontierUrl, politeness: str, limits: Limits, within: float) -> Lease | None:
        now, place = self._clock(), self._places.get(politeness) or Place()
        if place.due > now + within:
            return None
        if len(place.inflight) >= min(place.concurrency, limits.concurrency):
            # Streaks would have its places nearly always.
            place.single = now + WAITED
            return None
        self._places[politeness] = place
        # Of a run that nobody knows, so that its end is nothing to anybody.
        queue = Queue(0, Run(item.run), VISIT, item.address, place)
        lease = self._lease(queue, 1, item, *place.slots(now, self._window))._replace(queue=VISIT)
        place.spare(self._leases[lease.token].slot, self._window, limits.requests_per_second)
        self._leases[lease.token] = replace(self._leases[lease.token], next_slot=place.next_slot)
        return lease

    async def host_facts(self, lease: Lease) -> HostFacts:
        number = lease.queue.partition(":")[0]
        queues = (queue for queue in self._queues.values() if str(queue.number) == number)
        return next((queue.facts for queue in queues), HostFacts(None))

    async def block(self, politeness: str, seconds: float) -> None:
        self._places.setdefault(politeness, Place()).block(self._clock() + seconds)

    async def boost(self, find: Find) -> None:
        now, near = self._clock(), Near.of(find)
        for address in find.addresses:
            if address in self._places:
                self._places[address].hot = now + HOT_SECONDS
        self._runs.setdefault(find.run, Run(find.run)).lift(find)
        for queue in self._queues_of(find.run):
            if any(directory.startswith(f"{queue.origin}/") for directory in near.directories):
                queue.heat(near, now, now + HOT_SECONDS)
            queue.advance(near)

    def _queues_of(self, run: RunId) -> list[Queue]:
        return [queue for queue in self._queues.values() if queue.run.id == run]

    # ------------------------------------------------------------ ends

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        # A lease that stands there twice ends once, as the first of the two says.
        firsts: dict[int, int] = {}
        for i, completion in enumerate(completions):
            firsts.setdefault(completion.lease.token, i)
        order = sorted(firsts.values(), key=lambda i: self._when_to_end(completions[i]))
        ended = {i for i in order if self._complete(completions[i])}
        return [i in ended for i in range(len(completions))]

    def _when_to_end(self, completion: Completion) -> float:
        """Those that were not sent go last-first, so that a whole tail leaves its slots, and its URLs are in order."""
        held = self._leases.get(completion.lease.token)
        return -held.slot if held is not None and _unsent(completion) else -math.inf

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        return await self.complete([Completion(lease, None) for lease in leases])

    def _complete(self, completion: Completion) -> bool:
        held = self._release(completion.lease.token)
        if held is None:
            return False
        now, place = self._clock(), held.queue.place
        if self._known(held.queue.run):
            self._finish(held, completion, now)
            self._learn(held.queue, completion, now)
        if _unsent(completion):
            place.unslot(held)
        if completion.outcome is None and held.queue.number:
            place.single = max(place.single, now + MISSED)
        place.adjust(completion.latency, completion.block > 0)
        if completion.block > 0:
            place.block(now + completion.block)
        return True

    def _release(self, token: int) -> Held | None:
        held = self._leases.pop(token, None)
        if held is not None:
            held.queue.place.inflight.discard(token)
        return held

    def _known(self, run: Run) -> bool:
        """False for a run that was forgotten while leases of it were out."""
        return self._runs.get(run.id) is run

    def _finish(self, held: Held, completion: Completion, now: float) -> None:
        queue, item, outcome = held.queue, held.item, completion.outcome
        if outcome is None:
            self._put_back(queue, held.band, item, -next(self._numbers))
        elif isinstance(outcome, Rekind):
            moved = item._replace(kind=outcome.kind)
            if outcome.url is not None:
                moved = moved._replace(url=outcome.url, via=(*item.via, item.url))
            self._put_back(queue, queue.band(moved, now), moved, next(self._numbers))
        elif isinstance(outcome, Retry) and item.attempts + 1 < self._attempts:
            self._again(held, outcome.reason, now + outcome.after)
        else:
            self._emit(queue.run, outcome)
            if item.kind is Kind.ROBOTS:
                self._open_gate(held, outcome, completion, now)
            else:
                queue.run.end(item, outcome)

    def _open_gate(
        self, held: Held, outcome: Done | Failed | Skipped | Retry, completion: Completion, now: float
    ) -> None:
        delay = 0.0 if completion.robots is None else completion.delay
        held.queue.open_gate(rules_of(outcome, completion.robots), delay, now, next(self._numbers))
        # The request for robots.txt was one too.
        held.queue.leased(held.slot)

    def _learn(self, queue: Queue, completion: Completion, now: float) -> None:
        if completion.session is not None:
            queue.remember(completion.session, next(self._numbers))
        if completion.park > 0:
            queue.host.park(now + completion.park)

    def _again(self, held: Held, reason: str, at: float) -> None:
        later = held.item._replace(attempts=held.item.attempts + 1)
        self._delayed.append(Delayed(at, held.queue, held.band, later))
        held.queue.run.retried[reason] += 1

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

    async def reap(self, n: int = 200) -> int:
        now = self._clock()
        over = sorted((held.expires, token) for token, held in self._leases.items() if held.expires <= now)[:n]
        for _, token in over:
            held = self._release(token)
            if held is None or not self._known(held.queue.run):
                continue
            # robots.txt is asked for until it has an answer; its own outcome decides when to give up.
            if held.item.kind is Kind.ROBOTS or held.item.attempts + 1 < self._attempts:
                self._again(held, "lease-expired", now)
            else:
                held.queue.run.end(held.item, Failed("lease-expired"))
        return len(over)


def _unsent(completion: Completion) -> bool:
    return completion.unsent or completion.outcome is None
