"""Requests, and what servers answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from crawler.records.examined import Digests


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a TLS server showed. `sha256` is the certificate's fingerprint (hex); `valid` says whether a browser would
    have accepted it, `problem` why not."""

    protocol: str
    sha256: str
    names: tuple[str, ...]
    valid: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """One request to send. The connection goes to `address` and nowhere else.

    headers: in order, complete but for Host and the connection's own.  accept_bodies: kinds of body worth reading, as
    `fetch/sniff.py` names them; None for what the crawler can use (page, image, feed, sheet, JSON, text).
    digest_bodies: kinds of which only the digests are wanted; the bytes are hashed and dropped.
    max_bytes: cap on the body after decompression.  deadline: monotonic seconds at which all must be over.
    allow_partial: a body that broke off is handed over with `truncated` set, in place of a FetchFailed.
    connect: seconds until TCP stands, where the fetcher's own limit is too long; None: that limit.
    ready: asked once the connection stands, right before the request is sent; False: it is not sent ("late").
    """

    url: str
    address: str
    headers: tuple[tuple[str, str], ...] = ()
    max_bytes: int = 33_554_432
    deadline: float | None = None
    accept_bodies: frozenset[str] | None = None
    digest_bodies: frozenset[str] = frozenset()
    allow_partial: bool = False
    connect: float | None = None
    ready: Callable[[], Awaitable[bool]] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds that the phases of one fetch took. connect and tls are 0.0 when a connection was used again.

    connect: until TCP stood.  tls: until TLS stood.  header: from sending to the end of the headers.  body: from there
    to the last byte.
    """

    connect: float
    tls: float
    header: float
    body: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, of any status. Redirects are not followed: `location` is the absolute target of one, else None.

    body: decompressed. Empty when `skipped_body` says why it was not read ("video", "archive", "pdf", …).
    elapsed: seconds from sending to the last byte.  kind: what the first bytes show the body to be, None without one.
    truncated: the failure that broke the body off (only with `allow_partial`), None when it is whole.
    wire_bytes: bytes of the answer as received, headers included, before decompression.
    digests: of a body that was hashed and dropped (`digest_bodies`), else None.  digested_bytes: how long that was.
    """

    url: str
    address: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    elapsed: float
    location: str | None = None
    tls: TlsFacts | None = None
    skipped_body: str | None = None
    kind: str | None = None
    truncated: str | None = None
    wire_bytes: int = 0
    timings: Timings | None = None
    digests: Digests | None = None
    digested_bytes: int = 0

    def header(self, name: str) -> str | None:
        """The first header of this name (any case), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No answer. `reason` is the name of a class in `fetch/failures.py`, `retry` whether trying again can help."""

    reason: str
    retry: bool
    detail: str = ""
