"""The frontier's contract: every implementation does exactly this.

A worker *claims* leases and *completes* each with one atomic step. What a page named goes to the *discoveries*,
which an admitter reads, judges, *admits* and acknowledges; what was found goes to the *results*, which the recorder
reads and acknowledges. Delivery is at least once on both, and `admit` and `ack` make a second delivery harmless.

Units: durations are seconds, priorities run from 0 (first) to 9 (last), depth 0 is a seed. Counters are numbers of
canonical URLs, but where a docstring says otherwise; robots.txt is counted apart from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from crawler.records import Candidate, Discovered, Kind, Lease, Outcome, RunId


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim gave. next_due: seconds until something is due, None when nothing waits; 0 or less: now."""

    leases: tuple[Lease, ...]
    next_due: float | None


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of one lease.

    robots: for leases of kind robots, the rules as `robots_rules` will return them; opens the queue.
    block: seconds for which nothing is sent to the address (Retry-After, 429, 503); 0: no change.
    An outcome of None: the request was not sent; the URL goes back to the front of its queue and no attempt is counted.
    """

    lease: Lease
    outcome: Outcome | None
    robots: bytes | None = None
    block: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """One entry of a stream, to be acknowledged with the same values. payload: as it was appended."""

    partition: int
    number: str
    run: RunId
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate after the admitter's judgement.

    address: what it will be connected to; None with a `skip` reason.  politeness: the key that the address shares its
    politeness under.  number: 63-bit seen number.
    """

    candidate: Candidate
    number: int
    host: str
    address: str | None = None
    politeness: str | None = None
    skip: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a campaign allows at one address, over all workers. Both above 0."""

    requests_per_second: float
    concurrency: int


@dataclass(frozen=True, slots=True)
class Admission:
    """One entry of the discoveries stream, judged.

    limits: what the campaign allows at a politeness key.  urls_per_host: budget of the run.  robots: a host's
    robots.txt is asked for first.
    """

    entry: StreamEntry
    discovered: Discovered
    urls: tuple[Judged, ...]
    limits: Callable[[str], Limits]
    urls_per_host: int
    robots: bool


@dataclass(frozen=True, slots=True)
class RunCounts:
    """Where the URLs of one run stand. failed, skipped: by reason. tally: further counters, such as images."""

    discovered: int = 0
    fetched: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    retried: dict[str, int] = field(default_factory=dict)
    tally: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, int] = field(default_factory=dict)

    @property
    def pending(self) -> int:
        """Discovered URLs without an outcome."""
        return self.discovered - self.fetched - sum(self.failed.values()) - sum(self.skipped.values())

    @property
    def unfinished(self) -> int:
        """Things queued, leased, delayed or unacknowledged, robots.txt included; 0 is half of the finish rule."""
        return sum(self.waiting.values())


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A URL that ended as failed, for `campaign status`. url: None when its record could not be read."""

    url: str | None
    kind: Kind | None
    reason: str


class Frontier(Protocol):
    """See the module. Every method raises RedisUnavailable when the server does not answer."""

    async def claim(self, pages: int, images: int) -> Claimed:
        """At most so many leases per lane of what is due, at most `concurrency` in flight per address."""

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        """End leases. False where the lease was not held any more: then nothing of that completion was done."""

    async def reslot(self, lease: Lease) -> Lease | None:
        """The same lease with another slot, for a request that could not leave in its own; None: it is not held."""

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        """Return leases whose requests were not sent: to the front of their queues, without counting an attempt."""

    async def block(self, politeness: str, seconds: float) -> None:
        """Claim nothing at an address for so long. A shorter block does not end a longer one."""

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        """Append discoveries that no lease brought (seeds)."""

    async def discoveries(self, n: int) -> list[StreamEntry]:
        """At most n entries for this admitter: new ones, and those that a dead admitter left behind."""

    async def discard(self, entries: Sequence[StreamEntry], reason: str) -> None:
        """Acknowledge discoveries that cannot be read, and count them under `reason`."""

    async def admit(self, admissions: Sequence[Admission]) -> None:
        """Count what is new, queue what is in scope and within its budgets, acknowledge. Idempotent per entry."""

    async def backlog(self) -> int:
        """Entries of both streams that nobody has acknowledged yet, over all runs; claims wait while it is high."""

    async def results(self, n: int, wait: float) -> list[StreamEntry]:
        """At most n results for the recorder; waits up to `wait` seconds for the first."""

    async def ack_results(self, entries: Sequence[StreamEntry]) -> None:
        """Acknowledge and remove results after they were committed."""

    async def refuse(self, entries: Sequence[StreamEntry], reason: str) -> None:
        """Acknowledge results that are not to be believed, and count them under `reason`."""

    async def robots_rules(self, lease: Lease) -> bytes | None:
        """The rules that the robots lease of this lease's queue was completed with; None: there are none."""

    async def reap(self, n: int = 200) -> int:
        """Return at most n leases per partition that ran out; how many there were."""

    async def counts(self, run: RunId) -> RunCounts:
        """The counters of a run, summed over all partitions."""

    async def hold(self, run: RunId, held: bool) -> None:
        """Pause (True) or resume a run: nothing of it is claimed while it is held."""

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        """The newest n failed URLs of a run."""

    async def forget(self, run: RunId) -> None:
        """Remove the queues and counters of a finished run."""
