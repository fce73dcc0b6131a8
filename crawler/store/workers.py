"""The public keys of workers: whose reports the recorder believes."""

from __future__ import annotations

from crawler.errors import Refused
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.database import Database


def add_key(db: Database, actor: Actor, worker: str, verify_key: bytes) -> None:
    """Believe reports that are signed by `worker`.

    verify_key: 32 bytes, Ed25519. The same key again changes nothing.
    Raises Refused when the name stands with another key: a worker does not change its key, it gets a new name.
    """
    with db.write():
        found = db.row("SELECT verify_key, revoked_at FROM worker_keys WHERE name = ?", worker)
        if found is not None:
            if found["verify_key"] == verify_key and found["revoked_at"] is None:
                return
            raise Refused(f"worker {worker!r} is known with another or a revoked key; give it another name")
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
