"""The public keys of workers: whose reports the recorder believes."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler.errors import Refused
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.database import Database


@dataclass(frozen=True, slots=True)
class WorkerKey:
    """A key that was believed at some time. verify_key: 32 bytes, Ed25519.  revoked_at: None while it is believed."""

    name: str
    verify_key: bytes = field(repr=False)
    added_at: float
    revoked_at: float | None


def add_key(db: Database, actor: Actor, worker: str, verify_key: bytes) -> None:
    """Believe reports that are signed by `worker`.

    verify_key: 32 bytes, Ed25519. A key that is believed, under whatever name, changes nothing.
    Raises Refused for a key that was revoked, and when the name stands with another key: a worker does not change its
    key, it gets a new name.
    """
    with db.write():
        known = find_key(db, verify_key)
        if known is not None:
            if known.revoked_at is None:
                return
            raise Refused(
                f"the key of worker {known.name!r} was revoked; remove the file worker from the keys of its home, "
                "so that it makes a new one, which gets another name"
            )
        if db.value("SELECT 1 FROM worker_keys WHERE name = ?", worker):
            raise Refused(f"worker {worker!r} is known with another key; give it another name")
        db.insert("worker_keys", {"name": worker, "verify_key": verify_key, "added_at": db.clock()})
        audit.append(db, actor, "workers.add", worker)


def revoke(db: Database, actor: Actor, worker: str) -> bool:
    """Believe `worker` no more. Returns whether it was believed until now."""
    with db.write():
        sql = "UPDATE worker_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL"
        changed = bool(db.execute(sql, db.clock(), worker))
        if changed:
            audit.append(db, actor, "workers.revoke", worker)
        return changed


def verify_key(db: Database, worker: str) -> bytes | None:
    """The key of a worker that is believed, else None."""
    found: bytes | None = db.value("SELECT verify_key FROM worker_keys WHERE name = ? AND revoked_at IS NULL", worker)
    return found


def verify_keys(db: Database) -> frozenset[bytes]:
    """The keys of all workers that are believed."""
    return frozenset(
        row["verify_key"] for row in db.rows("SELECT verify_key FROM worker_keys WHERE revoked_at IS NULL")
    )


def find_key(db: Database, verify_key: bytes) -> WorkerKey | None:
    """What is known of a key; a revoked one stays revoked under whatever name."""
    sql = "SELECT * FROM worker_keys WHERE verify_key = ? ORDER BY revoked_at IS NULL LIMIT 1"
    found = db.row(sql, verify_key)
    return None if found is None else WorkerKey(**found)


def all_keys(db: Database) -> list[WorkerKey]:
    """Every key that is or was believed, the oldest first."""
    return [WorkerKey(**row) for row in db.rows("SELECT * FROM worker_keys ORDER BY added_at, name")]
