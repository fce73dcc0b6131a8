"""Every way in which a fetch can fail, by name: what the counters show, and whether trying again can help.

The names are a contract: reports and campaign totals use them. A name is never reused for another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crawler.records import FetchFailed


@dataclass(frozen=True, slots=True)
class FailureClass:
    """One named class of failure.  retry: the same request may succeed later.  why: the reason for that, in a line."""

    name: str
    retry: bool
    why: str


_CLASSES: Final = (
    # Names
    FailureClass("dns-nxdomain", False, "the name does not exist"),
    FailureClass("dns-no-address", False, "the name exists and has no address"),
    FailureClass("dns-bad-name", False, "no DNS name can look like this"),
    FailureClass("dns-servfail", True, "a nameserver could not find out"),
    FailureClass("dns-refused", True, "the nameservers would not answer us"),
    FailureClass("dns-timeout", True, "no nameserver answered in time"),
    FailureClass("dns-unreachable", True, "no nameserver could be reached"),
    # Before anything is sent
    FailureClass("blocked-scope", False, "the address is not in scope: nothing was sent"),
    FailureClass("address-changed", True, "the name has another address by now: nothing was sent"),
    FailureClass("blocked-robots", False, "robots.txt disallows it: nothing was sent"),
    FailureClass("late", True, "the moment to send had passed when the connection stood: nothing was sent"),
    FailureClass("invalid-request", False, "URL, address or a header cannot be put into a request"),
    FailureClass("local-resources", True, "this machine has no socket or memory to spare"),
    FailureClass("local-address", False, "the configured source address cannot be used for this destination"),
    # Connection
    FailureClass("connect-refused", True, "nothing listens there now"),
    FailureClass("connect-timeout", True, "no TCP connection in time"),
    FailureClass("unreachable", True, "the network says there is no way there"),
    FailureClass("tls", False, "the TLS handshake failed: the two sides cannot agree"),
    FailureClass("tls-timeout", True, "TCP stood, the TLS handshake did not end in time"),
    # Exchange
    FailureClass("reset", True, "the connection was reset"),
    FailureClass("disconnected", True, "the connection was closed before an answer"),
    FailureClass("stale-connection", True, "a kept connection turned out to be closed; a new one may do"),
    FailureClass("header-timeout", True, "the headers did not end in time"),
    FailureClass("idle-timeout", True, "no byte of the body for too long"),
    FailureClass("too-slow", True, "the body came below the minimum rate"),
    FailureClass("deadline", True, "the whole took too long"),
    FailureClass("truncated", True, "the connection ended before the body did"),
    FailureClass("malformed-http", False, "the answer is no HTTP/1.x"),
    FailureClass("headers-too-large", False, "more header bytes or fields than any honest answer has"),
    # Body
    FailureClass("too-large", False, "the body exceeds the cap for its kind"),
    FailureClass("decompression", False, "the body is not what Content-Encoding says"),
    FailureClass("decompression-bomb", False, "the body unpacks to a multiple that no honest one reaches"),
)

FAILURES: Final = {each.name: each for each in _CLASSES}


def failure(name: str, detail: str = "") -> FetchFailed:
    """A FetchFailed of a named class. `detail` is for logs in the lab; it must name no URL. KeyError: no such class."""
    return FetchFailed(name, FAILURES[name].retry, detail)


def unsupported(what: str) -> str:
    """The reason under which a body that the crawler does not look at is counted: "unsupported(video)"."""
    return f"unsupported({what})"


class Disposition(StrEnum):
    """What an HTTP status means for the URL that was asked."""

    USABLE = "usable"
    REDIRECT = "redirect"
    UNCHANGED = "unchanged"
    CLOSED = "closed"  # access control: recorded, never worked around
    FAILED = "failed"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class StatusOutcome:
    """`name` is the reason to count it under: "http-404"; "closed" where access is refused by design."""

    name: str
    disposition: Disposition

    @property
    def retry(self) -> bool:
        return self.disposition is Disposition.RETRY


_CLOSED: Final = frozenset((401, 402, 407, 451, 511))
# 408, 425, 429 and the gateway's own troubles pass; so does the 52x range that CDNs use for an origin that is away.
_PASSING: Final = frozenset((408, 421, 423, 425, 429, 500, 502, 503, 504, 507, 509, *range(520, 531)))
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


def http_outcome(status: int) -> StatusOutcome:
    """What to make of an HTTP status code (RFC 9110, 15), any integer.

    403 is a failure and not `closed`: most often it is hotlink protection, and another context may be let through.
    """
    name = f"http-{status}"
    if status == 304:
        return StatusOutcome(name, Disposition.UNCHANGED)
    if status in _REDIRECTS:
        return StatusOutcome(name, Disposition.REDIRECT)
    if 200 <= status < 300:
        return StatusOutcome(name, Disposition.USABLE)
    if status in _CLOSED:
        return StatusOutcome("closed", Disposition.CLOSED)
    return StatusOutcome(name, Disposition.RETRY if status in _PASSING else Disposition.FAILED)
