from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from crawler.match.contents import IndexInfo
from crawler.notice.outbox import DirectoryOutbox
from crawler.recheck.outcome import Outcome
from crawler.records import FoundImage, RecheckReport, RowMatch, RunId
from crawler.service.delivery import send_notices
from crawler.service.hits import confirm_hit, list_hits, show_hit
from crawler.service.notices import approve_notice, draft_notices
from crawler.service.report import HOUR, make_report, write_report
from crawler.store import audit, hit_views, indexes, lists, rechecks
from crawler.store.database import Database
from crawler.store.hits import BY_VISIT, record
from crawler.store.list_states import note_state
from crawler.store.lists import HashList
from crawler.store.looks import record_looks, sightings
from tests.service.noticed import ANALYST, APPROVER, OPTIONS, OTHER, hit
from tests.store.factories import ATTRIBUTION, RUN, add_list, digest_entry, image, report

NOW = 1_780_100_000.0
SPACING = 180.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(db: Database) -> Clock:
    db.clock = Clock()
    return db.clock


def noticed(db: Database, tmp_path: Path, *hits: str) -> list[str]:
    for draft in draft_notices(db, ANALYST, OPTIONS)["drafts"]:
        approve_notice(db, APPROVER, OPTIONS, draft["id"])
    send_notices(db.home, db, APPROVER, OPTIONS, DirectoryOutbox(tmp_path / "out"))
    return list(hits)


def visit(db: Database, clock: Clock, answer: str, *found: FoundImage, at: float = 0.0, **more: object) -> RunId:
    """Visit everything that is watched, and report the same of each."""
    clock.now = max(clock.now, NOW + at)
    targets = rechecks.targets(db)
    run = rechecks.plan(db, RUN.campaign, targets)
    for target in targets:
        made = RecheckReport("s", run, target.url, target.url, clock.now, "192.0.2.7", "ab" * 32, answer, found)
        batch = [(replace(made, **more), OTHER if "forum" in target.url else ATTRIBUTION)]
        assert rechecks.record_visits(db, batch, SPACING)
        assert rechecks.record_visits(db, batch, SPACING) == []
    rechecks.settle(db, run, "no-answer")
    return run


def status(db: Database, hit_id: str) -> str:
    return str(show_hit(db, ANALYST, hit_id)["status"])


def test_a_removal_lies_between_the_last_sight_and_the_first_miss(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    visit(db, clock, "image", image("image 1"), at=HOUR)
    assert status(db, one) == "still-up"
    for number in range(3):
        assert status(db, one) == "still-up"
        visit(db, clock, "http-404", at=2 * HOUR + number * SPACING)
    assert status(db, one) == "removed"
    row = db.row("SELECT seen_until, missing_from FROM removals WHERE hit_id = ?", one)
    assert row == {"seen_until": NOW + HOUR, "missing_from": NOW + 2 * HOUR}
    assert [target.hit_id for target in rechecks.targets(db)] == [one]
    assert "hits.see-removed" in [event["act"] for event in audit.events(db, object_id=one)]


def test_an_image_that_only_a_browser_may_show_is_never_gone_for_want_of_one(
    db: Database, tmp_path: Path, clock: Clock
) -> None:
    (one,) = noticed(db, tmp_path, hit(db, image_url="https://gallery.example/album#data-3"))
    for number in range(4):
        visit(db, clock, "page-not-rendered", at=HOUR + number * SPACING)
    assert status(db, one) == "noticed"
    assert {each["detail"] for each in hit_views.visits_json(db, one, reveal=False)} == {"not-rendered"}
    for number in range(3):
        visit(db, clock, "page", at=2 * HOUR + number * SPACING)
    assert status(db, one) == "removed"


def test_what_comes_back_is_opened_again(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(3):
        visit(db, clock, "http-404", at=HOUR + number * SPACING)
    visit(db, clock, "image", image("image 1"), at=9 * 24 * HOUR)
    assert status(db, one) == "new"


def crawled(db: Database, serial: str, at: float) -> None:
    """The crawl sees the image of `hit` at its URL."""
    made = report(serial, image_url="https://gallery.example/secret-1.jpg", found=image("image 1"))
    assert not record(db, replace(made, found_at=at), ATTRIBUTION).new


def test_what_a_crawl_sees_again_is_opened_again(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(3):
        visit(db, clock, "http-404", at=HOUR + number * SPACING)
    crawled(db, "late", NOW + HOUR - 1)  # from before it went; the worker's report took its time
    assert status(db, one) == "removed"
    crawled(db, "again", NOW + 9 * HOUR)
    assert status(db, one) == "new"
    assert [event["act"] for event in audit.events(db, object_id=one)][-2:] == ["hits.see-removed", "hits.reopen"]
    crawled(db, "and again", NOW + 10 * HOUR)
    assert status(db, one) == "new"


def test_what_moved_and_is_back_where_it_was_is_opened_again(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    url = "https://elsewhere.example/secret.jpg"
    run = rechecks.plan(db, RUN.campaign, rechecks.targets(db))
    (target,) = rechecks.targets(db)
    made = RecheckReport("s", run, target.url, url, NOW, "192.0.2.7", "", "image", (image("image 1"),))
    rechecks.record_visits(db, [(made, replace(ATTRIBUTION, domain="elsewhere.example"))], SPACING)
    crawled(db, "late", NOW)
    assert status(db, one) == "moved"
    crawled(db, "again", NOW + HOUR)
    assert status(db, one) == "new"


def test_misses_too_close_together_are_one(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(4):
        visit(db, clock, "http-404", at=HOUR + number * 30)
    assert status(db, one) == "noticed"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [("image", "changed"), ("http-403", "blocked"), ("connect-timeout", "unreachable"), ("undecodable", "unknown")],
)
def test_what_is_no_removal_leaves_a_hit_as_it_was(
    db: Database, tmp_path: Path, clock: Clock, answer: str, outcome: str
) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    runs = [visit(db, clock, answer, at=HOUR + number * SPACING) for number in range(3)]
    assert status(db, one) == "noticed"
    assert rechecks.outcomes(db, runs) == {outcome: 3}


def test_the_same_image_under_another_digest_is_still_up(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    visit(db, clock, "image", image("encoded anew"), at=HOUR)  # matches the same entry of the list
    assert status(db, one) == "still-up"


def test_behind_a_redirect_to_another_site_it_has_moved(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = rechecks.plan(db, RUN.campaign, rechecks.targets(db))
    (target,) = rechecks.targets(db)
    url = "https://elsewhere.example/secret.jpg"
    made = RecheckReport("s", run, target.url, url, NOW, "192.0.2.7", "", "image", (image("image 1"),))
    elsewhere = replace(ATTRIBUTION, domain="elsewhere.example")
    assert rechecks.record_visits(db, [(made, elsewhere)], SPACING) == [(one, Outcome.MOVED)]
    assert status(db, one) == "moved"
    raw = db.home.database.read_bytes() + db.home.database.with_name("vangnet.sqlite-wal").read_bytes()
    assert b"elsewhere.example/secret" not in raw


def test_a_visit_without_an_answer_is_settled_with_its_reason(db: Database, tmp_path: Path, clock: Clock) -> None:
    noticed(db, tmp_path, hit(db))
    run = rechecks.plan(db, RUN.campaign, rechecks.targets(db))
    assert rechecks.settle(db, run, "dns-nxdomain") == 1
    assert db.value("SELECT detail FROM rechecks") == "dns-nxdomain"
    assert rechecks.outcomes(db, [run]) == {"unreachable": 1}


def test_the_report_keeps_counts_apart_and_names_no_url(db: Database, tmp_path: Path, clock: Clock) -> None:
    noticed(db, tmp_path, hit(db, 1), hit(db, 2), hit(db, 3, OTHER))
    visit(db, clock, "image", image("image 1"), at=HOUR)
    run = rechecks.plan(db, RUN.campaign, rechecks.targets(db))
    rechecks.settle(db, run, "no-answer")
    for number in range(3):
        clock.now = NOW + 3 * HOUR + number * SPACING
        chosen = [target for target in rechecks.targets(db) if "forum" in target.url]
        run = rechecks.plan(db, RUN.campaign, chosen)
        made = RecheckReport("s", run, chosen[0].url, chosen[0].url, clock.now, "192.0.2.7", "", "http-404")
        rechecks.record_visits(db, [(made, OTHER)], SPACING)
    clock.now = NOW + 30 * HOUR
    document = make_report(db, ANALYST)
    totals = document["totals"]
    assert {name: totals[name] for name in ("hits", "images", "matches", "notices", "noticed", "removed")} == {
        "hits": 3,
        "images": 3,
        "matches": 3,
        "notices": 2,
        "noticed": 3,
        "removed": 1,
    }
    dijk = next(row for row in document["hosters"] if row["name"] == "Dijk Hosting")
    assert dijk["within"]["share"] == 1.0
    assert dijk["median_hours"] == pytest.approx(3.0)
    tulip = next(row for row in document["hosters"] if row["name"] == "Tulip Hosting B.V.")
    assert (tulip["within"]["judged"], tulip["within"]["undetermined"]) == (0, 2)
    files = write_report(document, tmp_path / "report")
    text = "".join(path.read_text() for path in files)
    assert "secret" not in text and "://" not in text.replace("http://www.w3.org/2000/svg", "")
    # Nobody knows what is there after the latest visit, three hours after the notices: 64 + 672 / 30 * 3.
    assert document["followed_hours"] == pytest.approx(3.0)
    path = re.search(r'<path d="([^"]+)"', files[0].read_text())
    assert path is not None and path[1].endswith("H131.2") and "no visit was later" in text
    assert [path.name for path in files] == ["report.html", "report.json", "hosters.csv", "domains.csv"]


def test_a_report_before_the_deadline_claims_no_share(db: Database, tmp_path: Path, clock: Clock) -> None:
    noticed(db, tmp_path, hit(db))
    for number in range(3):
        visit(db, clock, "http-404", at=HOUR + number * SPACING)
    within = make_report(db, ANALYST)["totals"]["within"]
    assert (within["share"], within["pending"]) == (None, 1)


@pytest.mark.parametrize("first", ["=", "\t=", "\uff1d", "\u202e=", " +", "@"])
def test_hostile_names_stay_text(db: Database, tmp_path: Path, clock: Clock, first: str) -> None:
    evil = f'{first}cmd|"/c calc"!A1<script>alert(1)</script>'
    noticed(db, tmp_path, hit(db, 1, replace(ATTRIBUTION, facts=replace(ATTRIBUTION.facts, holder=evil))))
    files = write_report(make_report(db, ANALYST), tmp_path / "report")
    assert "<script" not in files[0].read_text()
    cell = next(csv.reader(io.StringIO(files[2].read_text().partition("\n")[2])))[0]
    assert cell.startswith("'") and "cmd|" in cell
    assert not any(character in path.read_text() for path in files for character in "\u202e\t")


PAGE = "https://gallery.example/album?page=4"
NEW = "https://gallery.example/new-name.jpg"


def look(
    db: Database, run: RunId, url: str, *found: FoundImage, at: float, **more: object
) -> list[tuple[str, Outcome]]:
    """What a worker and the recorder make of a look at the page, or at one of its images."""
    made = RecheckReport(f"look {at}", run, PAGE, url, NOW + at, "192.0.2.7", "", "image", found, look=True)
    batch = [(replace(made, **more), OTHER if "forum" in url else ATTRIBUTION)]
    if not found:
        batch = [(replace(batch[0][0], **{"answer": "page"} | more), ATTRIBUTION)]
    for report_, attribution in sightings(batch):
        record(db, report_, attribution)
    said = record_looks(db, batch, SPACING)
    assert record_looks(db, batch, SPACING) == []
    return said


def test_what_another_url_of_its_page_shows_has_moved_and_is_a_hit_there(
    db: Database, tmp_path: Path, clock: Clock
) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    assert look(db, run, PAGE, at=HOUR + 1) == []
    assert db.row("SELECT outcome, page FROM rechecks") == {"outcome": "absent", "page": "page"}
    assert look(db, run, NEW, image("image 1"), at=HOUR + 2) == [(one, Outcome.MOVED)]
    assert status(db, one) == "moved"
    assert rechecks.outcomes(db, [run]) == {"moved": 1}
    assert rechecks.targets(db) == []
    (visit_,) = show_hit(db, ANALYST, one)["visits"]
    told = {name: visit_[name] for name in ("outcome", "detail", "page", "moved_to")}
    assert told == {"outcome": "moved", "detail": "same-page", "page": "page", "moved_to": NEW}
    assert hit_views.visits_json(db, one, reveal=False)[0]["moved_to"].startswith("https://g….example/…")
    (there,) = (each for each in list_hits(db, ANALYST) if each["image_url"] == NEW)
    assert (there["status"], there["campaign"], there["page_url"], there["sightings"]) == ("new", "nightly", PAGE, 1)
    raw = b"".join(path.read_bytes() for path in db.home.root.rglob("*") if path.is_file())
    assert b"new-name.jpg" not in raw


def test_what_matches_the_same_entry_there_has_moved_too(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    assert look(db, run, NEW, image("encoded anew"), at=HOUR + 2) == [(one, Outcome.MOVED)]


def test_a_signature_that_ran_out_hides_what_its_page_still_shows(db: Database, tmp_path: Path, clock: Clock) -> None:
    old, new = (f"https://gallery.example/secret.jpg?X-Amz-Signature={sign * 32}" for sign in "ab")
    first = record(db, report("s1", image_url=old, page_url=PAGE, found=image("image 1")), ATTRIBUTION).hit_id
    confirm_hit(db, ANALYST, first, reason="stands on the list")
    noticed(db, tmp_path)
    run = visit(db, clock, "http-403", at=HOUR)
    assert rechecks.outcomes(db, [run]) == {"expired": 1}
    assert look(db, run, new, image("image 1"), at=HOUR + 2) == [(first, Outcome.UP)]
    assert status(db, first) == "still-up"
    assert [each["sightings"] for each in list_hits(db, ANALYST)] == [2]
    assert [row["run"] for row in db.rows("SELECT run FROM sightings ORDER BY found_at")] == [RUN.number, BY_VISIT]


def test_what_was_there_all_along_is_no_move(db: Database, tmp_path: Path, clock: Clock) -> None:
    thumbnail = "https://gallery.example/thumb.jpg"
    record(db, report("t", image_url=thumbnail, page_url=PAGE, found=image("small")), ATTRIBUTION)
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    assert look(db, run, thumbnail, image("small"), at=HOUR + 2) == []
    assert (status(db, one), rechecks.outcomes(db, [run])) == ("noticed", {"absent": 1})


def test_another_listed_image_there_is_a_hit_and_no_move(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    assert look(db, run, NEW, image("another", RowMatch(2, "sha256")), at=HOUR + 2) == []
    assert status(db, one) == "noticed" and len(list(list_hits(db, ANALYST))) == 2


def test_a_look_that_comes_before_its_visit_is_not_lost(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db, page_url=None))
    (target,) = rechecks.targets(db)
    run = rechecks.plan(db, RUN.campaign, [target])
    said = look(db, run, NEW, image("image 1"), at=HOUR, target=target.url)
    assert said == [(one, Outcome.MOVED)]
    late = RecheckReport("s", run, target.url, target.url, NOW + HOUR, "192.0.2.7", "", "http-404")
    assert rechecks.record_visits(db, [(late, ATTRIBUTION)], SPACING) == []
    assert status(db, one) == "moved"


def test_what_was_removed_and_turns_up_on_its_page_is_opened_again(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(3):
        run = visit(db, clock, "http-404", at=HOUR + number * SPACING)
    assert status(db, one) == "removed"
    assert db.value("SELECT count(*) FROM removals") == 1
    assert look(db, run, NEW, image("image 1"), at=2 * HOUR) == [(one, Outcome.MOVED)]
    assert status(db, one) == "new"
    # It was the third miss that made it a removal, and that was none.
    assert db.value("SELECT count(*) FROM removals") == 0
    clock.now = NOW + 48 * HOUR
    (hoster,) = make_report(db, ANALYST)["hosters"]
    assert hoster["removed"] == 0


def test_a_move_long_after_a_removal_leaves_that_on_record(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(4):
        clock.now = NOW + HOUR * (number + 1)
        run = visit(db, clock, "http-404", at=HOUR * (number + 1))
    assert look(db, run, NEW, image("image 1"), at=9 * HOUR) == [(one, Outcome.MOVED)]
    assert db.value("SELECT count(*) FROM removals WHERE hit_id = ?", one) == 1


def searched(db: Database, *counting: HashList) -> str:
    """The name of what a worker matched against: a file of the list, beside which these lists still count."""
    row = lists.find(db, "tulips")
    assert row is not None
    info = IndexInfo(db.home.index / f"{'cd' * 32}.vgx", "cd" * 32, {}, {})
    with db.write():
        indexes.note(db, "key", info, [replace(row, served=1)])
        number = note_state(db, info.sha256, {each.id: each.served or 0 for each in counting})
    return f"{info.sha256}+{number}"


@pytest.mark.parametrize("gone", ["nothing", "list", "entry", "upheld"])
def test_what_was_not_looked_for_is_not_gone(db: Database, tmp_path: Path, clock: Clock, gone: str) -> None:
    """A list that is disabled meanwhile, or an entry that counts no longer, finds nothing where the image still is."""
    add_list(db, [digest_entry("image 1")])
    add_list(db, [digest_entry("image 1"), digest_entry("another")])
    noticed(db, tmp_path, hit(db))
    if gone == "entry":
        add_list(db, [digest_entry("another")])
    if gone == "upheld":
        with db.write():
            db.execute("INSERT INTO entry_quarantines VALUES (1, 1, 'upheld', 0, 30, NULL, NULL, NULL)")
    row = lists.find(db, "tulips")
    assert row is not None
    name = searched(db) if gone == "list" else searched(db, row)
    runs = [visit(db, clock, answer, index=name, at=HOUR + n * SPACING) for n, answer in enumerate(("page", "image"))]
    expected = {"absent": 1, "changed": 1} if gone == "nothing" else {"unknown": 2}
    assert rechecks.outcomes(db, runs) == expected


@pytest.mark.parametrize("counts", [True, False])
def test_a_page_that_was_looked_at_without_its_list_says_nothing(
    db: Database, tmp_path: Path, clock: Clock, counts: bool
) -> None:
    add_list(db, [digest_entry("image 1")])
    (one,) = noticed(db, tmp_path, hit(db))
    row = lists.find(db, "tulips")
    assert row is not None
    full = searched(db, row)
    name = full if counts else searched(db)
    for number in range(3):
        # In the first run, the list is disabled between the visit and the look.
        index = full if number == 0 else name
        run = visit(db, clock, "http-404", index=index, at=HOUR + number * SPACING)
        look(db, run, PAGE, at=HOUR + number * SPACING + 1, index=name)
    assert status(db, one) == ("removed" if counts else "noticed")
    visits = show_hit(db, ANALYST, one)["visits"]
    assert [(each["outcome"], each["page"]) for each in visits] == [("absent", "page" if counts else "unknown")] * 3


def test_what_a_page_made_by_script_may_show_under_another_url_is_not_gone(
    db: Database, tmp_path: Path, clock: Clock
) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    for number in range(4):
        run = visit(db, clock, "http-404", at=HOUR + number * SPACING)
        look(db, run, PAGE, at=HOUR + number * SPACING + 1, answer="page-not-rendered")
    assert status(db, one) == "noticed"
    assert {each["page"] for each in show_hit(db, ANALYST, one)["visits"]} == {"page-not-rendered"}
    for number in range(3):
        run = visit(db, clock, "http-404", at=2 * HOUR + number * SPACING)
        look(db, run, PAGE, at=2 * HOUR + number * SPACING + 1)
    assert status(db, one) == "removed"


@pytest.mark.parametrize("copy_first", [True, False])
def test_what_is_up_under_a_new_signature_is_up_whatever_copies_there_are(
    db: Database, tmp_path: Path, clock: Clock, copy_first: bool
) -> None:
    old, new = (f"https://gallery.example/secret.jpg?X-Amz-Signature={sign * 32}" for sign in "ab")
    first = record(db, report("s1", image_url=old, page_url=PAGE, found=image("image 1")), ATTRIBUTION).hit_id
    confirm_hit(db, ANALYST, first, reason="stands on the list")
    noticed(db, tmp_path)
    clock.now = NOW + HOUR
    (target,) = rechecks.targets(db)
    run = rechecks.plan(db, RUN.campaign, [target])
    missed = RecheckReport("s", run, target.url, target.url, clock.now, "192.0.2.7", "", "http-403")
    rechecks.record_visits(db, [(missed, ATTRIBUTION)], SPACING)
    for number, url in enumerate((NEW, new) if copy_first else (new, NEW)):
        look(db, run, url, image("image 1"), at=HOUR + 1 + number)
        clock.now += 1
    assert (status(db, first), rechecks.outcomes(db, [run])) == ("still-up", {"up": 1})
    assert [each.hit_id for each in rechecks.targets(db)] == [first]


def test_what_moved_and_is_come_upon_by_a_later_run_of_visits_is_opened_again(
    db: Database, tmp_path: Path, clock: Clock
) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    look(db, run, NEW, image("image 1"), at=HOUR)
    assert status(db, one) == "moved"
    look(db, replace(run, number=2), "https://gallery.example/secret-1.jpg", image("image 1"), at=9 * HOUR)
    assert status(db, one) == "new"


@pytest.mark.parametrize("again", ["the same", "without it", "upheld", "not searched"])
def test_what_was_dropped_and_imported_again_is_looked_for(
    db: Database, tmp_path: Path, clock: Clock, again: str
) -> None:
    add_list(db, [digest_entry("image 1")])
    noticed(db, tmp_path, hit(db))
    row = lists.find(db, "tulips")
    assert row is not None
    with db.write():
        lists.drop(db, row.id)
    add_list(db, [digest_entry("another"), *([] if again == "without it" else [digest_entry("image 1")])])
    row = lists.find(db, "tulips")
    assert row is not None and db.value("SELECT min(id) FROM hash_entries") > 1
    if again == "upheld":
        with db.write():
            sql = "INSERT INTO entry_quarantines SELECT id, 1, 'upheld', 0, 30, NULL, NULL, NULL FROM hash_entries"
            db.execute(sql)
    name = searched(db) if again == "not searched" else searched(db, row)
    run = visit(db, clock, "image", index=name, at=HOUR)
    assert rechecks.outcomes(db, [run]) == ({"changed": 1} if again == "the same" else {"unknown": 1})


def test_what_another_page_of_its_domain_shows_is_said_to_be_there(db: Database, tmp_path: Path, clock: Clock) -> None:
    (one,) = noticed(db, tmp_path, hit(db))
    run = visit(db, clock, "http-404", at=HOUR)
    assert look(db, run, NEW, image("image 1"), at=HOUR + 2, target="https://gallery.example/other") == [
        (one, Outcome.MOVED)
    ]
    assert [each["detail"] for each in show_hit(db, ANALYST, one)["visits"]] == ["other-page"]
