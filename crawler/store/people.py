"""Credentials and sessions of people. Every function that writes is part of the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256

from crawler.store.actors import Actor, Role, register
from crawler.store.database import Database, Row


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is registered. Times: seconds since the epoch.  signs_in: has a password and a TOTP secret."""

    name: str
    roles: frozenset[Role]
    created_at: float
    disabled_at: float | None
    signs_in: bool


@dataclass(frozen=True, slots=True)
class Credential:
    """What a sign-in is held against. password: argon2's own notation.  last_step: of TOTP, used last."""

    password: str = field(repr=False)
    totp: str = field(repr=False)
    last_step: int


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session that was opened and not ended. Times: seconds since the epoch."""

    actor: str
    origin: str
    opened_at: float
    seen_at: float


def people(db: Database) -> list[Person]:
    """Everybody who is or was registered with a role, by name."""
    rows = db.rows(
        "SELECT name, created_at, disabled_at, group_concat(role) AS roles, "
        "EXISTS (SELECT 1 FROM credentials WHERE actor = name) AS signs_in "
        "FROM actors JOIN actor_roles ON actor_roles.actor = name GROUP BY name ORDER BY name"
    )
    return [_person(row) for row in rows]


def person(db: Database, name: str) -> Person | None:
    """The person of this name, or None."""
    return next((found for found in people(db) if found.name == name), None)


def disable(db: Database, name: str) -> None:
    """The person may do nothing from now on; sessions end."""
    db.execute("UPDATE actors SET disabled_at = ? WHERE name = ?", db.clock(), name)
    db.execute("UPDATE sessions SET ended_at = ? WHERE actor = ? AND ended_at IS NULL", db.clock(), name)


def set_credential(db: Database, name: str, password: str, totp: str) -> None:
    """What the person signs in with from now on; sessions end. password: argon2's notation.  totp: base32."""
    db.execute(
        "INSERT INTO credentials (actor, password, totp, changed_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (actor) "
        "DO UPDATE SET password = ?2, totp = ?3, last_step = 0, changed_at = ?4",
        name,
        password,
        db.sealer.seal("credentials", "totp", name, totp),
        db.clock(),
    )
    db.execute("UPDATE sessions SET ended_at = ? WHERE actor = ? AND ended_at IS NULL", db.clock(), name)


def credential(db: Database, name: str) -> Credential | None:
    """What a person who is not disabled signs in with; None for everybody else."""
    row = db.row(
        "SELECT password, totp, last_step FROM credentials JOIN actors ON name = actor "
        "WHERE actor = ? AND disabled_at IS NULL",
        name,
    )
    if row is None:
        return None
    return Credential(row["password"], db.sealer.open("credentials", "totp", name, row["totp"]), row["last_step"])


def use_step(db: Database, name: str, step: int) -> bool:
    """Note that a TOTP step was used. Returns False when it, or a later one, was used before."""
    return bool(db.execute("UPDATE credentials SET last_step = ?1 WHERE actor = ?2 AND last_step < ?1", step, name))


def note_failure(db: Database, name: str, origin: str) -> None:
    """Count a sign-in that failed."""
    blind = db.sealer.blind("sign-in", name)
    db.insert("failed_sign_ins", {"at": db.clock(), "name_blind": blind, "origin": origin})


def failures(db: Database, name: str, origin: str, since: float) -> tuple[int, int]:
    """How many sign-ins failed since then: of this name, and from this origin."""
    of_name = db.value(
        "SELECT count(*) FROM failed_sign_ins WHERE at > ? AND name_blind = ?", since, db.sealer.blind("sign-in", name)
    )
    of_origin = db.value("SELECT count(*) FROM failed_sign_ins WHERE at > ? AND origin = ?", since, origin)
    return int(of_name), int(of_origin)


def forget_failures(db: Database, name: str) -> None:
    """The name starts anew: a sign-in succeeded, or the person got new credentials."""
    db.execute("DELETE FROM failed_sign_ins WHERE name_blind = ?", db.sealer.blind("sign-in", name))


def open_session(db: Database, actor: Actor, token: str) -> None:
    """Note a session; of the token only its hash is kept."""
    register(db, actor)
    now = db.clock()
    row = {"token_hash": _hash(token), "actor": actor.name, "origin": actor.origin, "opened_at": now, "seen_at": now}
    db.insert("sessions", row)


def session(db: Database, token: str) -> SessionRow | None:
    """The session of a token that was not ended, however old; None when there is none."""
    row = db.row(
        "SELECT actor, origin, opened_at, seen_at FROM sessions WHERE token_hash = ? AND ended_at IS NULL", _hash(token)
    )
    return None if row is None else SessionRow(**row)


def see_session(db: Database, token: str) -> None:
    """The session is in use."""
    db.execute("UPDATE sessions SET seen_at = ? WHERE token_hash = ?", db.clock(), _hash(token))


def end_session(db: Database, token: str) -> None:
    """The session is over."""
    db.execute("UPDATE sessions SET ended_at = ? WHERE token_hash = ? AND ended_at IS NULL", db.clock(), _hash(token))


def end_sessions(db: Database) -> None:
    """All sessions are over."""
    db.execute("UPDATE sessions SET ended_at = ? WHERE ended_at IS NULL", db.clock())


def _hash(token: str) -> bytes:
    # A token has 256 random bits: nothing is gained by a slow hash.
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def _person(row: Row) -> Person:
    roles = frozenset(Role(role) for role in row["roles"].split(","))
    return Person(row["name"], roles, row["created_at"], row["disabled_at"], bool(row["signs_in"]))
