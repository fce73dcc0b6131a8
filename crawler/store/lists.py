"""Hash lists, their versions and their entries.

An entry is one value of one list. It lives from `first_version` until `withdrawn_version`; its number is never given
again. Values are sensitive: nothing here prints one. Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crawler.errors import HashListInvalid
from crawler.match.entries import ListKind
from crawler.store.actors import Actor, register
from crawler.store.database import Database, Row
from crawler.store.staging import Staging

Near = Literal["confirm", "assess"]


@dataclass(frozen=True, slots=True)
class HashList:
    """A list as it stands.

    near: what an analyst may do with hits of it that rest on no exact digest: "confirm" them, or only with an
    assessment made elsewhere ("assess").  version: the latest, counted from 1.  imported_at: seconds since the epoch.
    entries: live ones.  by_algorithm, by_category: live ones of each; "" stands for no category, and of very many
    categories the rarest are left out.  categories: those that the import let count, None for all.
    served: the version that is matched against; None until a second person has enabled one.
    governed: it came with a manifest, so that two persons bring a version into service.
    """

    id: int
    name: str
    kind: ListKind
    enabled: bool
    near: Near
    version: int
    imported_at: float
    format: str
    entries: int
    by_algorithm: dict[str, int]
    by_category: dict[str, int]
    categories: list[str] | None
    served: int | None
    governed: bool


@dataclass(frozen=True, slots=True)
class ListVersion:
    """What one import did.

    entries: live ones afterwards.  added, withdrawn: against the version before.  duplicates: entries of the file that
    repeated a value.  skipped: reason -> lines left out.
    """

    list: HashList
    added: int
    withdrawn: int
    duplicates: int
    skipped: dict[str, int]


_LISTS = """
    SELECT hash_lists.id, name, kind, enabled, near, hash_lists.version, imported_at, format, entries,
        by_algorithm, by_category, categories, served_version AS served, governed
    FROM hash_lists JOIN list_versions ON list_id = hash_lists.id AND list_versions.version = hash_lists.version
    WHERE dropped_at IS NULL AND (?1 IS NULL OR name = ?1) ORDER BY name
"""
_BY_ALGORITHM = """
    SELECT algorithm AS name, count(*) AS entries FROM hash_entries WHERE list_id = ? AND withdrawn_version IS NULL
    GROUP BY algorithm ORDER BY algorithm
"""
_CATEGORIES = "SELECT category FROM hash_entries NOT INDEXED WHERE list_id = ? AND withdrawn_version IS NULL"
_MOST_CATEGORIES = 10_000
_SHOWN_CATEGORIES = 50


def all_lists(db: Database) -> list[HashList]:
    """Every list that is not dropped, by name."""
    return [_list(row) for row in db.rows(_LISTS, None)]


def find(db: Database, name: str) -> HashList | None:
    """The list of this name, or None when there is none or it was dropped."""
    found = db.row(_LISTS, name)
    return None if found is None else _list(found)


def add_version(
    db: Database,
    staged: Staging,
    actor: Actor,
    *,
    name: str,
    kind: ListKind,
    near: Near,
    format_name: str,
    replaces: bool,
    skipped: Mapping[str, int],
    governed: bool = False,
    categories: Collection[str] | None = None,
) -> ListVersion:
    """Make what `staged` holds the next version of the list `name`, which is made and enabled when it is new.

    governed: the version waits for a second person to enable it; meanwhile the one before goes on being served.
    near: taken for a new list only.  replaces: entries of the version before that are not among the staged ones are
    withdrawn; else only what the tombstones name.
    categories: those that count, None for all.
    Raises HashListInvalid when the name stands with the other kind.
    """
    list_id, version = _next_version(db, name, kind, near, governed)
    highest = int(db.value("SELECT coalesce(max(id), 0) FROM hash_entries"))
    staged.merge(list_id, version)
    if replaces:
        db.execute(
            "UPDATE hash_entries SET withdrawn_version = ?2 "
            "WHERE list_id = ?1 AND withdrawn_version IS NULL AND last_version < ?2",
            list_id,
            version,
        )
    taken = "SELECT count(*) FROM hash_entries WHERE list_id = ? AND last_version = ? AND withdrawn_version IS NULL"
    gone = "SELECT count(*) FROM hash_entries WHERE list_id = ? AND withdrawn_version = ?"
    added = int(db.value("SELECT count(*) FROM hash_entries WHERE list_id = ? AND id > ?", list_id, highest))
    withdrawn = int(db.value(gone, list_id, version))
    by_algorithm = {each["name"]: each["entries"] for each in db.rows(_BY_ALGORITHM, list_id)}
    duplicates = staged.taken - int(db.value(taken, list_id, version))
    first, last = _added_range(db, highest, added)
    row = {
        "list_id": list_id,
        "version": version,
        "first_entry": first,
        "last_entry": last,
        "imported_at": db.clock(),
        "actor": actor.name,
        "format": format_name,
        "entries": sum(by_algorithm.values()),
        "added": added,
        "withdrawn": withdrawn,
        "duplicates": duplicates,
        "skipped": json.dumps(dict(skipped)),
        "by_algorithm": json.dumps(by_algorithm),
        "categories": None if categories is None else json.dumps(sorted(categories)),
        "by_category": json.dumps(_by_category(db, list_id)),
    }
    register(db, actor)
    db.insert("list_versions", row)
    stored = find(db, name)
    assert stored is not None, "the version was inserted in this transaction"
    return ListVersion(stored, added, withdrawn, duplicates, dict(skipped))


def set_enabled(db: Database, list_id: int, enabled: bool) -> bool:
    """Returns whether that changed anything."""
    return bool(db.execute("UPDATE hash_lists SET enabled = ?1 WHERE id = ?2 AND enabled <> ?1", int(enabled), list_id))


def drop(db: Database, list_id: int) -> int:
    """Delete every entry of a list and forget its name. Returns how many there were; its hits keep what they say."""
    deleted = db.execute("DELETE FROM hash_entries WHERE list_id = ?", list_id)
    sql = "UPDATE hash_lists SET dropped_at = ?, enabled = 0, served_version = NULL WHERE id = ?"
    db.execute(sql, db.clock(), list_id)
    db.execute("UPDATE list_versions SET gone = 1 WHERE list_id = ?", list_id)
    return deleted


def dropped(db: Database, rows: Sequence[HashList]) -> list[str]:
    """The names of those of these lists whose entries were deleted since, also where the name has come back."""
    sql = "SELECT 1 FROM list_versions WHERE list_id = ? AND version = ? AND gone"
    return [row.name for row in rows if db.value(sql, row.id, row.version)]


def served_algorithms(db: Database, row: HashList) -> dict[str, int]:
    """Algorithm -> entries, of the version of a list that is served; empty while none is."""
    sql = "SELECT by_algorithm FROM list_versions WHERE list_id = ? AND version IS ?"
    found: dict[str, int] = json.loads(db.value(sql, row.id, row.served) or "{}")
    return found


def _next_version(db: Database, name: str, kind: ListKind, near: Near, governed: bool) -> tuple[int, int]:
    found = db.row("SELECT id, kind, version, dropped_at FROM hash_lists WHERE name = ?", name)
    if found is None:
        row = {"name": name, "kind": kind, "near": near, "version": 1, "created_at": db.clock()}
        waits = {"enabled": 0, "governed": 1} if governed else {"enabled": 1, "served_version": 1}
        return db.insert("hash_lists", row | waits), 1
    if found["dropped_at"] is None and found["kind"] != kind:
        raise HashListInvalid(f"list {name!r} is a {found['kind']} list; give --kind {found['kind']} or another name")
    # A name that was dropped comes back enabled, as a new list would be; its versions go on counting.
    sql = (
        "UPDATE hash_lists SET version = version + 1, kind = ?, governed = 1, dropped_at = NULL WHERE id = ?"
        if governed
        else "UPDATE hash_lists SET version = version + 1, served_version = version + 1, kind = ?, "
        "enabled = enabled OR dropped_at IS NOT NULL, dropped_at = NULL WHERE id = ?"
    )
    db.execute(sql, kind, found["id"])
    return found["id"], found["version"] + 1


def _by_category(db: Database, list_id: int) -> dict[str, int]:
    """The commonest categories. Counted here, because SQLite would sort all entries, in memory."""
    counts = Counter[str]()
    for (category,) in db.stream(_CATEGORIES, list_id):
        if (category or "") in counts or len(counts) < _MOST_CATEGORIES:
            counts[category or ""] += 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN_CATEGORIES])


def _added_range(db: Database, before: int, added: int) -> tuple[int | None, int | None]:
    """The numbers of the entries that came since `before` was the highest; numbers of one import are consecutive."""
    if not added:
        return None, None
    row = db.row("SELECT min(id) AS first, max(id) AS last FROM hash_entries WHERE id > ?", before)
    assert row is not None, "an aggregate query has one row"
    return row["first"], row["last"]


def _list(row: Row) -> HashList:
    flags = {name: bool(row[name]) for name in ("enabled", "governed")}
    named = {name: json.loads(row[name] or "null") for name in ("by_algorithm", "by_category", "categories")}
    return HashList(**{**row, **flags, **named})
