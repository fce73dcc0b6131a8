from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import InvalidInput, NotAuthorised, OptionInvalid, Refused, StoreUnavailable
from crawler.notice.outbox import Attempt, DirectoryOutbox, Envelope, Fate
from crawler.records import Attribution, RowMatch
from crawler.service import notices as service
from crawler.service.actors import identify
from crawler.service.case_acts import reopen_case
from crawler.service.delivery import send_notices
from crawler.service.hits import confirm_hit, show_hit
from crawler.service.lists import set_enabled
from crawler.service.papers import bundle_notice, export_notice, show_notice
from crawler.store import audit, notices
from crawler.store.actors import Actor, Role
from crawler.store.database import Database
from crawler.store.hits import record
from crawler.store.retention import erase
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, OTHER, hit
from tests.store.factories import ATTRIBUTION, FACTS, add_list, digest_entry, image, report, store_at


def drafted(db: Database, **more: object) -> str:
    hit(db)
    return str(service.draft_notices(db, ANALYST, OPTIONS, **more)["drafts"][0]["id"])


def test_there_is_one_draft_for_each_contact_and_deadline(db: Database) -> None:
    first, second, third = hit(db, 1), hit(db, 2), hit(db, 3, OTHER)
    nobody = hit(db, 4, replace(ATTRIBUTION, domain="x.example", facts=replace(FACTS, abuse_contact="n/a")))
    done = service.draft_notices(db, ANALYST, OPTIONS)
    assert [(draft["contact"], draft["hits"]) for draft in done["drafts"]] == [
        ("abuse@tulip.example", 2),
        ("misbruik@dijk.example", 1),
    ]
    assert (done["hits"], done["without_contact"]) == (3, [nobody])
    fourth = hit(db, 5)
    again = service.draft_notices(db, ANALYST, OPTIONS)
    assert [draft["id"] for draft in again["drafts"]] == [done["drafts"][0]["id"]]
    assert {row.id for row in notices.hits_of(db, again["drafts"][0]["id"])} == {first, second, fourth}
    assert service.draft_notices(db, ANALYST, OPTIONS)["drafts"] == []
    assert third not in {row.id for row in notices.hits_of(db, again["drafts"][0]["id"])}


def test_the_deadline_is_the_instruments_unless_another_is_given(db: Database) -> None:
    notice = service.draft_notices(db, ANALYST, OPTIONS, name="order") if hit(db) else None
    assert notice is not None and notice["drafts"][0]["deadline_hours"] == 12
    hit(db, 2)
    assert service.draft_notices(db, ANALYST, OPTIONS, name="order", hours=6)["drafts"][0]["deadline_hours"] == 6
    with pytest.raises(InvalidInput, match="out of range"):
        service.draft_notices(db, ANALYST, OPTIONS, hours=0)
    with pytest.raises(InvalidInput, match="no instrument 'plea'"):
        service.draft_notices(db, ANALYST, OPTIONS, name="plea")


def test_whoever_confirmed_may_not_approve_and_the_database_says_so_too(db: Database) -> None:
    notice = drafted(db)
    with pytest.raises(NotAuthorised, match="second person"):
        service.approve_notice(db, ANALYST, OPTIONS, notice)
    *_, event = audit.events(db, object_id=notice)
    assert (event["act"], event["result"]) == ("notices.approve", "refused")
    with pytest.raises(StoreUnavailable, match="whoever confirmed"), db.write():
        notices.approve(db, ANALYST, notice, message_id="<x@y.example>", mail=b"x", at=1.0)
    done = service.approve_notice(db, APPROVER, OPTIONS, notice)
    assert (done["state"], done["approved_by"]) == ("approved", "bram")


def test_the_database_keeps_what_was_approved(db: Database) -> None:
    notice = drafted(db)
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    other = hit(db, 2)
    for sql, values in (
        ("INSERT INTO notice_hits (notice_id, hit_id) VALUES (?, ?)", (notice, other)),
        ("DELETE FROM notice_hits WHERE notice_id = ?", (notice,)),
        ("UPDATE notices SET state = 'sent', delivered_at = 1, due_at = 2 WHERE id = ?", (notice,)),
        ("DELETE FROM notices WHERE id = ?", (notice,)),
    ):
        with pytest.raises(StoreUnavailable), db.write():
            db.execute(sql, *values)


def test_a_draft_that_changed_is_looked_at_again(db: Database) -> None:
    notice = drafted(db)
    seen = service.list_notices(db, APPROVER)[0]["revision"]
    hit(db, 2)
    service.draft_notices(db, ANALYST, OPTIONS)
    with pytest.raises(Refused, match="has changed since you saw it"):
        service.approve_notice(db, APPROVER, OPTIONS, notice, revision=seen)
    now = service.list_notices(db, APPROVER)[0]["revision"]
    assert service.approve_notice(db, APPROVER, OPTIONS, notice, revision=now)["hits"] == 2
    with pytest.raises(Refused, match="only a draft can be approved"):
        service.approve_notice(db, APPROVER, OPTIONS, notice)


def test_hits_that_are_no_longer_confirmed_are_left_out(db: Database) -> None:
    kept, gone = hit(db, 1), hit(db, 2)
    notice = service.draft_notices(db, ANALYST, OPTIONS)["drafts"][0]["id"]
    with db.write():
        db.execute("UPDATE hits SET status = 'held' WHERE id = ?", gone)
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    assert [row.id for row in notices.hits_of(db, notice)] == [kept]
    with db.write():
        db.execute("UPDATE hits SET status = 'held' WHERE id = ?", kept)
    service.withdraw_notice(db, ANALYST, notice)
    with pytest.raises(Refused, match="only what has not left"):
        service.withdraw_notice(db, ANALYST, notice)


def test_a_notice_without_a_confirmed_hit_is_withdrawn(db: Database) -> None:
    notice = drafted(db)
    with db.write():
        db.execute("UPDATE hits SET status = 'held'")
    with pytest.raises(Refused, match="no confirmed hit left"):
        service.approve_notice(db, APPROVER, OPTIONS, notice)
    assert service.list_notices(db, ANALYST)[0]["state"] == "withdrawn"


def test_what_is_withdrawn_may_be_drafted_anew(db: Database) -> None:
    notice = drafted(db)
    service.withdraw_notice(db, ANALYST, notice)
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    assert draft["id"] != notice


def test_what_its_lists_have_withdrawn_leaves_no_more(db: Database, tmp_path: Path) -> None:
    add_list(db, [digest_entry("image 1")])
    numbers = (int(db.value("SELECT id FROM hash_entries")), 99)  # the second one is of no list that is known
    listed, kept = (
        record(
            db,
            report(str(n), image_url=f"https://gallery.example/{n}", found=image(f"{n}", RowMatch(n, "sha256"))),
            ATTRIBUTION,
        ).hit_id
        for n in numbers
    )
    for each in (listed, kept):
        confirm_hit(db, ANALYST, each, reason="stands on the list")
    notice = str(service.draft_notices(db, ANALYST, OPTIONS)["drafts"][0]["id"])
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    set_enabled(db, ANALYST, "tulips", False)
    marks = {each["hit"]: each["withdrawn"] for each in show_notice(db, ANALYST, OPTIONS, notice)["urls"]}
    assert marks == {listed: True, kept: False}
    outbox = DirectoryOutbox(tmp_path / "out")
    assert send_notices(db.home, db, APPROVER, OPTIONS, outbox)["changed"] == [notice]
    assert [row.id for row in notices.hits_of(db, notice)] == [kept]
    assert service.draft_notices(db, ANALYST, OPTIONS)["drafts"] == []
    case = str(db.value("SELECT case_id FROM hits WHERE id = ?", listed))
    reopen_case(db, APPROVER, case, reason="its list is disabled")
    with pytest.raises(Refused, match="no list stands behind"):
        confirm_hit(db, ANALYST, listed, reason="still")
    set_enabled(db, ANALYST, "tulips", True)
    assert confirm_hit(db, ANALYST, listed, reason="again")["status"] == "confirmed"


def test_no_form_names_a_list_or_a_digest(db: Database) -> None:
    notice = drafted(db)
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    shown = show_hit(db, ANALYST, notices.hits_of(db, notice)[0].id)
    for form in ("text", "xarf", "arf"):
        body = export_notice(db, ANALYST, OPTIONS, notice, form).decode()
        for secret in (shown["sha256"], shown["md5"], *(str(match["list"]) for match in shown["matches"])):
            assert secret not in body
        if form != "arf":
            assert shown["image_url"] in body
    assert export_notice(db, ANALYST, OPTIONS, notice, "arf") == notices.mail_of(db, notice)


def test_urls_are_masked_in_production_until_a_reason_is_given(tmp_path: Path) -> None:
    with store_at(tmp_path, lab=False) as db:
        notice = drafted(db)
        url = "https://gallery.example/secret-1.jpg"
        assert url not in json.dumps(show_notice(db, ANALYST, OPTIONS, notice))
        with pytest.raises(Refused, match="--reveal"):
            export_notice(db, ANALYST, OPTIONS, notice, "xarf")
        assert url in export_notice(db, ANALYST, OPTIONS, notice, "xarf", reveal_reason="court").decode()
        *_, event = audit.events(db, object_id=notice)
        assert event["act"] == "notices.reveal"
        assert url not in json.dumps(list(audit.events(db)))


def test_what_was_approved_is_exported_as_it_was(db: Database) -> None:
    notice = drafted(db)
    before = {form: export_notice(db, ANALYST, OPTIONS, notice, form) for form in ("text", "xarf")}
    db.clock = lambda: 1_790_000_000.0
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    forms = {form: export_notice(db, ANALYST, OPTIONS, notice, form) for form in ("text", "xarf")}
    assert forms["text"].count(b"\n") == before["text"].count(b"\n") and b"\r" not in forms["text"]
    assert [each.keys() for each in json.loads(forms["xarf"])] == [each.keys() for each in json.loads(before["xarf"])]
    (named,) = notices.hits_of(db, notice)
    record(db, report("late", image_url=named.image_url, found_at=1_785_000_000.0, found=image("image 1")), ATTRIBUTION)
    with db.write():
        erase(db, [named.id], 0.0)
    assert {form: export_notice(db, ANALYST, OPTIONS, notice, form) for form in forms} == forms


def test_what_a_server_said_is_masked_and_reading_it_leaves_a_trace(tmp_path: Path) -> None:
    class Refusing:
        channel = "smtp"

        def send(self, envelope: Envelope) -> Attempt:
            return Attempt(Fate.REFUSED, "554 5.7.1 rejected: https://gallery.example/secret-1.jpg is blocked")

    with store_at(tmp_path, lab=False) as db:
        notice = drafted(db)
        service.approve_notice(db, APPROVER, OPTIONS, notice)
        send_notices(db.home, db, APPROVER, OPTIONS, Refusing())
        (attempt,) = show_notice(db, ANALYST, OPTIONS, notice)["attempts"]
        *_, event = audit.events(db, object_id=notice)
        assert (attempt["said"], event["act"], event["actor"]) == ("554 5.7.1", "notices.show", "anna")
        (attempt,) = show_notice(db, ANALYST, OPTIONS, notice, reveal_reason="why it failed")["attempts"]
        assert attempt["said"].endswith("is blocked")


def test_a_bundle_holds_what_proves_a_notice(db: Database, tmp_path: Path) -> None:
    notice = drafted(db)
    service.approve_notice(db, APPROVER, OPTIONS, notice)
    target = tmp_path / "bundle.zip"
    done = bundle_notice(db, ANALYST, OPTIONS, notice, target)
    with zipfile.ZipFile(target) as archive:
        assert archive.namelist() == done["files"]
        assert set(json.loads(archive.read("manifest.json"))) == set(done["files"]) - {"manifest.json"}
        assert archive.read("notice.eml") == notices.mail_of(db, notice)
        acts = [event["act"] for event in json.loads(archive.read("audit.json"))]
        assert acts.count("hits.confirm") == 1 and "notices.approve" in acts
    assert target.stat().st_mode & 0o077 == 0
    with pytest.raises(Refused, match="exists"):
        bundle_notice(db, ANALYST, OPTIONS, notice, target)


def test_an_issuer_is_needed(db: Database) -> None:
    hit(db)
    with pytest.raises(OptionInvalid, match="VANGNET_AUTHORITY"):
        service.draft_notices(db, ANALYST, replace(OPTIONS, authority=""))
    with pytest.raises(OptionInvalid, match="VANGNET_NOTICE_SENDER is no mail address"):
        service.draft_notices(db, ANALYST, replace(OPTIONS, notice_sender="x"))


def test_roles_are_kept_apart(db: Database) -> None:
    notice = drafted(db)
    auditor = Actor("eva", frozenset({Role.AUDITOR}), "cli")
    for act in (
        lambda: service.draft_notices(db, auditor, OPTIONS),
        lambda: service.approve_notice(db, auditor, OPTIONS, notice),
        lambda: service.withdraw_notice(db, auditor, notice),
    ):
        with pytest.raises(NotAuthorised):
            act()
    assert service.list_notices(db, auditor)[0]["id"] == notice
    assert identify(db, "eva").name == "eva"


def test_an_unknown_notice_is_said(db: Database) -> None:
    with pytest.raises(InvalidInput, match="there is no notice 'nope'"):
        show_notice(db, ANALYST, OPTIONS, "nope")


def test_an_address_without_a_domain_is_its_own_site(db: Database) -> None:
    hit(db, 1, Attribution(None, None, "192.0.2.7", FACTS))
    (draft,) = service.draft_notices(db, ANALYST, OPTIONS)["drafts"]
    assert "192.0.2.7" in show_notice(db, ANALYST, OPTIONS, draft["id"])["text"]
