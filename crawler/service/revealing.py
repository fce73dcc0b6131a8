"""Showing URLs as they are: outside of the lab an act of its own, with a reason, on record."""

from __future__ import annotations

from typing import Final

from crawler.errors import InvalidInput
from crawler.service.actors import require
from crawler.store import audit, decisions
from crawler.store.actors import Actor
from crawler.store.database import Database

MAX_REASON: Final = 2_000
"""Characters of a reason."""


def given_reason(reason: str) -> str:
    """A reason without white space around it. Raises InvalidInput for an empty or long one."""
    text = reason.strip()
    if not text or len(text) > MAX_REASON:
        raise InvalidInput(f"a reason has 1 to {MAX_REASON} characters; say in a line why")
    return text


def may_reveal(db: Database, actor: Actor, act: str, object_id: str, reason: str | None) -> bool:
    """Whether URLs are shown as they are; without a reason, only in the lab.

    act: the permission it takes, and what it is called on record.
    Raises NotAuthorised, InvalidInput for an empty or long reason.
    """
    if reason is None:
        return db.home.lab
    text = given_reason(reason)
    require(db, actor, act)
    with db.write():
        note = decisions.add_note(db, actor, object_id, "reveal", text)
        audit.append(db, actor, act, object_id, detail={"note": note})
    return True
