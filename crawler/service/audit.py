"""Reading the audit record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.service import heads
from crawler.service.actors import require
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.audit import Verdict
from crawler.store.database import Database


def verify(db: Database, actor: Actor, *, kept: Path | None = None) -> Verdict:
    """Whether the whole chain holds, and goes through every head in the directory `kept`.

    Raises NotAuthorised, InvalidInput for a file there that is no head of this chain's key, Unavailable.
    """
    require(db, actor, "audit.read")
    return audit.verify(db, heads.read(kept, audit.public_key(db)) if kept else ())


def publish(db: Database, actor: Actor, directory: Path) -> dict[str, Any]:
    """Write today's signed head into the auditor's directory. Returns {"file": None when there is one of today}.

    Raises NotAuthorised, Unavailable.
    """
    require(db, actor, "audit.publish")
    written = heads.publish(db, directory)
    return {"file": None if written is None else str(written)}


def events(
    db: Database, actor: Actor, *, last: int | None = None, object_id: str | None = None
) -> list[dict[str, Any]]:
    """Events in order, as `crawler.store.audit.events` gives them. Raises NotAuthorised."""
    require(db, actor, "audit.read")
    return list(audit.events(db, last=last, object_id=object_id))
