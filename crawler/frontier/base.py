"""The frontier's contract: every implementation does exactly this.

A worker *claims* leases and *completes* each with one atomic step. What a page named goes to the *discoveries*,
which an admitter reads, judges, *admits* and acknowledges; what was found goes to the *results*, which the recorder
reads and acknowledges. Delivery is at least once on both, and `admit` and `ack` make a second delivery harmless.

Units: durations are seconds, priorities run from 0 (first) to 9 (last), depth 0 is a seed. Counters are numbers of
canonical URLs, but where a docstring says otherwise; robots.txt is counted apart from them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from crawler.frontier.figures import Coverage, DeadLetter, FrontierState, RunCounts
from crawler.records import Candidate, Discovered, FrontierUrl, Kind, Lease, Outcome, RunId


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim gave. next_due: seconds until something is due, None when nothing waits; 0 or less: now."""

    leases: tuple[Lease, ...]
    next_due: float | None


class Completion(NamedTuple):
    """The end of one lease.

    An outcome of None: the request was not sent; the URL goes back to the front of its queue and no attempt is counted.
    robots: for leases of kind robots, the rules as `host_facts` will return them; opens the queue.
    delay: with `robots`, the host's Crawl-delay in seconds (at most MAX_CRAWL_DELAY); 0: none.
    block: seconds for which nothing is sent to the address (Retry-After, 429, 503); 0: no change. A block above 0 also
    slows the address down, until answers come again.
    park: seconds for which nothing of the host is claimed; 0: no change.
    session: what `host_facts` returns as session from now on; None: no change.
    latency: seconds from sending to the answer's headers; None: there was no answer. An address whose answers take
    ever longer is asked less often, until they are quick again.
    unsent: no request was sent although there is an outcome, so that the lease's slot may serve another request.
    """

    lease: Lease
    outcome: Outcome | None
    robots: bytes | None = None
    block: float = 0.0
    delay: float = 0.0
    park: float = 0.0
    session: bytes | None = None
    latency: float | None = None
    unsent: bool = False

    def __repr__(self) -> str:
        # Without what a session or a robots.txt holds.
        return f"Completion({self.lease!r}, {self.outcome!r}, block={self.block}, unsent={self.unsent})"


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a queue's host is known by: the rules of its last robots.txt and the session that it set; None: none."""

    robots: bytes | None
    session: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Find:
    """A hit, for `boost`. page_url: the page that showed the image, None when there is none.

    addresses: politeness keys of the hosts of both URLs, as far as they are known.
    domains: registered domains of both URLs.  urls_per_host: the campaign's budget, which is lifted by shares of it.
    """

    run: RunId
    image_url: str = field(repr=False)
    page_url: str | None = field(repr=False)
    addresses: tuple[str, ...]
    domains: tuple[str, ...]
    urls_per_host: int


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
    politeness under.  number: signed, of URL and context, 64 bits.  domain: registered domain of the host, "" for
    the host itself; seen numbers and budgets lie in its partition.  context: as in FrontierUrl.  later: it could not be
    judged yet, so that nothing else here holds.
    """

    candidate: Candidate
    number: int
    host: str
    address: str | None = None
    politeness: str | None = None
    skip: str | None = None
    domain: str = ""
    context: int = 0
    later: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What a campaign allows at one address, over all workers. Both above 0."""

    requests_per_second: float
    concurrency: int


_LINKS = frozenset({Kind.PAGE, Kind.FEED})


@dataclass(frozen=True, slots=True)
class Admission:
    """One entry of the discoveries stream, judged.

    limits: what the campaign allows at a politeness key.  urls_per_host, urls_per_domain: budgets of the run; what is
    above them is skipped as "host-budget" or "domain-budget" and kept for `carry_over`.  reserved: the last so many of
    either budget are for what pages show; links stay below, whichever comes first.  robots: a host's robots.txt is
    asked for first.  urls: every candidate of `discovered`, in its order.  after: seconds until those that could not be
    judged yet come back, as a discoveries entry of their own with one more of `tries`.
    """

    entry: StreamEntry
    discovered: Discovered
    urls: tuple[Judged, ...]
    limits: Callable[[str], Limits]
    urls_per_host: int
    robots: bool
    urls_per_domain: int = 1_000_000_000
    after: float = 0.0
    reserved: int = 0

    def held_back(self, url: Judged) -> int:
        """URLs of the budgets that this one may not use."""
        return self.reserved if url.candidate.kind in _LINKS else 0

    def put_off(self, urls: Sequence[Judged]) -> Discovered | None:
        """What comes back later, when these of its URLs do."""
        candidates = tuple(url.candidate for url in urls)
        return replace(self.discovered, candidates=candidates, tries=self.discovered.tries + 1) if urls else None


STREAK = 16
"""URLs that one turn of a queue gives at the most."""
WAITED, MISSED, LATE = 2.0, 60.0, 1.0
"""Seconds without streaks at an address: where a visit found no place, where a lease was given back; and how long it
may have been due."""
STREAK_STRIDE = 1.25
"""Slots of a streak are apart by so many times the smoothed latency, for each place that it has."""
MAX_CRAWL_DELAY = 60.0
"""Seconds: a robots.txt that asks for more gets this."""
SLOWEST = 16.0
"""An address that is in trouble is asked at most so many times less often than the campaign allows."""
LIFT_SHARE, LIFT_CAP = 0.5, 4.0
"""A hit lifts its host's budget by this share of it, all hits together by at most so many times the budget."""
CARRY_CAP, CARRY_SHARE = 4.0, 0.75
"""URLs above a host's budget that are kept for later nights, and what of the next night's budget they may use; both as
shares of the budget."""
Origin = tuple[str, str]
"""An origin, and the politeness key of its address."""
VISIT = "visit"
"""The queue of leases that `visit` gives."""
HOT_SECONDS = 1800.0
"""How long a hit keeps its address and host in front."""


class Frontier(Protocol):
    """See the module. Every method raises RedisUnavailable when the server does not answer."""

    async def claim(self, pages: int, images: int, page_streaks: bool = True) -> Claimed:
        """At most so many leases per lane of what is due, at most `concurrency` in flight per address.

        An address with a place free may give a *streak*: up to STREAK URLs of one queue, one lane and one priority in
        the order of their slots, all of which lie within the lookahead. Of these only `Lease.places` may be under way
        at once (those that were free), so that a streak may be longer than the address has places. All count as in
        flight until they end, and while they fill the address's places nobody else gets anything there: requests under
        way are never more than the leases that are out, nor than all places together.

        Slots of a streak are no closer than answers of the address take to free a place for the next (STREAK_STRIDE
        times its smoothed latency, divided by the places), so that they can be kept. There is no streak where that
        latency is not known, at an address that is slowed down or hot, under a Crawl-delay or of a host that is gated,
        nor for WAITED seconds where a visit found no place, nor for MISSED seconds where a lease was given back, nor
        where an address was due for LATE seconds: what was taken in a row did not fit, or workers are behind, and those
        that may be asked seldom are not to wait behind those that may be asked often.

        page_streaks: False: none of pages, which may keep their places for long where a browser shows them.
        """

    async def complete(self, completions: Sequence[Completion]) -> list[bool]:
        """End leases. False where the lease was not held any more: then nothing of that completion was done."""

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        """The same lease with another slot, for a request that could not leave in its own; None: it is not held.

        ahead: seconds from now before which the slot does not lie, for a worker that answers reach late.
        """

    async def visit(self, item: FrontierUrl, politeness: str, limits: Limits, within: float) -> Lease | None:
        """A lease for one request at an address beside what is queued there, as a page's script makes it.

        It takes a slot, within so many seconds, and a place in flight, by the stricter of `limits` and of what runs
        allow there; None: there is no such slot or place now. No run counts it: of its completion nothing but the slot,
        latency and block is heeded, and when it runs out its place comes free.
        """

    async def give_back(self, leases: Sequence[Lease]) -> list[bool]:
        """Return leases whose requests were not sent: to the front of their queues, without counting an attempt."""

    async def block(self, politeness: str, seconds: float) -> None:
        """Claim nothing at an address for so long. A shorter block does not end a longer one."""

    async def offer(self, run: RunId, discovered: Sequence[Discovered]) -> None:
        """Append discoveries that no lease brought (seeds)."""

    async def discoveries(self, n: int) -> list[StreamEntry]:
        """At most n entries for this admitter: new ones, and those that a dead admitter left behind."""

    async def discard(self, entries: Sequence[StreamEntry], reason: str) -> None:
        """Acknowledge discoveries that cannot be read, and count them under `reason`. One that moved has failed."""

    async def admit(self, admissions: Sequence[Admission]) -> None:
        """Count what is new, queue what is in scope and within its budgets, acknowledge. Idempotent per entry."""

    async def backlog(self) -> int:
        """Entries of both streams that nobody has acknowledged yet; claims wait while it is high.

        Those of runs on hold do not count: they may have to wait for long, and others need not wait with them.
        """

    async def results(self, n: int, wait: float) -> list[StreamEntry]:
        """At most n results for the recorder; waits up to `wait` seconds for the first."""

    async def ack_results(self, entries: Sequence[StreamEntry]) -> None:
        """Acknowledge and remove results after they were committed."""

    async def refuse(self, entries: Sequence[StreamEntry], reason: str) -> None:
        """Acknowledge results that are not to be believed, and count them under `reason`."""

    async def host_facts(self, lease: Lease) -> HostFacts:
        """What is known of the host of a lease. The answer holds for every lease with the same partition and queue."""

    async def boost(self, find: Find) -> None:
        """Dig where something was found, best effort.

        For HOT_SECONDS the addresses come before others that are due, and the hosts get every second turn of theirs.
        URLs of the run that stand below the directory of the page or of the image, or that the page named, are claimed
        first, those that wait (up to some thousands) and those to come. Budgets of hosts and domains are lifted.
        """

    async def relocate(self, host: str, politeness: str) -> int:
        """Close what waits for a host at an address, in all runs, since the host lies elsewhere now; how many URLs.

        They go through the discoveries to be judged again (`Discovered.moved`), soon if not at once, and so does what
        is leased or delayed when it comes back. They keep depth, priority and referrer; their attempts begin anew.
        """

    async def carry_over(self, run: RunId, urls_per_host: int) -> int:
        """Offer a new run what earlier runs of its campaign left out for their budgets; how many URLs.

        Oldest first, of each host at most CARRY_SHARE of its budget. What does not fit is kept on. A second call for
        the same run offers nothing of the hosts that the first one got to.
        """

    async def coverage(self, campaign: str) -> list[Coverage]:
        """The hosts of a campaign whose budgets were used up, those with most left first."""

    async def state(self) -> FrontierState:
        """The whole frontier at a glance."""

    async def reap(self, n: int = 200) -> int:
        """Return at most n leases per partition that ran out; how many there were."""

    async def counts(self, run: RunId) -> RunCounts:
        """The counters of a run, summed over all partitions."""

    async def hold(self, run: RunId, held: bool) -> None:
        """Pause (True) or resume a run: nothing of it is claimed while it is held."""

    async def limit(self, run: RunId, limits: Callable[[str], Limits]) -> None:
        """What a run allows at its addresses from now on, for one whose campaign was replaced; see Admission.limits."""

    async def dead_letters(self, run: RunId, n: int = 100) -> list[DeadLetter]:
        """The newest n failed URLs of a run."""

    async def forget(self, run: RunId) -> None:
        """Remove the queues and counters of a finished run."""

    async def retire(self, run: RunId, hosts: Sequence[Origin]) -> bool:
        """Let go of what is kept of hosts with which nothing is going on in a run; others stay as they are.

        What is queued for one of them later is gated by its robots.txt anew; the pace of its address holds on. False:
        something of the run is delayed, so that nobody can tell, and some of them or all stay as they are.
        """
