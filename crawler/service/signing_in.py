"""Signing in with password and TOTP, and the sessions that follow from it: at the desk and on the command line.

A session is a random token that the person's side keeps; the store has its hash. It ends after an hour without use,
after ten hours in any case, at sign-out, and when the person is disabled or gets new credentials.
"""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import b64encode
from threading import Lock
from typing import Final

import argon2
import pyotp

from crawler.errors import NotAuthorised, Refused
from crawler.service.actors import ALL_ROLES
from crawler.service.users import HASHER
from crawler.store import audit, people
from crawler.store.actors import VISITOR, Actor, roles_of
from crawler.store.database import Database

IDLE_SECONDS: Final = 3_600.0
WHOLE_SECONDS: Final = 36_000.0
WINDOW: Final = 900.0
"""Seconds in which failed sign-ins count."""
OF_NAME: Final = 5
OF_ORIGIN: Final = 20

_STEP: Final = 30
_SEEN_EVERY: Final = 60.0
# Each comparison takes 64 MiB: one at a time, whatever knocks at the door.
_one_at_a_time = Lock()


def sign_in(db: Database, name: str, password: str, code: str, *, origin: str) -> str:
    """Open a session. Returns its token (43 characters), to be kept by the person's side alone.

    code: six digits of TOTP (RFC 6238); each is good once.  origin: for instance "web:192.0.2.1".
    Raises NotAuthorised, the same for whatever was wrong; Refused after 5 failures of a name or 20 from an origin
    within a quarter of an hour.
    """
    _charge(db, name, origin)
    with _one_at_a_time:
        fits = _fits(db, name, password, code)
    actor = Actor(name, frozenset(), origin)
    with db.write():
        if not fits:
            # What was typed as a name may be a password: only names that exist go on record.
            known = people.person(db, name) is not None
            detail = {"from": origin}
            audit.append(db, VISITOR, "users.sign-in", name if known else "", result="refused", detail=detail)
            token = None
        else:
            token = secrets.token_urlsafe(32)
            people.forget_failures(db, name)
            people.open_session(db, actor, token)
            audit.append(db, actor, "users.sign-in", name)
    if token is None:
        raise NotAuthorised("name, password and code do not fit together; a code is good once, so wait for the next")
    return token


def enter_lab(db: Database, name: str, *, origin: str) -> str:
    """Open a session under any name, in the lab. Returns its token. Raises NotAuthorised outside of it."""
    if not db.home.lab:
        raise NotAuthorised("only the lab is free; sign in")
    token = secrets.token_urlsafe(32)
    actor = Actor(name, ALL_ROLES, origin)
    with db.write():
        people.open_session(db, actor, token)
        audit.append(db, actor, "users.sign-in", name)
    return token


def resume(db: Database, token: str) -> Actor | None:
    """Who a token belongs to, with the roles of now; None when it is unknown or over."""
    found = people.session(db, token)
    now = db.clock()
    if found is None or now > found.opened_at + WHOLE_SECONDS or now > found.seen_at + IDLE_SECONDS:
        return None
    roles = ALL_ROLES if db.home.lab else roles_of(db, found.actor)
    if not roles:
        return None
    if now > found.seen_at + _SEEN_EVERY:
        with db.write():
            people.see_session(db, token)
    return Actor(found.actor, roles, found.origin)


def sign_out(db: Database, actor: Actor, token: str) -> None:
    """End a session."""
    with db.write():
        people.end_session(db, token)
        audit.append(db, actor, "users.sign-out", actor.name)


def _charge(db: Database, name: str, origin: str) -> None:
    """Count an attempt as failed before it is looked at, so that many at once are no more than one after another."""
    with db.write():
        of_name, of_origin = people.failures(db, name, origin, db.clock() - WINDOW)
        if may := of_name < OF_NAME and of_origin < OF_ORIGIN:
            people.note_failure(db, name, origin)
    if not may:
        raise Refused("too many sign-ins failed; wait a quarter of an hour, or have an admin reset the password")


def _fits(db: Database, name: str, password: str, code: str) -> bool:
    known = people.credential(db, name)
    try:
        HASHER.verify(_nobodys() if known is None else known.password, password)
    except argon2.exceptions.VerificationError:
        return False
    step = None if known is None else _step_of(known.totp, code, known.last_step)
    if step is None:
        return False
    with db.write():
        return people.use_step(db, name, step)


def _nobodys() -> str:
    """What a password is compared with when there is no such person, so that it takes as long: the same work as for
    anybody's, against a hash that was drawn and not computed, since every command would pay for computing it.
    """
    sizes = (HASHER.salt_len, HASHER.hash_len)
    salt, drawn = (b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in sizes)
    cost = f"m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}"
    return f"$argon2id$v=19${cost}${salt}${drawn}"


def _step_of(secret: str, code: str, last: int) -> int | None:
    """The time step that a code is of: this one, or the one before or after; None when it is of none, or used."""
    now = int(time.time()) // _STEP
    totp = pyotp.TOTP(secret)
    given = code.replace(" ", "").encode("utf-8", "replace")
    for step in (now, now - 1, now + 1):
        if step > last and hmac.compare_digest(totp.generate_otp(step).encode(), given):
            return step
    return None
