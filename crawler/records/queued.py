"""URLs in the frontier, their leases, and how these end.

What is made for every URL is a NamedTuple, which takes a quarter of the time that a frozen dataclass does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from crawler.records.common import Kind, RunId
from crawler.records.discovered import Candidate


class FrontierUrl(NamedTuple):
    """A URL that was admitted: in scope, new, within its budgets.

    address: the IP address (canonical text) that was judged and that will be connected to.
    depth: links followed from a seed, 0 for seeds; requisites of a page (images, sheets) have the page's depth + 1.
    referrer: the page that showed it, None for seeds.  via: URLs that redirected to it, oldest first.
    context: bounded context class; what is seen is (url, context). 0 is the usual one.
    attempts: deliveries so far that ended without an outcome or with a retry; 0 at first.
    """

    url: str
    run: RunId
    kind: Kind
    address: str
    depth: int = 0
    priority: int = 5
    referrer: str | None = None
    via: tuple[str, ...] = ()
    context: int = 0
    attempts: int = 0


class Lease(NamedTuple):
    """The right to send one request for `item`.

    token: fencing token, unique within the partition; completing with an old one has no effect.
    not_before, send_by, expires: readings of this process's monotonic clock (seconds). A request is sent within
    [not_before, send_by], else the lease is given back; at `expires` a fetch in progress is aborted.
    queue: opaque; changes when the robots rules or the session of the lease's host do.
    streak: token of the first lease of those that one claim took in a row from one queue, 0 for one by itself.
    places: how many of a streak may be under way at once, from sending to the end of the answer.
    """

    item: FrontierUrl
    partition: int
    token: int
    queue: str
    not_before: float
    send_by: float
    expires: float
    streak: int = 0
    places: int = 1


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one page (or redirect, or seed list) named, on its way to the admitter.

    depth: of the candidates.  referrer: the page, None for seeds.  via: URLs that redirected here, oldest first.
    tries: times that the candidates came to an admitter which could not judge them yet.
    moved: they were admitted before, and are judged only for where they lie now.
    """

    candidates: tuple[Candidate, ...]
    depth: int = 0
    referrer: str | None = None
    via: tuple[str, ...] = ()
    tries: int = 0
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The URL was fetched (redirects included).

    discovered: what it named, None for nothing.  results: sealed records for the recorder, opaque to the frontier.
    tally: counters to move with the outcome, for instance {"images": 1}.
    """

    discovered: Discovered | None = None
    results: tuple[bytes, ...] = ()
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable answer, for good. An undecodable image may still carry results (its digests matched)."""

    reason: str
    results: tuple[bytes, ...] = ()
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Deliberately not fetched, or not looked at: robots, unsupported content and the like."""

    reason: str
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `after` seconds; becomes Failed(reason) when the attempts are used up."""

    reason: str
    after: float


@dataclass(frozen=True, slots=True)
class Rekind:
    """What came back belongs on the other lane: queue it again as `kind`, without counting an attempt.

    url: where a robots.txt of this address has moved to; None for the same URL.
    """

    kind: Kind
    url: str | None = None


Outcome = Done | Failed | Skipped | Retry | Rekind
