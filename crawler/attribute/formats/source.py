"""A file that is being read: plain or gzip, line by line or in blocks, and the place where it is wrong."""

from __future__ import annotations

import datetime
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from crawler.errors import AddressDataInvalid

MAX_LINE: Final = 65_536
MAX_EXPANDED: Final = 17_179_869_184
"""Longest file after decompression, in bytes."""

_BLOCK: Final = 4_194_304
_HEAD: Final = 65_536
_GZIP: Final = b"\x1f\x8b"


@dataclass(slots=True)
class Source:
    """One file.  name: what messages call it.  line: the last one that was read, counted from 1; 0 before the first."""

    path: Path
    name: str
    line: int = 0
    _read: int = field(default=0, repr=False)

    def wrong(self, reason: str) -> AddressDataInvalid:
        """The error that names the file, the line if one was read, and the reason."""
        where = f"line {self.line}: " if self.line else ""
        return AddressDataInvalid(f"{self.name}: {where}{reason}")

    def head(self) -> bytes:
        """The first 64 KiB of content."""
        with self._open() as stream:
            return stream.read(_HEAD)

    def lines(self) -> Iterator[bytes]:
        """Every line without its end; `line` counts along."""
        with self._open() as stream:
            while raw := stream.readline(MAX_LINE + 1):
                self.line += 1
                if len(raw) > MAX_LINE:
                    raise self.wrong(f"longer than {MAX_LINE} bytes; this is another format or damaged")
                self._count(len(raw))
                if b"\0" in raw:
                    raise self.wrong("holds a NUL byte; it is in another encoding (UTF-16?) or damaged")
                yield raw.rstrip(b"\r\n")

    def blocks(self) -> Iterator[bytes]:
        """The content in pieces of 4 MiB."""
        with self._open() as stream:
            while block := stream.read(_BLOCK):
                self._count(len(block))
                yield block

    def content(self, longest: int) -> bytes:
        """All of it. Raises AddressDataInvalid for more than `longest` bytes."""
        with self._open() as stream:
            content = stream.read(longest + 1)
        if len(content) > longest:
            raise self.wrong(f"larger than {longest} bytes; this is another format or damaged")
        return content

    def day(self) -> str:
        """The day that the file was last written, as gzip says it or else the file system."""
        with self.path.open("rb") as stream:
            start = stream.read(8)
        stamp = int.from_bytes(start[4:8], "little") if start[:2] == _GZIP else 0
        return iso_day(stamp or self.path.stat().st_mtime)

    def _count(self, size: int) -> None:
        self._read += size
        if self._read > MAX_EXPANDED:
            raise self.wrong(f"expands to more than {MAX_EXPANDED} bytes; it is damaged or hostile")

    @contextmanager
    def _open(self) -> Iterator[io.BufferedIOBase]:
        try:
            with self.path.open("rb") as raw:
                packed = raw.peek(2)[:2] == _GZIP
                yield io.BufferedReader(gzip.GzipFile(fileobj=raw), 1 << 20) if packed else raw
        except EOFError as error:
            raise self.wrong("the compressed file ends too early; fetch it again") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self.wrong(f"the compressed file is damaged ({error}); fetch it again") from error
        except OSError as error:
            raise AddressDataInvalid(f"{self.name}: cannot be read: {error.strerror or error}") from error


def iso_day(stamp: float) -> str:
    """The UTC day of a time in seconds since the epoch, as "2026-06-17"."""
    return datetime.datetime.fromtimestamp(stamp, datetime.UTC).date().isoformat()


def clean(text: str, longest: int = 200) -> str:
    """Text for a table: one line, no control characters, cut to `longest` characters."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(text.split())[:longest].rstrip()
