"""The door to the SQLite file: one connection, its transactions, and the translation of SQLite's errors.

WAL mode, foreign keys on, `synchronous=FULL` (a commit that the recorder acknowledged is on disk), one writer at a
time: a transaction takes the write lock when it begins, so that it never fails in the middle. No other package than
`store` imports sqlite3.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import sqlite_utils

from crawler.errors import StoreDamaged, StoreUnavailable
from crawler.home import Home
from crawler.store.keys import Keyring, open_keys
from crawler.store.migrations import known, migrate
from crawler.store.opening import opening
from crawler.store.sealed import Sealer

Row = dict[str, Any]

BUSY_SECONDS = 60.0
"""How long a writer waits for others. What writes much does so in slices of a tenth of a second (`store.slices`)."""

_FOLDS, _REST = 20, 0.1

_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA journal_size_limit = 67108864",
)

_RESTORE = "it is damaged; restore it from a backup (vangnet restore FILE --replace)"
_ADVICE = (
    ("locked", "another process holds it; try again when that is done"),
    ("not a database", _RESTORE),
    ("malformed", _RESTORE),
    ("full", "make room on the disk"),
    ("readonly", "it may not be written; check its owner and mode"),
    ("unable to open", "it cannot be opened; check the home's owner and mode"),
    ("audit events", "run `vangnet audit verify`"),
    ("disk I/O", "the disk fails or is full"),
)


def open_store(home: Home, *, busy_seconds: float = BUSY_SECONDS, path: Path | None = None) -> Database:
    """The database of `home`, made and migrated when needed, with its keys.

    path: of a copy of it, to be opened in its stead.
    Raises StoreUnavailable when the file is locked, damaged or newer than this version, or when the keys are not those
    that it was written with; HomeUnusable when a key file is missing or damaged.
    """
    file = path or home.database
    with opening(file), translated(file):
        _touch(file)
        connection = sqlite3.connect(
            file, timeout=busy_seconds, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        try:
            for pragma in _PRAGMAS:
                connection.execute(pragma)
            tables = sqlite_utils.Database(connection, execute_plugins=False)
            migrate(tables, known())
            return Database(home, tables, _fitting_keys(home, connection))
        except BaseException:
            connection.close()
            raise


class Database:
    """One connection. Threads may hand it on to each other, but two must not use it at the same time.

    home: whose database this is.  sealer: opens its sealed fields.  clock: seconds since the epoch.
    """

    __slots__ = ("_file", "_generation", "_inside", "_tables", "clock", "home", "keys", "sealer")

    def __init__(self, home: Home, tables: sqlite_utils.Database, keys: Keyring) -> None:
        self._tables = tables
        self._inside = False
        self._file = home.database
        self.home = home
        self.keys = keys
        self.sealer = Sealer(keys, self._reloaded)
        self._generation: int = self._seal_keys()
        self.clock: Callable[[], float] = time.time

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a second time is harmless."""
        self._tables.conn.close()

    @property
    def writing(self) -> bool:
        """Whether a transaction of `write` is open."""
        return self._inside

    @contextmanager
    def write(self) -> Iterator[None]:
        """A transaction: everything in the block, or nothing of it. Inside another one it is part of that.

        Raises StoreUnavailable when the write lock is not to be had, or the commit fails.
        """
        if self._inside:
            yield
            return
        with self._translated():
            self._tables.conn.execute("BEGIN IMMEDIATE")
        self._inside = True
        try:
            self._use_newest_key()
            yield
            with self._translated():
                self._tables.conn.execute("COMMIT")
        except BaseException:
            if self._tables.conn.in_transaction:
                self._tables.conn.execute("ROLLBACK")
            raise
        finally:
            self._inside = False

    @contextmanager
    def read(self) -> Iterator[None]:
        """What is read in the block is of one moment; nobody waits for it. Outside of `write`."""
        with self._translated():
            self._tables.conn.execute("BEGIN")
        try:
            yield
        finally:
            self._tables.conn.execute("ROLLBACK")

    def _use_newest_key(self) -> None:
        """Who was open while `keys rotate` made a key must not go on sealing with the one before."""
        generation = self._seal_keys()
        if generation != self._generation:
            self.sealer.use(self._reloaded())
            self._generation = generation

    def _seal_keys(self) -> int:
        return int(self.value("SELECT coalesce(max(rowid), 0) FROM key_checks WHERE name LIKE 'seal-%'"))

    def _reloaded(self) -> Keyring:
        self.keys = open_keys(self.home, make=False)
        return self.keys

    def rows(self, sql: str, *values: Any) -> list[Row]:
        """All rows of a query, as dictionaries."""
        with self._translated():
            return list(self._tables.query(sql, values))

    def row(self, sql: str, *values: Any) -> Row | None:
        """The first row of a query, or None."""
        with self._translated():
            cursor = self._tables.conn.execute(sql, values)
            found = cursor.fetchone()
            return (
                None if found is None else dict(zip((column[0] for column in cursor.description), found, strict=True))
            )

    def value(self, sql: str, *values: Any) -> Any:
        """The first column of the first row, or None."""
        with self._translated():
            found = self._tables.conn.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def stream(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query as tuples, one after the other, without holding them all."""
        with self._translated():
            yield from self._tables.conn.execute(sql, values)

    def execute(self, sql: str, *values: Any) -> int:
        """Run one statement inside `write`. Returns the number of rows that it changed."""
        assert self._inside, "writes happen inside a transaction"
        with self._translated():
            return self._tables.conn.execute(sql, values).rowcount

    def insert(self, table: str, values: Mapping[str, Any]) -> int:
        """Insert one row, inside `write`. Returns its rowid."""
        assert self._inside, "writes happen inside a transaction"
        marks = ", ".join("?" * len(values))
        # Names of tables and columns come from our own code, never from a caller's data.
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        with self._translated():
            return self._tables.conn.execute(sql, tuple(values.values())).lastrowid or 0

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of `rows`, inside `write`; `rows` may be a generator."""
        assert self._inside, "writes happen inside a transaction"
        with self._translated():
            self._tables.conn.executemany(sql, rows)

    def attach(self, name: str, path: Path) -> None:
        """Show another SQLite file under `name`; outside of `write`."""
        with self._translated():
            self._tables.attach(name, path)

    def beside(self, sql: str, *values: Any) -> int:
        """Run one statement that writes to an attached file only, outside of `write`. Returns how many rows."""
        assert not self._inside, "a transaction would hold the lock meanwhile"
        with self._translated():
            return self._tables.conn.execute(sql, values).rowcount

    def detach(self, name: str) -> None:
        """Take it away again; harmless when the connection is closed already."""
        with self._translated():
            self._tables.conn.execute(f"DETACH DATABASE {name}")

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the whole database to `path`, which must not exist; others may go on writing."""
        with translated(path):
            self._tables.conn.execute("VACUUM INTO ?", (str(path),))

    def shrink_log(self) -> None:
        """Fold the write-ahead log into the file and cut it; left for later when somebody goes on reading."""
        conn = self._tables.conn
        with self._translated():
            # Cutting keeps the write lock while it waits for readers: it is only tried, when nothing is left to fold.
            (patience,) = conn.execute("PRAGMA busy_timeout").fetchone()
            conn.execute("PRAGMA busy_timeout = 0").fetchall()
            try:
                for _ in range(_FOLDS):
                    conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                    (busy, *_) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    if not busy:
                        return
                    time.sleep(_REST)
            finally:
                conn.execute(f"PRAGMA busy_timeout = {patience}").fetchall()

    def _translated(self) -> AbstractContextManager[None]:
        return translated(self._file)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """The one boundary where SQLite's errors become ours."""
    try:
        yield
    except sqlite3.Error as error:
        said = " ".join(str(error).split())
        advice = next((advice for sign, advice in _ADVICE if sign in said), "see whether it is intact")
        kind = StoreDamaged if damaged(error) else StoreUnavailable
        raise kind(f"database {path}: {said}; {advice}") from error


def damaged(error: sqlite3.Error) -> bool:
    """Whether the file is no database any more, and not merely locked, full or out of reach."""
    # Errors of the module itself have no code, and an extended code has the primary one in its lowest byte.
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _touch(path: Path) -> None:
    """Give the file mode 0600 before SQLite makes it; its log and its index get the mode of the file.

    A file that is there is not opened: closing it again would drop the locks that other connections of this process
    hold on it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StoreUnavailable(f"database {path}: {error.strerror}; check the home's owner and mode") from error


def _fitting_keys(home: Home, connection: sqlite3.Connection) -> Keyring:
    """The keys, compared with those that the database was written with; new ones are noted in it."""
    noted = dict(connection.execute("SELECT name, value FROM key_checks"))
    keys = open_keys(home, make=not noted)
    checks = keys.checks()
    for name, value in noted.items():
        if checks.get(name) != value:
            raise StoreUnavailable(
                f"key {name} of {home.keys} is not the one that the database was written with; restore the keys from "
                "their backup"
            )
    fresh = [(name, value) for name, value in checks.items() if name not in noted]
    if fresh:
        connection.executemany("INSERT OR IGNORE INTO key_checks VALUES (?, ?)", fresh)
    return keys
