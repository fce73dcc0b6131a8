"""The entries of hash lists, read: for index files, for matches, for look-ups.

Values are sensitive: nothing here prints one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crawler.match.contents import IndexRow
from crawler.store.database import Database, Row
from crawler.store.lists import HashList, Near


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One entry, without its value.  label: the owner's external id, else the entry's number."""

    id: int
    list_id: int
    list_name: str
    label: str
    category: str | None
    size: int | None
    near: Near
    benign: bool


def index_rows(db: Database, lists: Sequence[HashList]) -> Iterator[IndexRow]:
    """The entries of the served versions of `lists`, for an index builder, by number."""
    benign_lists = {row.id for row in lists if row.kind == "benign"}
    for entry, algorithm, value, list_id in db.stream(
        "SELECT id, algorithm, value, list_id FROM served_entries "
        "WHERE list_id IN (SELECT value FROM json_each(?)) ORDER BY id",
        json.dumps([row.id for row in lists]),
    ):
        yield IndexRow(entry, algorithm, value, list_id in benign_lists)


def rows_of_versions(db: Database, lists: Sequence[HashList]) -> Iterator[IndexRow]:
    """As `index_rows`, as if each list served the version that its row says: for files that are told to nobody."""
    benign_lists = {row.id for row in lists if row.kind == "benign"}
    for entry, algorithm, value, list_id in db.stream(
        "WITH chosen AS MATERIALIZED (SELECT json_extract(value, '$[0]') AS chosen_id, "
        "json_extract(value, '$[1]') AS version FROM json_each(?)) "
        "SELECT id, algorithm, value, list_id FROM hash_entries CROSS JOIN chosen ON chosen_id = list_id "
        "WHERE first_version <= version AND (withdrawn_version IS NULL OR withdrawn_version > version) "
        "AND id NOT IN (SELECT entry_id FROM entry_quarantines WHERE state = 'upheld') ORDER BY id",
        json.dumps([(row.id, row.served) for row in lists]),
    ):
        yield IndexRow(entry, algorithm, value, list_id in benign_lists)


def latest_rows(db: Database, row: HashList) -> Iterator[IndexRow]:
    """The entries of a list's latest version, whether it is served or not."""
    sql = (
        "SELECT id, algorithm, value FROM hash_entries WHERE list_id = ?1 AND first_version <= ?2 "
        "AND (withdrawn_version IS NULL OR withdrawn_version > ?2) ORDER BY id"
    )
    for entry, algorithm, value in db.stream(sql, row.id, row.version):
        yield IndexRow(entry, algorithm, value, row.kind == "benign")


def entry_facts(db: Database, entries: Sequence[int]) -> dict[int, EntryFacts]:
    """Number -> facts, for those of `entries` that still exist (withdrawn ones do, those of dropped lists do not)."""
    found = db.rows(
        "SELECT hash_entries.id, list_id, name AS list_name, external_id, category, size, near, kind FROM hash_entries "
        "JOIN hash_lists ON hash_lists.id = list_id "
        "WHERE hash_entries.id IN (SELECT value FROM json_each(?)) AND dropped_at IS NULL "
        "AND first_version <= version",
        json.dumps(list(entries)),
    )
    return {row["id"]: _facts(row) for row in found}


def entries_with(db: Database, list_id: int, algorithm: str, value: bytes) -> list[EntryFacts]:
    """The live entries of one list with exactly this value."""
    found = db.rows(
        "SELECT latest.id, list_id, name AS list_name, external_id, category, size, near, kind "
        "FROM latest_entries AS latest JOIN hash_lists ON hash_lists.id = list_id "
        "WHERE list_id = ? AND algorithm = ? AND value = ?",
        list_id,
        algorithm,
        value,
    )
    return [_facts(row) for row in found]


def codes(db: Database, algorithm: str) -> Iterator[tuple[int, str, str | None, bytes]]:
    """The live entries of an algorithm, of all lists: (list id, label, category, value)."""
    yield from db.stream(
        "SELECT list_id, coalesce(external_id, CAST(id AS TEXT)), category, value FROM latest_entries "
        "WHERE algorithm = ?",
        algorithm,
    )


def _facts(row: Row) -> EntryFacts:
    label = row["external_id"] if row["external_id"] is not None else str(row["id"])
    return EntryFacts(
        id=row["id"],
        list_id=row["list_id"],
        list_name=row["list_name"],
        label=label,
        category=row["category"],
        size=row["size"],
        near=row["near"],
        benign=row["kind"] == "benign",
    )
