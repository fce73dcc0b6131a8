from __future__ import annotations

from pathlib import Path

import pytest

from crawler.service.campaigns import create_campaign
from crawler.service.cases import LEASE_SECONDS, take_next
from crawler.store import audit
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from crawler.store.hit_marks import remark
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, image, report
from tests.web.conftest import SignedIn, case_of, statuses

CAMPAIGN = """
[campaign]
name = "nightly"
purpose = "known material"
legal_basis = "the law"
authorised_by = "the board"
valid_until = 2099-01-01
[identity]
user_agent = "vangnet"
contact = "mailto:desk@example.org"
[scope]
countries = ["NL"]
[seeds]
urls = ["https://gallery.example/secret-album"]
"""
BERT = Actor("bert", frozenset({Role.ANALYST}), "cli")


def test_from_the_queue_to_a_decision_and_back(db: Database, signed_in: SignedIn, sure: str, near: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    queue = anna.get("/queue")
    assert queue.body.index(f"/items/{sure}") < queue.body.index(f"/items/{near}")
    taken = anna.post("/queue/next")
    assert taken.location == f"/items/{sure}"
    page = anna.get(taken.location)
    shown = ("sha256", "exact", "tulips", "Tulip Hosting B.V.", "country NL", "with anna")
    assert all(word in page.text for word in shown)
    assert "secret-name" not in page.body
    done = anna.post(f"/items/{sure}/confirm", {"reason": "listed", "version": page.hidden("version")})
    assert (done.status, statuses(db, sure)) == (303, {"confirmed"})
    page = anna.get(done.location)
    assert "Done: confirm" in page.text
    undone = anna.post(f"/items/{sure}/undo", {"version": page.hidden("version")})
    assert (undone.status, statuses(db, sure)) == (303, {"claimed"})
    page = anna.get(f"/items/{sure}")
    assert "undone by who decided it" in page.text
    again = anna.post(f"/items/{sure}/reject", {"reason": "no", "version": page.hidden("version")})
    assert (again.status, statuses(db, sure)) == (303, {"rejected"})
    acts = [event["act"] for event in audit.events(db, object_id=sure) if event["act"] != "cases.show"]
    assert acts == ["cases.take", "cases.confirm", "cases.take", "cases.undo", "cases.reject"]


def test_two_analysts_on_one_item(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna, bert = signed_in("anna", Role.ANALYST), signed_in("bert", Role.ANALYST)
    version = bert.get(f"/items/{sure}").hidden("version")
    anna.post(f"/items/{sure}/take")
    taken = bert.post(f"/items/{sure}/take")
    assert (taken.status, "with anna until" in taken.text) == (409, True)
    stale = bert.post(f"/items/{sure}/confirm", {"reason": "I saw it first", "version": version})
    assert (stale.status, "has changed since you opened it" in stale.text) == (409, True)
    assert 'value="I saw it first"' in stale.body
    barred = bert.post(f"/items/{sure}/confirm", {"reason": "still", "version": stale.hidden("version")})
    assert (barred.status, "with anna until" in barred.text) == (409, True)
    assert statuses(db, sure) == {"claimed"}
    assert bert.post("/queue/next").location == "/queue?empty=1"
    assert "Nothing is open" in bert.get("/queue?empty=1").text


def test_a_second_click_decides_nothing_twice(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    form = {"reason": "listed", "version": anna.get(f"/items/{sure}").hidden("version")}
    first, second = (anna.post(f"/items/{sure}/confirm", form) for _ in range(2))
    assert (first.status, second.status) == (303, 409)
    assert "anna did confirm at" in second.text
    assert db.value("SELECT count(*) FROM decisions WHERE event = 'confirm'") == 2


def test_a_new_place_makes_a_form_stale(db: Database, signed_in: SignedIn, sure: str) -> None:
    """Nobody confirms a place that they have not seen."""
    anna = signed_in("anna", Role.ANALYST)
    version = anna.get(f"/items/{sure}").hidden("version")
    entry = db.value("SELECT min(entry_id) FROM matches")
    from crawler.records import RowMatch

    found = image("an image", RowMatch(entry, "sha256"))
    record(db, report("later", image_url="https://img.gallery.example/other.jpg", found=found), ATTRIBUTION)
    assert anna.post(f"/items/{sure}/confirm", {"reason": "listed", "version": version}).status == 409
    assert statuses(db, sure) == {"new"}


def test_a_lease_that_is_over_goes_to_the_next(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    anna.post("/queue/next")
    version = anna.get(f"/items/{sure}").hidden("version")
    with db.write():
        db.execute("UPDATE cases SET lease_until = lease_until - ?", LEASE_SECONDS + 1)
    assert take_next(db, BERT) == sure
    late = anna.post(f"/items/{sure}/confirm", {"reason": "listed", "version": version})
    assert (late.status, statuses(db, sure)) == (409, {"claimed"})
    assert anna.post(f"/items/{sure}/release").status == 409
    events = [event for event in audit.events(db, object_id=sure) if event["act"] == "cases.lapse"]
    assert [(event["actor"], event["detail"]) for event in events] == [("desk", {"what": "lease"})]


def test_a_lease_that_is_over_and_nobodys_loses_nothing(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    anna.post("/queue/next")
    version = anna.get(f"/items/{sure}").hidden("version")
    with db.write():
        db.execute("UPDATE cases SET lease_until = 1.0")
    assert anna.post(f"/items/{sure}/confirm", {"reason": "listed", "version": version}).status == 303


def test_what_its_lists_have_withdrawn_is_not_confirmed(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    version = anna.get(f"/items/{sure}").hidden("version")
    with db.write():
        db.execute("UPDATE hash_entries SET withdrawn_version = 1")
        remark(db, [row["id"] for row in db.rows("SELECT id FROM hits")])
    refused = anna.post(f"/items/{sure}/confirm", {"reason": "listed", "version": version})
    assert (refused.status, "withdrawn by its lists" in refused.text) == (409, True)
    assert 'data-key="c"' not in refused.body
    assert anna.post(f"/items/{sure}/reject", {"reason": "withdrawn", "version": version}).status == 303


def test_a_near_hit_is_assessed_elsewhere(db: Database, signed_in: SignedIn, near: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    page = anna.get(f"/items/{near}")
    assert "Class C" in page.text
    assert 'data-key="c"' not in page.body
    refused = anna.post(f"/items/{near}/confirm", {"reason": "sure", "version": page.hidden("version")})
    assert (refused.status, "wants an assessment made elsewhere" in refused.text) == (409, True)
    anna.post(f"/items/{near}/refer", {"reason": "please look", "version": page.hidden("version")})
    page = anna.get(f"/items/{near}")
    form = {"version": page.hidden("version"), "reason": "as they say", "assessor": "P. Jansen"}
    for missing in ({}, {"verdict": "listed"}, {"verdict": "perhaps", "reference": "PV-1"}, {"reference": "PV-1"}):
        answer = anna.post(f"/items/{near}/assess", form | missing)
        assert (answer.status, 'value="P. Jansen"' in answer.body) == (400, True)
    done = anna.post(f"/items/{near}/assess", form | {"verdict": "listed", "reference": "PV-2026-17"})
    assert (done.status, statuses(db, near)) == (303, {"confirmed"})
    assert "assessed by P. Jansen , reference PV-2026-17" in anna.get(f"/items/{near}").text
    assert b"PV-2026-17" not in db.home.database.read_bytes()


def test_a_hold_has_an_owner_a_reason_and_an_end(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    form = {"version": anna.get(f"/items/{sure}").hidden("version"), "reason": "investigation"}
    for days in ("0", "366", "-1", "x", "", "1e3"):
        assert anna.post(f"/items/{sure}/hold", form | {"owner": "police", "days": days}).status == 400
    assert anna.post(f"/items/{sure}/hold", form | {"owner": " ", "days": "3"}).status == 400
    assert anna.post(f"/items/{sure}/hold", form | {"owner": "police", "days": "3"}).status == 303
    assert statuses(db, sure) == {"held"}
    assert "held for police until" in anna.get(f"/items/{sure}").text
    assert take_next(db, BERT) is None
    with db.write():
        db.execute("UPDATE cases SET hold_until = 1.0")
    assert take_next(db, BERT) == sure


def test_notes_reopening_and_quarantine(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna, bert = signed_in("anna", Role.ANALYST), signed_in("bert", Role.APPROVER)
    anna.post(f"/items/{sure}/note", {"text": "first line\r\nsecond <b>line</b>"})
    assert "first line second <b>line</b>" in anna.get(f"/items/{sure}").text
    for act, after in (("quarantine", "quarantined"), ("lift", "new"), ("reject", "rejected"), ("reopen", "new")):
        page = bert.get(f"/items/{sure}")
        form = {"reason": "why", "version": page.hidden("version")}
        assert anna.post(f"/items/{sure}/{act}", form).status == 403 or act == "reject"
        if act != "reject":
            assert bert.post(f"/items/{sure}/{act}", form).status == 303
        assert statuses(db, sure) == {after}


def test_putting_back_and_skipping(db: Database, signed_in: SignedIn, sure: str, near: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    anna.post("/queue/next")
    assert anna.post("/queue/next").location == f"/items/{sure}"
    assert anna.post("/queue/next", {"skip": sure}).location == f"/items/{near}"
    assert statuses(db, sure) == {"new"}
    assert anna.post(f"/items/{near}/release").location == "/queue"
    assert statuses(db, near) == {"new"}


def test_revealing_takes_a_reason_and_is_on_record(db: Database, signed_in: SignedIn, sure: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    assert anna.post(f"/items/{sure}/reveal", {"reason": "  "}).status == 400
    shown = anna.post(f"/items/{sure}/reveal", {"reason": "to call the hoster"})
    assert "secret-name-2.jpg" in shown.text
    assert "secret-name" not in anna.get(f"/items/{sure}").body
    (event,) = [event for event in audit.events(db) if event["act"] == "hits.reveal"]
    assert (event["object"], event["actor"], event["origin"]) == (sure, "anna", "web:127.0.0.1")
    assert "to call" not in str(event)


def test_hostile_text_is_shown_and_does_nothing(db: Database, signed_in: SignedIn) -> None:
    evil = '"><script>alert(1)</script>\u202egpj.exe\x1b[31m'
    from dataclasses import replace

    from tests.store.factories import FACTS

    facts = replace(FACTS, holder=evil, as_name=evil, abuse_contact=evil)
    hit = record(db, report("evil"), replace(ATTRIBUTION, domain=evil, facts=facts))
    item = case_of(db, hit.hit_id)
    anna = signed_in("anna", *Role)
    for page in (anna.get("/queue"), anna.get(f"/items/{item}"), anna.post(f"/items/{item}/reveal", {"reason": evil})):
        assert page.status == 200
        assert "<script>alert" not in page.body
        assert "\u202e" not in page.body
        assert "\x1b" not in page.body
        assert "&lt;script&gt;alert(1)" in page.body


@pytest.mark.parametrize("item", ["x", "0" * 16, "../../etc/passwd", "%00", "💥"])
def test_items_that_are_not_there(signed_in: SignedIn, item: str) -> None:
    anna = signed_in("anna", Role.ANALYST)
    assert anna.get(f"/items/{item}").status == 404
    assert anna.get("/queue?view=nothing").status == 404
    assert anna.get("/static/../app.py").status == 404
    assert anna.get("/static/htmx.LICENSE").status == 404


def test_a_campaign_is_shown_without_its_seeds(db: Database, signed_in: SignedIn, tmp_path: Path) -> None:
    file = tmp_path / "nightly.toml"
    file.write_text(CAMPAIGN)
    create_campaign(db, ANNA, file, lab=False)
    page = signed_in("bert", Role.APPROVER).get("/campaigns/nightly")
    assert page.status == 200
    assert all(word in page.text for word in ("known material", "the law", "the board", "anna", "2099-01-01"))
    # The server is away here, and takes nothing else from the page.
    assert 'role="alert"' in page.body
    assert "secret-album" not in page.body


def test_campaign_pages_without_a_server(db: Database, signed_in: SignedIn) -> None:
    op = signed_in("op", Role.OPERATOR)
    assert op.get("/campaigns").status == 200
    assert op.get("/campaigns/none").status == 404
    answer = op.post("/campaigns/none/pause")
    assert answer.status in (400, 404)
    assert op.get("/audit").status == 403
