"""What an answer, or its absence, means for the URL: pure functions from fetch records to frontier outcomes."""

from __future__ import annotations

from dataclasses import replace

from crawler.bridge.guesses import is_guessed_image
from crawler.discover.page import redirect_candidate
from crawler.fetch.failures import FAILURES, Disposition, http_outcome
from crawler.fetch.headers import retry_after
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
    Outcome,
    Rejected,
    Retry,
    Skipped,
)

FIRST_RETRY = 1.0
LONGEST_RETRY = 300.0
LONGEST_BLOCK = 3600.0
MAX_REDIRECTS = 10
SANDBOX_PAUSE = 5.0


def backoff(attempts: int) -> float:
    """Seconds until the next try after so many."""
    return float(min(FIRST_RETRY * 2**attempts, LONGEST_RETRY))


def failed_fetch(lease: Lease, failed: FetchFailed) -> Completion:
    """The end of a lease whose request had no answer."""
    if failed.retry:
        # A kept connection that the server had closed says nothing about the server: a new one may do at once.
        after = 0.0 if failed.reason == "stale-connection" else backoff(lease.item.attempts)
        return Completion(lease, Retry(failed.reason, after))
    return Completion(lease, Failed(failed.reason))


def unusable(lease: Lease, fetched: Fetched, now: float) -> Completion | None:
    """The end of a lease by the answer's status alone; None when there is a body to look at. now: epoch seconds."""
    outcome = http_outcome(fetched.status)
    match outcome.disposition:
        case Disposition.USABLE:
            return None
        case Disposition.REDIRECT:
            return Completion(lease, _redirected(lease, fetched))
        case Disposition.UNCHANGED:
            return Completion(lease, Done(tally={"unchanged": 1}))
        case Disposition.CLOSED:
            return Completion(lease, Failed("closed"))
        case Disposition.RETRY:
            return Completion(lease, Retry(outcome.name, _wait(lease, fetched, now)), block=pause(lease, fetched, now))
        case Disposition.FAILED:
            return Completion(lease, Failed(outcome.name))


def pause(lease: Lease, fetched: Fetched, now: float) -> float:
    """Seconds for which an answer asks that its address is left alone; 0: it does not. now: epoch seconds."""
    # Without a Retry-After the address rests as long as this URL does, which grows with its tries.
    return _wait(lease, fetched, now) if fetched.status in (429, 503) else 0.0


def broken_off(lease: Lease, fetched: Fetched) -> Completion | None:
    """The end of a lease whose body broke off, at its first try; what arrived at a later one is looked at as it is."""
    if fetched.truncated is None or lease.item.attempts > 0 or not FAILURES[fetched.truncated].retry:
        return None
    return Completion(lease, Retry(fetched.truncated, backoff(0)))


def unsupported(lease: Lease, fetched: Fetched) -> Completion | None:
    """The end of a lease whose body was not read because nothing in it could be used, or not to its end."""
    if fetched.skipped_body is None:
        return None
    if fetched.digests is not None:
        # Digests of a part say nothing of the whole.
        return None if fetched.truncated is None else Completion(lease, Failed(fetched.truncated))
    return Completion(lease, Skipped(f"unsupported({fetched.skipped_body})"))


def _wait(lease: Lease, fetched: Fetched, now: float) -> float:
    wait = retry_after(fetched.header("Retry-After"), now, LONGEST_BLOCK) or 0.0
    return max(wait, backoff(lease.item.attempts))


def _redirected(lease: Lease, fetched: Fetched) -> Outcome:
    item = lease.item
    if fetched.location is None:
        return Failed("redirect-without-target")
    if len(item.via) >= MAX_REDIRECTS:
        return Failed("too-many-redirects")
    # Where the root of an address leads to is a page like any other.
    kind = Kind.PAGE if item.kind is Kind.SWEEP else item.kind
    candidate = redirect_candidate(fetched.location, item.url, kind)
    if isinstance(candidate, Candidate) and is_guessed_image(item):
        candidate = replace(candidate, priority=item.priority)
    if isinstance(candidate, Rejected):
        return Done(tally={f"rejected:{candidate.reason}": 1})
    # A redirect stays at its depth and keeps the page that led to it: it is the same link, one step on.
    found = Discovered((candidate,), item.depth, item.referrer, (*item.via, item.url))
    return Done(discovered=found, tally={"redirects": 1})
