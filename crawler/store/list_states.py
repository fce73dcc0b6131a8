"""How the lists differ from an index file that was built from earlier versions of them, and what was sent of that.

What counts is the served version of a list: entries of versions that no second person has enabled yet are not sent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence

from crawler.match.contents import IndexRow
from crawler.store.database import Database
from crawler.store.lists import HashList


def masked(db: Database, file: Mapping[int, int], lists: Sequence[HashList]) -> Iterator[tuple[int, int]]:
    """Ranges of entry numbers (first, last) that an index file has and that count no longer, in no order.

    file: list id -> version, of the lists in the file.  lists: those that count now.  What was upheld in quarantine is
    masked too.
    """
    for (entry,) in db.stream(
        "SELECT entry_id FROM entry_quarantines JOIN hash_entries ON hash_entries.id = entry_id "
        "WHERE state = 'upheld' AND hash_entries.list_id IN (SELECT value FROM json_each(?))",
        json.dumps(list(file)),
    ):
        yield entry, entry
    counting = {row.id: row.served or 0 for row in lists}
    for list_id, version in file.items():
        for row in db.rows(
            "SELECT version, first_entry, last_entry, gone FROM list_versions "
            "WHERE list_id = ? AND version <= ? AND first_entry IS NOT NULL",
            list_id,
            version,
        ):
            if row["gone"] or list_id not in counting:
                yield row["first_entry"], row["last_entry"]
        if list_id in counting:
            for (entry,) in db.stream(
                "SELECT id FROM hash_entries WHERE list_id = ?1 AND withdrawn_version > ?2 AND withdrawn_version <= ?3 "
                "AND first_version <= ?2",
                list_id,
                version,
                counting[list_id],
            ):
                yield entry, entry


def added_count(db: Database, row: HashList, after: int) -> int:
    """How many entries came to a list after a version of it, at the most: some may be withdrawn again."""
    sql = (
        "SELECT coalesce(sum(added), 0) FROM list_versions "
        "WHERE list_id = ? AND version > ? AND version <= ? AND NOT gone"
    )
    return int(db.value(sql, row.id, after, row.served or 0))


def added(db: Database, row: HashList, after: int) -> Iterator[IndexRow]:
    """The served entries that came to a list after a version of it; 0: all of them."""
    for version in db.rows(
        "SELECT first_entry, last_entry FROM list_versions "
        "WHERE list_id = ? AND version > ? AND version <= ? AND first_entry IS NOT NULL AND NOT gone ORDER BY version",
        row.id,
        after,
        row.served or 0,
    ):
        for entry, algorithm, value in db.stream(
            "SELECT id, algorithm, value FROM served_entries WHERE id BETWEEN ? AND ?",
            version["first_entry"],
            version["last_entry"],
        ):
            yield IndexRow(entry, algorithm, value, row.kind == "benign")


def returned(
    db: Database, without: Collection[int], file: Mapping[int, int], lists: Sequence[HashList]
) -> Iterator[IndexRow]:
    """The served entries that a file was built without, because they were upheld in quarantine, and that count again.

    without: these entries.  file: as in `masked`.  lists: those that count now.
    """
    if not without:
        return
    for row in lists:
        for entry, algorithm, value in db.stream(
            "SELECT id, algorithm, value FROM served_entries "
            "WHERE id IN (SELECT value FROM json_each(?)) AND list_id = ? AND first_version <= ?",
            json.dumps(list(without)),
            row.id,
            file.get(row.id, 0),
        ):
            yield IndexRow(entry, algorithm, value, row.kind == "benign")


def note_state(db: Database, index: str, versions: Mapping[int, int]) -> int:
    """Remember what is about to be sent; part of the caller's transaction. Returns its number, the highest so far.

    index: sha256 (hex) of the file.  versions: list id -> version, of every list that the state knows about.
    """
    before = int(db.value("SELECT coalesce(max(number), 0) FROM list_states"))
    # Seconds, so that numbers still grow after the database was put back to an earlier day: workers take no older one.
    number = max(before + 1, int(db.clock()))
    db.insert("list_states", {"number": number, "index_sha256": index, "made_at": db.clock()})
    for list_id, version in versions.items():
        db.insert("list_state_versions", {"number": number, "list_id": list_id, "version": version})
    return number
