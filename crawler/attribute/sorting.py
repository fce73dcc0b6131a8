"""Rows of numbers on disk, given back in the order of a key: sorted runs, then merged, in memory that does not grow."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

RUN: Final = 65_536
"""Rows that are sorted at once, and rows of all runs together that are in memory while they are merged."""

LEAST_SHARE: Final = 64
"""Rows of a run that are read at a time at least."""

_BUFFERED: Final = 4_096
_CODES: Final = {"u8": "Q", "u4": "I"}

Rows = npt.NDArray[Any]
Key = Callable[[Rows], "list[npt.NDArray[np.uint64]]"]
"""Rows -> their key, as columns (n,) of numbers, the most significant first."""


class Records:
    """fields: name -> type ("u8", "u4") and how many of them. A row is a flat tuple of all of them, in this order."""

    def __init__(self, path: Path, fields: Mapping[str, tuple[str, int]]) -> None:
        self._path = path
        self._pack = struct.Struct("<" + "".join(f"{many}{_CODES[of]}" for of, many in fields.values())).pack
        self._type = np.dtype([(name, f"<{of}", (many,) if many > 1 else ()) for name, (of, many) in fields.items()])
        self._pending: list[bytes] = []
        self._stream = path.open("wb")
        self._count = 0

    def __len__(self) -> int:
        return self._count + len(self._pending)

    def append(self, *numbers: int) -> None:
        """Raises struct.error for a number that its field cannot hold."""
        self._pending.append(self._pack(*numbers))
        if len(self._pending) >= _BUFFERED:
            self._flush()

    def close(self) -> None:
        """Stop, whatever was written."""
        self._stream.close()

    def ordered(self, key: Key) -> Iterator[Rows]:
        """All rows, some at a time, in ascending order of the key; of equal keys in the order of their appending."""
        self._flush()
        self._stream.close()
        if len(self) <= RUN:
            yield from (rows[_order(key(rows))] for rows in _blocks(self._path, self._type, 0, len(self), RUN))
            return
        path = self._path.with_name(f"{self._path.name}-runs")
        keyed = self._runs(path, key)
        starts = range(0, len(self), RUN)
        share = max(LEAST_SHARE, RUN // len(starts))
        ends = (min(start + RUN, len(self)) for start in starts)
        runs = [_Run(_blocks(path, keyed, *each, share)) for each in zip(starts, ends, strict=True)]
        for rows in _merged(runs):
            yield rows["row"]
        path.unlink()

    def _runs(self, path: Path, key: Key) -> np.dtype[Any]:
        """Write sorted runs, each row behind its key, which is bytes that compare as its numbers do."""
        keyed, begun = self._type, 0
        with path.open("wb") as stream:
            for rows in _blocks(self._path, self._type, 0, len(self), RUN):
                # The place of a row ends its key, so that no two are equal.
                found = [*key(rows), np.arange(begun, begun + len(rows), dtype=np.uint64)]
                begun += len(rows)
                keyed = np.dtype([("key", f"S{8 * len(found)}"), ("row", self._type)])
                made = np.empty(len(rows), dtype=keyed)
                made["key"] = np.stack(found, axis=1).astype(">u8").view(keyed["key"]).ravel()
                made["row"] = rows
                stream.write(made[_order(found[:-1])].data)
        return keyed

    def _flush(self) -> None:
        self._count += len(self._pending)
        self._stream.write(b"".join(self._pending))
        self._pending.clear()


class _Run:
    """One sorted run that is being read. rows: those that are in memory; empty at its end."""

    def __init__(self, blocks: Iterator[Rows]) -> None:
        self._blocks = blocks
        self.rows = next(blocks)

    def take(self, upto: np.bytes_) -> Rows:
        """The rows whose key is `upto` at most; more are read when none is left."""
        end = int(np.searchsorted(self.rows["key"], upto, "right"))
        taken, self.rows = self.rows[:end], self.rows[end:]
        if not len(self.rows):
            self.rows = next(self._blocks, self.rows)
        return taken


def _merged(runs: list[_Run]) -> Iterator[Rows]:
    while runs:
        # No run can hold a smaller key any more than the smallest of the last ones in memory.
        upto = min(run.rows["key"][-1] for run in runs)
        found = np.concatenate([run.take(upto) for run in runs])
        yield found[np.argsort(found["key"], kind="stable")]
        runs = [run for run in runs if len(run.rows)]


def _order(columns: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.intp]:
    # Columns that say nothing (the upper halves of IPv4) cost as much as others.
    telling = [column for column in columns if len(column) and (column != column[0]).any()]
    return np.lexsort((telling or columns)[::-1])


def _blocks(path: Path, of: np.dtype[Any], start: int, end: int, share: int) -> Iterator[Rows]:
    """The rows from `start` to `end` of a file, `share` at a time."""
    with path.open("rb") as stream:
        stream.seek(start * of.itemsize)
        while start < end:
            wanted = min(share, end - start)
            yield np.frombuffer(stream.read(wanted * of.itemsize), dtype=of)
            start += wanted
