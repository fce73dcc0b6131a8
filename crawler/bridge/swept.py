"""What a sweep learns at an address: the names by which its servers are known, and that nothing is there.

A sweep's URL is the root of an address and port. As everywhere, robots.txt comes first, so it is that request which
finds out whether anything listens; what it shows of names is taken there, once, and they are judged like any others.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crawler.bridge.rules import pack_unreachable
from crawler.bridge.runs import ServedRun
from crawler.fetch.failures import FAILURES
from crawler.frontier.base import Completion
from crawler.records import (
    Candidate,
    Discovered,
    Done,
    Failed,
    Fetched,
    FetchFailed,
    Kind,
    Lease,
    Rejected,
    Retry,
    Skipped,
    TlsFacts,
)
from crawler.seeds import domain_name
from crawler.sweep import root_url
from crawler.urls import UrlParts, parts

CONNECT_SECONDS: Final = 4.0
"""For a connection to an address of which nothing is known. The kernel sends the first packet again after 1 and 3 s."""

PRIORITY: Final = 2
_OURS: Final = frozenset(
    {"blocked-scope", "blocked-robots", "late", "invalid-request", "local-resources", "local-address"}
)
_SILENT: Final = frozenset({"connect-refused", "connect-timeout", "unreachable"})
"""Nothing listens there, as far as one can tell: who would have names to tell?"""


def is_swept(served: ServedRun, lease: Lease) -> bool:
    """Whether a lease asks an address and port that the campaign sweeps; also for the robots.txt of one."""
    url = _origin(lease)
    return lease.item.kind in (Kind.ROBOTS, Kind.SWEEP) and served.campaign.is_swept(url.host, url.port)


async def with_names(served: ServedRun, lease: Lease, fetched: Fetched, completion: Completion) -> Completion:
    """The end of the lease of a swept robots.txt, with the names that were seen on the way."""
    outcome = completion.outcome
    if isinstance(outcome, Retry) and 300 <= fetched.status < 400:
        # Of the address itself all is known that it has to say: where its robots.txt moved to is another one's trouble.
        outcome = Done(tally={f"swept:{outcome.reason}": 1})
    if not isinstance(outcome, Done):
        return completion
    known = () if outcome.discovered is None else outcome.discovered.candidates
    twin = _tls_twin(lease, wrong=fetched.status == 400)
    found = (*known, *await _names(served, lease, fetched.tls), *twin)
    # Sitemaps are a link away from their robots.txt; names are beginnings, but one depth holds for all of an entry.
    discovered = Discovered(found, 0) if found else None
    return completion._replace(
        outcome=replace(outcome, discovered=discovered, tally={**outcome.tally, "swept:open": 1})
    )


async def unreachable(served: ServedRun, lease: Lease, failed: FetchFailed) -> Completion | None:
    """The end of the lease of a swept robots.txt that was not answered; None for reasons that lie with us.

    Asked once: most addresses of a sweep are dark, and they are asked again by the next sweep.
    """
    if failed.reason in _OURS:
        return None
    found: tuple[Candidate, ...] = ()
    if failed.reason not in _SILENT:
        twin = _tls_twin(lease, wrong=failed.reason in ("malformed-http", "disconnected", "reset"))
        found = (*await _names(served, lease, None), *twin)
    outcome = Done(Discovered(found, 0) if found else None, tally={f"swept:{failed.reason}": 1})
    return Completion(lease, outcome, pack_unreachable(failed.reason))


def ended(completion: Completion) -> Completion:
    """The end of a sweep's own lease: that nothing is there, or no page, is what a sweep is to find out, no failure."""
    outcome = completion.outcome
    if not isinstance(outcome, Failed):
        return completion
    if outcome.reason in FAILURES and outcome.reason not in _OURS:
        return completion._replace(outcome=Skipped(f"no-service({outcome.reason})"))
    if outcome.reason == "closed" or outcome.reason.startswith("http-"):
        return completion._replace(outcome=Skipped(f"no-page({outcome.reason})"))
    return completion


async def _names(served: ServedRun, lease: Lease, tls: TlsFacts | None) -> tuple[Candidate, ...]:
    """The roots of the hosts that the certificate and the reverse DNS name, over the same scheme and port."""
    url = _origin(lease)
    shown = {} if tls is None else {name.removeprefix("*."): "certificate" for name in tls.names}
    reverse = await served.resolver.reverse(lease.item.address)
    if not isinstance(reverse, Rejected):
        shown |= {name: "reverse" for name in reverse if name not in shown}
    hosts = ((domain_name(name), source) for name, source in shown.items())
    found = ((host, source) for host, source in hosts if isinstance(host, str))
    return tuple(Candidate(root_url(url.scheme, host, url.port), Kind.PAGE, source, PRIORITY) for host, source in found)


def _tls_twin(lease: Lease, *, wrong: bool) -> tuple[Candidate, ...]:
    """The same port over https, when what it said to http was that of a server that expects TLS."""
    url = _origin(lease)
    if not wrong or url.scheme != "http" or url.port == 80:
        return ()
    host = f"[{url.host}]" if ":" in url.host else url.host
    return (Candidate(root_url("https", host, url.port), Kind.SWEEP, "sweep", PRIORITY),)


def _origin(lease: Lease) -> UrlParts:
    """Of what was asked for first: a robots.txt may have moved."""
    item = lease.item
    return parts(item.via[0] if item.via and item.kind is Kind.ROBOTS else item.url)
