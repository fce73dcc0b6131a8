"""A hash list's file, read in bounded pieces, and the words in which it is refused."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from crawler.errors import HashListInvalid

CHUNK = 1 << 20
"""Bytes that are read at a time."""

MOST_LINE = 65_536
"""Bytes of a line."""

UTF8_BOM = b"\xef\xbb\xbf"
PROBE = 4096

OTHER_KINDS = (
    (b"PK\x03\x04", "a zip archive", "unpack it and import the file inside"),
    (b"PK\x05\x06", "an empty zip archive", "ask for the list again"),
    (b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (b"BZh", "a bzip2 file", "unpack it with bunzip2"),
    (b"\xfd7zXZ\0", "an xz file", "unpack it with unxz"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and import the file inside"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "unpack it with unzstd"),
    (b"%PDF", "a PDF document", "ask for the list as text"),
    (b"SQLite format 3\0", "an SQLite database", "export it as csv"),
    (b"\xd0\xcf\x11\xe0", "an old office document", "save it as csv (UTF-8)"),
    (b"\xff\xfe", "UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
    (b"\xfe\xff", "UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
)


class Source:
    """An open file. `position` and `total` are bytes, for a progress bar."""

    def __init__(self, path: Path, file: BinaryIO, total: int) -> None:
        self.path = path
        self.total = total
        self.position = 0
        self.file = file
        self.ahead = b""

    def invalid(self, reason: str, mend: str, where: str = "") -> HashListInvalid:
        """The error to raise: file, place, reason, and how to mend it."""
        place = f" {where}:" if where else ""
        return HashListInvalid(f"{self.path}:{place} {reason}; {mend}")

    def peek(self) -> bytes:
        """The first 4,096 bytes, which stay to be read, without a byte order mark."""
        if not self.position:
            self.ahead = self.file.read(PROBE).removeprefix(UTF8_BOM)
            self.position = len(self.ahead)
        return self.ahead

    def chunks(self) -> Iterator[bytes]:
        """The file's bytes from its beginning, without a byte order mark. Raises HashListInvalid when reading fails."""
        first = self.peek()
        self.ahead = b""
        if first:
            yield first
        while True:
            try:
                chunk = self.file.read(CHUNK)
            except OSError as error:
                raise self.invalid(f"reading failed: {error.strerror}", "check the medium") from error
            if not chunk:
                return
            self.position += len(chunk)
            yield chunk

    def lines(self) -> Iterator[bytes]:
        """The lines without their line feed. A longer line than `MOST_LINE` comes cut to one byte more than that."""
        rest: list[bytes] = []
        held = 0
        for chunk in self.chunks():
            first, *others = chunk.split(b"\n")
            if held <= MOST_LINE:
                rest.append(first)
                held += len(first)
            if others:
                yield b"".join(rest)[: MOST_LINE + 1]
                last = others.pop()
                if len(max(others, key=len, default=b"")) > MOST_LINE:
                    others = [line[: MOST_LINE + 1] for line in others]
                yield from others
                rest, held = [last], len(last)
        if held:
            yield b"".join(rest)[: MOST_LINE + 1]


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a hash list's file. Raises HashListInvalid when it is missing, no file, empty, or no text."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
            raise HashListInvalid(f"{path}: this is {what}; name a file")
        file = path.open("rb")
    except OSError as error:
        raise HashListInvalid(f"{path}: cannot be read: {error.strerror}; check its name and mode") from error
    with file:
        source = Source(path, file, status.st_size)
        start = source.peek()
        if not start.strip():
            raise source.invalid("the file is empty", "ask for the list again")
        for magic, what, mend in OTHER_KINDS:
            if start.startswith(magic):
                raise source.invalid(f"this is {what}", mend)
        if b"\0" in start:
            raise source.invalid("this is no text", "save the list as UTF-8 text")
        yield source
