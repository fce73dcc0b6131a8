from __future__ import annotations

import time
from pathlib import Path

import pyotp
import pytest
from argon2 import PasswordHasher

from crawler.options import Options
from crawler.service import signing_in, users
from crawler.service.users import add_user, reset_user
from crawler.store import audit
from crawler.store.database import Database
from crawler.web.app import desk_app
from crawler.web.ways import Desk
from tests.store.factories import ANNA, store_at
from tests.web.browsing import Browser

QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "HASHER", QUICK)
    monkeypatch.setattr(signing_in, "HASHER", QUICK)


def form(made: users.Enrolled, at: float | None = None) -> dict[str, object]:
    assert made.password and made.totp
    code = pyotp.TOTP(made.totp).at(int(at or time.time()))
    return {"name": made.person.name, "password": made.password, "code": code}


def test_signing_in_and_out(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    assert browser.get("/").location == "/sign-in"
    entered = browser.post("/sign-in", form(made))
    assert (entered.status, entered.location) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert browser.get("/").location == "/campaigns"
    assert browser.get("/sign-in").location == "/"
    kept = dict(browser.cookies)
    assert browser.post("/sign-out").location == "/sign-in"
    assert browser.cookies == {}
    browser.cookies = kept
    assert browser.get("/queue").location == "/sign-in"
    acts = [(event["act"], event["result"]) for event in audit.events(db)]
    assert acts == [("users.add", "done"), ("users.sign-in", "done"), ("users.sign-out", "done")]


def test_a_token_that_somebody_planted_opens_nothing(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]), {"vangnet": "planted"})
    assert browser.post("/sign-in", form(made)).status == 303
    first = browser.cookies["vangnet"]
    assert first != "planted"
    other = Browser(desk_app(desk, ["localhost"]), {"vangnet": "planted"})
    assert other.get("/queue").location == "/sign-in"
    # Signing in over a session ends that one: whoever left it behind is not in any more.
    second = add_user(db, ANNA, "bert", "approver")
    assert browser.post("/sign-in", form(second)).status == 303
    assert Browser(desk_app(desk, ["localhost"]), {"vangnet": first}).get("/queue").location == "/sign-in"


def test_over_tls_the_cookie_stays_there(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]), scheme="https")
    entered = browser.post("/sign-in", form(made))
    assert entered.headers["set-cookie"].startswith("__Host-vangnet=")
    assert "Secure" in entered.headers["set-cookie"]
    assert "strict-transport-security" in entered.headers
    assert browser.get("/").status == 303


def test_a_code_is_good_once(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser, other = (Browser(desk_app(desk, ["localhost"])) for _ in range(2))
    given = form(made)
    assert browser.post("/sign-in", given).status == 303
    assert other.post("/sign-in", given).status == 401


@pytest.mark.parametrize("wrong", ["name", "password", "code"])
def test_whatever_is_wrong_the_answer_is_the_same(db: Database, desk: Desk, wrong: str) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    answer = browser.post("/sign-in", form(made) | {wrong: "000000\ud7ff"})
    assert (answer.status, "do not fit together" in answer.text) == (401, True)
    assert made.password not in answer.body
    assert browser.cookies == {}
    (event,) = list(audit.events(db, last=1))
    assert (event["act"], event["result"], event["detail"]) == (
        "users.sign-in",
        "refused",
        {"from": "web:127.0.0.1"},
    )
    assert "000000" not in str(event)


def test_a_code_of_another_time_does_not_fit(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    assert browser.post("/sign-in", form(made, time.time() - 90)).status == 401
    assert browser.post("/sign-in", form(made, time.time() + 90)).status == 401


def test_after_five_failures_even_the_right_one_waits(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    for _ in range(5):
        assert browser.post("/sign-in", form(made) | {"password": "guess"}).status == 401
    assert browser.post("/sign-in", form(made)).status == 429
    with db.write():
        db.execute("UPDATE failed_sign_ins SET at = at - 901")
    assert browser.post("/sign-in", form(made)).status == 303


def test_one_address_does_not_try_all_names(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    for number in range(20):
        browser.post("/sign-in", {"name": f"name{number}", "password": "x", "code": "1"})
    assert browser.post("/sign-in", form(made)).status == 429
    browser.address = "192.0.2.9"
    assert browser.post("/sign-in", form(made)).status == 303
    assert b"name7" not in db.home.database.read_bytes()


def test_new_credentials_end_sessions(db: Database, desk: Desk) -> None:
    made = add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    browser.post("/sign-in", form(made))
    again = reset_user(db, ANNA, "anna")
    assert browser.get("/queue").location == "/sign-in"
    assert browser.post("/sign-in", form(made)).status == 401
    assert browser.post("/sign-in", form(again)).status == 303


def test_the_lab_asks_for_a_name_only(tmp_path: Path) -> None:
    with store_at(tmp_path / "lab") as db:
        browser = Browser(desk_app(Desk(db.home, Options(lab=True), "unix:///nowhere"), ["localhost"]))
        assert "password" not in browser.get("/sign-in").body
        assert browser.post("/sign-in", {"name": " "}).status == 401
        assert browser.post("/sign-in", {"name": "bert"}).status == 303
        assert "bert" in browser.get("/queue").text
        assert browser.get("/audit").status == 200


def test_production_does_not_take_a_name_only(db: Database, desk: Desk) -> None:
    add_user(db, ANNA, "anna", "admin")
    browser = Browser(desk_app(desk, ["localhost"]))
    assert browser.post("/sign-in", {"name": "anna"}).status == 401
