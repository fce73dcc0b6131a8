"""People: who is registered, with which roles, and what they sign in with.

Passwords and TOTP secrets are made here and handed back once; nobody chooses one, and no argument carries one.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import argon2
import pyotp

from crawler.errors import InvalidInput, Refused
from crawler.service.actors import require
from crawler.store import audit, people
from crawler.store.actors import SERVICES, Actor, Role, add_role
from crawler.store.database import Database
from crawler.store.people import Person
from crawler.store.times import iso, iso_optional

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,31}")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
_LENGTH: Final = 20
HASHER: Final = argon2.PasswordHasher()
"""Argon2id with the library's profile (RFC 9106, low memory: 64 MiB, 3 passes)."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A person, and what they sign in with: to be shown once. password, totp, uri: None when nothing was made.

    totp: base32, for an authenticator.  uri: the same as an `otpauth:` URI.
    """

    person: Person
    password: str | None = field(default=None, repr=False)
    totp: str | None = field(default=None, repr=False)
    uri: str | None = field(default=None, repr=False)


def add_user(db: Database, actor: Actor, name: str, role: str, *, account: bool = False) -> Enrolled:
    """Register a person, or give one who is registered another role.

    account: known by the account of the operating system of this name: no password, and no way into the desk.
    The first person has to be an admin, for nobody else could register the others.
    Raises NotAuthorised, InvalidInput for a name or a role that cannot be, Refused for one who was disabled.
    """
    require(db, actor, "users.write")
    wanted = _checked(name, role)
    with db.write():
        known = people.person(db, name)
        if known is not None and known.disabled_at is not None:
            raise Refused(f"{name!r} was disabled; names are not given again, because the record knows them")
        if wanted is not Role.ADMIN and not _admins(db):
            raise Refused("register an admin first: nobody else could register people afterwards")
        add_role(db, name, wanted)
        made = Enrolled(_found(db, name)) if known is not None or account else _enrol(db, name)
        detail = {"role": wanted.value, "new": known is None, "account": account and known is None}
        audit.append(db, actor, "users.add", name, detail=detail)
    return made


def reset_user(db: Database, actor: Actor, name: str) -> Enrolled:
    """Make a new password and TOTP secret; sessions end, and failed sign-ins are forgotten.

    Raises NotAuthorised, InvalidInput, Refused when disabled.
    """
    require(db, actor, "users.write")
    with db.write():
        _standing(db, name)
        made = _enrol(db, name)
        people.forget_failures(db, name)
        audit.append(db, actor, "users.reset", name)
    return made


def disable_user(db: Database, actor: Actor, name: str) -> Person:
    """Let a person do nothing any more, from the next request on. Their name stays theirs.

    Raises NotAuthorised, InvalidInput for an unknown name, Refused for the last admin.
    """
    require(db, actor, "users.write")
    with db.write():
        if _standing(db, name).name in _admins(db) and len(_admins(db)) == 1:
            raise Refused(f"{name!r} is the last admin; make another one first")
        people.disable(db, name)
        audit.append(db, actor, "users.disable", name)
        return _found(db, name)


def list_users(db: Database, actor: Actor) -> list[dict[str, Any]]:
    """[{"name", "roles", "signs_in", "created_at", "disabled_at"}] by name. Raises NotAuthorised."""
    require(db, actor, "users.read")
    return [user_json(person) for person in people.people(db)]


def user_json(person: Person) -> dict[str, Any]:
    """A person as listings print it."""
    return {
        "name": person.name,
        "roles": sorted(person.roles),
        "signs_in": person.signs_in,
        "created_at": iso(person.created_at),
        "disabled_at": iso_optional(person.disabled_at),
    }


def _enrol(db: Database, name: str) -> Enrolled:
    password = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    totp = pyotp.random_base32()
    people.set_credential(db, name, HASHER.hash(password), totp)
    uri = pyotp.TOTP(totp).provisioning_uri(name=name, issuer_name="Vangnet")
    return Enrolled(_found(db, name), password, totp, uri)


def _checked(name: str, role: str) -> Role:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no user name: 1 to 32 of a-z, 0-9, '.', '_' and '-', a letter first")
    if name in SERVICES:
        raise InvalidInput(f"{name!r} is a service of Vangnet's own; take another name")
    if role not in set(Role):
        raise InvalidInput(f"there is no role {role!r}; it is one of {', '.join(Role)}")
    return Role(role)


def _found(db: Database, name: str) -> Person:
    found = people.person(db, name)
    if found is None:
        raise InvalidInput(f"nobody is registered as {name!r}; see `vangnet users list`")
    return found


def _standing(db: Database, name: str) -> Person:
    found = _found(db, name)
    if found.disabled_at is not None:
        raise Refused(f"{name!r} was disabled")
    return found


def _admins(db: Database) -> set[str]:
    return {each.name for each in people.people(db) if Role.ADMIN in each.roles and each.disabled_at is None}
