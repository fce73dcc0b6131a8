"""Who may do what.

In the lab everybody is everybody. In production, while nobody has been registered yet, the account that uses the home
may do everything under its own name. From then on roles decide, and a name is proved: by a session from `vangnet users
sign-in` for people who have a password and TOTP; by the operating system for those who were registered as an account
of it. The audit record has the account in any case.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crawler.errors import NotAuthorised
from crawler.home import Home
from crawler.store import audit, people
from crawler.store.actors import Actor, Role, anyone_has_a_role, roles_of
from crawler.store.database import Database

ALL_ROLES: Final = frozenset(Role)
_DESK: Final = frozenset({Role.ANALYST, Role.APPROVER})

PERMITS: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        "lists.read": ALL_ROLES,
        "lists.import": frozenset({Role.OPERATOR, Role.ADMIN}),
        "lists.enable": frozenset({Role.OPERATOR, Role.ADMIN}),
        "lists.disable": frozenset({Role.OPERATOR, Role.ADMIN}),
        "lists.drop": frozenset({Role.OPERATOR, Role.ADMIN}),
        "lists.keys": frozenset({Role.ADMIN}),
        "lists.feedback": frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN}),
        "lists.revisit": frozenset({Role.OPERATOR, Role.ADMIN}),
        "entries.lift": _DESK,
        "entries.uphold": _DESK,
        "lists.check": frozenset({Role.OPERATOR, Role.ANALYST, Role.ADMIN}),
        "data.load": frozenset({Role.OPERATOR, Role.ADMIN}),
        "data.update": frozenset({Role.OPERATOR, Role.ADMIN}),
        "hits.read": ALL_ROLES,
        "hits.reveal": _DESK,
        "hits.confirm": _DESK,
        "hits.reject": _DESK,
        "hits.refer": _DESK,
        "hits.hold": _DESK,
        "hits.resume": _DESK,
        "hits.reopen": frozenset({Role.APPROVER}),
        "hits.quarantine": frozenset({Role.APPROVER, Role.ADMIN}),
        "hits.lift": frozenset({Role.APPROVER, Role.ADMIN}),
        "cases.take": _DESK,
        "cases.note": _DESK,
        "campaigns.read": ALL_ROLES,
        "campaigns.write": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.approve": frozenset({Role.APPROVER}),
        "campaigns.reveal": frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN}),
        "campaigns.start": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.pause": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.resume": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.stop": frozenset({Role.OPERATOR, Role.ADMIN}),
        "stops.read": ALL_ROLES,
        # In an emergency everybody who acts at all may stop; going on again is for those who answer for the crawl.
        "stops.set": ALL_ROLES - {Role.AUDITOR},
        "stops.lift": frozenset({Role.OPERATOR, Role.ADMIN}),
        "workers.read": ALL_ROLES,
        "workers.enrol": frozenset({Role.OPERATOR, Role.ADMIN}),
        "workers.revoke": frozenset({Role.OPERATOR, Role.ADMIN}),
        "notices.read": ALL_ROLES,
        "notices.reveal": _DESK,
        "notices.draft": _DESK,
        "notices.withdraw": _DESK,
        "notices.approve": frozenset({Role.APPROVER}),
        "notices.send": frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN}),
        "notices.resolve": _DESK,
        "rechecks.run": frozenset({Role.OPERATOR, Role.ANALYST, Role.APPROVER, Role.ADMIN}),
        "report.read": ALL_ROLES,
        "schedules.read": ALL_ROLES,
        "schedules.write": frozenset({Role.OPERATOR, Role.ADMIN}),
        "schedules.run": frozenset({Role.OPERATOR, Role.ADMIN}),
        "doctor.read": ALL_ROLES,
        "audit.read": frozenset({Role.AUDITOR, Role.ADMIN}),
        "audit.publish": frozenset({Role.AUDITOR, Role.ADMIN}),
        "users.read": frozenset({Role.AUDITOR, Role.ADMIN}),
        "users.write": frozenset({Role.ADMIN}),
        "keys.rotate": frozenset({Role.ADMIN}),
        "store.backup": frozenset({Role.ADMIN}),
        "store.restore": frozenset({Role.ADMIN}),
        "retention.run": frozenset({Role.ADMIN}),
    }
)
"""Act -> the roles that permit it. An act that does not stand here is nobody's."""


def identify(db: Database, name: str | None, *, origin: str = "cli", signed_in: str | None = None) -> Actor:
    """The person who acts, with all roles that the person has.

    name: as --user gave it; None: "operator" in the lab, else the account where it is registered itself, else who
    signed in, else the account's name. Timers of an account thus act as the account, whoever signed in under it.
    signed_in: whose session the command carries, None for nobody's.
    Raises NotAuthorised when the name is neither the account's nor that of the session, or needs a session.
    """
    if db.home.lab:
        return Actor(name or "operator", ALL_ROLES, origin)
    account = _account()
    itself = account if _is_registered(db, account) else None
    wanted, origin = name or itself or signed_in or account, f"{origin}:{account}"
    if not anyone_has_a_role(db):
        if wanted != account:
            raise NotAuthorised(
                f"nobody is registered yet, so you are {account!r}, not {wanted!r}; see `vangnet users add`"
            )
        return Actor(account, ALL_ROLES, origin)
    found = people.person(db, wanted)
    if found is not None and found.signs_in:
        if signed_in != wanted:
            raise NotAuthorised(f"{wanted!r} signs in first: vangnet users sign-in {wanted}")
    elif wanted != account:
        raise NotAuthorised(f"you are signed in as {account!r}, not {wanted!r}; leave --user out or sign in")
    return Actor(wanted, roles_of(db, wanted), origin)


def account(home: Home, name: str | None) -> Actor:
    """Who acts where no database can say who may: in the lab whoever is named, else the account that uses the home.

    name: as --user gave it. Raises NotAuthorised when that is not the account's.
    """
    if home.lab:
        return Actor(name or "operator", ALL_ROLES, "cli")
    own = _account()
    if name not in (None, own):
        raise NotAuthorised(f"nothing can be read of who {name!r} is, so you are {own!r}; leave --user out")
    return Actor(own, ALL_ROLES, f"cli:{own}")


def require(db: Database, actor: Actor, act: str) -> None:
    """Return when a role of the actor permits the act.

    Raises NotAuthorised, after it was noted in the audit record; so it must not be called inside a transaction.
    """
    if not actor.roles.isdisjoint(PERMITS.get(act, frozenset())):
        return
    with db.write():
        audit.append(db, actor, act, "", result="refused", detail={"why": "role"})
    wanted = " or ".join(sorted(PERMITS.get(act, frozenset()))) or "nobody"
    raise NotAuthorised(f"{actor.name!r} may not do this ({act}); it takes the role {wanted}")


def _is_registered(db: Database, account: str) -> bool:
    """Whether an account is itself a person who acts, by the word of the operating system."""
    found = people.person(db, account)
    return found is not None and not found.signs_in and found.disabled_at is None


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise NotAuthorised("the operating system has no name for this account; run as a named account") from error
