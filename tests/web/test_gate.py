from __future__ import annotations

import logging
import re
import sqlite3
from pathlib import Path

import pytest
import structlog

from crawler.cli.logs import log_to_stderr
from crawler.service.actors import PERMITS
from crawler.store import audit
from crawler.store.actors import Role
from crawler.store.database import Database
from crawler.web import items
from crawler.web.app import HEADERS, desk_app
from crawler.web.routes import WAYS
from crawler.web.ways import Desk, Way
from tests.web.browsing import Answered, Browser
from tests.web.conftest import SignedIn, statuses

FREE = {("GET", "/sign-in"), ("POST", "/sign-in"), ("POST", "/sign-out"), ("GET", "/static/{name}")}


def visit(browser: Browser, way: Way, item: str) -> Answered:
    path = way.path.replace("{id}", item).replace("{name}", "desk.css" if "static" in way.path else "nightly")
    return browser.get(path) if way.method == "GET" else browser.post(path)


def test_only_the_entrance_is_free() -> None:
    assert {(way.method, way.path) for way in WAYS if way.act is None} == FREE
    assert all(way.act in PERMITS for way in WAYS if way.act is not None)


def test_nobody_gets_past_the_entrance(desk: Desk, sure: str, db: Database) -> None:
    browser = Browser(desk_app(desk, ["localhost"]), {"vangnet": "a token that nobody has"})
    events = audit.verify(db).events
    for way in WAYS:
        answer = visit(browser, way, sure)
        if way.act is not None:
            entrance = (answer.status, answer.location) == (303, "/sign-in")
            assert entrance if way.method == "GET" else answer.status == 401, way.path
            assert "gallery" not in answer.body
    assert statuses(db, sure) == {"new"}
    assert audit.verify(db).events <= events + 1  # the sign-in that failed


@pytest.mark.parametrize("role", Role)
def test_every_route_needs_its_role(db: Database, signed_in: SignedIn, sure: str, role: Role) -> None:
    browser = signed_in("anna", role)
    for way in WAYS:
        if way.act is None:
            continue
        before = db.value("SELECT count(*) FROM audit_events")
        answer = visit(browser, way, sure)
        assert (answer.status == 403) == (role not in PERMITS[way.act]), (way.path, answer.text)
        assert answer.status < 500 or answer.status == 503
        if answer.status == 403:
            assert "it takes the role" in answer.text
            (event,) = list(audit.events(db, last=1))
            assert (event["result"], event["actor"]) == ("refused", "anna")
            assert db.value("SELECT count(*) FROM audit_events") == before + 1


def test_a_person_who_was_disabled_is_out_at_once(db: Database, signed_in: SignedIn) -> None:
    browser = signed_in("anna", Role.ANALYST)
    assert browser.get("/queue").status == 200
    with db.write():
        db.execute("UPDATE actors SET disabled_at = 1.0 WHERE name = 'anna'")
    assert browser.get("/queue").location == "/sign-in"


def test_sessions_end_by_themselves(db: Database, signed_in: SignedIn) -> None:
    browser = signed_in("anna", Role.ANALYST)
    for late in ("seen_at = seen_at - 3601", "opened_at = opened_at - 36001, seen_at = seen_at + 3601"):
        with db.write():
            db.execute(f"UPDATE sessions SET {late}")
        assert browser.get("/queue").location == "/sign-in"


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"sec_fetch_site": "same-origin"}, True),
        ({"sec_fetch_site": "cross-site"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "cross-site", "origin": "http://localhost"}, False),
        ({"sec_fetch_site": "", "origin": "http://localhost"}, True),
        ({"sec_fetch_site": "", "origin": "https://localhost"}, False),
        ({"sec_fetch_site": "", "origin": "http://evil.example"}, False),
        ({"sec_fetch_site": "", "origin": "null"}, False),
        ({"sec_fetch_site": ""}, False),
    ],
)
def test_forms_of_other_sites_do_nothing(
    db: Database, signed_in: SignedIn, sure: str, headers: dict[str, str], accepted: bool
) -> None:
    browser = signed_in("anna", Role.ANALYST)
    answer = browser.post(f"/items/{sure}/take", **headers)
    assert answer.status == (303 if accepted else 403)
    assert statuses(db, sure) == {"claimed" if accepted else "new"}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", ""])
def test_other_hosts_are_turned_away(signed_in: SignedIn, host: str) -> None:
    answer = signed_in("anna", Role.ANALYST).get("/queue", host=host or "x:x")
    assert answer.status == 400


def test_every_answer_has_the_headers(signed_in: SignedIn, sure: str) -> None:
    browser = signed_in("anna", *Role)
    answers = [browser.get(path) for path in ("/queue", f"/items/{sure}", "/audit", "/sign-in", "/nowhere")]
    answers += [browser.get("/queue", host="evil.example"), browser.post("/queue", sec_fetch_site="cross-site")]
    for answer in answers:
        assert {name: answer.headers[name.lower()] for name in HEADERS} == HEADERS
        assert "unsafe" not in answer.headers["content-security-policy"]
    static = browser.get("/static/htmx.min.js")
    assert (static.headers["cache-control"], static.headers["x-content-type-options"]) == ("max-age=300", "nosniff")


def test_no_page_has_inline_code_or_an_image_or_a_link_away(signed_in: SignedIn, sure: str, near: str) -> None:
    browser = signed_in("anna", *Role)
    revealed = browser.post(f"/items/{sure}/reveal", {"reason": "to call the hoster"})
    assert "https://img.gallery.example/holiday/secret-name-1.jpg" in revealed.text
    pages = [browser.get(path) for path in ("/queue", f"/items/{sure}", f"/items/{near}", "/campaigns", "/audit")]
    for page in (*pages, revealed):
        assert page.status == 200
        assert not re.search(r"<(img|picture|iframe|object|embed|video|style)\b", page.body)
        assert not re.search(r"\s(on\w+|style|srcset)=", page.body)
        assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", page.body)
        targets = re.findall(r'(?:href|src|action|formaction|hx-get)="([^"]*)"', page.body)
        assert targets
        assert all(target.startswith(("/", "#")) and not target.startswith("//") for target in targets)


def test_a_form_that_is_too_large_or_no_text(signed_in: SignedIn, sure: str) -> None:
    browser = signed_in("anna", Role.ANALYST)
    assert browser.post(f"/items/{sure}/note", {"text": "x" * 70_000}).status == 413
    assert browser.post(f"/items/{sure}/note", {f"f{n}": n for n in range(50)}).status == 413


def test_a_locked_database_says_so_and_gives_the_text_back(db: Database, signed_in: SignedIn, near: str) -> None:
    browser = signed_in("anna", Role.ANALYST)
    version = browser.get(f"/items/{near}").hidden("version")
    with db.write():
        answer = browser.post(f"/items/{near}/refer", {"version": version, "reason": "a long thought"})
    assert (answer.status, "locked" in answer.text, "a long thought" in answer.body) == (503, True, True)
    assert statuses(db, near) == {"new"}
    again = browser.post(f"/items/{near}/refer", {"version": version, "reason": "a long thought"})
    assert (again.status, statuses(db, near)) == (303, {"elsewhere"})


def test_a_damaged_database_says_so(db: Database, signed_in: SignedIn, desk: Desk) -> None:
    browser = signed_in("anna", Role.ANALYST)
    db.shrink_log()
    db.close()
    file = db.home.database
    file.write_bytes(b"no database at all" * 500)
    answer = browser.get("/queue")
    assert (answer.status, "restore it from a backup" in answer.text) == (503, True)


def test_a_key_that_does_not_fit_says_so(db: Database, signed_in: SignedIn) -> None:
    browser = signed_in("anna", Role.ANALYST)
    (db.home.keys / "seal-1").write_text("ab" * 32)
    answer = browser.get("/queue")
    assert (answer.status, "restore the keys from their backup" in answer.text) == (503, True)


def test_an_internal_error_shows_nothing_of_itself(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*given: object, **more: object) -> None:
        raise RuntimeError("https://secret.example/x.jpg")

    monkeypatch.setattr(items.cases, "list_cases", fail)
    browser = signed_in("anna", Role.ANALYST)
    log_to_stderr(False)
    try:
        with pytest.raises(RuntimeError):
            browser.get("/queue")
    finally:
        structlog.reset_defaults()
        logging.disable(logging.NOTSET)
    out, err = capsys.readouterr()
    assert "page failed" in err
    assert "secret.example" not in out + err


def test_sqlite_is_the_store_of_sessions(db: Database, signed_in: SignedIn, tmp_path: Path) -> None:
    """A stolen database signs nobody in: it has no token."""
    signed_in("anna", Role.ANALYST)
    db.shrink_log()
    assert b"token of anna" not in db.home.database.read_bytes()
    with sqlite3.connect(db.home.database) as connection:
        assert connection.execute("SELECT length(token_hash) FROM sessions").fetchone() == (32,)
    connection.close()
