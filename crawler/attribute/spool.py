"""Columns and texts that grow on disk, so that a dump of millions of objects is read in flat memory."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Lazy
from crawler.attribute.sorting import Records

_BUFFERED: Final = 65_536
_REMEMBERED: Final = 65_536
_LONGEST_KNOWN: Final = 200
MAX_TEXT: Final = 1_000
"""Longest text that is kept, in bytes."""


class Column:
    """Numbers, appended to a file and read again once, in pieces. code: of the `array` module ("I", "Q", "H")."""

    def __init__(self, path: Path, code: str) -> None:
        self._path = path
        self._pending = array(code)
        self._stream = path.open("wb")
        self._type = np.dtype(f"<u{self._pending.itemsize}")
        self._flushed = 0

    def __len__(self) -> int:
        return self._flushed + len(self._pending)

    def append(self, number: int) -> None:
        self._pending.append(number)
        if len(self._pending) >= _BUFFERED:
            self._flush()

    def write(self, numbers: npt.NDArray[Any]) -> None:
        """Append many; they stand behind those that were appended before."""
        self._flush()
        self._flushed += numbers.size
        self._stream.write(np.ascontiguousarray(numbers, dtype=self._type).data)

    def close(self) -> None:
        """Stop, whatever was written."""
        self._stream.close()

    def section(self, width: int = 0) -> Lazy:
        """All of it. width: bytes of a number in the section, when it is another than here."""
        self._flush()
        self._stream.close()
        return Lazy(len(self) * (width or self._type.itemsize), _pieces(self._path, self._type))

    def _flush(self) -> None:
        self._flushed += len(self._pending)
        self._pending.tofile(self._stream)
        del self._pending[:]


class Texts:
    """Texts, each as its length in two bytes (little-endian) and its UTF-8; a text's number is where it begins.

    read: what raw bytes say, as text.  Number 0 is no text. Those seen lately are written once.
    """

    def __init__(self, path: Path, read: Callable[[bytes], str]) -> None:
        self._path = path
        self._read = read
        self._stream = path.open("wb")
        self._stream.write(b"\0\0")
        self._end = 2
        self._known: dict[bytes | None, int] = {None: 0}
        self.get = self._known.get
        """The number of raw bytes that were met lately, None for others; much quicker than `add`."""

    def add(self, raw: bytes | None) -> int:
        """The number of a text. Raises OverflowError behind 4 GiB."""
        found = self._known.get(raw)
        if found is not None or raw is None:
            return found or 0
        data = self._read(raw).encode("utf-8", "replace")[:MAX_TEXT]
        place = self._end if data else 0
        if data:
            if place >= 2**32:
                raise OverflowError("more than 4 GiB of text")
            self._stream.write(len(data).to_bytes(2, "little") + data)
            self._end += 2 + len(data)
        if len(raw) <= _LONGEST_KNOWN:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
                self._known[None] = 0
            self._known[raw] = place
        return place

    def close(self) -> None:
        """Stop, whatever was written."""
        self._stream.close()

    def section(self) -> Lazy:
        """All of them, as the section `texts`."""
        self._stream.close()
        return Lazy(self._end, _pieces(self._path, np.dtype("u1")))


class Scratch:
    """Working files in a directory, which whoever made it removes; open for the length of a block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: list[Column | Texts | Records] = []

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for each in self._open:
            each.close()

    def column(self, code: str) -> Column:
        """A new column; see `Column`."""
        made = Column(self._path(), code)
        self._open.append(made)
        return made

    def texts(self, read: Callable[[bytes], str] = bytes.decode) -> Texts:
        """New texts; see `Texts`."""
        made = Texts(self._path(), read)
        self._open.append(made)
        return made

    def records(self, fields: dict[str, tuple[str, int]]) -> Records:
        """New records; see `Records`."""
        made = Records(self._path(), fields)
        self._open.append(made)
        return made

    def _path(self) -> Path:
        return self._directory / f"scratch-{len(self._open)}"


def text_at(texts: memoryview, number: int) -> str | None:
    """The text of a number in a section that `Texts` made; None for 0."""
    if number == 0:
        return None
    start = number + 2
    return str(texts[start : start + int.from_bytes(texts[number:start], "little")], "utf-8", "replace")


def _pieces(path: Path, of: np.dtype[Any]) -> Iterator[npt.NDArray[Any]]:
    # Read, not mapped: pages of a mapping count as memory of this process until somebody else needs it.
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            yield np.frombuffer(block, dtype=of)
