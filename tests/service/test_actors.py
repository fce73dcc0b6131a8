from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.errors import NotAuthorised, VangnetError
from crawler.match.entries import ImportOptions
from crawler.options import Options
from crawler.service import actors
from crawler.service import audit as audit_service
from crawler.service.actors import PERMITS, identify, require
from crawler.service.case_acts import (
    hold_case,
    lift_case,
    note_case,
    quarantine_case,
    refer_case,
    reopen_case,
    resume_case,
)
from crawler.service.cases import take_case
from crawler.service.checks import check
from crawler.service.dropping import drop
from crawler.service.hits import confirm_hit, list_hits, reject_hit, show_hit
from crawler.service.imports import import_list
from crawler.service.keys import rotate_keys
from crawler.service.lists import all_lists, set_enabled
from crawler.service.upkeep import back_up, retain
from crawler.service.users import disable_user, list_users
from crawler.store import audit
from crawler.store.actors import Actor, Role, add_role
from crawler.store.database import Database
from tests.store.factories import store_at

ACTS: dict[str, Callable[[Database, Actor], object]] = {
    "lists.read": all_lists,
    "lists.import": lambda db, actor: import_list(db, actor, Path("/nowhere"), name="x", options=ImportOptions()),
    "lists.enable": lambda db, actor: set_enabled(db, actor, "x", True),
    "lists.disable": lambda db, actor: set_enabled(db, actor, "x", False),
    "lists.drop": lambda db, actor: drop(db, actor, "x"),
    "lists.check": lambda db, actor: check(db, actor, []),
    "hits.read": lambda db, actor: (list_hits(db, actor), show_hit(db, actor, "x")),
    "hits.reveal": lambda db, actor: list_hits(db, actor, reveal_reason="why"),
    "hits.confirm": lambda db, actor: confirm_hit(db, actor, "x", reason="why"),
    "hits.reject": lambda db, actor: reject_hit(db, actor, "x", reason="why"),
    "hits.refer": lambda db, actor: refer_case(db, actor, "x", reason="why"),
    "hits.hold": lambda db, actor: hold_case(db, actor, "x", owner="police", days=1, reason="why"),
    "hits.resume": lambda db, actor: resume_case(db, actor, "x", reason="why"),
    "hits.reopen": lambda db, actor: reopen_case(db, actor, "x", reason="why"),
    "hits.quarantine": lambda db, actor: quarantine_case(db, actor, "x", reason="why"),
    "hits.lift": lambda db, actor: lift_case(db, actor, "x", reason="why"),
    "cases.take": lambda db, actor: take_case(db, actor, "x"),
    "cases.note": lambda db, actor: note_case(db, actor, "x", text="why"),
    "users.read": list_users,
    "users.write": lambda db, actor: disable_user(db, actor, "x"),
    "keys.rotate": rotate_keys,
    "store.backup": lambda db, actor: back_up(db, actor, Path("/nowhere/b")),
    "retention.run": lambda db, actor: retain(db, actor, Options(), dry_run=True),
    "audit.publish": lambda db, actor: audit_service.publish(db, actor, Path("/nowhere")),
    "audit.read": lambda db, actor: (audit_service.verify(db, actor), audit_service.events(db, actor)),
}


@pytest.mark.parametrize("act", ACTS)
def test_every_act_needs_its_role(db: Database, act: str) -> None:
    """An act without its role is refused and on record; with it, it goes on to whatever else may be wrong."""
    for role in (*Role, None):
        actor = Actor(f"anna the {role}", frozenset({role} if role else ()), "cli")
        try:
            ACTS[act](db, actor)
            refused = False
        except NotAuthorised:
            refused = True
        except VangnetError:
            refused = False
        assert refused == (role not in PERMITS[act])
        noted = {(event["act"], event["result"]) for event in audit.events(db) if event["actor"] == actor.name}
        # Whoever may not read hits does not get as far as revealing them.
        assert not refused or noted <= {(act, "refused"), ("hits.read", "refused")}
        assert refused == ("refused" in {result for _, result in noted})


def test_an_unknown_act_is_nobodys(db: Database) -> None:
    with pytest.raises(NotAuthorised, match="nobody"):
        require(db, Actor("anna", frozenset(Role), "cli"), "hits.burn")


def test_the_lab_is_free(db: Database) -> None:
    assert identify(db, None) == Actor("operator", frozenset(Role), "cli")
    assert identify(db, "anna") == Actor("anna", frozenset(Role), "cli")


def test_production_asks_the_operating_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "bert")
    with store_at(tmp_path, lab=False) as db:
        assert identify(db, None) == Actor("bert", frozenset(Role), "cli:bert")
        with pytest.raises(NotAuthorised, match="nobody is registered yet, so you are 'bert', not 'anna'"):
            identify(db, "anna")
        with db.write():
            add_role(db, "bert", Role.AUDITOR)
        assert identify(db, None) == Actor("bert", frozenset({Role.AUDITOR}), "cli:bert")
        assert identify(db, "bert").roles == {Role.AUDITOR}
        with pytest.raises(NotAuthorised, match="signed in as 'bert'"):
            identify(db, "anna")
        monkeypatch.setattr(actors.getpass, "getuser", lambda: "carla")
        assert identify(db, None).roles == frozenset()


def test_an_account_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 4242")

    monkeypatch.setattr(actors.getpass, "getuser", fail)
    with store_at(tmp_path, lab=False) as db, pytest.raises(NotAuthorised, match="named account"):
        identify(db, "anna")
