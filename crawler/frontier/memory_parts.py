"""What the in-memory frontier is made of: addresses, hosts and queues. See `memory.py`.

A lane is False for pages (and whatever else is no image) and True for images. Times are readings of the frontier's
clock, in seconds.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from crawler.frontier.base import LATE, MAX_CRAWL_DELAY, STREAK_STRIDE, Find, HostFacts, Limits
from crawler.frontier.codec import ROBOTS_BAND, band_of
from crawler.frontier.manners import Pace, adjusted
from crawler.frontier.memory_runs import Run, urls_of
from crawler.records import Done, Failed, FrontierUrl, Kind, Retry, RunId, Skipped

LANES = (False, True)


@dataclass(slots=True, eq=False)
class Place:
    """One politeness key, shared by all runs. next_slot, blocked: when the next request may leave, whichever is later.

    rate, concurrency: the strictest of `limits`; those of the last run stay when none is left.  hot: until when it
    comes before others.  hosts: by origin.  images_last: which lane was served last.  single: until when there are no
    streaks.
    """

    rate: float = 1.0
    concurrency: int = 1
    next_slot: float = -math.inf
    blocked: float = -math.inf
    hot: float = -math.inf
    pace: Pace = field(default_factory=Pace)
    limits: dict[RunId, Limits] = field(default_factory=dict)
    inflight: set[int] = field(default_factory=set)
    hosts: dict[str, Host] = field(default_factory=dict)
    rotation: dict[bool, deque[Queue]] = field(default_factory=lambda: {lane: deque() for lane in LANES})
    images_last: bool = False
    single: float = -math.inf
    _hot_turn: dict[bool, bool] = field(default_factory=lambda: dict.fromkeys(LANES, True))

    @property
    def due(self) -> float:
        return max(self.next_slot, self.blocked)

    @property
    def free(self) -> int:
        """Places in flight that nothing has; none while streaks have more out than there are places."""
        return max(self.concurrency - len(self.inflight), 0)

    @property
    def pages_next(self) -> bool:
        """Whether pages go before images: these were served last, or have nothing here."""
        return self.images_last or not self.waiting([True])

    def is_alone(self, now: float) -> bool:
        """Whether it gives one URL in a turn, whatever its latency is."""
        return max(self.single, self.hot) > now or now - self.due > LATE

    def waiting(self, lanes: Sequence[bool]) -> list[Queue]:
        """The queues that only time, or the places in flight, keep from being claimed."""
        return [queue for lane in lanes for queue in self.rotation[lane] if queue.ready(lane)]

    def take(self, images: bool, old: float, now: float, order: int) -> Queue | None:
        """The queue whose turn it is. One whose rules date from before `old` is gated anew."""
        able = [queue for queue in self.rotation[images] if queue.host.parked <= now]
        # In every second turn those with hits come first; but for that, whoever was served longest ago.
        for queue in sorted(able, key=lambda queue: (queue.hot > now) is not self._hot_turn[images]):
            if queue.ready(images) and queue.robots is not None and not queue.gated and queue.rules_at < old:
                queue.close_gate(order)
            if queue.ready(images):
                self._hot_turn[images] = not self._hot_turn[images]
                self.rotation[images].remove(queue)
                self.rotation[images].append(queue)
                return queue
        return None

    def slots(self, now: float, window: float, most: int = 1, horizon: float = 0.0) -> list[float]:
        """When one more request may leave, or a streak of at most so many up to the horizon; last, when another may."""
        slot, step = max(self.due, now), self._distance(window, self.rate)
        slots = [slot]
        if most > 1 and self.pace.lat and self.pace.slow <= 1:
            stride = max(step, STREAK_STRIDE * self.pace.lat / self.free)
            n = min(most, 1 + math.floor((horizon - slot) / stride))
            slots = [slot + i * stride for i in range(n)]
        self.next_slot = slots[-1] + step
        return [*slots, self.next_slot]

    def _distance(self, window: float, rate: float) -> float:
        """Seconds between slots, stretched by the window: see docs/adr/0003."""
        return (1 + window) / rate * self.pace.slow

    def spare(self, slot: float, window: float, rate: float) -> None:
        """Let the next request after `slot` leave no sooner than at this rate."""
        self.next_slot = max(self.next_slot, slot + self._distance(window, rate))

    def unslot(self, held: Held) -> None:
        """Let another request have a slot that was not used, unless one after it was given already."""
        if self.next_slot == held.next_slot:
            self.next_slot = held.slot

    def adjust(self, latency: float | None, blocked: bool) -> None:
        self.pace = adjusted(*self.pace, latency, blocked)

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

    def let_go(self, queue: Queue) -> None:
        """Let go of one queue."""
        for lane in LANES:
            self.rotation[lane].remove(queue)

    def _tighten(self) -> None:
        if self.limits:
            self.rate = min(limits.requests_per_second for limits in self.limits.values())
            self.concurrency = min(limits.concurrency for limits in self.limits.values())


@dataclass(slots=True, eq=False)
class Host:
    """An origin at a politeness key, shared by all runs. parked: nothing of it is claimed before."""

    parked: float = -math.inf

    def park(self, until: float) -> None:
        """A shorter wait does not end a longer one."""
        self.parked = max(self.parked, until)


@dataclass(frozen=True, slots=True)
class Near:
    """Where more may lie, as a hit shows: below the directories of its image and page, and what the page named."""

    directories: tuple[str, ...]
    page: str | None

    @classmethod
    def of(cls, find: Find) -> Near:
        paths = [url.partition("?")[0] for url in urls_of(find)]
        return cls(tuple(path[: path.rindex("/") + 1] for path in paths), find.page_url)

    def __contains__(self, item: FrontierUrl) -> bool:
        return item.url.startswith(self.directories) or (self.page is not None and item.referrer == self.page)


@dataclass(slots=True, eq=False)
class Queue:
    """What one run has waiting for one origin at one politeness key.

    gated: only robots.txt may be claimed.  robots: its URL, None when the run does not ask for it.  rules: as the last
    robots.txt was completed, at `rules_at`.  delay: seconds that it asks for between requests.  hot: until when it gets
    every second turn, and what is `near` comes first.  moved: closed, for the host lies elsewhere now.
    """

    number: int
    run: Run
    origin: str
    address: str
    place: Place
    robots: FrontierUrl | None = None
    gated: bool = False
    rules: bytes | None = None
    rules_at: float = -math.inf
    session: bytes | None = None
    delay: float = 0.0
    hot: float = -math.inf
    moved: bool = False
    near: set[Near] = field(default_factory=set)
    _facts_number: int = 0
    _heaps: dict[bool, list[tuple[int, int, FrontierUrl]]] = field(default_factory=lambda: {lane: [] for lane in LANES})

    @property
    def name(self) -> str:
        """Changes whenever the facts do."""
        return f"{self.number}:{self._facts_number}"

    @property
    def facts(self) -> HostFacts:
        return HostFacts(self.rules, self.session)

    @property
    def host(self) -> Host:
        return self.place.hosts[self.origin]

    def at_rest(self, now: float) -> bool:
        """Whether nothing of it is going on, and nothing is known of it that came from more than a question."""
        busy = self.gated or self.moved or self.host.parked > now or self.place.inflight
        return not (busy or self.near or self.session is not None or any(self._heaps.values()))

    def push(self, band: int, item: FrontierUrl, order: int) -> None:
        """order: unique; within a band the lowest comes first, and negative ones before all."""
        heapq.heappush(self._heaps[item.kind.on_image_lane], (band, order, item))

    def band(self, item: FrontierUrl, now: float) -> int:
        """The band of a URL that is new here: by priority, then by depth, but near a hit the first."""
        if item.kind is Kind.ROBOTS:
            return ROBOTS_BAND
        focused = self.hot > now and any(item in near for near in self.near)
        return band_of(0, 0) if focused else band_of(item.priority, item.depth)

    def in_a_row(self, images: bool) -> int:
        """URLs that one turn may give: those of the first band, where robots.txt is alone; one under a Crawl-delay."""
        first, *_ = self._heaps[images][0]
        return 1 if self.delay > 0 else sum(band == first for band, _, _ in self._heaps[images])

    def pop(self, images: bool) -> tuple[int, FrontierUrl]:
        """The next URL, and its band."""
        band, _, item = heapq.heappop(self._heaps[images])
        return band, item

    def ready(self, images: bool) -> bool:
        heap = self._heaps[images]
        return bool(heap) and not self.run.held and (heap[0][0] == ROBOTS_BAND or not self.gated)

    def items(self) -> Iterator[FrontierUrl]:
        return (item for heap in self._heaps.values() for _, _, item in heap)

    def close(self) -> list[FrontierUrl]:
        """Give out all that it has, for good."""
        gone = list(self.items())
        self.moved, self._heaps = True, {lane: [] for lane in LANES}
        return gone

    def heat(self, near: Near, now: float, until: float) -> None:
        if self.hot <= now:
            self.near.clear()
        self.near.add(near)
        self.hot = until

    def advance(self, near: Near) -> None:
        """Move what is near to the front."""
        for heap in self._heaps.values():
            for i, (band, order, item) in enumerate(heap):
                if band != ROBOTS_BAND and item in near:
                    heap[i] = band_of(0, 0), order, item
            heapq.heapify(heap)

    def close_gate(self, order: int) -> None:
        """Ask for robots.txt before anything else."""
        assert self.robots is not None
        self.gated = True
        self.push(ROBOTS_BAND, self.robots, order)

    def open_gate(self, rules: bytes, delay: float, now: float, number: int) -> None:
        """number: unlike that of any facts before."""
        self.gated = False
        self.rules, self.rules_at, self._facts_number = rules, now, number
        self.delay = min(delay, MAX_CRAWL_DELAY)

    def remember(self, session: bytes, number: int) -> None:
        """number: unlike that of any facts before."""
        if session != self.session:
            self.session, self._facts_number = session, number

    def leased(self, slot: float) -> None:
        """Nothing more of the host until its Crawl-delay after a slot is over."""
        if self.delay > 0:
            self.host.park(slot + self.delay)


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is out. expires: when it may be reaped.  next_slot: what follows its slot at the address."""

    queue: Queue
    band: int
    item: FrontierUrl
    expires: float
    slot: float
    next_slot: float


@dataclass(frozen=True, slots=True)
class Delayed:
    """A URL that is tried again at `at`."""

    at: float
    queue: Queue
    band: int
    item: FrontierUrl


def rules_of(outcome: Done | Failed | Skipped | Retry, robots: bytes | None) -> bytes:
    """What a completed robots.txt leaves at its queue: the rules, or after a "!" why there are none (docs/adr/0004)."""
    if robots is not None:
        return robots
    return b"!robots" if isinstance(outcome, Done) else f"!{outcome.reason}".encode()
