"""What one visit of a noticed URL says of the image there. A pure function of what came and of what was noticed.

up            the image is there
moved         the image is there, elsewhere: behind a redirect to another site, at another hoster, or, where its URL is
              silent, under another one on the page that showed it
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

from crawler.urls import resource_key


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


NOT_RENDERED: Final = "page-not-rendered"
"""The answer of a page made by script that could not be rendered to its end: there may be more on it than was seen."""
PAGE_DEPTH: Final = 1
"""The depth, in links from a visited URL, of the page that showed what was missed there; its images lie one deeper."""
_MISSING: Final = frozenset({"http-404", "http-410"})
_RUN_OUT: Final = _MISSING | {"http-400", "http-403"}
"""What servers say to a signature that ran out."""
_REFUSING: Final = frozenset(
    {"closed", "robots", "blocked-robots", "http-403", "http-429", "robots-unreachable", "redirect-with-cookie"}
)


def judge(visit: Visit) -> Judged:
    """What a visit says."""
    if visit.same:
        return _present(visit)
    if visit.answer in ("image", "page", NOT_RENDERED, "undecodable") and not visit.covered:
        return Judged(Outcome.UNKNOWN, "list-not-searched")
    match visit.answer:
        case "image":
            return Judged(Outcome.CHANGED, "other-image")
        case "undecodable":
            return Judged(Outcome.UNKNOWN, "undecodable")
    return _page(visit) if visit.answer in ("page", NOT_RENDERED) else _without_body(visit)


def _page(visit: Visit) -> Judged:
    if not visit.inline:
        return Judged(Outcome.ABSENT, "page")  # whatever it shows: it stands in the place of a file
    if visit.answer == NOT_RENDERED:
        return Judged(Outcome.UNKNOWN, "not-rendered")
    return Judged(Outcome.ABSENT, "page-without-it")


def is_expiring(url: str) -> bool:
    """Whether a canonical URL has parts that the server changes by itself, such as a signature that runs out."""
    query, kept = url.partition("?")[2], resource_key(url).partition("?")[2]
    return query.count("=") > kept.count("=")


def is_missed(answer: str, url: str) -> bool:
    """Whether an answer without a listed image leaves open that the image of `url` is shown elsewhere now."""
    return answer in _MISSING or answer in ("image", "page", NOT_RENDERED) or (answer in _RUN_OUT and is_expiring(url))


@dataclass(frozen=True, slots=True)
class Look:
    """The image of a hit, found on the page that showed it after it was missed at its own URL.

    same_resource: only volatile parts of the URL differ.  known: an image was known at that URL before the hit's own
    was seen last.  other_site: under another registered domain.  other_page: only another page of its domain shows it.
    """

    same_resource: bool = False
    known: bool = False
    other_site: bool = False
    other_page: bool = False


def judge_look(look: Look) -> Judged | None:
    """What a look at the page says in the place of the visit's own answer; None: nothing, what is there always was."""
    if look.same_resource:
        return Judged(Outcome.UP, "signed-anew")
    if look.known:
        return None
    if look.other_site:
        return Judged(Outcome.MOVED, "page-of-other-site")
    return Judged(Outcome.MOVED, "other-page" if look.other_page else "same-page")


def _present(visit: Visit) -> Judged:
    if visit.other_site:
        return Judged(Outcome.MOVED, "other-site")
    return Judged(Outcome.MOVED, "other-hoster") if visit.other_hoster else Judged(Outcome.UP, "image")


def _without_body(visit: Visit) -> Judged:
    answer = visit.answer
    if visit.expiring and answer in _RUN_OUT:
        return Judged(Outcome.EXPIRED, answer)
    if answer in _MISSING:
        return Judged(Outcome.ABSENT, answer)
    if answer in _REFUSING:
        return Judged(Outcome.BLOCKED, answer)
    return Judged(Outcome.UNREACHABLE, answer)
