"""Entries on their way into a list, and out of one that was dropped: written in slices, seen by nobody meanwhile.

An arriving version has the number after the list's latest one. Entries that come have it as their first version,
entries that go as the one that withdrew them, so that whoever reads the latest or the served version reads what stood
before (`latest_entries` and `served_entries` of the schema). `lists.add_version` makes it the latest, in one short
transaction. What it says otherwise of entries that stay is kept apart until the version is served, for which a second
person may be needed; then it is copied.

Of all processes of a home one imports at a time, held to that by a lock of the kernel. So whoever has the lock knows
that what is under way otherwise was left by somebody who was killed or found no room, and takes it back.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TextIO

from crawler.errors import HashListInvalid, Refused, StoreUnavailable
from crawler.match.entries import ListKind
from crawler.store.database import Database
from crawler.store.slices import in_key_slices, in_slices
from crawler.store.staging import Difference, Staging

_AT_ONCE = 2_000
"""Changes of entries that stay which the transaction that brings a version into service copies itself."""

DROPPED = "the list was dropped while this was imported; nothing was imported; import it again"

# The changes of versions in service, and those that no version will want any more: what waited when another version
# came, and what is left of lists that were dropped.
_DUE = """
    SELECT list_id, entry_changes.version, served_version IS entry_changes.version AS counts
    FROM hash_lists CROSS JOIN entry_changes ON list_id = hash_lists.id AND entry_changes.version <=
        hash_lists.version - (dropped_at IS NULL AND served_version IS NOT hash_lists.version)
    ORDER BY list_id, entry_changes.version LIMIT 1
"""
_FIRST_OF = "FROM entry_changes WHERE list_id = ?1 AND version = ?2 ORDER BY entry_id LIMIT ?3"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version that arrives.  found: the list's version before and when it was dropped, if so, as they were found."""

    list_id: int
    version: int
    found: tuple[int, float | None]
    after_entry: int
    difference: Difference


@contextmanager
def importing(db: Database) -> Iterator[None]:
    """While nobody else imports into this home, which is waited for; what was left half-done is taken back first."""
    with _lock(db) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _tidy(db)
        yield


def sweep(db: Database) -> None:
    """Take back what an import left half-done, and end what others left to do; nothing while somebody imports."""
    with _lock(db) as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _tidy(db)


def difference(db: Database, staged: Staging, name: str, kind: ListKind, *, replaces: bool) -> Difference:
    """What `staged` will change of the list `name`; after `Staging.attach`, inside of `importing`.

    Raises HashListInvalid when the name stands with the other kind.
    """
    found = db.row("SELECT id, kind, version, dropped_at FROM hash_lists WHERE name = ?", name)
    if found and found["dropped_at"] is None and found["kind"] != kind:
        raise HashListInvalid(f"list {name!r} is a {found['kind']} list; give --kind {found['kind']} or another name")
    if found is None:
        return staged.compare(None, replaces=replaces)
    return replace(staged.compare(found["id"], replaces=replaces), found=(found["version"], found["dropped_at"]))


@contextmanager
def arriving(db: Database, name: str, kind: ListKind, near: str, change: Difference) -> Iterator[Arrival]:
    """Bring what was compared to the list, seen by nobody; in the block, `lists.add_version` makes it a version.

    When the block fails, everything is taken back. Inside of `importing`.
    Raises Refused when the list is not as it was when it was compared.
    """
    arrival = _begin(db, name, kind, near, change)
    try:
        in_key_slices(db, "staging.gone", "entry", partial(_withdraw, db, arrival))
        in_key_slices(db, "staging.changed", "entry", partial(_change, db, arrival))
        in_key_slices(db, "staging.fresh", "number", partial(_add, db, arrival))
        yield arrival
    except BaseException:
        # Without room, not even for this, it waits for the next import or start.
        with suppress(StoreUnavailable):
            _tidy(db)
        raise
    copy_rest(db)


def end(db: Database, arrival: Arrival) -> None:
    """The version is there; part of the transaction that made it so."""
    db.execute("DELETE FROM list_moves WHERE list_id = ? AND move = 'arriving'", arrival.list_id)
    copy_first(db)


def copy_first(db: Database) -> None:
    """As `copy_changes` as far as that is short; part of the transaction that brings a version into service."""
    _copy_changes(db, _AT_ONCE)


def copy_rest(db: Database) -> None:
    """As `copy_changes`, after that transaction: without room it waits for the next import or start, for what was asked
    is done and must not be called a failure."""
    with suppress(StoreUnavailable):
        copy_changes(db)


def copy_changes(db: Database) -> None:
    """Bring what the versions in service say otherwise to entries that stay. Harmless where others do so too."""
    in_slices(db, partial(_copy_changes, db))


def _copy_changes(db: Database, most: int) -> bool:
    due = db.row(_DUE)
    if due is None:
        return False
    first = due["list_id"], due["version"], most
    if due["counts"]:
        db.execute(
            "UPDATE hash_entries SET category = new.category, size = new.size, external_id = new.external_id "
            f"FROM (SELECT * {_FIRST_OF}) AS new WHERE id = new.entry_id",
            *first,
        )
    _forget(db, *first)
    return db.row(_DUE) is not None


def _forget(db: Database, list_id: int, version: int, most: int) -> int:
    sql = f"DELETE FROM entry_changes WHERE list_id = ?1 AND version = ?2 AND entry_id IN (SELECT entry_id {_FIRST_OF})"
    return db.execute(sql, list_id, version, most)


def leave(db: Database, list_id: int) -> None:
    """Delete the entries of a list that was dropped. Harmless where another process does so too."""
    version = db.value("SELECT version FROM list_moves WHERE list_id = ? AND move = 'leaving'", list_id)
    for row in db.rows(
        "SELECT first_entry, last_entry FROM list_versions "
        "WHERE list_id = ? AND version <= ? AND first_entry IS NOT NULL",
        list_id,
        version,
    ):
        delete = partial(_delete, db, list_id)
        in_key_slices(db, "hash_entries", "id", delete, after=row["first_entry"] - 1, last=row["last_entry"])
    with db.write():
        sql = "DELETE FROM list_moves WHERE list_id = ? AND move = 'leaving' AND version IS ?"
        db.execute(sql, list_id, version)
    copy_changes(db)


def _lock(db: Database) -> TextIO:
    try:
        return open(db.home.root / "imports.lock", "w", opener=partial(os.open, mode=0o600))
    except OSError as error:
        raise StoreUnavailable(f"lock of imports: {error.strerror}; mend the home directory") from error


def _begin(db: Database, name: str, kind: ListKind, near: str, change: Difference) -> Arrival:
    with db.write():
        row = db.row("SELECT id, version, dropped_at FROM hash_lists WHERE name = ?", name)
        if change.found != (row and (row["version"], row["dropped_at"])):
            raise Refused(DROPPED)
        if row is None:
            # Until its first version is there, it is like one that was dropped.
            now = db.clock()
            fresh = {"name": name, "kind": kind, "near": near, "version": 0, "enabled": 0, "created_at": now}
            row = {"id": db.insert("hash_lists", fresh | {"dropped_at": now}), "version": 0, "dropped_at": now}
        # Not the highest that is there: numbers of lists that were dropped are not given again.
        highest = int(db.value("SELECT seq FROM sqlite_sequence WHERE name = 'hash_entries'") or 0)
        made = Arrival(row["id"], row["version"] + 1, (row["version"], row["dropped_at"]), highest, change)
        moves = {"list_id": made.list_id, "move": "arriving", "version": made.version, "after_entry": highest}
        db.insert("list_moves", moves)
        return made


def _tidy(db: Database) -> None:
    for row in db.rows("SELECT * FROM list_moves ORDER BY move"):
        if row["move"] == "arriving":
            _take_back(db, row["list_id"], row["version"], row["after_entry"])
        else:
            leave(db, row["list_id"])
    copy_changes(db)


def _take_back(db: Database, list_id: int, version: int, after_entry: int) -> None:
    """What came goes first, so that the values of what went are free again."""
    in_key_slices(db, "hash_entries", "id", partial(_delete, db, list_id), after=after_entry)
    back = (
        "UPDATE hash_entries SET withdrawn_version = NULL WHERE id IN ("
        "SELECT id FROM hash_entries WHERE list_id = ? AND withdrawn_version = ? LIMIT ?)"
    )
    in_slices(db, lambda size: db.execute(back, list_id, version, size) == size)
    in_slices(db, lambda size: _forget(db, list_id, version, size) == size)
    with db.write():
        db.execute("DELETE FROM list_moves WHERE list_id = ? AND move = 'arriving'", list_id)
        db.execute("DELETE FROM hash_lists WHERE id = ? AND version = 0", list_id)
        # Nobody was told these numbers, and index files have room for 2**31 of them.
        db.execute(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = 'hash_entries' AND seq > ?", after_entry, after_entry
        )


def _withdraw(db: Database, arrival: Arrival, low: int, high: int) -> None:
    db.execute(
        "UPDATE hash_entries SET withdrawn_version = ? "
        "WHERE id IN (SELECT entry FROM staging.gone WHERE entry > ? AND entry <= ?)",
        arrival.version,
        low,
        high,
    )


def _change(db: Database, arrival: Arrival, low: int, high: int) -> None:
    db.execute(
        "INSERT INTO entry_changes SELECT ?, ?, * FROM staging.changed WHERE entry > ? AND entry <= ?",
        arrival.list_id,
        arrival.version,
        low,
        high,
    )


def _add(db: Database, arrival: Arrival, low: int, high: int) -> None:
    db.execute(
        "INSERT INTO hash_entries (list_id, first_version, algorithm, value, category, size, external_id) "
        "SELECT ?, ?, algorithm, value, category, size, external_id FROM staging.fresh "
        "WHERE number > ? AND number <= ? ORDER BY number",
        arrival.list_id,
        arrival.version,
        low,
        high,
    )


def _delete(db: Database, list_id: int, low: int, high: int) -> None:
    db.execute("DELETE FROM hash_entries WHERE id > ? AND id <= ? AND list_id = ?", low, high, list_id)
