"""Sealing every field anew with the key that seals now; after that, older keys open nothing in the database.

Which columns are sealed is read from the schema: their definitions are marked `-- sealed` in the migrations, and the
row in a value's associated data is the table's primary key. Each batch is a transaction of its own, and what is left to
do is told by the values themselves; so whoever is killed simply starts again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from crawler.store.database import Database

BATCH: Final = 500
_COLUMN: Final = re.compile(r"^\s*(\w+) BLOB\b[^\n]*-- sealed", re.MULTILINE)
_KEY: Final = re.compile(r"^\s*(\w+) TEXT PRIMARY KEY\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values.  key: the column that names the row."""

    table: str
    column: str
    key: str


def sealed_columns(db: Database) -> list[SealedColumn]:
    """Every sealed column of the database, in the order of the tables' names."""
    found = []
    for row in db.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND sql LIKE '%-- sealed%'"):
        key = _KEY.search(row["sql"])
        assert key is not None, f"table {row['name']} has sealed columns and no TEXT PRIMARY KEY"
        found += [SealedColumn(row["name"], column, key[1]) for column in _COLUMN.findall(row["sql"])]
    return sorted(found, key=lambda each: (each.table, each.column))


def reseal(db: Database, progress: Callable[[int], None] | None = None) -> int:
    """Seal with the current key whatever another key sealed. Returns how many values that were.

    progress: told how many so far, after each batch.
    Raises StoreUnavailable when a value does not open, or the database cannot be written.
    """
    done = 0
    for column in sealed_columns(db):
        while batch := _batch(db, column):
            done += batch
            if progress is not None:
                progress(done)
    return done


def left_over(db: Database) -> int:
    """How many values the current key did not seal."""
    return sum(
        int(db.value(_sql(each, "SELECT count(*) FROM {table} WHERE {old}"), _head(db))) for each in sealed_columns(db)
    )


def _batch(db: Database, at: SealedColumn) -> int:
    with db.write():
        rows = db.rows(
            _sql(at, "SELECT {key} AS id, {column} AS value FROM {table} WHERE {old} LIMIT ?2"), _head(db), BATCH
        )
        for row in rows:
            text = db.sealer.open(at.table, at.column, row["id"], row["value"])
            fresh = db.sealer.seal(at.table, at.column, row["id"], text)
            db.execute(_sql(at, "UPDATE {table} SET {column} = ? WHERE {key} = ?"), fresh, row["id"])
    return len(rows)


def _sql(at: SealedColumn, template: str) -> str:
    """Names come from our own migrations, never from a caller's data."""
    old = f"{at.column} IS NOT NULL AND substr({at.column}, 1, 3) <> ?1"
    return template.format(table=at.table, column=at.column, key=at.key, old=old)


def _head(db: Database) -> bytes:
    return db.sealer.head
