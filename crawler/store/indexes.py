"""Which index file was built from which versions of which lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from crawler.match.contents import IndexInfo
from crawler.store.database import Database, Row
from crawler.store.lists import HashList

_DIGITS = 18
_NEVER = float("inf")
_WITHOUT = "without "


def index_key(lists: Sequence[HashList], plugged: Iterable[str] = (), upheld: Iterable[int] = ()) -> str:
    """The key under which an index of these lists, as they are served, is remembered.

    plugged: names of plug-ins, whose codes are in it.  upheld: entries that are left out of it.
    """
    held = sha256(json.dumps(sorted((row.id, row.served or 0, row.kind) for row in lists)).encode()).hexdigest()
    return "+".join((held, *plugged, *(f"{_WITHOUT}{entry}" for entry in upheld)))


def built(db: Database, key: str) -> IndexInfo | None:
    """The index file that was built for this key, or None. Whether the file is still there is for the caller to see."""
    row = db.row("SELECT sha256, rows_by_algorithm, unsearchable FROM index_files WHERE key = ?", key)
    if row is None:
        return None
    counts, left_out = json.loads(row["rows_by_algorithm"]), json.loads(row["unsearchable"])
    return IndexInfo(_path(db, row["sha256"]), row["sha256"], counts, left_out)


def note(db: Database, key: str, index: IndexInfo, lists: Sequence[HashList]) -> None:
    """Remember a file; part of the caller's transaction."""
    counts, left_out = json.dumps(index.rows_by_algorithm), json.dumps(index.unsearchable)
    row = (key, index.sha256, counts, left_out, db.clock())
    db.execute("INSERT OR REPLACE INTO index_files VALUES (?, ?, ?, ?, ?)", *row)
    for each in lists:
        db.execute("INSERT OR REPLACE INTO index_lists VALUES (?, ?, ?)", index.sha256, each.id, each.served or 0)


def is_noted(db: Database, digest: str) -> bool:
    """Whether a file is remembered under a key. digest: its sha256."""
    return db.value("SELECT 1 FROM index_files WHERE sha256 = ?", digest) is not None


def forget_list(db: Database, list_id: int) -> list[Path]:
    """Remember no file that holds this list any more; part of the caller's transaction. Returns these files."""
    rows = db.rows("SELECT DISTINCT sha256 FROM index_lists WHERE list_id = ?", list_id)
    db.execute("DELETE FROM index_files WHERE sha256 IN (SELECT sha256 FROM index_lists WHERE list_id = ?)", list_id)
    return [_path(db, row["sha256"]) for row in rows]


def versions(db: Database, name: str) -> Mapping[int, int]:
    """List id -> version, of the lists that a hit was matched against; empty when nothing of that is ours.

    name: sha256 (hex) of the index file, or `FILE+NUMBER` with a state of the lists.
    """
    digest, _, number = name.partition("+")
    held = db.rows("SELECT list_id, version FROM index_lists WHERE sha256 = ?", digest)
    if number.isdecimal() and len(number) < _DIGITS and _sent(db, int(number)):
        # A state is whole: a list of the file that it leaves out was masked.
        held = db.rows("SELECT list_id, version FROM list_state_versions WHERE number = ?", int(number))
    return {row["list_id"]: row["version"] for row in held}


def counted(db: Database, name: str, hit_id: str) -> bool:
    """Whether what was matched against had an entry by which a hit's image would have been found: one that raised the
    hit, and that was neither withdrawn nor upheld in quarantine, of a list that counted.

    name: as in `versions`. What it says of an index that is not ours is yes.
    """
    searched = versions(db, name)
    if not searched and not _ours(db, name):
        return True
    found = db.rows(
        "SELECT hash_entries.list_id, first_version, withdrawn_version FROM matches "
        "JOIN hash_entries ON hash_entries.id = entry_id "
        "WHERE hit_id = ? AND benign = 0 AND matches.algorithm <> 'phash' "
        "AND entry_id NOT IN (SELECT entry_id FROM entry_quarantines WHERE state = 'upheld')",
        hit_id,
    )
    return any(
        row["first_version"] <= searched.get(row["list_id"], 0)
        and searched[row["list_id"]] < (row["withdrawn_version"] or _NEVER)
        for row in (*found, *_imported_again(db, hit_id))
    )


def _imported_again(db: Database, hit_id: str) -> list[Row]:
    """Entries by which a hit's image is found since its list was dropped and imported again, under new numbers: those
    that are a digest of it. Of the nearest codes nothing is kept that would tell; a next sighting brings them."""
    lost = db.rows(
        "SELECT DISTINCT list_id, matches.algorithm, images.id, sha256, md5 FROM matches "
        "JOIN hits ON hits.id = hit_id JOIN images ON images.id = image_id WHERE hit_id = ? AND benign = 0 "
        "AND matches.algorithm IN ('sha256', 'md5') AND entry_id NOT IN (SELECT id FROM hash_entries)",
        hit_id,
    )
    return [
        entry
        for row in lost
        for entry in db.rows(
            "SELECT list_id, first_version, withdrawn_version FROM latest_entries "
            "WHERE list_id = ? AND algorithm = ? AND value = ? "
            "AND id NOT IN (SELECT entry_id FROM entry_quarantines WHERE state = 'upheld')",
            row["list_id"],
            row["algorithm"],
            bytes.fromhex(db.sealer.open("images", row["algorithm"], row["id"], row[row["algorithm"]])),
        )
    ]


def _ours(db: Database, name: str) -> bool:
    return db.value("SELECT 1 FROM index_lists WHERE sha256 = ?", name.partition("+")[0]) is not None


def _sent(db: Database, number: int) -> bool:
    return db.value("SELECT 1 FROM list_states WHERE number = ?", number) is not None


def without(db: Database, digest: str) -> set[int]:
    """The entries that an index file was built without because they were upheld in quarantine. digest: its sha256."""
    keys = [row["key"] for row in db.rows("SELECT key FROM index_files WHERE sha256 = ?", digest)]
    return {int(part.removeprefix(_WITHOUT)) for key in keys for part in key.split("+") if part.startswith(_WITHOUT)}


def _path(db: Database, digest: str) -> Path:
    return db.home.index / f"{digest}.vgx"
