"""What follows a crawl rests on campaign files that a second person approved, as the crawl does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import Refused
from crawler.notice.outbox import DirectoryOutbox
from crawler.service.campaigns import approve_campaign, legal_basis
from crawler.service.delivery import send_notices
from crawler.service.notices import approve_notice, draft_notices
from crawler.service.rechecks import RecheckOrder, run_rechecks
from crawler.store import audit, campaigns, notices
from crawler.store.database import Database
from tests.service.frontiers import FILE, keep
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, hit

STRICT = replace(OPTIONS, require_campaign_approval=True)
OTHER_BASIS = FILE.replace('legal_basis = "none"', 'legal_basis = "the Tulip Act"')


def exchange(db: Database) -> None:
    """The campaign's file, replaced by one person."""
    assert campaigns.save(db, ANALYST, "nightly", OTHER_BASIS, "11" * 32, replace=True)


def test_a_notice_rests_on_no_file_that_nobody_approved(db: Database) -> None:
    keep(db)
    approve_campaign(db, APPROVER, "nightly")
    hit(db)
    draft = draft_notices(db, ANALYST, STRICT)["drafts"][0]["id"]
    assert legal_basis(db, STRICT, "nightly") == "none"
    exchange(db)
    assert legal_basis(db, STRICT, "nightly") is None
    with pytest.raises(Refused, match="not approved"):
        approve_notice(db, APPROVER, STRICT, draft)
    *_, event = audit.events(db, object_id=draft)
    assert (event["act"], event["result"]) == ("notices.approve", "refused")
    approve_campaign(db, APPROVER, "nightly")
    approve_notice(db, APPROVER, STRICT, draft)
    assert b"the Tulip Act" in (notices.mail_of(db, draft) or b"")


def test_nothing_is_visited_under_a_file_that_nobody_approved(db: Database, server: str, tmp_path: Path) -> None:
    keep(db)
    approve_campaign(db, APPROVER, "nightly")
    hit(db)
    draft = draft_notices(db, ANALYST, STRICT)["drafts"][0]["id"]
    approve_notice(db, APPROVER, STRICT, draft)
    send_notices(db.home, db, APPROVER, STRICT, DirectoryOutbox(tmp_path / "out"))
    exchange(db)
    order = RecheckOrder("settings.lab", server, everything=True, wait=0.0)
    done = run_rechecks(db.home, STRICT, db, APPROVER, order, progress=lambda _: None)
    assert (done.visits, done.rounds, list(done.unserved)) == (0, 0, ["nightly"])
    assert "not approved" in done.unserved["nightly"]
