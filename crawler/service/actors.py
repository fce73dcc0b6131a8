"""Who may do what.

In the lab everybody is everybody. In production a person is who the operating system says: while nobody has been
registered yet, the account that owns the home may do everything, under the name that it gives; from then on the name
must be that of the account, and its roles decide. The audit record has the account in any case.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from crawler.errors import NotAuthorised
from crawler.store import audit
from crawler.store.actors import Actor, Role, anyone_has_a_role, roles_of
from crawler.store.database import Database

_ALL: Final = frozenset(Role)
_DESK: Final = frozenset({Role.ANALYST, Role.APPROVER})

PERMITS: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        "lists.read": _ALL,
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
        "hits.read": _ALL,
        "hits.reveal": _DESK,
        "hits.confirm": _DESK,
        "hits.reject": _DESK,
        "campaigns.read": _ALL,
        "campaigns.write": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.approve": frozenset({Role.APPROVER}),
        "campaigns.reveal": frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN}),
        "campaigns.start": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.pause": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.resume": frozenset({Role.OPERATOR, Role.ADMIN}),
        "campaigns.stop": frozenset({Role.OPERATOR, Role.ADMIN}),
        "stops.read": _ALL,
        # In an emergency everybody who acts at all may stop; going on again is for those who answer for the crawl.
        "stops.set": _ALL - {Role.AUDITOR},
        "stops.lift": frozenset({Role.OPERATOR, Role.ADMIN}),
        "workers.read": _ALL,
        "workers.enrol": frozenset({Role.OPERATOR, Role.ADMIN}),
        "workers.revoke": frozenset({Role.OPERATOR, Role.ADMIN}),
        "notices.read": _ALL,
        "notices.reveal": _DESK,
        "notices.draft": _DESK,
        "notices.withdraw": _DESK,
        "notices.approve": frozenset({Role.APPROVER}),
        "notices.send": frozenset({Role.OPERATOR, Role.APPROVER, Role.ADMIN}),
        "notices.resolve": _DESK,
        "rechecks.run": frozenset({Role.OPERATOR, Role.ANALYST, Role.APPROVER, Role.ADMIN}),
        "report.read": _ALL,
        "schedules.read": _ALL,
        "schedules.write": frozenset({Role.OPERATOR, Role.ADMIN}),
        "schedules.run": frozenset({Role.OPERATOR, Role.ADMIN}),
        "doctor.read": _ALL,
        "audit.read": frozenset({Role.AUDITOR, Role.ADMIN}),
    }
)
"""Act -> the roles that permit it. An act that does not stand here is nobody's."""


def identify(db: Database, name: str | None, *, origin: str = "cli") -> Actor:
    """The person who acts, with all roles that the person has.

    name: as --user gave it; None: "operator" in the lab, the account's name in production.
    Raises NotAuthorised when people are registered and the name is not the account's.
    """
    if db.home.lab:
        return Actor(name or "operator", _ALL, origin)
    account = _account()
    if not anyone_has_a_role(db):
        return Actor(name or account, _ALL, f"{origin}:{account}")
    if name not in (None, account):
        raise NotAuthorised(f"you are signed in as {account!r}, not {name!r}; leave --user out or change the account")
    return Actor(account, roles_of(db, account), f"{origin}:{account}")


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


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError) as error:
        raise NotAuthorised("the operating system has no name for this account; run as a named account") from error
