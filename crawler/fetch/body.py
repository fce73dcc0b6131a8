"""Reading a body: sniffed at once, decompressed, under caps, and not at all when nobody wants it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from aiohttp.client_exceptions import ClientError, ClientPayloadError
from aiohttp.http_exceptions import ContentLengthError, HttpProcessingError, TransferEncodingError
from aiohttp.http_parser import RawResponseMessage
from aiohttp.streams import StreamReader

from crawler.fetch.budget import Hold
from crawler.fetch.connection import Connection
from crawler.fetch.decompress import Decompressor
from crawler.fetch.limits import FetchLimits
from crawler.fetch.sniff import SNIFF_BYTES, USABLE, shows_images, sniff
from crawler.fetch.watchdog import Watchdog
from crawler.records import Digests, FetchOrder, Rejected

_DRAIN: Final = 16 * 1024  # an unwanted body up to this size is read, so that the connection can serve again


@dataclass(frozen=True, slots=True)
class Body:
    """What came of a body.

    kind: as sniffed, None for an empty one.  skipped: the kind that was not wanted, and so not read.
    problem: the failure class that broke it off; `data` is what came before.  size: bytes that were hashed.
    """

    data: bytes = field(default=b"", repr=False)
    kind: str | None = None
    skipped: str | None = None
    problem: Rejected | None = None
    digests: Digests | None = None
    size: int = 0


class BodyReader:
    """Reads one body. `collected` may be asked for at any time, also after a deadline cut `read` off.

    hold: pays for the bytes that are kept. While it must wait nothing is read, so that the peer has to wait too.
    """

    def __init__(
        self,
        connection: Connection,
        stream: StreamReader,
        order: FetchOrder,
        limits: FetchLimits,
        message: RawResponseMessage,
        *,
        hold: Hold | None,
    ) -> None:
        headers = message.headers
        encoding = ",".join(headers.getall("Content-Encoding", ()))
        self._connection = connection
        self._stream = stream
        self._order = order
        self._limits = limits
        self._hold = hold
        self._content_type = headers.get("Content-Type")
        self._length = _length(headers.get("Content-Length"))
        self._most = max(order.max_bytes, limits.max_digest_bytes if order.digest_bodies else 0)
        self._unpack = Decompressor(encoding, self._most, limits.max_ratio) if encoding else None
        self._pieces: list[bytes] = []
        self._size = 0
        self._kind: str | None = None
        self._skipped: str | None = None
        self._hashes: _Hashes | None = None

    async def read(self, watch: Watchdog) -> Body:
        """The body, as far as it is wanted. Errors of the connection end up in `Body.problem`."""
        problem: Rejected | None = None
        try:
            while problem is None:
                if self._hold is not None and self._hold.must_wait:
                    with watch.paused():
                        await self._hold.wait()
                data = await self._stream.readany()
                if not data:
                    return self._ended()
                watch.progress()
                problem = self._take(data)
                if self._skipped is not None:
                    return self.collected(None)
        except (ClientError, HttpProcessingError, OSError) as exc:
            exc.__traceback__ = None  # the stream keeps the exception, which would keep this frame and its bytes
            problem = self._take(self._connection.salvage()) or self._broken(exc)
        return self.collected(problem)

    async def drain(self, watch: Watchdog) -> None:
        """Read and forget a small body; a larger or failing one leaves the connection unusable, which is fine."""
        if self._length is not None and self._length > _DRAIN:
            return
        size = 0
        try:
            while size <= _DRAIN:
                data = await self._stream.readany()
                if not data:
                    return
                watch.progress()
                size += len(data)
        except (ClientError, HttpProcessingError, OSError):
            return

    def collected(self, problem: Rejected | None) -> Body:
        """What has been read so far."""
        if self._kind is None and self._pieces:
            problem = self._decide() or problem
        if self._skipped is not None:
            return Body(kind=self._kind, skipped=self._skipped)
        if self._hashes is not None:
            found = self._hashes.digests()
            return Body(kind=self._kind, skipped=self._kind, problem=problem, digests=found, size=self._size)
        pieces, self._pieces = self._pieces, []
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        # A drawing cannot be matched, but what it shows can: it is read like a page.
        kind = "html" if self._kind == "image" and shows_images(body) else self._kind
        return Body(body, kind, problem=problem)

    def _ended(self) -> Body:
        """The stream says that the body is over."""
        problem = self._take(self._connection.salvage())
        if problem is None and self._connection.error is not None:
            problem = Rejected("truncated", "reset before the end")  # a body without a length ends with a close only
        if problem is None and self._unpack:
            problem = self._unpack.finish()
        return self.collected(problem)

    def _take(self, data: bytes) -> Rejected | None:
        if not data:
            return None
        if not self._unpack:
            return self._keep(data)
        pieces = self._unpack.feed(data)
        if isinstance(pieces, Rejected):
            return pieces
        for piece in pieces:
            problem = self._keep(piece)
            if problem is not None:
                return problem
        return None

    def _keep(self, piece: bytes) -> Rejected | None:
        self._size += len(piece)
        if self._hashes is not None:
            self._hashes.update(piece)
        else:
            self._pieces.append(piece)
            if self._hold is not None:
                self._hold.take(len(piece))
        if self._kind is None:
            return self._decide() if self._size >= SNIFF_BYTES else None
        return Rejected("too-large") if self._size > self._most else None

    def _decide(self) -> Rejected | None:
        """Enough has come to see what it is: read on, only hash, or stop."""
        head = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        kind = self._kind = sniff(head, self._content_type)
        wanted = USABLE if self._order.accept_bodies is None else self._order.accept_bodies
        if kind in wanted:
            self._most = min(self._order.max_bytes, self._limits.cap(kind))
        elif kind in self._order.digest_bodies:
            self._most = self._limits.max_digest_bytes
            self._hashes = _Hashes()
            self._hashes.update(head)
            self._pieces.clear()
        else:
            self._skipped = kind
            return None
        # Where a part is of use, what the server announces is no reason to read less of it than the cap allows.
        announced = 0 if self._unpack or self._order.allow_partial else self._length or 0
        if max(self._size, announced) > self._most:
            return Rejected("too-large")
        return None

    def _broken(self, exc: Exception) -> Rejected:
        """Which failure an error of the connection within a body is."""
        if isinstance(self._connection.error, ConnectionError):
            return Rejected("reset", "within the body")
        # aiohttp reports a parser error as such, and an early end as a payload error that one of these two caused.
        early = isinstance(exc.__cause__, TransferEncodingError | ContentLengthError)
        if isinstance(exc, HttpProcessingError) or (isinstance(exc, ClientPayloadError) and not early):
            return Rejected("malformed-http", "within the body")
        return Rejected("truncated")


def _length(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


class _Hashes:
    def __init__(self) -> None:
        self._all = (
            hashlib.md5(usedforsecurity=False),
            hashlib.sha1(usedforsecurity=False),
            hashlib.sha256(),
        )

    def update(self, data: bytes) -> None:
        for each in self._all:
            each.update(data)

    def digests(self) -> Digests:
        return Digests(*(each.digest() for each in self._all))
