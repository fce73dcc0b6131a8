"""Migrations: small named steps of SQL, each applied once, in order, in a transaction of its own.

The files of `sql/` are the steps; `_migrations` says which ones a database has.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from importlib import resources

import sqlite_utils

from crawler.errors import StoreUnavailable


def known() -> dict[str, str]:
    """Name of a migration -> its SQL, in the order of application."""
    files = resources.files("crawler.store").joinpath("sql").iterdir()
    found = {file.name.removesuffix(".sql"): file.read_text("utf-8") for file in files if file.name.endswith(".sql")}
    return dict(sorted(found.items()))


def migrate(tables: sqlite_utils.Database, steps: dict[str, str]) -> None:
    """Bring a database up to the last of `steps`; several processes may do so at once.

    Raises StoreUnavailable when the database has a step that is not among them: a newer version wrote it.
    """
    connection = tables.conn
    connection.execute("CREATE TABLE IF NOT EXISTS _migrations (name TEXT PRIMARY KEY, applied_at REAL NOT NULL)")
    applied = _applied(connection)
    if strange := sorted(applied - steps.keys()):
        raise StoreUnavailable(
            f"the database has migration {strange[-1]}, unknown to this version; use the version that wrote it"
        )
    for name, script in steps.items():
        if name not in applied:
            _apply(connection, name, script)


def _apply(connection: sqlite3.Connection, name: str, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if name not in _applied(connection):
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute("INSERT INTO _migrations VALUES (?, ?)", (name, time.time()))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _applied(connection: sqlite3.Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT name FROM _migrations")}


def _statements(script: str) -> Iterator[str]:
    """One statement after the other; `executescript` would commit the transaction that they belong to."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
    if pending.strip():
        yield pending
