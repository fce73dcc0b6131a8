"""One HTTP/1.1 connection: aiohttp's protocol and parser, hardened against servers that say more than they were asked.

aiohttp's client session is not used, because all that it adds (resolving, proxies, netrc, cookies, redirects, silent
second attempts) must never happen here. Its protocol, its C parser and its flow control are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from aiohttp.client_exceptions import ClientConnectionError
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from crawler.records import TlsFacts

_READ_BUFFER = 128 * 1024  # aiohttp stops reading the socket at twice this
_MAX_LINE = 16 * 1024
_MAX_FIELD = 64 * 1024  # some honest sites send policies of tens of kilobytes
_MAX_FIELDS = 300
# What chunk sizes, chunk extensions and trailers may cost: a body in chunks of one byte costs five for one.
_OVERHEAD = 1024 * 1024
_OVERHEAD_PER_BYTE = 16
_MAX_INTERIM = 20  # 1xx answers before the real one; early hints come once or twice
TOO_LARGE = "headers too large"
_END_OF_HEADERS = b"\r\n\r\n"


class Key(NamedTuple):
    """What two requests must share to use one connection. address: canonical text.  host: as in the URL."""

    address: str
    port: int
    tls: bool
    host: str


class Connection(ResponseHandler):
    """A connection that carries one exchange after the other.

    Bytes that come while no exchange is open, or after its answer, belong to nobody: the connection is given up, so
    that they cannot become the answer to the next request.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        key: Key,
        max_header_bytes: int,
        on_lost: Callable[[Connection], None],
    ) -> None:
        super().__init__(loop)
        self.key = key
        self.tls: TlsFacts | None = None
        self.exchanges = 0
        self.received = 0  # bytes of the open exchange, as they came
        self.idle_since = 0.0
        self.connect_seconds = 0.0
        self.tls_seconds = 0.0
        self.error: BaseException | None = None  # what ended the connection, when it was not the peer's orderly close
        self._max_header_bytes = max_header_bytes
        self._on_lost = on_lost
        self._open = False
        self._answered = False
        self._interim = 0
        self._body: StreamReader | None = None
        self._salvage = b""

    def begin(self) -> None:
        """Open an exchange: what comes from now on is its answer."""
        self.exchanges += 1
        self.received = 0
        self._open = True
        self._answered = False
        self._interim = 0
        self._body = None
        self.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=_READ_BUFFER,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_FIELD,
            max_headers=_MAX_FIELDS,
        )

    def send(self, request: bytes) -> bool:
        """Write the request. False: the connection is closed already."""
        if self.transport is None or self.transport.is_closing():
            return False
        self.transport.write(request)
        return True

    @property
    def reusable(self) -> bool:
        """The exchange is over, and nothing speaks against another one."""
        return not self._open and not self.should_close and self.is_connected()

    def salvage(self) -> bytes:
        """The bytes of the body that were received and not read when the connection ended; b"" the second time."""
        kept, self._salvage = self._salvage, b""
        return kept

    def give_up(self) -> None:
        """Drop the connection at once, without goodbyes that a stalling peer could draw out."""
        body, self._body = self._body, None
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(ClientConnectionError("given up"))  # or its reader would wait for ever
        self._salvage = b""
        self.abort()

    # ------------------------------------------------------------ called by the event loop and by the parser

    def data_received(self, data: bytes) -> None:
        if not data:  # aiohttp resumes a paused parser with this
            super().data_received(data)
            return
        if not self._open:
            self.give_up()
            return
        self.received += len(data)
        if not self._answered:
            data = self._feed_headers(data)
        elif self._body is not None and self.received - _OVERHEAD > self._body.total_bytes * (1 + _OVERHEAD_PER_BYTE):
            self._refuse("more framing than body")
        if data and self.transport is not None:
            super().data_received(data)
        self._pass_on_error()

    def _feed_headers(self, data: bytes) -> bytes:
        """Feed what belongs to headers by itself, and return the rest.

        The parser drops an answer when the same piece of data goes on with an error (rubbish after the body), so what
        a browser shows would depend on how the bytes were cut into packets. Fed separately, the answer stands.
        """
        while not self._answered and self.transport is not None:
            end = data.find(_END_OF_HEADERS) + len(_END_OF_HEADERS)
            if end < len(_END_OF_HEADERS) or end == len(data):
                break
            if self.received - len(data) + end > self._max_header_bytes:
                break
            super().data_received(data[:end])
            data = data[end:]
        if not self._answered and self.received > self._max_header_bytes:
            self._refuse(TOO_LARGE)
            return b""
        return data

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """The parser has read the headers of an answer."""
        message, body = data
        if not self._open or self._answered:
            self.force_close()
        elif message.code == 101:
            self._refuse("switches protocols unasked")
        elif message.code < 200:
            self._interim += 1
            if self._interim > _MAX_INTERIM:
                self._refuse("too many interim answers")
        else:
            self._answered = True
            self._body = body
            body.on_eof(self._complete)
            super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.error = exc
        self._save_rest()
        super().connection_lost(exc)
        self._on_lost(self)

    def _complete(self) -> None:
        self._open = False
        self._body = None

    def _refuse(self, why: str) -> None:
        self.abort()  # first, since aiohttp forgets the exception with it
        self.set_exception(HttpProcessingError(message=why))

    def _pass_on_error(self) -> None:
        """A parser error within a body reaches only the protocol; the reader waits for the body."""
        error = self.exception()
        if error is not None and self._body is not None and self._save_rest():
            self._body.set_exception(error)

    def _save_rest(self) -> bool:
        """Take what is buffered of an unfinished body, since its reader gets an error in place of it."""
        body = self._body
        if body is None or body.is_eof() or body.exception() is not None:
            return False
        # A pending read means that nothing is buffered; it is the one case left in which read_nowait refuses.
        with suppress(RuntimeError):
            self._salvage += body.read_nowait()
        return True
