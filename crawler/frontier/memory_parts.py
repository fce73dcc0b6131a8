"""What the in-memory frontier is made of: runs, addresses, queues and streams. See `memory.py`.

A lane is False for pages (and whatever else is no image) and True for images. Times are readings of the frontier's
clock, in seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from crawler.frontier.base import Admission, DeadLetter, Judged, Limits, RunCounts, StreamEntry
from crawler.frontier.codec import ROBOTS_BAND, band_of
from crawler.records import Done, Failed, FrontierUrl, Kind, Retry, RunId, Skipped

LANES = (False, True)
_DEAD_LETTERS = 10_000


@dataclass(slots=True, eq=False)
class Run:
    """One run: what was seen of it, where it waits, what became of it."""

    id: RunId
    held: bool = False
    fetched: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)
    queues: dict[tuple[str, str], Queue] = field(default_factory=dict)
    dead: deque[DeadLetter] = field(default_factory=lambda: deque(maxlen=_DEAD_LETTERS))

    def end(self, item: FrontierUrl, outcome: Done | Failed | Skipped | Retry) -> None:
        """Count the one outcome of a URL. A Retry is the last one: the attempts are used up."""
        if isinstance(outcome, Done):
            self.fetched += 1
        elif isinstance(outcome, Skipped):
            self.skipped[outcome.reason] += 1
        else:
            self.failed[outcome.reason] += 1
            self.dead.append(DeadLetter(item.url, item.kind, outcome.reason))

    def counts(self, waiting: Mapping[str, int]) -> RunCounts:
        """The counters, without those that are 0."""
        named = (self.failed, self.skipped, self.retried, self.tally, waiting)
        return RunCounts(len(self.seen), self.fetched, *({name: n for name, n in c.items() if n} for c in named))


@dataclass(slots=True, eq=False)
class Place:
    """One politeness key, shared by all runs. next_slot, blocked: when the next request may leave, whichever is later.

    rate, concurrency: the strictest of `limits`; those of the last run stay when none is left.
    """

    rate: float = 1.0
    concurrency: int = 1
    next_slot: float = -math.inf
    blocked: float = -math.inf
    limits: dict[RunId, Limits] = field(default_factory=dict)
    inflight: set[int] = field(default_factory=set)
    rotation: dict[bool, deque[Queue]] = field(default_factory=lambda: {lane: deque() for lane in LANES})

    @property
    def due(self) -> float:
        return max(self.next_slot, self.blocked)

    @property
    def free(self) -> bool:
        return len(self.inflight) < self.concurrency

    def waits(self, images: bool) -> bool:
        """Whether a lane has something that only time keeps from being claimed."""
        return self.free and any(queue.ready(images) for queue in self.rotation[images])

    def take(self, images: bool, old: float, order: int) -> tuple[Queue, FrontierUrl] | None:
        """What the next queue in the rotation gives. One whose rules date from before `old` is gated anew."""
        rotation = self.rotation[images]
        for _ in range(len(rotation)):
            queue = rotation[0]
            rotation.rotate(-1)
            if queue.ready(images) and queue.robots is not None and not queue.gated and queue.rules_at < old:
                queue.close_gate(order)
            if queue.ready(images):
                return queue, queue.pop(images)
        return None

    def block(self, until: float) -> None:
        """A shorter block does not end a longer one."""
        self.blocked = max(self.blocked, until)

    def allow(self, run: RunId, limits: Limits) -> None:
        self.limits[run] = limits
        self._tighten()

    def forget(self, run: RunId) -> None:
        """Let go of a run's queues and limits; what was sent a moment ago still counts."""
        for lane in LANES:
            self.rotation[lane] = deque(queue for queue in self.rotation[lane] if queue.run.id != run)
        self.limits.pop(run, None)
        self._tighten()

    def _tighten(self) -> None:
        if self.limits:
            self.rate = min(limits.requests_per_second for limits in self.limits.values())
            self.concurrency = min(limits.concurrency for limits in self.limits.values())


@dataclass(slots=True, eq=False)
class Queue:
    """What one run has waiting for one origin at one politeness key.

    gated: only robots.txt may be claimed.  robots: its URL, None when the run does not ask for it.  rules: as the last
    robots.txt was completed, at `rules_at`.
    """

    number: int
    run: Run
    address: str
    place: Place
    robots: FrontierUrl | None = None
    gated: bool = False
    rules: bytes | None = None
    rules_at: float = -math.inf
    _rules_number: int = 0
    _heaps: dict[bool, list[tuple[int, int, FrontierUrl]]] = field(default_factory=lambda: {lane: [] for lane in LANES})

    @property
    def name(self) -> str:
        """Changes whenever the rules do."""
        return f"{self.number}:{self._rules_number}"

    def push(self, item: FrontierUrl, order: int) -> None:
        """order: unique; within a band (priority, then depth) the lowest comes first, and negative ones before all."""
        band = ROBOTS_BAND if item.kind is Kind.ROBOTS else band_of(item.priority, item.depth)
        heapq.heappush(self._heaps[item.kind.on_image_lane], (band, order, item))

    def pop(self, images: bool) -> FrontierUrl:
        return heapq.heappop(self._heaps[images])[2]

    def ready(self, images: bool) -> bool:
        heap = self._heaps[images]
        return bool(heap) and not self.run.held and (heap[0][0] == ROBOTS_BAND or not self.gated)

    def items(self) -> Iterator[FrontierUrl]:
        return (item for heap in self._heaps.values() for _, _, item in heap)

    def close_gate(self, order: int) -> None:
        """Ask for robots.txt before anything else."""
        assert self.robots is not None
        self.gated = True
        self.push(self.robots, order)

    def open_gate(self, rules: bytes, now: float, number: int) -> None:
        """number: unlike that of any rules before."""
        self.gated = False
        self.rules, self.rules_at, self._rules_number = rules, now, number


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is out. expires: when it may be reaped."""

    queue: Queue
    item: FrontierUrl
    expires: float


@dataclass(frozen=True, slots=True)
class Delayed:
    """A URL that is tried again at `at`."""

    at: float
    queue: Queue
    item: FrontierUrl


class Stream:
    """Entries until they are acknowledged; each is handed out once, and again `abandoned` seconds later."""

    def __init__(self, abandoned: float) -> None:
        self._abandoned = abandoned
        self._numbers = count(1)
        self._entries: dict[str, StreamEntry] = {}
        self._handed_out: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def count(self, run: RunId) -> int:
        return sum(entry.run == run for entry in self._entries.values())

    def append(self, run: RunId, payload: bytes) -> None:
        number = str(next(self._numbers))
        self._entries[number] = StreamEntry(0, number, run, payload)

    def read(self, n: int, now: float) -> list[StreamEntry]:
        """At most n entries, oldest first."""
        latest = now - self._abandoned
        free = [e for number, e in self._entries.items() if self._handed_out.get(number, -math.inf) <= latest][:n]
        self._handed_out |= {entry.number: now for entry in free}
        return free

    def acknowledge(self, entry: StreamEntry) -> bool:
        """False when it was acknowledged before."""
        self._handed_out.pop(entry.number, None)
        return self._entries.pop(entry.number, None) is not None


def admitted(admission: Admission, url: Judged, address: str) -> FrontierUrl:
    """What is queued for a URL that was admitted."""
    found, candidate = admission.discovered, url.candidate
    return FrontierUrl(
        url=candidate.url,
        run=admission.entry.run,
        kind=candidate.kind,
        address=address,
        depth=found.depth,
        priority=candidate.priority,
        referrer=found.referrer,
        via=found.via,
    )


def rules_of(outcome: Done | Failed | Skipped | Retry, robots: bytes | None) -> bytes:
    """What a completed robots.txt leaves at its queue: the rules, or after a "!" why there are none (docs/adr/0004)."""
    if robots is not None:
        return robots
    return b"!robots" if isinstance(outcome, Done) else f"!{outcome.reason}".encode()
