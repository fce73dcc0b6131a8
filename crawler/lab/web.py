"""What the lab's servers receive and answer: plain values, so that a site is a table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from crawler.lab.images import File, encoded

Body = bytes | File | Callable[[], Iterator[bytes]]
"""Bytes, a picture's file (encoded when it is first asked for), or a generator that is sent chunk by chunk."""


class Fault(StrEnum):
    """How a connection ends badly instead of carrying the answer."""

    RESET = "reset"
    """RST before the first byte."""
    EMPTY = "empty"
    """Closed before the first byte."""
    CUT = "cut"
    """Closed after half of the body that Content-Length promised."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the server read it.

    at: monotonic seconds.  address: the server's own, that was connected to.  host: of the Host header, in lower case,
    without port.  target: path and query as sent.  headers: names in lower case.  number: counts the requests for this
    URL from 1.
    """

    at: float
    address: str
    host: str
    method: str
    target: str
    headers: dict[str, str]
    number: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. Content-Length and Connection are added by the server.  delay: seconds before the first byte."""

    body: Body = b""
    status: int = 200
    content_type: str = "text/html; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    fault: Fault | None = None
    delay: float = 0.0

    def body_bytes(self) -> bytes:
        """The whole body. Raises TypeError for a generated one, which has no end that is worth waiting for."""
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, File):
            return encoded(self.body)
        raise TypeError("a generated body is sent in chunks")


Route = Reply | Callable[[Request], Reply]

NOT_FOUND = Reply(b"<!doctype html><title>404</title><p>Niet gevonden.", 404)
FORBIDDEN = Reply(b"<!doctype html><title>403</title><p>Niet voor u.", 403)


@dataclass(frozen=True, slots=True)
class Gate:
    """A route that shows `inside` to those whom `admits` lets in, and `outside` to everybody else."""

    admits: Callable[[Request], bool]
    inside: Reply
    outside: Reply = FORBIDDEN

    def __call__(self, request: Request) -> Reply:
        return self.inside if self.admits(request) else self.outside


def redirect(location: str, status: int = 302) -> Reply:
    """A redirect; `location` is sent as it is written."""
    return Reply(status=status, headers=(("Location", location),))
