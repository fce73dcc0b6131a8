from __future__ import annotations

import pytest

from crawler.errors import CampaignInvalid, Refused
from crawler.records import RunId
from crawler.store import audit, campaigns, workers
from crawler.store.actors import Role, add_role, anyone_has_a_role, roles_of
from crawler.store.database import Database
from tests.store.factories import ANNA

TEXT = '[campaign]\nname = "nightly"\n[seeds]\nurls = ["https://gallery.example/"]\n'


def test_the_same_file_again_changes_nothing(db: Database) -> None:
    assert campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    assert not campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    assert campaigns.file_text(db, "nightly") == TEXT
    assert len(list(audit.events(db))) == 1


def test_a_changed_file_needs_replace(db: Database) -> None:
    campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    with pytest.raises(CampaignInvalid, match="--replace"):
        campaigns.save(db, ANNA, "nightly", TEXT + "#", "bb")
    assert campaigns.file_text(db, "nightly") == TEXT
    assert campaigns.save(db, ANNA, "nightly", TEXT + "#", "bb", replace=True)
    assert campaigns.file_text(db, "nightly") == TEXT + "#"
    assert [row.sha256 for row in campaigns.all_campaigns(db)] == ["bb"]


def test_a_replaced_file_needs_a_new_approval(db: Database) -> None:
    campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    campaigns.set_state(db, ANNA, "nightly", "approved")
    campaigns.save(db, ANNA, "nightly", TEXT + "#", "bb", replace=True)
    found = campaigns.load(db, "nightly")
    assert found is not None
    assert found.state == "created"


def test_runs_are_numbered_and_resumed(db: Database) -> None:
    campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    assert campaigns.unfinished_run(db, "nightly") is None
    first = campaigns.start_run(db, ANNA, "nightly")
    assert first == RunId("nightly", 1)
    unfinished = campaigns.unfinished_run(db, "nightly")
    assert unfinished is not None
    assert unfinished.id == first
    with pytest.raises(CampaignInvalid, match="unfinished"):
        campaigns.start_run(db, ANNA, "nightly")
    assert campaigns.finish_run(db, ANNA, first, {"hits": 3})
    assert not campaigns.finish_run(db, ANNA, first, {"hits": 4})
    assert campaigns.start_run(db, ANNA, "nightly").number == 2
    summaries = [campaigns.run_json(run)["summary"] for run in campaigns.runs(db, "nightly")]
    assert summaries == [{"hits": 3}, None]


def test_unknown_campaigns(db: Database) -> None:
    assert campaigns.load(db, "x") is None
    assert campaigns.file_text(db, "x") is None
    assert campaigns.runs(db, "x") == []
    with pytest.raises(CampaignInvalid, match="no campaign 'x'"):
        campaigns.start_run(db, ANNA, "x")
    with pytest.raises(CampaignInvalid, match="no campaign 'x'"):
        campaigns.set_state(db, ANNA, "x", "approved")
    assert list(audit.events(db)) == []


def test_states_of_a_campaign(db: Database) -> None:
    campaigns.save(db, ANNA, "nightly", TEXT, "aa")
    campaigns.set_state(db, ANNA, "nightly", "approved")
    found = campaigns.load(db, "nightly")
    assert found is not None
    assert found.state == "approved"


def test_the_keys_of_workers(db: Database) -> None:
    workers.add_key(db, ANNA, "local", b"k" * 32)
    workers.add_key(db, ANNA, "local", b"k" * 32)
    workers.add_key(db, ANNA, "other", b"o" * 32)
    assert workers.verify_keys(db) == {b"k" * 32, b"o" * 32}
    with pytest.raises(Refused, match="another name"):
        workers.add_key(db, ANNA, "local", b"l" * 32)
    assert workers.revoke(db, ANNA, "local")
    assert not workers.revoke(db, ANNA, "local")
    assert workers.verify_key(db, "local") is None
    assert workers.verify_key(db, "other") == b"o" * 32
    assert workers.verify_keys(db) == {b"o" * 32}
    with pytest.raises(Refused, match="another name"):
        workers.add_key(db, ANNA, "local", b"k" * 32)
    assert [event["act"] for event in audit.events(db)] == ["workers.add", "workers.add", "workers.revoke"]


def test_roles(db: Database) -> None:
    assert not anyone_has_a_role(db)
    with db.write():
        add_role(db, "anna", Role.ANALYST)
        add_role(db, "anna", Role.ANALYST)
        add_role(db, "anna", Role.APPROVER)
    assert anyone_has_a_role(db)
    assert roles_of(db, "anna") == {Role.ANALYST, Role.APPROVER}
    assert roles_of(db, "bert") == frozenset()
    with db.write():
        db.execute("UPDATE actors SET disabled_at = 1 WHERE name = 'anna'")
    assert roles_of(db, "anna") == frozenset()
