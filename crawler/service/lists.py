"""Hash lists as they stand: show, enable and disable them, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from crawler.errors import InvalidInput, Refused
from crawler.fingerprint import hashers
from crawler.match.entries import DIGEST_BYTES
from crawler.service import manifests
from crawler.service.actors import require
from crawler.store import audit, lists
from crawler.store import manifests as kept_manifests
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.hit_marks import remark_list
from crawler.store.lists import HashList, ListVersion
from crawler.store.times import iso

_RAISING = {*DIGEST_BYTES, "pdq"}  # what can raise a hit, beside plug-ins; a pHash only corroborates one


def set_enabled(db: Database, actor: Actor, name: str, enabled: bool) -> HashList:
    """Match against a list, or no longer: the running crawls too, within seconds. Returns the list as it then stands.

    Raises InvalidInput when there is no such list, NotAuthorised; Refused when no version of it has been brought into
    service as `service.enabling` does.
    """
    act = "lists.enable" if enabled else "lists.disable"
    require(db, actor, act)
    with db.write():
        found = known(db, name)
        if enabled and found.governed and not kept_manifests.was_enabled(db, found.id, found.served):
            raise Refused(f"no version of list {name!r} has been enabled by a second person yet")
        changed = lists.set_enabled(db, found.id, enabled)
        marks = remark_list(db, found.id)
        audit.append(db, actor, act, name, result="done" if changed else "unchanged", detail=marks.detail())
        return known(db, name)


def all_lists(db: Database, actor: Actor) -> list[HashList]:
    """Every list that is not dropped, by name. Raises NotAuthorised."""
    require(db, actor, "lists.read")
    return lists.all_lists(db)


def list_json(row: HashList) -> dict[str, Any]:
    """A list as `hashes lists --json` prints it.  unsearchable: entries that are kept, though nothing searches them."""
    return {
        "name": row.name,
        "kind": row.kind,
        "enabled": row.enabled,
        "version": row.version,
        "imported_at": iso(row.imported_at),
        "format": row.format,
        "entries": row.entries,
        "by_algorithm": row.by_algorithm,
        "categories": row.categories,
        "by_category": row.by_category,
        "unsearchable": sum(count for name, count in row.by_algorithm.items() if not _searchable(row, name)),
        "near": row.near,
        "served": row.served,
    }


def version_json(version: ListVersion) -> dict[str, Any]:
    """What an import did, as `hashes import --json` prints it."""
    counts = {"added": version.added, "withdrawn": version.withdrawn, "duplicates": version.duplicates}
    return list_json(version.list) | counts | {"skipped": version.skipped}


def known(db: Database, name: str) -> HashList:
    """The list of this name. Raises InvalidInput when there is none, or it was dropped."""
    found = lists.find(db, name)
    if found is None:
        raise InvalidInput(f"there is no list {name!r}; see `vangnet hashes lists`")
    return found


def enabled(db: Database, names: Sequence[str] = ()) -> list[HashList]:
    """The enabled lists, or those of `names` among them."""
    return [row for row in lists.all_lists(db) if row.enabled and (not names or row.name in names)]


def counting(db: Database, names: Sequence[str] = ()) -> list[HashList]:
    """As `enabled`, without those whose manifest has expired: what crawls that run match against."""
    return [row for row in enabled(db, names) if not manifests.expired(db, row)]


def can_raise(db: Database, chosen: Sequence[HashList]) -> bool:
    """Whether any of these lists serves an entry that could raise a hit."""
    raising = _RAISING.union(hashers.installed())
    return any(row.kind == "block" and not raising.isdisjoint(lists.served_algorithms(db, row)) for row in chosen)


def _searchable(row: HashList, algorithm: str) -> bool:
    if algorithm in DIGEST_BYTES:
        return True
    return row.kind == "block" and (algorithm in {"pdq", "phash"} or algorithm in hashers.installed())
