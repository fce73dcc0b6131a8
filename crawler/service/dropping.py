"""Dropping a list: its entries are deleted, and nothing but another import brings them back.

Disabling is the safety stop, and one person's. Outside of the lab, dropping takes two: one asks, another does it,
within a week and while the list is as it was when it was asked for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crawler.errors import InvalidInput, NotAuthorised
from crawler.service.actors import require
from crawler.service.lists import known
from crawler.store import arrivals, audit, drops, indexes, lists
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.drops import DropAsked
from crawler.store.hit_marks import remark_list
from crawler.store.lists import HashList
from crawler.store.times import iso

WEEK: Final = 7 * 86_400.0


@dataclass(frozen=True, slots=True)
class Dropped:
    """entries: how many were deleted."""

    entries: int


def drop(db: Database, actor: Actor, name: str) -> Dropped | DropAsked:
    """Delete a list's entries and the index files that hold them; its hits keep what they say. Outside of the lab the
    first person only asks for that, and the list counts as before until another one does the same.

    Raises InvalidInput when there is no such list; NotAuthorised, also for the person who asked.
    """
    require(db, actor, "lists.drop")
    with db.write():
        found = known(db, name)
        asked = asked_for(db, found)
        own = asked is not None and asked.actor == actor.name
        if own:
            audit.append(db, actor, "lists.drop", name, result="refused", detail={"why": "own"})
        elif asked is None and (found.governed or not db.home.lab):
            audit.append(db, actor, "lists.drop.ask", name, detail={"version": found.version})
            return drops.ask(db, actor, found.id, found.version)
        else:
            dropped, files = _drop(db, actor, found, asked)
    if own:
        raise NotAuthorised(f"{actor.name!r} asked to drop {name!r}; a second person does it; `disable` works at once")
    for file in files:
        with suppress(OSError):
            file.unlink()
    arrivals.leave(db, found.id)
    arrivals.sweep(db)  # what a killed import left of it too
    db.shrink_log()
    return dropped


def keep(db: Database, actor: Actor, name: str) -> HashList:
    """Ask no longer that a list be dropped. Raises InvalidInput when nobody does, NotAuthorised."""
    require(db, actor, "lists.drop")
    with db.write():
        found = known(db, name)
        if asked_for(db, found) is None:
            raise InvalidInput(f"nobody asks to drop list {name!r}")
        drops.forget(db, found.id)
        audit.append(db, actor, "lists.drop.keep", name)
        return found


def asked_for(db: Database, row: HashList) -> DropAsked | None:
    """Who asks that a list be dropped as it stands; None: nobody, or that was too long ago or of an older version."""
    asked = drops.asked(db, row.id)
    if asked is None or asked.version != row.version or db.clock() - asked.at > WEEK:
        return None
    return asked


def drop_json(asked: DropAsked | None) -> dict[str, Any] | None:
    """{"by", "at"} of who asks that a list be dropped."""
    return None if asked is None else {"by": asked.actor, "at": iso(asked.at)}


def _drop(db: Database, actor: Actor, found: HashList, asked: DropAsked | None) -> tuple[Dropped, list[Path]]:
    """Part of a transaction. Returns the index files as well that are to be deleted."""
    if asked is not None:
        drops.confirm(db, actor, found.id)
    entries = lists.drop(db, found.id)
    files = indexes.forget_list(db, found.id)
    marks = remark_list(db, found.id)
    by = {} if asked is None else {"asked_by": asked.actor}
    audit.append(db, actor, "lists.drop", found.name, detail={"entries": entries} | by | marks.detail())
    drops.forget(db, found.id)
    return Dropped(entries), files
