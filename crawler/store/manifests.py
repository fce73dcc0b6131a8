"""Manifests of lists, the keys that sign them, and who brought a version into service.

Every function that writes is part of the caller's transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from crawler.match.manifest import Manifest, parse_manifest
from crawler.records import Disclosure
from crawler.store.actors import Actor, register
from crawler.store.database import Database


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """A key that may sign manifests.  added_at, revoked_at: seconds since the epoch, None: it is in force."""

    name: str
    verify_key: bytes
    added_at: float
    added_by: str
    revoked_at: float | None


@dataclass(frozen=True, slots=True)
class Signed:
    """A manifest whose signature holds. text: what was signed.  key: the name of the key."""

    manifest: Manifest
    text: str
    signature: bytes
    key: str


def keys(db: Database) -> list[OwnerKey]:
    """All keys, revoked ones too, by name."""
    rows = db.rows("SELECT name, verify_key, added_at, added_by, revoked_at FROM owner_keys ORDER BY name")
    return [OwnerKey(**row) for row in rows]


def add_key(db: Database, actor: Actor, name: str, verify_key: bytes) -> None:
    """Register a key; name and key must be new."""
    register(db, actor)
    row = {"name": name, "verify_key": verify_key, "added_at": db.clock(), "added_by": actor.name}
    db.insert("owner_keys", row)


def revoke_key(db: Database, name: str) -> bool:
    """Returns whether there was such a key in force."""
    return bool(
        db.execute("UPDATE owner_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", db.clock(), name)
    )


def keep(db: Database, list_id: int, version: int, signed: Signed) -> None:
    """Keep the manifest under which a version was imported."""
    row = {"list_id": list_id, "version": version, "manifest": signed.text, "signature": signed.signature}
    db.insert("list_manifests", row | {"key_name": signed.key})


def manifest_of(db: Database, list_id: int, version: int | None) -> Manifest | None:
    """The manifest of a version, None when it has none."""
    text = db.value("SELECT manifest FROM list_manifests WHERE list_id = ? AND version IS ?", list_id, version)
    return None if text is None else _stored(text)


def key_in_force(db: Database, list_id: int, version: int) -> bool:
    """Whether the key that signed the manifest of a version has not been revoked."""
    sql = (
        "SELECT 1 FROM list_manifests JOIN owner_keys ON name = key_name "
        "WHERE list_id = ? AND version = ? AND revoked_at IS NULL"
    )
    return db.value(sql, list_id, version) is not None


def importer(db: Database, list_id: int, version: int) -> str:
    """Who imported a version, which there must be."""
    return str(db.value("SELECT actor FROM list_versions WHERE list_id = ? AND version = ?", list_id, version))


def was_enabled(db: Database, list_id: int, version: int | None) -> bool:
    """Whether a second person has enabled this version."""
    return db.value("SELECT 1 FROM list_enablings WHERE list_id = ? AND version IS ?", list_id, version) is not None


def note_enabling(db: Database, actor: Actor, list_id: int, version: int, *, corpus: int, would_hit: int) -> None:
    """A second person enables a version: it is served from now on.

    corpus: harmless images that it was tried on.  would_hit: how many of these it would hit.
    The database refuses the person who imported it.
    """
    register(db, actor)
    row = {"list_id": list_id, "version": version, "actor": actor.name, "at": db.clock()}
    db.insert("list_enablings", row | {"corpus": corpus, "would_hit": would_hit})
    db.execute("UPDATE hash_lists SET served_version = ?, enabled = 1 WHERE id = ?", version, list_id)


def terms(db: Database) -> dict[str, Disclosure]:
    """What may leave in a notice, by name of a list; lists without a manifest are left out: nothing of them may."""
    rows = db.rows(
        "SELECT name, manifest FROM hash_lists JOIN list_manifests ON list_id = id AND list_manifests.version = "
        "coalesce(served_version, (SELECT max(version) FROM list_manifests WHERE list_id = hash_lists.id))"
    )
    return {row["name"]: _stored(row["manifest"]).disclosure for row in rows}


@lru_cache(maxsize=64)
def _stored(text: str) -> Manifest:
    """Remembered, because a recorder asks twice a second whether the manifests in service still hold."""
    return parse_manifest(text, "stored manifest")
