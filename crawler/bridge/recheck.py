"""Visits of URLs that stand in a notice: one answer each, whatever it is, sealed to the recorder as hits are.

A visit is not tried again by the frontier: when the next one is due is for the schedule of re-visits to say. A redirect
goes back into the frontier like any other, so that politeness and scope hold where it leads to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import blake2b
from time import time

from crawler.bridge.outcomes import broken_off, unsupported, unusable
from crawler.bridge.runs import ServedRun
from crawler.frontier.base import Completion
from crawler.match.names import state_name
from crawler.records import (
    Done,
    Failed,
    Fetched,
    FoundImage,
    Lease,
    Outcome,
    PageContent,
    RecheckReport,
    Rekind,
    Retry,
    Skipped,
)

MOST_INLINE = 256
"""`data:` images of one page that are looked at."""

Discover = Callable[[Lease, Fetched], Awaitable[PageContent]]


async def revisited(served: ServedRun, lease: Lease, fetched: Fetched, discover: Discover) -> Completion:
    """The end of a visit that was answered. Raises SandboxUnavailable: it was not looked at."""
    ended = broken_off(lease, fetched) or unusable(lease, fetched, time()) or unsupported(lease, fetched)
    if ended is not None:
        return _reported(served, ended)
    if fetched.digests is not None:
        # A file that nobody looks into: it is another one, or it is still there.
        looked_up = await served.sandbox.look_up(fetched.digests, fetched.digested_bytes)
        return _visited(served, lease, "image", () if looked_up.found is None else (looked_up.found,))
    if fetched.kind == "image":
        answer = await served.sandbox.examine(fetched.body)
        name = "image" if answer.decoded else "undecodable"
        found = () if answer.found is None else (answer.found,)
        return _visited(served, lease, name, found)
    return _visited(served, lease, "page", await _inline(served, await discover(lease, fetched)))


def unreached(served: ServedRun, completion: Completion) -> Completion:
    """The end of a visit without an answer; one whose request was not sent stays as it is, and comes back."""
    return completion if completion.outcome is None else _reported(served, completion)


async def _inline(served: ServedRun, content: PageContent) -> tuple[FoundImage, ...]:
    answers = [await served.sandbox.examine(image.body) for image in content.data_images[:MOST_INLINE]]
    return tuple(answer.found for answer in answers if answer.found is not None)


def _reported(served: ServedRun, completion: Completion) -> Completion:
    """The same end with the report of it; a redirect that goes on has none yet."""
    outcome = completion.outcome
    if isinstance(outcome, Done) and outcome.discovered is not None:
        return completion
    result = _seal(served, completion.lease, _name(outcome), ())
    return replace(completion, outcome=Failed(_name(outcome), (result,), {"rechecks": 1}))


def _visited(served: ServedRun, lease: Lease, answer: str, found: tuple[FoundImage, ...]) -> Completion:
    return Completion(lease, Done(None, (_seal(served, lease, answer, found),), {"rechecks": 1}))


def _name(outcome: Outcome | None) -> str:
    match outcome:
        case Failed() | Skipped() | Retry():
            return outcome.reason
        case Done():
            return next(iter(outcome.tally), "nothing")
        case Rekind() | None:
            return "nothing"


def _seal(served: ServedRun, lease: Lease, answer: str, found: tuple[FoundImage, ...]) -> bytes:
    item = lease.item
    target = item.via[0] if item.via else item.url
    return served.sealer.seal(
        RecheckReport(
            serial=blake2b(f"recheck\0{item.run}\0{target}".encode(), digest_size=16).hexdigest(),
            run=item.run,
            target=target,
            url=item.url,
            checked_at=time(),
            address=item.address,
            index=state_name(served.sandbox.index, served.sandbox.number),
            answer=answer,
            found=found,
        )
    )
