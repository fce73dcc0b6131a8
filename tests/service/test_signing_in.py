"""Who acts when an account and a session say different things, and how many guesses a name bears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from crawler.errors import InvalidInput, NotAuthorised, Refused
from crawler.service import actors, signing_in, users
from crawler.service.actors import identify
from crawler.service.signing_in import OF_NAME, sign_in
from crawler.service.users import add_user, reset_user
from crawler.store.actors import SERVICES
from crawler.store.database import Database, open_store
from tests.store.factories import ANNA, store_at

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """In production, with two people who sign in."""
    for module in (users, signing_in):
        monkeypatch.setattr(module, "HASHER", QUICK)
    monkeypatch.setattr(actors.getpass, "getuser", lambda: "vangnet")
    with store_at(tmp_path, lab=False) as opened:
        add_user(opened, ANNA, "beheer", "admin")
        yield opened


def guess(db: Database, number: int = 1) -> str:
    try:
        sign_in(db, "beheer", "guess", "000000", origin=f"web:192.0.2.{number}")
    except (NotAuthorised, Refused) as error:
        return type(error).__name__
    return "in"


def test_an_account_that_is_registered_itself_outranks_a_session(db: Database) -> None:
    assert identify(db, None, signed_in="beheer").name == "beheer"
    add_user(db, ANNA, "vangnet", "operator", account=True)
    assert identify(db, None, signed_in="beheer").name == "vangnet"
    assert identify(db, "beheer", signed_in="beheer").name == "beheer"
    users.disable_user(db, ANNA, "vangnet")
    assert identify(db, None, signed_in="beheer").name == "beheer"


def test_guesses_made_at_once_are_counted_as_those_one_after_another(db: Database) -> None:
    def alone(number: int) -> str:
        with open_store(db.home) as own:
            return guess(own, number)

    with ThreadPoolExecutor(12) as pool:
        assert Counter(pool.map(alone, range(12))) == {"NotAuthorised": OF_NAME, "Refused": 12 - OF_NAME}


def test_a_name_that_nobody_has_costs_as_much_work_and_fits_nothing() -> None:
    known, drawn = users.HASHER.hash(""), signing_in._nobodys()
    assert extract_parameters(drawn) == extract_parameters(known)
    assert drawn != signing_in._nobodys()
    with pytest.raises(VerifyMismatchError):
        users.HASHER.verify(drawn, "")


def test_new_credentials_let_in_at_once(db: Database) -> None:
    assert {guess(db) for _ in range(OF_NAME)} == {"NotAuthorised"}
    assert guess(db) == "Refused"
    made = reset_user(db, ANNA, "beheer")
    assert made.totp is not None
    assert made.password is not None
    assert len(sign_in(db, "beheer", made.password, pyotp.TOTP(made.totp).now(), origin="web:192.0.2.9")) == 43
    assert guess(db) == "NotAuthorised"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_person_has_the_name_of_a_service(db: Database, name: str) -> None:
    with pytest.raises(InvalidInput, match="a service of Vangnet's own"):
        add_user(db, ANNA, name, "approver")
