"""What a request came to, and how its lease ends by that: the part that both lanes share."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from crawler.bridge.outcomes import failed_fetch
from crawler.fetch.failures import Disposition, http_outcome
from crawler.frontier.base import Completion
from crawler.records import Done, Failed, Fetched, FetchFailed, FrontierUrl, Lease, Outcome, Retry, Skipped
from crawler.urls import canonical

UNCHANGED = 304
LED_BACK = "redirect-back"
"""The source of a URL that is asked for once more because a cookie was set since."""

_NOTHING_SENT = frozenset({"address-changed", "blocked-scope", "invalid-request", "local-address", "local-resources"})
"""Failures of a fetch before anything reached the server."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer arrived.

    session: the host's session as it is now, None when the answer did not change it.  disallowed: robots.txt forbids
    the URL, and the campaign asks for it all the same.  cloaked: this was said to the campaign's second identity, and
    something else to the first.  conditional: it was asked whether anything has changed.
    """

    fetched: Fetched
    session: bytes | None = field(default=None, repr=False)
    disallowed: bool = False
    cloaked: bool = False
    conditional: bool = False


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request did not leave in time, was stopped, or its run is not served here: the lease is given back.

    park: seconds for which the host is not claimed; 0: it may be at once.
    missed: others of its streak had all places until its slot was over, or its address asked for a pause.
    """

    park: float = 0.0
    missed: bool = False


NotAnswered = FetchFailed | Failed | Skipped | Unsent
Sent = Answered | NotAnswered


def unanswered(lease: Lease, sent: NotAnswered) -> Completion:
    """The end of a lease without an answer."""
    match sent:
        case Unsent():
            return Completion(lease, None, park=sent.park)
        case Failed() | Skipped():
            return Completion(lease, sent, unsent=True)
        case FetchFailed():
            return failed_fetch(lease, sent)._replace(unsent=sent.reason in _NOTHING_SENT)


def concluded(completion: Completion, answered: Answered) -> Completion:
    """The end of a lease by an answer, with what every answer tells beside its outcome: latency and session."""
    timings = answered.fetched.timings
    outcome = completion.outcome
    if answered.session is not None and _leads_to_itself(completion.lease.item, answered.fetched):
        # "Come back with this cookie": as a redirect it would be dropped, for its target is the URL itself.
        outcome = Retry("redirect-with-cookie", 0.0)
    elif answered.fetched.status == UNCHANGED and not answered.conditional:
        outcome = Failed(f"http-{UNCHANGED}")  # "as you know it", to a question that asked for all of it
    else:
        if answered.session is not None:
            outcome = _led_back(outcome)
        if answered.disallowed:
            outcome = _tallied(outcome, "robots:disallowed")
        if answered.cloaked:
            outcome = _tallied(outcome, "cloaked?")
    return completion._replace(
        outcome=outcome,
        session=answered.session,
        latency=None if timings is None else timings.header,
    )


def _led_back(outcome: Outcome | None) -> Outcome | None:
    """A redirect that sets a cookie and leads back to where it came from: another page may be shown there now."""
    found = outcome.discovered if isinstance(outcome, Done) else None
    if not isinstance(outcome, Done) or found is None or found.via.count(found.candidates[0].url) != 1:
        return outcome
    back = tuple(replace(candidate, source=LED_BACK) for candidate in found.candidates)
    return replace(outcome, discovered=replace(found, candidates=back))


def _leads_to_itself(item: FrontierUrl, fetched: Fetched) -> bool:
    if fetched.location is None or http_outcome(fetched.status).disposition is not Disposition.REDIRECT:
        return False
    return canonical(fetched.location) == item.url


def _tallied(outcome: Outcome | None, mark: str) -> Outcome | None:
    """With one more counter, where the outcome is the URL's last."""
    if isinstance(outcome, Done | Failed | Skipped):
        return replace(outcome, tally={**outcome.tally, mark: 1})
    return outcome
