"""From a FetchOrder to the bytes of a request, and to where they go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

from crawler.errors import InvalidInput
from crawler.fetch.connection import Key
from crawler.ranges import canonical_address
from crawler.records import FetchOrder, Rejected
from crawler.urls import parts

# Name and value of a field: RFC 9110, 5.6.2 and 5.5. The connection's own fields are not the caller's.
_OURS: Final = frozenset(("host", "connection", "content-length", "transfer-encoding", "te", "upgrade", "expect"))
_FIELDS: Final = re.compile(
    rf"(?:(?!(?:{'|'.join(sorted(_OURS))}):)"
    r"[!#$%&'*+.^_`|~0-9a-z-]+: [^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*\r\n)*\Z",
    re.I,
)
_UNSENDABLE: Final = re.compile(r"[^\x21-\x7e]")
_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes (`key`), and the request itself as it is written to the socket."""

    key: Key
    request: bytes


def aim(order: FetchOrder) -> Target | Rejected:
    """The request of an order. Rejected("invalid-request") when URL, address or a header cannot be put into one.

    Headers that belong to the connection (Host and the like) are ours; the caller's are left out.
    """
    address = canonical_address(order.address)
    if address is None:
        return Rejected("invalid-request", "the address is no IP address")
    try:
        url = parts(order.url)
    except InvalidInput:
        return Rejected("invalid-request", "the URL is not in canonical form")
    if not 1 <= url.port <= 65535:
        return Rejected("invalid-request", "the port is out of range")
    authority = url.origin.partition("://")[2]
    head = f"GET {url.target} HTTP/1.1\r\nHost: {authority}\r\n"
    if _UNSENDABLE.search(url.target) or _UNSENDABLE.search(authority):
        return Rejected("invalid-request", "the URL is not in canonical form")
    fields = _rendered(order.headers)
    if not _sendable(fields, len(order.headers)):
        kept = [(name, value) for name, value in order.headers if name.lower() not in _OURS]
        fields = _rendered(kept)
        if not _sendable(fields, len(kept)):
            return Rejected("invalid-request", "a header has characters that cannot be sent")
    return Target(Key(address, url.port, url.scheme == "https", url.host), f"{head}{fields}\r\n".encode())


def _rendered(headers: Sequence[tuple[str, str]]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers])


def _sendable(fields: str, number: int) -> bool:
    """Whether this is `number` fields, and not more that one of them smuggles in behind a line end."""
    return fields.count("\n") == number and _FIELDS.match(fields) is not None


def redirect_target(url: str, status: int, location: str | None) -> str | None:
    """The absolute URL that an answer redirects to, of any scheme and not canonical; None when it does not."""
    if location is None or status not in _REDIRECTS:
        return None
    try:
        return urljoin(url, location.strip())
    except ValueError:
        return None
