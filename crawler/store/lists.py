"""Hash lists, their versions and their entries.

An entry is one value of one list. It lives from `first_version` until `withdrawn_version`; its number is never given
again. Values are sensitive: nothing here prints one. Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from crawler.errors import Refused
from crawler.match.entries import ListKind
from crawler.store import arrivals
from crawler.store.actors import Actor, register
from crawler.store.arrivals import Arrival
from crawler.store.database import Database, Row

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


def all_lists(db: Database) -> list[HashList]:
    """Every list that is not dropped, by name."""
    return [_list(row) for row in db.rows(_LISTS, None)]


def find(db: Database, name: str) -> HashList | None:
    """The list of this name, or None when there is none or it was dropped."""
    found = db.row(_LISTS, name)
    return None if found is None else _list(found)


def add_version(
    db: Database,
    arrival: Arrival,
    actor: Actor,
    *,
    kind: ListKind,
    format_name: str,
    skipped: Mapping[str, int],
    governed: bool = False,
    categories: Collection[str] | None = None,
) -> ListVersion:
    """Make what has arrived the next version of its list, which is enabled when it is new.

    governed: the version waits for a second person to enable it; meanwhile the one before goes on being served.
    categories: those that count, None for all.
    Raises Refused when the list is not as it was when this began to arrive.
    """
    list_id, version, change = arrival.list_id, arrival.version, arrival.difference
    now = db.row("SELECT version, dropped_at FROM hash_lists WHERE id = ?", list_id)
    if now is None or (now["version"], now["dropped_at"]) != arrival.found:
        raise Refused(arrivals.DROPPED)
    # A name that was dropped comes back enabled, as a new list would be; its versions go on counting.
    sql = (
        "UPDATE hash_lists SET version = version + 1, kind = ?, governed = 1, dropped_at = NULL WHERE id = ?"
        if governed
        else "UPDATE hash_lists SET version = version + 1, served_version = version + 1, kind = ?, "
        "enabled = enabled OR dropped_at IS NOT NULL, dropped_at = NULL WHERE id = ?"
    )
    db.execute(sql, kind, list_id)
    row = {
        "list_id": list_id,
        "version": version,
        # Numbers of one import are consecutive: nobody else gives any meanwhile.
        "first_entry": arrival.after_entry + 1 if change.added else None,
        "last_entry": arrival.after_entry + change.added if change.added else None,
        "imported_at": db.clock(),
        "actor": actor.name,
        "format": format_name,
        "entries": sum(change.by_algorithm.values()),
        "added": change.added,
        "withdrawn": change.withdrawn,
        "duplicates": change.duplicates,
        "skipped": json.dumps(dict(skipped)),
        "by_algorithm": json.dumps(change.by_algorithm),
        "categories": None if categories is None else json.dumps(sorted(categories)),
        "by_category": json.dumps(change.by_category),
    }
    register(db, actor)
    db.insert("list_versions", row)
    arrivals.end(db, arrival)
    (stored,) = (_list(each) for each in db.rows(_LISTS, db.value("SELECT name FROM hash_lists WHERE id = ?", list_id)))
    return ListVersion(stored, change.added, change.withdrawn, change.duplicates, dict(skipped))


def set_enabled(db: Database, list_id: int, enabled: bool) -> bool:
    """Returns whether that changed anything."""
    return bool(db.execute("UPDATE hash_lists SET enabled = ?1 WHERE id = ?2 AND enabled <> ?1", int(enabled), list_id))


def drop(db: Database, list_id: int) -> int:
    """Take a list out of everything and forget its name; its hits keep what they say. Returns how many entries it had,
    withdrawn ones too, which `arrivals.leave` deletes then.
    """
    entries = int(db.value("SELECT coalesce(sum(added), 0) FROM list_versions WHERE list_id = ? AND NOT gone", list_id))
    move = "INSERT OR REPLACE INTO list_moves SELECT id, 'leaving', version, 0 FROM hash_lists WHERE id = ?"
    db.execute(move, list_id)
    sql = "UPDATE hash_lists SET dropped_at = ?, enabled = 0, served_version = NULL WHERE id = ?"
    db.execute(sql, db.clock(), list_id)
    db.execute("UPDATE list_versions SET gone = 1 WHERE list_id = ?", list_id)
    return entries


def dropped(db: Database, rows: Sequence[HashList]) -> list[str]:
    """The names of those of these lists whose entries were deleted since, also where the name has come back."""
    sql = "SELECT 1 FROM list_versions WHERE list_id = ? AND version = ? AND gone"
    return [row.name for row in rows if db.value(sql, row.id, row.version)]


def served_algorithms(db: Database, row: HashList) -> dict[str, int]:
    """Algorithm -> entries, of the version of a list that is served; empty while none is."""
    sql = "SELECT by_algorithm FROM list_versions WHERE list_id = ? AND version IS ?"
    found: dict[str, int] = json.loads(db.value(sql, row.id, row.served) or "{}")
    return found


def _list(row: Row) -> HashList:
    flags = {name: bool(row[name]) for name in ("enabled", "governed")}
    named = {name: json.loads(row[name] or "null") for name in ("by_algorithm", "by_category", "categories")}
    return HashList(**{**row, **flags, **named})
