"""What one visit of a noticed URL says of the image there. A pure function of what came and of what was noticed.

up            the image is there
moved         the image is there, elsewhere: behind a redirect to another site, or at another hoster
absent        the place answers without it: one miss, of which it takes three to say that it is gone
changed       another picture is there; whether that is a removal is for a person to say
expired       the URL carried a signature that ran out, so that its silence says nothing
blocked       the place answers, and not to us
unreachable   no answer
unknown       the answer could not be judged
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """See the module."""

    UP = "up"
    MOVED = "moved"
    ABSENT = "absent"
    CHANGED = "changed"
    EXPIRED = "expired"
    BLOCKED = "blocked"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Visit:
    """What came, compared with the hit.

    answer: as in RecheckReport.  same: an image with the hit's digest, or one that matches an entry that the hit
    matched.  other_site: it answered under another registered domain.  other_hoster: at another hoster's address.
    expiring: the URL has parts that run out.  covered: the index that looked has a list that the hit matched.
    inline: the hit is an image inside of a page.
    """

    answer: str
    same: bool
    other_site: bool = False
    other_hoster: bool = False
    expiring: bool = False
    covered: bool = True
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """detail: a short stable name of why; never a URL."""

    outcome: Outcome
    detail: str


_MISSING: Final = frozenset({"http-404", "http-410"})
_REFUSING: Final = frozenset(
    {"closed", "robots", "blocked-robots", "http-403", "http-429", "robots-unreachable", "redirect-with-cookie"}
)


def judge(visit: Visit) -> Judged:
    """What a visit says."""
    if visit.same:
        return _present(visit)
    if visit.answer in ("image", "page", "undecodable") and not visit.covered:
        return Judged(Outcome.UNKNOWN, "list-not-searched")
    match visit.answer:
        case "image":
            return Judged(Outcome.CHANGED, "other-image")
        case "undecodable":
            return Judged(Outcome.UNKNOWN, "undecodable")
        case "page":
            return Judged(Outcome.ABSENT, "page-without-it" if visit.inline else "page")
    return _without_body(visit)


def _present(visit: Visit) -> Judged:
    if visit.other_site:
        return Judged(Outcome.MOVED, "other-site")
    return Judged(Outcome.MOVED, "other-hoster") if visit.other_hoster else Judged(Outcome.UP, "image")


def _without_body(visit: Visit) -> Judged:
    answer = visit.answer
    if visit.expiring and (answer in _MISSING or answer == "http-403"):
        return Judged(Outcome.EXPIRED, answer)
    if answer in _MISSING:
        return Judged(Outcome.ABSENT, answer)
    if answer in _REFUSING:
        return Judged(Outcome.BLOCKED, answer)
    return Judged(Outcome.UNREACHABLE, answer)
