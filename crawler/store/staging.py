"""Where an import waits until it is whole: a file beside the database, so that reading a list locks nobody out.

The staging file holds what importers yield, in the order of the list's file. `compare` finds out how that differs from
the list as it stands, in ranges of values, so that memory stays flat; the difference is written beside it, in the order
of the index of values, so that this grows at few places at a time. All that only reads the database.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from crawler.errors import StoreUnavailable
from crawler.leftovers import sweep_left
from crawler.match.entries import Entry, Tombstone
from crawler.store.database import Database, translated

_RANGE = 500_000  # entries compared at once: about 60 MB in SQLite's sorter
_MOST_CATEGORIES = 10_000
_SHOWN_CATEGORIES = 50
_FAST = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4096")
_FACTS = "category TEXT, size INTEGER, external_id TEXT"
_TABLES = (
    f"CREATE TABLE entries (number INTEGER PRIMARY KEY, algorithm TEXT, value BLOB, {_FACTS})",
    "CREATE TABLE tombstones (external_id TEXT PRIMARY KEY) WITHOUT ROWID",
    # A range of the file against the list: entry is the live one of the same value, differs: whether facts are new.
    f"CREATE TABLE compared (entry INTEGER, differs INTEGER, algorithm TEXT, value BLOB, {_FACTS})",
    f"CREATE TABLE fresh (number INTEGER PRIMARY KEY, algorithm TEXT, value BLOB, {_FACTS})",
    f"CREATE TABLE changed (entry INTEGER PRIMARY KEY, {_FACTS})",
    "CREATE TABLE kept (entry INTEGER PRIMARY KEY)",
    "CREATE TABLE gone (entry INTEGER PRIMARY KEY)",
    "BEGIN",
)
# A bare column beside min() comes from the row of the minimum: of equal values the first one counts.
_DISTINCT = """
    SELECT algorithm, value, category, size, external_id, min(number) FROM staging.entries
    WHERE value >= ?1 AND (?2 IS NULL OR value < ?2) GROUP BY algorithm, value
"""
_FRESH = f"""
    INSERT INTO staging.fresh (algorithm, value, category, size, external_id)
    SELECT algorithm, value, category, size, external_id FROM ({_DISTINCT})
"""
_COMPARE = f"""
    INSERT INTO staging.compared
    SELECT old.id, old.category IS NOT new.category OR old.size IS NOT new.size
        OR old.external_id IS NOT new.external_id OR old.id IN (SELECT entry FROM staging.changed),
        new.algorithm, new.value, new.category, new.size, new.external_id
    FROM ({_DISTINCT}) AS new LEFT JOIN hash_entries AS old
    ON old.list_id = ?3 AND old.withdrawn_version IS NULL AND old.algorithm = new.algorithm AND old.value = new.value
    AND old.id NOT IN (SELECT entry FROM staging.gone)
"""
_SORTED = (
    "INSERT INTO staging.fresh (algorithm, value, category, size, external_id) "
    "SELECT algorithm, value, category, size, external_id FROM staging.compared WHERE entry IS NULL ORDER BY rowid",
    "INSERT OR REPLACE INTO staging.changed SELECT entry, category, size, external_id FROM staging.compared "
    "WHERE entry IS NOT NULL AND differs",
    "INSERT INTO staging.kept SELECT entry FROM staging.compared WHERE entry IS NOT NULL",
    "DELETE FROM staging.compared",
)
_ANY = "SELECT EXISTS (SELECT 1 FROM hash_entries WHERE list_id = ? AND withdrawn_version IS NULL)"
# What waits to be copied until a second person enables a version: this version says it too, or otherwise.
_WAITING = """
    INSERT OR REPLACE INTO staging.changed SELECT entry_id, category, size, external_id FROM entry_changes
    WHERE list_id = ? ORDER BY version
"""
# Tombstones come first: what the file also publishes lives again.
_BURY = """
    INSERT INTO staging.gone SELECT id FROM hash_entries WHERE list_id = ? AND withdrawn_version IS NULL
    AND external_id IN (SELECT external_id FROM staging.tombstones)
"""
_REPLACE = """
    INSERT INTO staging.gone SELECT id FROM hash_entries WHERE list_id = ? AND withdrawn_version IS NULL
    AND id NOT IN (SELECT entry FROM staging.kept) AND id NOT IN (SELECT entry FROM staging.gone)
"""
_COMING = """
    SELECT algorithm, category FROM staging.fresh UNION ALL
    SELECT algorithm, CASE WHEN entry IS NULL THEN hash_entries.category ELSE changed.category END
    FROM hash_entries NOT INDEXED LEFT JOIN staging.changed ON entry = id
    WHERE list_id = ? AND withdrawn_version IS NULL AND id NOT IN (SELECT entry FROM staging.gone)
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a version will have changed.

    added, withdrawn: entries, against the version before.  duplicates: entries of the file that repeat a value.
    by_algorithm, by_category: live entries of each afterwards, as in `lists.HashList`.
    found: the list's version and when it was dropped, if so, before it was compared; None: there was no such list.
    """

    added: int
    withdrawn: int
    duplicates: int
    by_algorithm: dict[str, int]
    by_category: dict[str, int]
    found: tuple[int, float | None] | None = None


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
            with translated(self._path):
                for statement in (*(f"PRAGMA {pragma}" for pragma in _FAST), *_TABLES):
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
        with translated(self._path):
            self._file.executemany("INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?)", rows)

    def bury(self, tombstones: Iterable[Tombstone]) -> None:
        """Note what the list's owner withdraws."""
        rows = [(tombstone.external_id,) for tombstone in tombstones]
        self.buried += len(rows)
        with translated(self._path):
            self._file.executemany("INSERT OR IGNORE INTO tombstones VALUES (?)", rows)

    def attach(self) -> None:
        """Finish taking in, and show the file to the database; before `compare`."""
        with translated(self._path):
            self._file.execute("COMMIT")
            self._file.close()
        self._db.attach("staging", self._path)
        self._attached = True
        for pragma in _FAST:
            self._db.value(f"PRAGMA staging.{pragma}")

    def compare(self, list_id: int | None, *, replaces: bool) -> Difference:
        """Find out what this changes of a list, None for a new one; after `attach`, once, while nobody else imports.

        What is there already stays the entry that it is, with the category, size and external id of this version.
        replaces: what is not in the file is withdrawn; else only what the tombstones name.
        """
        assert self._attached, "attach comes before compare"
        beside = self._db.beside
        withdrawn = beside(_BURY, list_id) if self.buried else 0
        older = bool(self._db.value(_ANY, list_id))
        if older:
            beside(_WAITING, list_id)
        for low, high in self._ranges():
            if older:
                beside(_COMPARE, low, high, list_id)
                for statement in _SORTED:
                    beside(statement)
            else:
                beside(_FRESH, low, high)
        added, kept = (int(self._db.value(f"SELECT count(*) FROM staging.{name}")) for name in ("fresh", "kept"))
        if older and replaces:
            withdrawn += beside(_REPLACE, list_id)
        return Difference(added, withdrawn, self.taken - added - kept, *self._count(list_id))

    def _ranges(self) -> Iterable[tuple[bytes, bytes | None]]:
        ranges = max(1, -(-self.taken // _RANGE))
        edges = [(number * 65_536 // ranges).to_bytes(2, "big") for number in range(ranges)]
        return zip(edges, [*edges[1:], None], strict=True)

    def _count(self, list_id: int | None) -> tuple[dict[str, int], dict[str, int]]:
        """Counted here, because SQLite would sort all entries, in memory. Of very many categories, the commonest."""
        algorithms, categories = Counter[str](), Counter[str]()
        for algorithm, named in self._db.stream(_COMING, list_id):
            algorithms[algorithm] += 1
            category = named or ""
            if category in categories or len(categories) < _MOST_CATEGORIES:
                categories[category] += 1
        shown = sorted(categories.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_CATEGORIES]
        return dict(sorted(algorithms.items())), dict(shown)
