"""Where runs and the whole frontier stand, in numbers. Numbers are those of canonical URLs, but where a docstring says
otherwise; robots.txt is counted apart from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.records import Kind


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


@dataclass(frozen=True, slots=True)
class Coverage:
    """A host whose budget was used up. covered: URLs that had their turn since the round began, over all nights.

    waiting: URLs known and kept for later nights. The round is over when none waits.
    """

    host: str
    covered: int
    waiting: int


@dataclass(frozen=True, slots=True)
class FrontierState:
    """The whole frontier at a glance, summed over partitions: numbers of things.

    addresses: known.  due: addresses that may be asked now.  waiting: that may be asked later.  busy: with no place in
    flight free.  hot: of all these, those with hits.  slowed: that are asked less often than the campaign allows.
    queues: of a host in a run.  leases: out.  delayed: URLs tried again later.  parked: hosts that wait.
    discoveries, results: stream entries not acknowledged.
    """

    addresses: int = 0
    due: int = 0
    waiting: int = 0
    busy: int = 0
    hot: int = 0
    slowed: int = 0
    queues: int = 0
    leases: int = 0
    delayed: int = 0
    parked: int = 0
    discoveries: int = 0
    results: int = 0
