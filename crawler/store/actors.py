"""Who acts: people and services, and the roles of people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crawler.store.database import Database


class Role(StrEnum):
    """What a person may be. Which acts a role permits stands in `crawler/service/actors.py`."""

    OPERATOR = "operator"
    ANALYST = "analyst"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, from where.

    roles: empty for services, which act under no role.  origin: "cli", "web", "service"; for the audit record.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    origin: str = "service"


RECORDER: Final = Actor("recorder")
"""The service that writes what the workers report."""
SETTLER: Final = Actor("settler")
"""The service that ends runs in which nothing is left to do."""
REVISITOR: Final = Actor("revisitor")
"""The service that visits again what is known when lists have grown."""
DESK: Final = Actor("desk")
"""The service that ends leases and holds in time."""
VISITOR: Final = Actor("visitor")
"""Whoever is not signed in, for the audit record."""
SERVICES: Final = frozenset(actor.name for actor in (RECORDER, SETTLER, REVISITOR, DESK, VISITOR))
"""Names under which no person may be registered."""


def register(db: Database, actor: Actor) -> None:
    """Note an actor when first seen; part of the caller's transaction."""
    kind = "service" if actor.origin == "service" else "person"
    db.execute("INSERT OR IGNORE INTO actors (name, kind, created_at) VALUES (?, ?, ?)", actor.name, kind, db.clock())


def add_role(db: Database, name: str, role: Role) -> None:
    """Give a person a role; part of the caller's transaction."""
    db.execute("INSERT OR IGNORE INTO actors (name, kind, created_at) VALUES (?, 'person', ?)", name, db.clock())
    db.execute("INSERT OR IGNORE INTO actor_roles (actor, role) VALUES (?, ?)", name, role.value)


def roles_of(db: Database, name: str) -> frozenset[Role]:
    """The roles of a person who is not disabled; empty for everybody else."""
    found = db.rows(
        "SELECT role FROM actor_roles JOIN actors ON name = actor WHERE actor = ? AND disabled_at IS NULL", name
    )
    return frozenset(Role(row["role"]) for row in found)


def anyone_has_a_role(db: Database) -> bool:
    """Whether people have been registered at all."""
    return db.value("SELECT 1 FROM actor_roles LIMIT 1") is not None
