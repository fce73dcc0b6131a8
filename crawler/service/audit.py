"""Reading the audit record."""

from __future__ import annotations

from typing import Any

from crawler.service.actors import require
from crawler.store import audit
from crawler.store.actors import Actor
from crawler.store.audit import Verdict
from crawler.store.database import Database


def verify(db: Database, actor: Actor) -> Verdict:
    """Whether the whole chain holds. Raises NotAuthorised."""
    require(db, actor, "audit.read")
    return audit.verify(db)


def events(
    db: Database, actor: Actor, *, last: int | None = None, object_id: str | None = None
) -> list[dict[str, Any]]:
    """Events in order, as `crawler.store.audit.events` gives them. Raises NotAuthorised."""
    require(db, actor, "audit.read")
    return list(audit.events(db, last=last, object_id=object_id))
