"""Having a database for oneself, to put another one in its place."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crawler.errors import StoreUnavailable
from crawler.store.database import damaged, translated
from crawler.store.opening import replacing

_SHARED_FIRST: Final = 0x4000_0002
_SHARED_SIZE: Final = 510
"""The bytes that every open connection locks in WAL mode (https://www.sqlite.org/src/file/src/os.h)."""


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """While nobody else has the database open, with its log folded into it unless it is damaged.

    Who opens it meanwhile waits, and then gets the file that has its name by then.
    Raises StoreUnavailable.
    """
    with replacing(path), translated(path):
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            # Leaving WAL mode takes that no other connection is open, idle ones included.
            connection.execute("PRAGMA journal_mode = DELETE").fetchall()
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.DatabaseError as error:
            connection.close()
            if not damaged(error):
                raise
            with _alone_with_bytes(path):
                yield
            return
        try:
            yield
        finally:
            connection.close()


@contextmanager
def _alone_with_bytes(path: Path) -> Iterator[None]:
    """The same where SQLite itself does not get as far as locking."""
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except OSError as error:
            raise StoreUnavailable(f"database {path}: damaged, and another process has it open; stop that") from error
        yield
