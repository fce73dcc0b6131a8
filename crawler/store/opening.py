"""Opening the database of a home, and putting another one in its place, keep out of each other's way.

Who opens a file and waits at SQLite's own locks would come to them with the file that was just replaced.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from crawler.errors import StoreUnavailable

_PATIENCE: Final = 2.0
_POLL: Final = 0.02


@contextmanager
def opening(database: Path) -> Iterator[None]:
    """While nobody puts another database in the place of this one; waits for who does, which takes no time."""
    with _lock(database) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield


@contextmanager
def replacing(database: Path) -> Iterator[None]:
    """While nobody opens the database. Raises StoreUnavailable when somebody goes on doing so."""
    deadline = time.monotonic() + _PATIENCE
    with _lock(database) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(f"database {database}: another process opens it; stop that") from error
                time.sleep(_POLL)
        yield


@contextmanager
def _lock(database: Path) -> Iterator[int]:
    """The open file of the lock, which the kernel lets go of even after `kill -9`. Raises StoreUnavailable."""
    try:
        lock = os.open(database.with_name("store.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreUnavailable(f"database {database}: {error.strerror}; check the home's owner and mode") from error
    try:
        yield lock
    finally:
        os.close(lock)
