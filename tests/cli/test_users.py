from __future__ import annotations

import stat
import time
from pathlib import Path

import click
import pyotp
import pytest
from argon2 import PasswordHasher

from crawler.service import actors, signing_in, users
from crawler.service.tokens import token_file
from crawler.store.hits import record
from tests.cli.running import Run, runner
from tests.store.factories import ATTRIBUTION, home_at, report, store_at

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def vangnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """In production, as the account `service`."""
    monkeypatch.setattr(users, "HASHER", QUICK)
    monkeypatch.setattr(signing_in, "HASHER", QUICK)
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "service")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return runner(monkeypatch, capsys, "--home", str(tmp_path / "home"))


def typed(monkeypatch: pytest.MonkeyPatch, made: dict[str, str], *, later: int = 0) -> None:
    """What the person types at the prompts: the password, and the code of this step or a later one."""
    given = [made["password"], pyotp.TOTP(made["totp_secret"]).at(int(time.time()) + 30 * later)]
    monkeypatch.setattr(click, "prompt", lambda *arguments, **options: given.pop(0))


def test_from_the_first_admin_to_a_decision(vangnet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with store_at(tmp_path, lab=False) as db:
        record(db, report(), ATTRIBUTION)
    assert "register an admin first" in vangnet("users", "add", "anna", "--role", "analyst").err
    beheer = vangnet("users", "add", "beheer", "--role", "admin", "--json").document()
    assert "signs in first" in vangnet("--user", "beheer", "users", "list").err
    assert vangnet("cases", "list").code == 0 or "role" in vangnet("cases", "list").err
    assert vangnet("doctor").code == 3
    typed(monkeypatch, beheer)
    assert vangnet("users", "sign-in", "beheer").code == 0
    assert vangnet("doctor").code == 1
    kept = token_file(home_at(tmp_path, lab=False))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    shown = vangnet("users", "add", "anna", "--role", "analyst")
    assert "Shown once" in shown.out
    anna = vangnet("users", "reset", "anna", "--json").document()
    assert "it takes the role" in vangnet("cases", "next").err
    assert vangnet("users", "sign-out").code == 0
    assert not kept.exists()
    assert vangnet("--user", "anna", "cases", "next").code == 3
    typed(monkeypatch, anna)
    vangnet("users", "sign-in", "anna")
    item = vangnet("cases", "next", "--json").document()["id"]
    done = vangnet("cases", "confirm", item, "--reason", "listed", "--json").document()
    assert (done["status"], done["hits"]) == (["confirmed"], 1)
    assert vangnet("cases", "undo", item).out == f"item {item} is claimed\n"
    assert vangnet("--user", "beheer", "users", "list").code == 3
    kept.chmod(0o644)
    assert "open to other accounts" in vangnet("cases", "next").err


def test_an_account_needs_no_password_and_nobody_else_can_be_it(vangnet: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    vangnet("users", "add", "service", "--role", "admin", "--account")
    rows = vangnet("users", "list", "--json").document()
    assert [(row["name"], row["roles"], row["signs_in"]) for row in rows] == [("service", ["admin"], False)]
    assert vangnet("--user", "other", "users", "list").code == 3
    assert "last admin" in vangnet("users", "disable", "service").err
    vangnet("users", "add", "second", "--role", "admin", "--json")
    assert vangnet("users", "disable", "service").out == "service is disabled\n"
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "service")
    assert vangnet("users", "list").code == 3


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "anna"), 2),
        (("add", "Anna Jansen", "--role", "admin"), 2),
        (("add", "anna", "--role", "king"), 2),
        (("disable", "nobody"), 2),
        (("reset", "nobody"), 2),
    ],
)
def test_wrong_usage(vangnet: Run, arguments: tuple[str, ...], code: int) -> None:
    ended = vangnet("users", *arguments)
    assert (ended.code, len(ended.err.strip().splitlines()) >= 1) == (code, True)
    assert "Traceback" not in ended.err


def test_a_wrong_password_leaves_no_session(vangnet: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = vangnet("users", "add", "beheer", "--role", "admin", "--json").document()
    typed(monkeypatch, made | {"password": "guess"})
    ended = vangnet("users", "sign-in", "beheer")
    assert (ended.code, "do not fit together" in ended.err) == (3, True)
    assert not token_file(home_at(tmp_path, lab=False)).exists()


def test_the_desk_is_not_served_beyond_the_machine_without_tls(vangnet: Run) -> None:
    ended = vangnet("web", "--host", "0.0.0.0")
    assert (ended.code, "--certificate" in ended.err) == (2, True)
    assert vangnet("web", "--certificate", "x").code == 2
