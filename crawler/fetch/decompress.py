"""Content-Encoding undone piece by piece, under caps that hold before memory is spent.

Encodings: RFC 9110, 8.4.1 (gzip, deflate), RFC 7932 (br), RFC 8878 (zstd). What browsers forgive is forgiven: raw
deflate under the name of deflate, an unpacked body under the name of gzip, rubbish behind the end of either.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO, Final, Protocol, cast

import brotli
import zstandard

from crawler.records import Rejected

ACCEPT_ENCODING: Final = "gzip, deflate, br, zstd"
_PIECE: Final = 256 * 1024  # largest piece that one step unpacks
_SLICE: Final = 8 * 1024  # of packed data at a time, so that a bomb is known by its ratio before the cap is reached
_MAX_LAYERS: Final = 3
_RATIO_FROM: Final = 1024 * 1024
_WINDOW: Final = 8 * 1024 * 1024  # RFC 9659: what a zstd decoder of HTTP bodies must support, and may stop at
_GZIP_MAGIC: Final = b"\x1f\x8b"


class _Layer(Protocol):
    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What `data` adds to the unpacked body, in pieces of at most about _PIECE bytes."""

    def complete(self) -> bool:
        """Whether the packed data may end here."""


class _Gzip:
    """All members of a gzip file (RFC 1952). What does not begin like one is passed on as it is."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._head = b""
        self._members = 0
        self._plain = False
        self._over = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while data and not self._over:
            if self._plain:
                yield data
                return
            if self._stream is None:
                data, self._head = self._head + data, b""
                if data == _GZIP_MAGIC[:1]:
                    self._head = data
                    return
                self._next(data)
            if self._stream is not None:
                yield from _inflated(self._stream, data)
                if not self._stream.eof:
                    return
                data, self._stream = self._stream.unused_data, None

    def _next(self, data: bytes) -> None:
        if data.startswith(_GZIP_MAGIC):
            self._members += 1
            self._stream = zlib.decompressobj(31)
        elif self._members:
            self._over = True
        else:
            self._plain = True

    def complete(self) -> bool:
        return self._stream is None and (self._members > 0 or not self._head)


class _Deflate:
    """zlib (RFC 1950), or deflate without its wrapping (RFC 1951), which some servers send under the same name."""

    def __init__(self) -> None:
        self._stream: zlib._Decompress | None = None
        self._head = b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            # RFC 1950, 2.2: method 8, and the two bytes are a multiple of 31.
            wrapped = data[0] & 15 == 8 and int.from_bytes(data[:2], "big") % 31 == 0
            self._stream = zlib.decompressobj(15 if wrapped else -15)
        yield from _inflated(self._stream, data)

    def complete(self) -> bool:
        return self._stream.eof if self._stream is not None else not self._head


def _inflated(stream: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What `data` yields, up to the end of the stream."""
    while not stream.eof:
        out = stream.decompress(data, _PIECE)
        if out:
            yield out
        data = stream.unconsumed_tail
        if not data and len(out) < _PIECE:
            return


class _Brotli:
    def __init__(self) -> None:
        self._stream = brotli.Decompressor()
        self._begun = False

    def pieces(self, data: bytes) -> Iterator[bytes]:
        self._begun = True
        while not self._stream.is_finished():
            out: bytes = self._stream.process(data, output_buffer_limit=_PIECE)
            if out:
                yield out
            data = b""
            if self._stream.can_accept_more_data():
                return

    def complete(self) -> bool:
        return not self._begun or bool(self._stream.is_finished())


class _Sink:
    """Where zstandard writes to. It stops the writer by an error when one step yields more than can be wanted."""

    def __init__(self, most: int) -> None:
        self.pieces: list[bytes] = []
        self._most = most
        self._held = 0

    def write(self, data: bytes) -> int:
        self._held += len(data)
        if self._held > self._most:
            raise OverflowError
        self.pieces.append(bytes(data))
        return len(data)

    def take(self) -> list[bytes]:
        taken, self.pieces, self._held = self.pieces, [], 0
        return taken


class _Zstd:
    def __init__(self, most: int) -> None:
        self._sink = _Sink(most)
        decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
        self._writer = decompressor.stream_writer(cast("IO[bytes]", self._sink), write_size=_PIECE, closefd=False)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        self._writer.write(data)
        yield from self._sink.take()

    def complete(self) -> bool:
        """zstandard does not tell; an image or a page that broke off is found out later."""
        return True


class Decompressor:
    """Undoes the encodings of one body.

    content_encoding: the header's value (several headers joined by ","); unknown names count as identity, as browsers
    have it.  most: bytes that the unpacked body, and every layer between, may have.  max_ratio: see FetchLimits.
    `feed` and `finish` return a Rejected with a failure class: "too-large", "decompression-bomb", "decompression".
    """

    def __init__(self, content_encoding: str, most: int, max_ratio: int) -> None:
        self._most = most
        self._max_ratio = max_ratio
        names = [name.strip().lower() for name in content_encoding.split(",")]
        known = [name.removeprefix("x-") for name in names]
        wanted = [name for name in known if name in ("gzip", "deflate", "br", "zstd")]
        self._too_deep = len(wanted) > _MAX_LAYERS
        self._layers = [_layer(name, most) for name in reversed(wanted[:_MAX_LAYERS])]
        self._sizes = [0] * (len(self._layers) + 1)

    def __bool__(self) -> bool:
        """Whether there is anything to undo."""
        return bool(self._layers)

    def feed(self, data: bytes) -> list[bytes] | Rejected:
        """What these bytes add to the unpacked body."""
        if self._too_deep:
            return Rejected("decompression", f"more than {_MAX_LAYERS} encodings")
        pieces: list[bytes] = []
        try:
            for start in range(0, len(data), _SLICE):
                part = data[start : start + _SLICE]
                self._sizes[0] += len(part)
                for piece in self._through(part, 0):
                    pieces.append(piece)
                    problem = self._problem()
                    if problem is not None:
                        return problem
        except OverflowError:
            return Rejected("decompression-bomb" if self._most > self._max_ratio * self._sizes[0] else "too-large")
        except (zlib.error, brotli.error, zstandard.ZstdError) as exc:
            return self._problem() or Rejected("decompression", type(exc).__name__)
        return pieces

    def finish(self) -> Rejected | None:
        """The packed data is over: None when it may be."""
        if all(layer.complete() for layer in self._layers):
            return None
        return Rejected("decompression", "ends early")

    def _through(self, data: bytes, depth: int) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield data
            return
        for piece in self._layers[depth].pieces(data):
            self._sizes[depth + 1] += len(piece)
            if self._sizes[depth + 1] > self._most and depth + 1 < len(self._layers):
                raise OverflowError
            yield from self._through(piece, depth + 1)

    def _problem(self) -> Rejected | None:
        packed, unpacked = self._sizes[0], self._sizes[-1]
        if unpacked > _RATIO_FROM and unpacked > self._max_ratio * packed:
            return Rejected("decompression-bomb")
        return Rejected("too-large") if unpacked > self._most else None


def _layer(name: str, most: int) -> _Layer:
    match name:
        case "gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case "br":
            return _Brotli()
    return _Zstd(most + _PIECE)
