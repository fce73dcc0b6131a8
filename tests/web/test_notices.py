"""The pages of notices: who may do what there, and what a second click or an old form does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.options import Options
from crawler.service import notices as service
from crawler.service.hits import confirm_hit
from crawler.store import audit
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from crawler.store.hits import record
from crawler.web.app import desk_app
from crawler.web.ways import Desk
from tests.service.frontiers import keep_approved
from tests.store.factories import ANNA, ATTRIBUTION, FACTS, report
from tests.web.conftest import SignedIn

EVIL = '"><script>alert(1)</script>\u202egpj.exe'


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(
        authority="Autoriteit Proeflab", notice_sender="notices@authority.example", outbox=str(tmp_path / "outbox")
    )


@pytest.fixture
def desk(db: Database, options: Options) -> Desk:
    return Desk(db.home, options, "unix:///nonexistent/server.sock", patience=0.3)


def confirmed(db: Database, number: int = 1) -> None:
    url = f"https://img.gallery.example/secret-name-{number}.jpg"
    place = replace(ATTRIBUTION, facts=replace(FACTS, holder=EVIL))
    confirm_hit(db, ANNA, record(db, report(f"s{number}", image_url=url), place).hit_id, reason="stands on the list")


@pytest.fixture
def drafted(db: Database, sure: str, options: Options) -> str:
    """A draft of one hit that anna confirmed, beside an item that nobody decided."""
    del sure
    keep_approved(db)
    confirmed(db)
    return str(service.draft_notices(db, ANNA, options)["drafts"][0]["id"])


def state(db: Database, notice: str) -> str:
    return str(db.value("SELECT state FROM notices WHERE id = ?", notice))


def test_whoever_confirmed_does_not_approve(db: Database, signed_in: SignedIn, drafted: str) -> None:
    analyst, both = signed_in("carla", Role.ANALYST), signed_in("anna", Role.ANALYST, Role.APPROVER)
    assert "Approve</button>" not in analyst.get(f"/notices/{drafted}").body
    assert analyst.post(f"/notices/{drafted}/approve", {"revision": 1}).status == 403
    page = both.get(f"/notices/{drafted}")
    assert "Approve</button>" not in page.body
    assert "a second person has to approve it" in page.text
    revision = db.value("SELECT revision FROM notices WHERE id = ?", drafted)
    refused = both.post(f"/notices/{drafted}/approve", {"revision": revision})
    assert (refused.status, "confirmed a hit of notice" in refused.text) == (403, True)
    assert state(db, drafted) == "draft"


def test_an_approval_is_for_the_draft_that_was_shown(
    db: Database, signed_in: SignedIn, drafted: str, options: Options
) -> None:
    bert = signed_in("bert", Role.APPROVER)
    seen = bert.get(f"/notices/{drafted}").hidden("revision")
    confirmed(db, 2)
    service.draft_notices(db, ANNA, options)
    stale = bert.post(f"/notices/{drafted}/approve", {"revision": seen})
    assert (stale.status, "has changed since you saw it" in stale.text) == (409, True)
    assert bert.post(f"/notices/{drafted}/approve").status == 400
    assert state(db, drafted) == "draft"
    # The page of the refusal shows the draft as it is now, and its form goes through: once.
    form = {"revision": stale.hidden("revision")}
    first, second = (bert.post(f"/notices/{drafted}/approve", form) for _ in range(2))
    assert (first.status, second.status) == (303, 409)
    assert "only a draft can be approved" in second.text
    approvals = [event["result"] for event in audit.events(db) if event["act"] == "notices.approve"]
    assert approvals.count("done") == 1


def test_a_notice_leaves_once(
    db: Database, signed_in: SignedIn, drafted: str, options: Options, tmp_path: Path
) -> None:
    service.approve_notice(db, Actor("bert", frozenset(Role), "cli"), options, drafted)
    operator = signed_in("op", Role.OPERATOR)
    assert "Send what is approved (1)" in operator.get("/notices").text
    first, second = (operator.post("/notices/send") for _ in range(2))
    assert f"Sent: {drafted}" in first.text
    assert "Nothing left." in second.text
    assert [file.name for file in (tmp_path / "outbox").iterdir()] == [f"{drafted}.eml"]
    assert db.value("SELECT count(*) FROM notice_attempts") == 1
    assert "directory: accepted" in operator.get(f"/notices/{drafted}").text


def test_what_has_not_left_is_withdrawn_and_drafted_anew(db: Database, signed_in: SignedIn, drafted: str) -> None:
    carla = signed_in("carla", Role.ANALYST)
    assert carla.post(f"/notices/{drafted}/withdraw").status == 303
    assert carla.post(f"/notices/{drafted}/withdraw").status == 409
    first, second = (carla.post("/notices/draft", {"instrument": "order"}) for _ in range(2))
    assert "1 hit in 1 draft" in first.text
    assert "Nothing to draft" in second.text
    assert carla.post("/notices/draft", {"instrument": "plea"}).status == 400


def test_urls_are_revealed_for_one_answer_with_a_reason(db: Database, signed_in: SignedIn, drafted: str) -> None:
    carla = signed_in("carla", Role.ANALYST)
    assert carla.post(f"/notices/{drafted}/reveal", {"reason": " "}).status == 400
    shown = carla.post(f"/notices/{drafted}/reveal", {"reason": "to call the hoster"})
    assert "secret-name-1.jpg" in shown.text
    for page in (carla.get(f"/notices/{drafted}"), carla.get("/notices")):
        assert page.status == 200
        assert "secret-name" not in page.body
    (event,) = [event for event in audit.events(db) if event["act"] == "notices.reveal"]
    assert (event["object"], event["actor"]) == (drafted, "carla")


def test_pages_of_notices_hold_strangers_texts_as_text(signed_in: SignedIn, drafted: str) -> None:
    carla = signed_in("carla", *Role)
    for page in (carla.get("/notices"), carla.get(f"/notices/{drafted}")):
        assert "&lt;script&gt;alert(1)" in page.body
        assert not re.search(
            r"<(img|iframe|object|style)\b|<script(?![^>]*\ssrc=\"/static/)|\s(on\w+|style)=", page.body
        )
        assert "\u202e" not in page.body
        assert not re.search(r"tulips|[0-9a-f]{64}", page.body), "neither a list's name nor a digest"
        targets = re.findall(r'(?:href|src|action|formaction|hx-get)="([^"]*)"', page.body)
        assert targets and all(re.match(r"[/#](?!/)|#", target) for target in targets)


@pytest.mark.parametrize("notice", ["x", "0" * 16, "../../etc/passwd", "%00", "💥"])
def test_notices_that_are_not_there(signed_in: SignedIn, notice: str) -> None:
    bert = signed_in("bert", Role.APPROVER)
    assert bert.get(f"/notices/{notice}").status == 404
    assert bert.get("/notices?view=nothing").status == 404
    assert bert.post("/notices/0/approve", {"revision": 1}).status == 400


def test_a_desk_without_an_issuer_says_what_to_set(db: Database, signed_in: SignedIn, drafted: str, desk: Desk) -> None:
    bare = replace(desk, options=Options())

    bert = signed_in("bert", Role.APPROVER)
    bert.app = desk_app(bare, ["localhost"])
    for answer in (
        bert.get(f"/notices/{drafted}"),
        bert.post(f"/notices/{drafted}/approve", {"revision": 1}),
        bert.post("/notices/draft", {"instrument": "notice"}),
    ):
        assert (answer.status, "VANGNET_AUTHORITY" in answer.text) == (503, True)
    sent = bert.post("/notices/send")
    assert (sent.status, "notices have no way out yet" in sent.text) == (503, True)
