"""The one fetcher: an order in, an answer or a named failure out, whatever the server does.

The connection goes to the order's address and to nothing else: no name is resolved, no proxy, netrc file or cookie jar
is consulted, no redirect is followed and no request is silently sent twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from types import TracebackType
from typing import Final

from aiohttp.client_exceptions import ClientError, ServerDisconnectedError
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import EofStream, StreamReader

from crawler.fetch.body import Body, BodyReader
from crawler.fetch.budget import Hold
from crawler.fetch.connection import TOO_LARGE, Connection
from crawler.fetch.failures import failure
from crawler.fetch.limits import FetchLimits
from crawler.fetch.pool import Pool
from crawler.fetch.sockets import Sockets
from crawler.fetch.target import Target, aim, redirect_target
from crawler.fetch.tls import TlsObserver
from crawler.fetch.watchdog import Watchdog
from crawler.records import Fetched, FetchFailed, FetchOrder, Rejected, Timings

_DEFAULT_LIMITS: Final = FetchLimits()
_RANGE_FROM_START: Final = re.compile(r"bytes 0-(\d{1,18})/(\d{1,18})\Z")
_TOO_MUCH: Final = (TOO_LARGE, "Too many headers", "Got more than")


@dataclass(slots=True)
class _Exchange:
    """One request and its answer, as far as they have come. Times are monotonic seconds, 0.0 for not yet."""

    order: FetchOrder
    target: Target
    begun: float
    hold: Hold | None = None
    opened: float = 0.0
    sent: float = 0.0
    answered: float = 0.0
    connection: Connection | None = None
    message: RawResponseMessage | None = None
    headers: tuple[tuple[str, str], ...] = ()
    reader: BodyReader | None = None
    location: str | None = None


class Fetcher:
    """Fetches, with connections kept for reuse; an async context manager.

    permitted: the final guard: whether an address (canonical text) may be connected to. Asked for every order, and
    again right before a socket is made.
    limits: deadlines and caps.  max_sockets: connections open at once, idle ones included; orders beyond that wait,
    within their deadlines.  sockets: such a bound that other fetchers share, in place of `max_sockets`.
    source_addresses: local addresses to connect from; empty: the system's choice.
    tls: replaces the observer that trusts the system's root certificates.
    Raises OptionInvalid when a source address is none, or max_sockets is below 1.
    """

    def __init__(
        self,
        *,
        permitted: Callable[[str], bool],
        limits: FetchLimits = _DEFAULT_LIMITS,
        max_sockets: int = 512,
        sockets: Sockets | None = None,
        source_addresses: Sequence[str] = (),
        tls: TlsObserver | None = None,
    ) -> None:
        self._permitted = permitted
        self._limits = limits
        sockets = sockets or Sockets(max_sockets)
        self._pool = Pool(permitted, limits, tls or TlsObserver(), sockets, source_addresses)
        self._slots = sockets.slots

    async def __aenter__(self) -> Fetcher:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection. Fetches that are under way fail."""
        await self._pool.close()

    @property
    def open_sockets(self) -> int:
        """Connections that are open now, in use or idle."""
        return self._pool.open_sockets

    async def fetch(self, order: FetchOrder, hold: Hold | None = None) -> Fetched | FetchFailed:
        """Send the order's request and read the answer.

        Never raises for what a server does or a URL looks like: that is a FetchFailed with a class of `failures.py`.
        An answer with any status is Fetched. Cancelling the task drops the connection.
        hold: the body's share of a budget of bytes; it stays taken until the caller leaves the hold.
        """
        target = aim(order)
        if isinstance(target, Rejected):
            return failure(target.reason, target.detail)
        if not self._permitted(target.key.address):
            return failure("blocked-scope")
        exchange = _Exchange(order, target, monotonic(), hold)
        limits = self._limits if order.connect is None else replace(self._limits, connect=order.connect)
        watch = Watchdog(limits, order.deadline)
        with watch:
            async with self._slots:
                try:
                    return await self._run(exchange, watch)
                finally:
                    if exchange.connection is not None:
                        self._pool.give_back(exchange.connection)
        expired = Rejected(watch.expired or "deadline")
        if exchange.location is not None:  # a browser goes there before the body has come
            return self._finished(exchange, Body())
        if exchange.reader is None:
            return failure(expired.reason)
        return self._finished(exchange, exchange.reader.collected(expired))

    async def _run(self, exchange: _Exchange, watch: Watchdog) -> Fetched | FetchFailed:
        key = exchange.target.key
        connection = self._pool.take(key)
        if connection is None:
            opened = await self._pool.open(key, watch)
            if isinstance(opened, FetchFailed):
                return opened
            connection = opened
        exchange.connection = connection
        exchange.opened = monotonic()
        if exchange.order.ready is not None and not await exchange.order.ready():
            return failure("late")
        connection.begin()
        if not connection.send(exchange.target.request):
            return failure("stale-connection" if connection.exchanges > 1 else "disconnected")
        exchange.sent = monotonic()
        watch.begin("header-timeout", self._limits.header)
        try:
            message, stream = await connection.read()
        except (ClientError, HttpProcessingError, OSError, EofStream) as exc:
            return _no_answer(connection, exc)
        exchange.answered = monotonic()
        if message.version.major != 1:
            return failure("malformed-http", "another version of HTTP")
        exchange.message = message
        exchange.headers = tuple([(name.decode("latin-1"), _text(value)) for name, value in message.raw_headers])
        return self._finished(exchange, await self._body(exchange, message, stream, watch))

    async def _body(
        self, exchange: _Exchange, message: RawResponseMessage, stream: StreamReader, watch: Watchdog
    ) -> Body:
        assert exchange.connection is not None
        reader = BodyReader(exchange.connection, stream, exchange.order, self._limits, message, hold=exchange.hold)
        watch.watch_body(stream)
        exchange.location = _location(exchange.order.url, message)
        if exchange.location is not None:
            await reader.drain(watch)
            return Body()
        exchange.reader = reader
        body = await reader.read(watch)
        if message.code == 206 and body.problem is None and not _is_whole(message.headers.get("Content-Range", "")):
            return replace(body, problem=Rejected("truncated", "a range that nobody asked for"))
        return body

    def _finished(self, exchange: _Exchange, body: Body) -> Fetched | FetchFailed:
        message, connection, order = exchange.message, exchange.connection, exchange.order
        assert message is not None
        assert connection is not None
        if body.problem is not None and not (order.allow_partial and (body.data or body.digests)):
            return failure(body.problem.reason, body.problem.detail)
        now = monotonic()
        fresh = connection.exchanges == 1
        return Fetched(
            url=order.url,
            address=exchange.target.key.address,
            status=message.code,
            headers=exchange.headers,
            body=body.data,
            elapsed=now - exchange.sent,
            location=exchange.location,
            tls=connection.tls,
            skipped_body=body.skipped,
            kind=body.kind,
            truncated=None if body.problem is None else body.problem.reason,
            wire_bytes=connection.received,
            timings=Timings(
                connect=connection.connect_seconds if fresh else 0.0,
                tls=connection.tls_seconds if fresh else 0.0,
                header=exchange.answered - exchange.sent,
                body=now - exchange.answered,
            ),
            digests=body.digests,
            digested_bytes=body.size,
        )


def _no_answer(connection: Connection, exc: Exception) -> FetchFailed:
    """Which failure it is when the exchange ended before its headers did."""
    if isinstance(exc, HttpProcessingError):
        too_much = exc.message.startswith(_TOO_MUCH)
        return failure("headers-too-large") if too_much else failure("malformed-http", "in the headers")
    if connection.exchanges > 1 and connection.received == 0:
        return failure("stale-connection")
    if isinstance(exc, ServerDisconnectedError | EofStream):
        return failure("disconnected" if connection.received == 0 else "malformed-http", "closed within the headers")
    return failure("reset", "before the headers ended")


def _text(value: bytes) -> str:
    """A header's value. RFC 9110 leaves bytes above 127 open; UTF-8 is what they most often are."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _is_whole(content_range: str) -> bool:
    """Whether a Content-Range covers all (RFC 9110, 14.4): we never ask for ranges, yet some servers answer so."""
    match = _RANGE_FROM_START.match(content_range.strip())
    return match is not None and int(match[1]) + 1 == int(match[2])


def _location(url: str, message: RawResponseMessage) -> str | None:
    text = message.headers.get("Location")
    if text is None:
        return None
    # The parser decodes as UTF-8 and puts surrogates for what is none, which no URL library takes.
    return redirect_target(url, message.code, _text(text.encode(errors="surrogateescape")))
