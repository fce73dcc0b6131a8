"""Columns and texts that grow on disk, so that a dump of millions of objects is read in flat memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

_BUFFERED: Final = 65_536
_CHUNK: Final = 65_536
_REMEMBERED: Final = 65_536
MAX_TEXT: Final = 1_000
"""Longest text that is kept, in bytes."""


class Column:
    """Numbers, appended to a file. code: of the `array` module ("I", "Q", "H")."""

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

    def extend(self, numbers: tuple[int, ...]) -> None:
        self._pending.extend(numbers)
        if len(self._pending) >= _BUFFERED:
            self._flush()

    def close(self) -> None:
        """Stop, whatever was written."""
        self._stream.close()

    def finish(self) -> npt.NDArray[Any]:
        """All of it, mapped."""
        self._flush()
        self._stream.close()
        if not self._flushed:
            return np.empty(0, dtype=self._type)
        return np.memmap(self._path, dtype=self._type, mode="r")

    def _flush(self) -> None:
        self._flushed += len(self._pending)
        self._pending.tofile(self._stream)
        del self._pending[:]


class Texts:
    """Texts, each as its length in two bytes (little-endian) and its UTF-8; a text's number is where it begins.

    Number 0 is no text. Those seen lately are written once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream = path.open("wb")
        self._stream.write(b"\0\0")
        self._end = 2
        self._known: dict[str, int] = {}

    def add(self, text: str | None) -> int:
        """The number of a text. Raises OverflowError behind 4 GiB."""
        if not text:
            return 0
        found = self._known.get(text)
        if found is not None:
            return found
        data = text.encode("utf-8", "replace")[:MAX_TEXT]
        place = self._end
        if place >= 2**32:
            raise OverflowError("more than 4 GiB of text")
        self._stream.write(len(data).to_bytes(2, "little") + data)
        self._end += 2 + len(data)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[text] = place
        return place

    def close(self) -> None:
        """Stop, whatever was written."""
        self._stream.close()

    def finish(self) -> npt.NDArray[Any]:
        """All of them, mapped, as the section `texts`."""
        self._stream.close()
        return np.memmap(self._path, dtype="u1", mode="r")


class Scratch:
    """Working files in a directory, which whoever made it removes; open for the length of a block."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._open: list[Column | Texts] = []

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

    def texts(self) -> Texts:
        """New texts."""
        made = Texts(self._path())
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


def gathered(rows: npt.NDArray[Any], order: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """Rows in another order, a chunk at a time."""
    for start in range(0, len(order), _CHUNK):
        yield rows[order[start : start + _CHUNK]]
