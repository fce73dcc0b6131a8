"""Acts on keys: a new key for the sealed fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from crawler.errors import HomeUnusable, Refused
from crawler.service.actors import require
from crawler.service.launch import locked
from crawler.store import audit, resealing
from crawler.store.actors import Actor
from crawler.store.database import Database, open_store
from crawler.store.keys import key_file, own_files


def rotate_keys(
    db: Database, actor: Actor, *, forget_old: bool = False, progress: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Seal every field with a new key. Returns {"key", "resealed", "kept": [names of older keys], "forgotten": [...]}.

    May be killed at any point and called again: a rotation that did not get to its end is then taken to it, before
    another key is made. Processes that have the database open go over to the new key with their next transaction.
    forget_old: older keys, which open nothing in this database any more, are removed; backups made before need them.
    Raises NotAuthorised, Refused while another process rotates, and when keys come from elsewhere and no newer one was
    provided; StoreUnavailable.
    """
    require(db, actor, "keys.rotate")
    with (db.home.root / "keys.lock").open("w") as lock:
        if not locked(lock):
            raise Refused("another process rotates the keys of this home; wait for it")
        return _rotate(db, actor, forget_old=forget_old, progress=progress)


def _rotate(db: Database, actor: Actor, *, forget_old: bool, progress: Callable[[int], None] | None) -> dict[str, Any]:
    for left in db.home.keys.glob(".seal-*"):
        # Of one that was killed while it made a key: a second copy of it, which would outlive `forget_old`.
        left.unlink(missing_ok=True)
    # Opened anew, because this connection may know of fewer keys than there are.
    with open_store(db.home) as now:
        unfinished = resealing.left_over(now)
        if not unfinished:
            _make(now)
    # The new key is noted in the database by whoever opens it, as every first use of a key is.
    with open_store(db.home) as fresh:
        with fresh.write():
            detail = {"key": fresh.keys.current, "resumed": bool(unfinished)}
            audit.append(fresh, actor, "keys.rotate", f"seal-{fresh.keys.current}", detail=detail)
        resealed = resealing.reseal(fresh, progress)
        old = sorted(number for number in fresh.keys.seals if number != fresh.keys.current)
        forgotten = _forget(fresh, actor, old) if forget_old else []
        fresh.shrink_log()
        return {
            "key": f"seal-{fresh.keys.current}",
            "resealed": resealed,
            "kept": [f"seal-{number}" for number in old if number not in forgotten],
            "forgotten": [f"seal-{number}" for number in forgotten],
        }


def _make(db: Database) -> None:
    if not own_files():
        wanted = f"seal-{db.keys.current + 1}"
        raise Refused(f"the keys are provided from outside of the home; provide {wanted} there too, then rotate")
    key_file(db.home.keys, f"seal-{db.keys.current + 1}")


def _forget(db: Database, actor: Actor, old: list[int]) -> list[int]:
    if not own_files():
        raise Refused("the keys are provided from outside of the home; remove the older ones there")
    with db.write():
        assert not resealing.left_over(db), "everything was sealed anew before"
        for number in old:
            db.execute("DELETE FROM key_checks WHERE name = ?", f"seal-{number}")
        audit.append(db, actor, "keys.forget", ",".join(f"seal-{number}" for number in old))
    for number in old:
        try:
            (db.home.keys / f"seal-{number}").unlink()
        except OSError as error:
            raise HomeUnusable(f"key file seal-{number}: {error.strerror}; remove it by hand") from error
    return old
