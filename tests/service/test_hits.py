from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.errors import InvalidInput, Refused
from crawler.records import RowMatch
from crawler.service.hits import confirm_hit, list_hits, reject_hit, show_hit
from crawler.service.revealing import MAX_REASON
from crawler.store import audit
from crawler.store.database import Database
from crawler.store.decisions import note_text
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, IMAGE_URL, add_list, code_entry, image, report, store_at


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path / "production", lab=False) as db:
        yield db


def sure_hit(db: Database) -> str:
    return record(db, report(), ATTRIBUTION).hit_id


def near_hit(db: Database, near: str = "assess") -> str:
    done = add_list(db, [code_entry(1)], near=near)
    entry = db.value("SELECT id FROM hash_entries WHERE list_id = ?", done.list.id)
    return record(db, report(found=image("near", RowMatch(entry, "pdq", 4, 31))), ATTRIBUTION).hit_id


def test_a_decision_is_kept_with_its_reason_and_on_record(db: Database) -> None:
    hit = sure_hit(db)
    done = confirm_hit(db, ANNA, hit, reason="  stands on the list ")
    assert (done["id"], done["status"]) == (hit, "confirmed")
    shown = show_hit(db, ANNA, hit)
    assert shown["status"] == "confirmed"
    assert [(d["event"], d["before"], d["reason"]) for d in shown["decisions"]] == [
        ("confirm", "new", "stands on the list")
    ]
    *_, event = audit.events(db, object_id=hit)
    assert event["act"] == "hits.confirm"
    assert event["detail"] == {"decision": done["decision"], "before": "new", "after": "confirmed"}
    assert "stands on the list" not in str(list(audit.events(db)))


def test_a_decided_hit_is_not_decided_again(db: Database) -> None:
    hit = sure_hit(db)
    reject_hit(db, ANNA, hit, reason="a tulip")
    with pytest.raises(Refused, match=f"hit {hit} is rejected; confirm is not possible"):
        confirm_hit(db, ANNA, hit, reason="on second thoughts")
    assert show_hit(db, ANNA, hit)["status"] == "rejected"
    assert len(show_hit(db, ANNA, hit)["decisions"]) == 1
    *_, event = audit.events(db)
    assert (event["result"], event["detail"]) == ("refused", {"why": "illegal-transition"})


def test_a_near_hit_needs_an_assessment_where_the_list_wants_one(db: Database) -> None:
    hit = near_hit(db)
    for nothing in (None, "", "  "):
        with pytest.raises(Refused, match=r"class C .* --assessment"):
            confirm_hit(db, ANNA, hit, reason="looks like it", assessment=nothing)
    assert show_hit(db, ANNA, hit)["status"] == "new"
    confirm_hit(db, ANNA, hit, reason="assessed", assessment="PV 2026-17")
    assert [d["assessment"] for d in show_hit(db, ANNA, hit)["decisions"]] == ["PV 2026-17"]


def test_a_near_hit_is_confirmed_where_the_list_permits_it(db: Database) -> None:
    assert confirm_hit(db, ANNA, near_hit(db, "confirm"), reason="why")["status"] == "confirmed"


def test_a_near_hit_may_always_be_rejected(db: Database) -> None:
    assert reject_hit(db, ANNA, near_hit(db), reason="a look-alike")["status"] == "rejected"


@pytest.mark.parametrize("reason", ["", "  \n", "x" * (MAX_REASON + 1)])
def test_a_reason_is_given(db: Database, reason: str) -> None:
    hit = sure_hit(db)
    with pytest.raises(InvalidInput, match="reason"):
        confirm_hit(db, ANNA, hit, reason=reason)
    with pytest.raises(InvalidInput, match="reason"):
        reject_hit(db, ANNA, hit, reason=reason)


def test_unknown_hits_and_states(db: Database) -> None:
    for act in (show_hit, lambda db, actor, hit: confirm_hit(db, actor, hit, reason="why")):
        with pytest.raises(InvalidInput, match="no hit 'x'"):
            act(db, ANNA, "x")
    with pytest.raises(InvalidInput, match="no status 'old'; it is one of new, "):
        list_hits(db, ANNA, status="old")


def test_the_lab_shows_urls(db: Database) -> None:
    hit = sure_hit(db)
    assert [shown["image_url"] for shown in list_hits(db, ANNA)] == [IMAGE_URL]
    assert show_hit(db, ANNA, hit)["seen"][0]["image_url"] == IMAGE_URL


def test_production_masks_urls(production: Database) -> None:
    hit = sure_hit(production)
    shown = [*list_hits(production, ANNA), show_hit(production, ANNA, hit)]
    urls = [str(one[name]) for one in shown for name in ("image_url", "page_url", "redirects", "seen") if name in one]
    assert not any("gallery" in text or "secret-name" in text for text in urls)


def test_revealing_is_on_record(production: Database) -> None:
    hit = sure_hit(production)
    (shown,) = list_hits(production, ANNA, campaign="nightly", reveal_reason="to call the hoster")
    assert shown["image_url"] == IMAGE_URL
    assert show_hit(production, ANNA, hit, reveal_reason="again")["image_url"] == IMAGE_URL
    events = [event for event in audit.events(production) if event["act"] == "hits.reveal"]
    assert [event["object"] for event in events] == ["nightly", hit]
    assert note_text(production, events[0]["detail"]["note"]) == "to call the hoster"
    with pytest.raises(InvalidInput, match="reason"):
        list_hits(production, ANNA, reveal_reason=" ")


def test_reading_reasons_is_on_record_in_production(production: Database) -> None:
    hit = sure_hit(production)
    show_hit(production, ANNA, hit)
    assert [event["act"] for event in audit.events(production, object_id=hit)] == ["hits.show"]
