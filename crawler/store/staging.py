"""Where an import waits until it is whole: a file beside the database, so that reading a list locks nobody out.

The staging file holds what importers yield, in the order of the list's file. `merge` moves it into the database in one
transaction, in ranges of values, so that memory stays flat and the index of values grows at few places at a time.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from crawler.errors import StoreUnavailable
from crawler.leftovers import sweep_left
from crawler.match.entries import Entry, Tombstone
from crawler.store.database import Database, translated

_RANGE = 500_000  # entries merged at once: about 60 MB in SQLite's sorter
_TABLES = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA cache_size = -4096",
    "CREATE TABLE entries (number INTEGER PRIMARY KEY, algorithm TEXT, value BLOB, category TEXT, size INTEGER, "
    "external_id TEXT)",
    "CREATE TABLE tombstones (external_id TEXT PRIMARY KEY) WITHOUT ROWID",
    "BEGIN",
)
# Two statements and no upsert: an upsert takes a new number for every entry that it then only updates, and index files
# have room for 2**31 of them. A bare column beside min() comes from the row of the minimum.
_KEEP = """
    UPDATE hash_entries SET
        last_version = ?2, category = new.category, size = new.size, external_id = new.external_id
    FROM (
        SELECT algorithm, value, category, size, external_id, min(number) FROM staging.entries
        WHERE value >= ?3 AND (?4 IS NULL OR value < ?4) GROUP BY algorithm, value
    ) AS new
    WHERE hash_entries.list_id = ?1 AND withdrawn_version IS NULL
    AND hash_entries.algorithm = new.algorithm AND hash_entries.value = new.value
"""
_ADD = """
    INSERT INTO hash_entries (list_id, first_version, last_version, algorithm, value, category, size, external_id)
    SELECT ?1, ?2, ?2, algorithm, value, category, size, external_id FROM (
        SELECT algorithm, value, category, size, external_id, min(number) FROM staging.entries
        WHERE value >= ?3 AND (?4 IS NULL OR value < ?4) GROUP BY algorithm, value
    ) AS new
    WHERE NOT ?5 OR NOT EXISTS (
        SELECT 1 FROM hash_entries WHERE list_id = ?1 AND withdrawn_version IS NULL
        AND hash_entries.algorithm = new.algorithm AND hash_entries.value = new.value
    )
"""
_ANY = "SELECT EXISTS (SELECT 1 FROM hash_entries WHERE list_id = ? AND withdrawn_version IS NULL)"
_BURY = """
    UPDATE hash_entries SET withdrawn_version = ?2 WHERE list_id = ?1 AND withdrawn_version IS NULL
    AND external_id IN (SELECT external_id FROM staging.tombstones)
"""


class Staging:
    """A context manager; its file is gone when it ends, and what a killed import left goes when the next one begins.

    taken, buried: entries and tombstones so far.  Raises StoreUnavailable when the file cannot be written.
    """

    def __init__(self, db: Database) -> None:
        self.taken = 0
        self.buried = 0
        self._db = db
        sweep_left(db.home.root, "import-")
        self._path = db.home.root / f"import-{os.getpid()}-{secrets.token_hex(4)}.sqlite"
        self._attached = False
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"staging file {self._path}: {error.strerror}; mend the home directory") from error
        self._file = sqlite3.connect(self._path, isolation_level=None)
        try:
            with translated(str(self._path)):
                for statement in _TABLES:
                    self._file.execute(statement)
        except BaseException:
            self._remove()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._attached:
                self._db.detach("staging")
        finally:
            self._remove()

    def _remove(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take these in."""
        rows = [(entry.algorithm, entry.value, entry.category, entry.size, entry.external_id) for entry in entries]
        self.taken += len(rows)
        with translated(str(self._path)):
            self._file.executemany("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?)", rows)

    def bury(self, tombstones: Iterable[Tombstone]) -> None:
        """Note what the list's owner withdraws."""
        rows = [(tombstone.external_id,) for tombstone in tombstones]
        self.buried += len(rows)
        with translated(str(self._path)):
            self._file.executemany("INSERT OR IGNORE INTO tombstones VALUES (?)", rows)

    def attach(self) -> None:
        """Finish taking in, and show the file to the database; before the transaction that merges."""
        with translated(str(self._path)):
            self._file.execute("COMMIT")
            self._file.close()
        self._db.attach("staging", self._path)
        self._attached = True

    def merge(self, list_id: int, version: int) -> None:
        """Bring everything into the list as `version`; part of the caller's transaction, after `attach`.

        What is there already stays the entry that it is, with the category, size and external id of this version. Of
        several equal values the first one counts. Tombstones come first: what the file also publishes lives again.
        """
        assert self._attached, "attach comes before merge"
        self._db.execute(_BURY, list_id, version)
        older = int(self._db.value(_ANY, list_id))
        ranges = max(1, -(-self.taken // _RANGE))
        edges = [(number * 65_536 // ranges).to_bytes(2, "big") for number in range(ranges)]
        for low, high in zip(edges, [*edges[1:], None], strict=True):
            if older:
                self._db.execute(_KEEP, list_id, version, low, high)
            self._db.execute(_ADD, list_id, version, low, high, older)
