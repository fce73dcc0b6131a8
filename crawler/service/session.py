"""A person at work: the home's database, opened, and who acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from crawler.home import Home
from crawler.service.actors import identify
from crawler.service.signing_in import resume
from crawler.service.tokens import kept_token
from crawler.store.actors import Actor
from crawler.store.database import Database, open_store


@dataclass(frozen=True, slots=True)
class Session:
    """What every act takes."""

    db: Database
    actor: Actor


@contextmanager
def open_session(home: Home, user: str | None, *, origin: str = "cli") -> Iterator[Session]:
    """The database of `home`, open for the length of the block, and the person who acts.

    user: as --user gave it, None when not given.
    Raises StoreUnavailable, HomeUnusable, NotAuthorised as `open_store` and `identify` do.
    """
    with open_store(home) as db:
        yield Session(db, identify(db, user, origin=origin, signed_in=signed_in(db)))


def signed_in(db: Database) -> str | None:
    """Whose session this account keeps for the home, None for nobody's."""
    token = None if db.home.lab else kept_token(db.home)
    actor = None if token is None else resume(db, token)
    return None if actor is None else actor.name
