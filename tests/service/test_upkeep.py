from __future__ import annotations

import json
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.errors import HomeUnusable, InvalidInput, Refused, StoreDamaged, StoreUnavailable, Unavailable
from crawler.home import open_home
from crawler.notice.outbox import DirectoryOutbox
from crawler.options import Options
from crawler.service import upkeep
from crawler.service.audit import publish, verify
from crawler.service.case_acts import reopen_case
from crawler.service.cases import list_cases
from crawler.service.delivery import resolve_notice, send_notices
from crawler.service.hits import confirm_hit, reject_hit, show_hit
from crawler.service.indexing import used
from crawler.service.notices import approve_notice, draft_notices
from crawler.service.signing_in import enter_lab, resume
from crawler.service.upkeep import back_up, restore, retain
from crawler.store import alerts, audit, drops, notices
from crawler.store.database import Database, Row, open_store
from crawler.store.hits import record
from crawler.store.rechecks import targets
from crawler.store.retention import erase
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, hit
from tests.store.factories import ANNA, ATTRIBUTION, IMAGE_URL, PAGE_URL, add_list, digest_entry, report

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


def test_much_is_erased_bit_by_bit_and_all_of_it_is_on_record(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_ERASED_AT_ONCE", 2)
    urls = [f"https://gallery.example/{number}.jpg" for number in range(3)]
    hits = [record(db, report(url, image_url=url), ATTRIBUTION).hit_id for url in urls]
    for each in hits:
        reject_hit(db, ANNA, each, reason="a tulip")
    now = db.clock()
    db.clock = lambda: now + 91 * DAY
    assert retain(db, ANNA, Options(), dry_run=False)["hits"] == 3
    events = [event["detail"] for event in audit.events(db) if event["act"] == "retention.run"]
    assert sorted(detail["hits"] for detail in events) == [1, 2]
    assert sorted(each for detail in events for each in detail["erased"]) == sorted(hits)


def test_index_files_that_nobody_asked_for_are_removed_but_for_the_latest(db: Database) -> None:
    now = db.clock()
    db.home.index.mkdir(exist_ok=True)
    for name, days in (("old", 31), ("asked-for", 32), ("late", 29), ("latest", 0)):
        (db.home.index / f"{name}.vgx").write_bytes(b"codes")
        used(db.home.index / f"{name}.vgx", now - days * DAY)
    used(db.home.index / "asked-for.vgx", now - DAY)
    assert retain(db, ANNA, Options(), dry_run=True)["index_files"] == 1
    assert retain(db, ANNA, Options(), dry_run=False)["index_files"] == 1
    assert {path.stem for path in db.home.index.iterdir()} == {"asked-for", "late", "latest"}
    db.clock = lambda: now + 60 * DAY
    assert retain(db, ANNA, Options(), dry_run=False)["index_files"] == 2
    assert {path.stem for path in db.home.index.iterdir()} == {"latest"}


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


def test_a_database_that_is_damaged_is_what_a_backup_is_for(db: Database, tmp_path: Path) -> None:
    """The advice of the error leads to the end, though nothing can be read of who may restore."""
    hit = record(db, report(), ATTRIBUTION).hit_id
    back_up(db, ANNA, tmp_path / "b.sqlite")
    home = db.home
    db.close()
    spoilt = b"no database at all" + home.database.read_bytes()[18:]
    home.database.write_bytes(spoilt)
    home.database.with_name("vangnet.sqlite-wal").write_bytes(b"a log that must not be read into another database")
    with pytest.raises(StoreDamaged, match="vangnet restore FILE --replace"):
        open_store(home)
    done = restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    assert Path(done["before"]).read_bytes() == spoilt
    assert not home.database.with_name("vangnet.sqlite-wal").exists()
    with open_store(home) as again:
        assert show_hit(again, ANNA, hit)["status"] == "new"
        assert audit.verify(again).intact


def test_a_damaged_database_that_somebody_has_open_stays(db: Database, tmp_path: Path) -> None:
    back_up(db, ANNA, tmp_path / "b.sqlite")
    home = db.home
    db.close()
    script = (
        "import sys; from pathlib import Path; from crawler.home import open_home; "
        "from crawler.store.database import open_store\n"
        "with open_store(open_home(Path(sys.argv[1]), lab=True)): print(flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", script, str(home.root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        spoilt = b"no database at all" + home.database.read_bytes()[18:]
        with home.database.open("r+b") as file:
            file.write(spoilt[:100])
        with pytest.raises(StoreUnavailable, match="open"):
            restore(home, "anna", tmp_path / "b.sqlite", replace=True)
        holder.communicate()
    assert home.database.read_bytes()[:18] == b"no database at all"


def rows(db: Database) -> dict[str, list[Row]]:
    """Every table, but those that a restoration itself writes to."""
    names = [row["name"] for row in db.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = {"audit_events", "audit_head", "_migrations", "sqlite_stat1", "sqlite_sequence"}
    return {name: db.rows(f"SELECT * FROM {name}") for name in sorted({*names} - kept)}


def governed(db: Database) -> None:
    """Something in the tables that the newest migrations brought."""
    add_list(db, [digest_entry("an image")], name="baseline")
    with db.write():
        drops.ask(db, ANNA, 1, 1)
        alerts.open_alert(db, "flood", "1")
        (alert,) = alerts.open_alerts(db)
        alerts.note_mail(db, alert, "first", attempts=1, result="later", again=2.0)


def test_every_table_comes_back_and_a_backup_of_an_older_version_is_brought_up(db: Database, tmp_path: Path) -> None:
    home, hit_id = db.home, record(db, report(), ATTRIBUTION).hit_id
    governed(db)
    before = rows(db)
    assert all(before[name] for name in ("list_drops", "alert_mails", "hits", "sightings", "key_checks"))
    new, old = tmp_path / "new.sqlite", tmp_path / "old.sqlite"
    back_up(db, ANNA, new)
    db.close()
    restore(home, "anna", new, replace=True)
    with open_store(home) as again:
        assert rows(again) == before
    shutil.copy(new, old)
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        # What a program left that knew five migrations.
        for what in (
            "TRIGGER hash_lists_dropped_by_two",
            "INDEX hits_resource",
            "INDEX sightings_ip",
            "VIEW latest_entries",
        ):
            connection.execute(f"DROP {what}")
        for table in ("list_drops", "alert_mails", "list_moves", "entry_changes"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE hash_entries ADD COLUMN last_version INTEGER NOT NULL DEFAULT 1")
        connection.execute("ALTER TABLE rechecks DROP COLUMN page")
        connection.execute("DELETE FROM _migrations WHERE name > '0006'")
    restore(home, "anna", old, replace=True)
    with open_store(home) as again:
        assert rows(again) == before | {"list_drops": [], "alert_mails": []}
        assert (show_hit(again, ANNA, hit_id)["image_url"], audit.verify(again).intact) == (IMAGE_URL, True)


def test_a_backup_of_a_newer_version_replaces_nothing(db: Database, tmp_path: Path) -> None:
    back_up(db, ANNA, tmp_path / "b.sqlite")
    with closing(sqlite3.connect(tmp_path / "b.sqlite")) as connection, connection:
        connection.execute("INSERT INTO _migrations VALUES ('9999-later', 0)")
    home = db.home
    record(db, report(), ATTRIBUTION)
    db.close()
    with pytest.raises(StoreUnavailable, match="9999-later, unknown to this version"):
        restore(home, "anna", tmp_path / "b.sqlite", replace=True)
    with open_store(home) as again:
        assert again.value("SELECT count(*) FROM hits") == 1


def test_a_backup_under_load_is_of_one_moment(db: Database, tmp_path: Path) -> None:
    stop, home = threading.Event(), db.home

    def load() -> int:
        with open_store(home) as own:
            for number in range(10_000):
                record(own, report(f"n{number}", image_url=f"https://gallery.example/{number}.jpg"), ATTRIBUTION)
                if stop.wait(0.002):
                    return number + 1
        raise AssertionError("nobody stopped it")

    db.close()
    counts: list[int] = []
    with ThreadPoolExecutor(1) as pool, open_store(home) as own:
        loading = pool.submit(load)
        try:
            for number in range(2):
                while own.value("SELECT count(*) FROM hits") <= (counts[-1] if counts else 0):
                    time.sleep(0.01)
                counts.append(own.value("SELECT count(*) FROM hits"))
                back_up(own, ANNA, tmp_path / f"{number}.sqlite")
        finally:
            stop.set()
        assert counts[0] < counts[-1] <= loading.result() == own.value("SELECT count(*) FROM hits")
        assert audit.verify(own).intact
    for number, least in enumerate(counts):
        restore(home, "anna", tmp_path / f"{number}.sqlite", replace=True)
        with open_store(home) as again:
            acts = [event["act"] for event in audit.events(again)]
            assert audit.verify(again).intact and again.value("SELECT count(*) FROM sightings") >= least
            assert acts.count("hits.record") == again.value("SELECT count(*) FROM sightings")
