"""Long writing in short transactions, so that nobody else who writes waits for all of it.

SQLite does not queue writers: who finds the lock taken looks again after a pause that grows to 100 ms. A transaction
that follows another at once would mostly win, so there is a gap after each, in which those who wait mostly get in, and
every half a second one that is longer than that pause, in which they surely do.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from crawler.store.database import Database

_HELD: Final = 0.08
"""Seconds for which a slice should hold the write lock. Its size follows from how long the ones before took."""

_GAP: Final = 0.025
"""Seconds at least; a quarter of what was held where the machine is busy, and those who wait are slow as well."""

_CERTAIN, _EVERY = 0.11, 0.5
"""Seconds of a gap that nobody who waits can miss, and how often there is one."""

_FIRST, _LEAST, _MOST = 4_000, 100, 100_000


def in_slices(db: Database, write: Callable[[int], bool]) -> None:
    """Call `write` with a number of rows, each time in a transaction of its own, until it returns that no more is left.

    Raises what it raises; what it did before is committed then.
    """
    assert not db.writing, "slices are transactions of their own"
    size, more, certain = _FIRST, True, time.monotonic()
    while more:
        with db.write():
            began = time.monotonic()
            more = write(size)
        held = time.monotonic() - began
        size = int(min(max(size * min(max(_HELD / held, 0.25), 2.0), _LEAST), _MOST))
        if more and time.monotonic() - certain >= _EVERY:
            time.sleep(_CERTAIN)
            certain = time.monotonic()
        elif more:
            time.sleep(max(_GAP, held / 4))


def in_key_slices(
    db: Database, table: str, key: str, write: Callable[[int, int], object], *, after: int = 0, last: int | None = None
) -> None:
    """As `in_slices`, over the rows of a table in the order of its integer key: `write` gets the keys after which and
    up to which to go.

    after, last: the keys after which and up to which there are rows to write; None: to the end.
    """
    at = after

    def step(size: int) -> bool:
        nonlocal at
        sql = f"SELECT {key} FROM {table} WHERE {key} > ?1 AND (?2 IS NULL OR {key} <= ?2) ORDER BY {key} LIMIT ?3"
        found = db.row(f"SELECT max({key}) AS top, count(*) AS rows FROM ({sql})", at, last, size)
        assert found is not None, "an aggregate query has one row"
        if found["rows"]:
            write(at, found["top"])
            at = found["top"]
        return bool(found["rows"] == size)

    in_slices(db, step)
