"""What the in-memory frontier knows of runs: what was seen, what became of it, and what budgets left out.

See `memory.py`.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, islice

from crawler.frontier.base import CARRY_CAP, CARRY_SHARE, LIFT_CAP, LIFT_SHARE, Admission, Find, Judged
from crawler.frontier.figures import Coverage, DeadLetter, RunCounts
from crawler.records import Discovered, Done, Failed, FrontierUrl, Retry, RunId, Skipped
from crawler.urls import parts

_DEAD_LETTERS = 10_000
_HOST_BUDGET, _DOMAIN_BUDGET = "host-budget", "domain-budget"
BUDGETS = frozenset({_HOST_BUDGET, _DOMAIN_BUDGET})
"""Reasons for which a URL is kept for another night."""


@dataclass(slots=True, eq=False)
class Run:
    """One run: what was seen of it and what became of it.

    hosts, domains: URLs admitted.  host_lifts, domain_lifts: by how much hits have lifted the budgets of these.
    """

    id: RunId
    held: bool = False
    fetched: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    retried: Counter[str] = field(default_factory=Counter)
    tally: Counter[str] = field(default_factory=Counter)
    seen: set[int] = field(default_factory=set)
    hosts: Counter[str] = field(default_factory=Counter)
    domains: Counter[str] = field(default_factory=Counter)
    host_lifts: Counter[str] = field(default_factory=Counter)
    domain_lifts: Counter[str] = field(default_factory=Counter)
    dead: deque[DeadLetter] = field(default_factory=lambda: deque(maxlen=_DEAD_LETTERS))

    def spend(self, url: Judged, admission: Admission) -> str | None:
        """Count a URL against the budgets, or say which of them is used up: then it counts against neither."""
        domain, held_back = url.domain or url.host, admission.held_back(url)
        if self.hosts[url.host] + held_back >= admission.urls_per_host + self.host_lifts[url.host]:
            return _HOST_BUDGET
        if self.domains[domain] + held_back >= admission.urls_per_domain + self.domain_lifts[domain]:
            return _DOMAIN_BUDGET
        self.hosts[url.host] += 1
        self.domains[domain] += 1
        return None

    def lift(self, find: Find) -> None:
        """Raise the budgets of the hosts and domains of a hit, each once."""
        hosts = {parts(url).host for url in urls_of(find)}
        share, most = (int(part * find.urls_per_host) for part in (LIFT_SHARE, LIFT_CAP))
        for lifts, names in ((self.host_lifts, hosts), (self.domain_lifts, set(find.domains))):
            for name in names:
                lifts[name] = min(lifts[name] + share, most)

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


@dataclass(frozen=True, slots=True)
class Kept:
    """A URL that a run left out for a budget. found: it alone."""

    run: RunId
    found: Discovered


@dataclass(slots=True, eq=False)
class KeptHost:
    """What runs of one campaign left out of one host, oldest first, by seen number.

    covered: as in Coverage.  over: the run that used its budget up last.  offered: the run that was offered of it last.
    """

    covered: int = 0
    over: RunId | None = None
    offered: RunId | None = None
    urls: dict[int, Kept] = field(default_factory=dict)


class Carry:
    """What budgets left out, over all nights of a campaign."""

    def __init__(self) -> None:
        self._campaigns: dict[str, dict[str, KeptHost]] = defaultdict(lambda: defaultdict(KeptHost))

    def keep(self, run: RunId, admission: Admission, url: Judged, budget: str) -> None:
        """Keep what was above a `budget`, as long as there is room."""
        host = self._campaigns[run.campaign][url.host]
        if budget == _HOST_BUDGET and host.over != run:
            host.over = run
            # With nothing left of the last round, a new one begins.
            host.covered = admission.urls_per_host + (host.covered if host.urls else 0)
        if url.number not in host.urls and len(host.urls) < CARRY_CAP * admission.urls_per_host:
            host.urls[url.number] = Kept(run, replace(admission.discovered, candidates=(url.candidate,), tries=0))

    def take(self, run: RunId, urls_per_host: int) -> Iterator[Discovered]:
        """Let go of what a new run may use, once per host."""
        most = max(1, int(CARRY_SHARE * urls_per_host))
        for host in self._campaigns[run.campaign].values():
            # What the run itself left out it has seen, and would not look at again.
            earlier = [number for number, kept in host.urls.items() if kept.run != run]
            if earlier and host.offered != run:
                host.offered = run
                yield from _joined([host.urls.pop(number).found for number in islice(earlier, most)])

    def coverage(self, campaign: str) -> list[Coverage]:
        hosts = self._campaigns[campaign].items()
        rows = [Coverage(name, host.covered, len(host.urls)) for name, host in hosts if host.urls]
        return sorted(rows, key=lambda row: (-row.waiting, row.host))


def urls_of(find: Find) -> list[str]:
    """Image and page of a hit; an image that stood in its page is nowhere else."""
    return [url.partition("#")[0] for url in (find.image_url, find.page_url) if url is not None]


def _joined(found: list[Discovered]) -> Iterator[Discovered]:
    """The same candidates, in one piece where only they differ."""
    for bare, alike in groupby(found, key=lambda each: replace(each, candidates=())):
        yield replace(bare, candidates=tuple(candidate for each in alike for candidate in each.candidates))


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
        context=url.context,
    )
