from __future__ import annotations

import json
import sqlite3
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import HomeUnusable, InvalidInput, Refused, StoreUnavailable, Unavailable
from crawler.home import open_home
from crawler.notice.outbox import DirectoryOutbox
from crawler.options import Options
from crawler.service.audit import publish, verify
from crawler.service.case_acts import reopen_case
from crawler.service.cases import list_cases
from crawler.service.delivery import resolve_notice, send_notices
from crawler.service.hits import confirm_hit, reject_hit, show_hit
from crawler.service.notices import approve_notice, draft_notices
from crawler.service.signing_in import enter_lab, resume
from crawler.service.upkeep import back_up, restore, retain
from crawler.store import audit, notices
from crawler.store.database import Database, open_store
from crawler.store.hits import record
from crawler.store.rechecks import targets
from crawler.store.retention import erase
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, hit
from tests.store.factories import ANNA, ATTRIBUTION, IMAGE_URL, PAGE_URL, report

DAY = 86_400.0


def test_a_backup_is_whole_and_gives_nothing_away(db: Database, tmp_path: Path) -> None:
    hit = record(db, report(), ATTRIBUTION).hit_id
    reject_hit(db, ANNA, hit, reason=f"seen at {IMAGE_URL}")
    file = tmp_path / "b.sqlite"
    done = back_up(db, ANNA, file)
    assert (done["bytes"], done["events"]) == (file.stat().st_size, 3)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    raw = file.read_bytes() + b"".join(path.read_bytes() for path in tmp_path.rglob("vangnet.sqlite*"))
    assert b"gallery.example" in raw
    found = report().found
    for secret in (IMAGE_URL, PAGE_URL, "secret-name", "img.gallery", "page=4", found.sha256.hex(), found.sha256):
        assert (secret if isinstance(secret, bytes) else secret.encode()) not in raw
    with pytest.raises(InvalidInput, match="exists"):
        back_up(db, ANNA, file)
    with pytest.raises(InvalidInput, match="another place"):
        back_up(db, ANNA, Path("/proc/none/b.sqlite"))


def test_restoring(db: Database, tmp_path: Path) -> None:
    hit = record(db, report(), ATTRIBUTION).hit_id
    file = tmp_path / "b.sqlite"
    back_up(db, ANNA, file)
    reject_hit(db, ANNA, hit, reason="after the backup")
    with pytest.raises(Refused, match="--replace"):
        restore(db.home, "anna", file, replace=False)
    with pytest.raises(StoreUnavailable, match="locked"):
        restore(db.home, "anna", file, replace=True)
    assert show_hit(db, ANNA, hit)["status"] == "rejected"
    db.close()
    done = restore(db.home, "anna", file, replace=True)
    with open_store(db.home) as again:
        assert show_hit(again, ANNA, hit)["status"] == "new"
        assert audit.verify(again).intact
        assert [event["act"] for event in audit.events(again)] == ["hits.record", "store.backup", "store.restore"]
    assert Path(done["before"]).exists()
    assert not list(db.home.root.glob("*restored*"))


def test_a_restored_backup_sends_nothing_twice_and_signs_nobody_in(db: Database, tmp_path: Path) -> None:
    hit_id = hit(db)
    (draft,) = draft_notices(db, ANALYST, OPTIONS)["drafts"]
    approve_notice(db, APPROVER, OPTIONS, draft["id"])
    token = enter_lab(db, "anna", origin="web:192.0.2.1")
    back_up(db, ANNA, tmp_path / "b.sqlite")
    first, second = DirectoryOutbox(tmp_path / "first"), DirectoryOutbox(tmp_path / "second")
    assert send_notices(db.home, db, APPROVER, OPTIONS, first)["sent"] == [draft["id"]]
    db.close()
    restore(db.home, "anna", tmp_path / "b.sqlite", replace=True)
    with open_store(db.home) as again:
        assert resume(again, token) is None
        assert send_notices(again.home, again, APPROVER, OPTIONS, second)["sent"] == []
        *_, event = audit.events(again)
        assert event["detail"] == {"doubt": [draft["id"]]}
        done = resolve_notice(again, APPROVER, draft["id"], arrived=True, reason="its file is in the outbox")
        assert (done["state"], show_hit(again, ANNA, hit_id)["status"]) == ("sent", "noticed")


def test_what_is_no_backup_of_this_home_replaces_nothing(db: Database, tmp_path: Path) -> None:
    record(db, report(), ATTRIBUTION)
    file, other = tmp_path / "b.sqlite", open_home(tmp_path / "other", lab=True)
    back_up(db, ANNA, file)
    with pytest.raises(InvalidInput, match="no file"):
        restore(db.home, "anna", tmp_path / "nothing", replace=True)
    with pytest.raises(HomeUnusable, match="backup of the keys"):
        restore(other, "anna", file, replace=False)
    open_store(other).close()
    with pytest.raises(StoreUnavailable, match="restore the keys"):
        restore(other, "anna", file, replace=True)
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TRIGGER audit_events_unchanged")
        connection.execute("UPDATE audit_events SET body = replace(body, 'recorder', 'somebody')")
    connection.close()
    db.close()
    with pytest.raises(StoreUnavailable, match="not what was written"):
        restore(db.home, "anna", file, replace=True)
    with open_store(db.home) as again:
        assert audit.verify(again).events == 2


def test_what_is_old_is_erased_and_what_was_decided_stays(db: Database) -> None:
    kept = record(db, report("kept", image_url="https://gallery.example/kept.jpg"), ATTRIBUTION).hit_id
    old = record(db, report("old"), ATTRIBUTION).hit_id
    reject_hit(db, ANNA, old, reason="a tulip")
    now = db.clock()
    db.clock = lambda: now + 89 * DAY
    assert retain(db, ANNA, Options(), dry_run=False)["hits"] == 0
    db.clock = lambda: now + 91 * DAY
    counted = retain(db, ANNA, Options(), dry_run=True)
    assert (counted["hits"], counted["sightings"], show_hit(db, ANNA, old)["image_url"]) == (1, 1, IMAGE_URL)
    assert retain(db, ANNA, Options(), dry_run=False) == counted | {"dry_run": False}
    shown = show_hit(db, ANNA, old)
    assert (shown["image_url"], shown["page_url"], shown["seen"], shown["redirects"]) == ("about:blank", None, [], [])
    assert (shown["status"], shown["decisions"][0]["reason"]) == ("rejected", "a tulip")
    assert show_hit(db, ANNA, kept)["image_url"] == "https://gallery.example/kept.jpg"
    assert retain(db, ANNA, Options(), dry_run=False)["hits"] == 0
    again = record(db, report("again"), ATTRIBUTION)
    assert (again.hit_id, again.new) == (old, False)
    assert list_cases(db, ANNA)["total"] == 1
    assert retain(db, ANNA, Options(), dry_run=False)["sightings"] == 1


def test_what_was_erased_and_is_seen_again_is_noticed_by_its_url(db: Database, tmp_path: Path) -> None:
    made = report("old", image_url="https://gallery.example/again.jpg")
    old = record(db, made, ATTRIBUTION).hit_id
    reject_hit(db, ANALYST, old, reason="a tulip")
    with db.write():
        erase(db, [old], 0.0)
    case = str(db.value("SELECT case_id FROM hits"))
    reopen_case(db, APPROVER, case, reason="it was reported")
    confirm_hit(db, ANALYST, old, reason="stands on the list")
    assert draft_notices(db, ANALYST, OPTIONS)["drafts"] == []
    assert record(db, replace(made, serial="again"), ATTRIBUTION).hit_id == old
    (draft,) = draft_notices(db, ANALYST, OPTIONS)["drafts"]
    approve_notice(db, APPROVER, OPTIONS, draft["id"])
    (named,) = notices.hits_of(db, draft["id"])
    assert (named.image_url, named.page_url) == (made.image_url, made.page_url)
    send_notices(db.home, db, APPROVER, OPTIONS, DirectoryOutbox(tmp_path / "out"))
    assert [target.hit_id for target in targets(db)] == [old]
    with db.write():
        db.execute("UPDATE hits SET status = 'removed'")
        erase(db, [old], 0.0)
    assert targets(db) == []


def test_heads_in_the_auditors_directory_hold_the_chain(db: Database, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    record(db, report(), ATTRIBUTION)
    now = db.clock()
    assert publish(db, ANNA, heads)["file"]
    assert publish(db, ANNA, heads) == {"file": None}
    db.clock = lambda: now + DAY
    record(db, report("next", image_url="https://gallery.example/next.jpg"), ATTRIBUTION)
    publish(db, ANNA, heads)
    assert [json.loads(path.read_text())["serial"] for path in sorted(heads.iterdir())] == [1, 2]
    assert verify(db, ANNA, kept=heads).intact
    with sqlite3.connect(db.home.database, isolation_level=None) as intruder:
        intruder.execute("DROP TRIGGER audit_events_kept")
        intruder.execute("DELETE FROM audit_events")
        intruder.execute("DELETE FROM audit_head")
    intruder.close()
    assert audit.verify(db).intact
    assert verify(db, ANNA, kept=heads).problem == "events are missing that a head kept elsewhere knows of"
    record(db, report("other", image_url="https://gallery.example/other.jpg"), ATTRIBUTION)
    verdict = verify(db, ANNA, kept=heads)
    assert (verdict.serial, verdict.problem) == (1, "the chain is not the one whose head was kept elsewhere")


def test_heads_that_are_none_of_ours(db: Database, tmp_path: Path) -> None:
    record(db, report(), ATTRIBUTION)
    file = Path(str(publish(db, ANNA, tmp_path)["file"]))
    good = json.loads(file.read_text())
    file.chmod(0o600)
    for damage in ({"serial": 2}, {"hash": "00" * 32}, {"signature": "00" * 64}, {"signature": "zz"}, {"serial": None}):
        file.write_text(json.dumps(good | damage))
        with pytest.raises(InvalidInput, match="head-"):
            verify(db, ANNA, kept=tmp_path)
    with pytest.raises(Unavailable, match="writable"):
        publish(db, ANNA, tmp_path / "missing")
