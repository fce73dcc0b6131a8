"""Marks on open hits that nothing stands behind any more."""

from __future__ import annotations

import pytest

from crawler.records import RowMatch
from crawler.store import entries, lists
from crawler.store.database import Database
from crawler.store.decisions import decide_many
from crawler.store.hit_marks import CLOSED, Marked, remark_list
from crawler.store.hit_views import hit_json
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, image, report


def entry(db: Database, name: str, text: str = "a") -> int:
    row = lists.find(db, name)
    assert row is not None
    ((found),) = entries.entries_with(db, row.id, "sha256", digest_entry(text).value)
    return found.id


def hit(db: Database, *matches: RowMatch, serial: str = "s1", text: str = "an image") -> str:
    return record(db, report(serial, found=image(text, *matches)), ATTRIBUTION).hit_id


def mark(db: Database, hit_id: str) -> str | None:
    shown = hit_json(db, hit_id, reveal=True)
    assert shown is not None
    return None if shown["mark"] is None else str(shown["mark"]["reason"])


def remark(db: Database, name: str = "tulips") -> Marked:
    list_id = int(db.value("SELECT id FROM hash_lists WHERE name = ?", name))
    with db.write():
        return remark_list(db, list_id)


def enable(db: Database, enabled: bool) -> None:
    with db.write():
        lists.set_enabled(db, int(db.value("SELECT id FROM hash_lists WHERE name = 'tulips'")), enabled)


def test_a_withdrawn_entry_marks_the_hit_and_its_return_lifts_the_mark(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    hit_id = hit(db, RowMatch(entry(db, "tulips"), "sha256"))
    assert (remark(db), mark(db, hit_id)) == (Marked(), None)
    add_list(db, [digest_entry("b")])
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "entry-withdrawn")
    assert remark(db) == Marked()
    add_list(db, [digest_entry("a"), digest_entry("b")])
    assert (remark(db), mark(db, hit_id)) == (Marked(0, 1), None)
    kept = db.rows("SELECT reason, lifted_at IS NOT NULL AS lifted FROM hit_marks")
    assert kept == [{"reason": "entry-withdrawn", "lifted": 1}]


def test_what_rests_on_another_match_too_keeps_its_standing(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    add_list(db, [digest_entry("a")], "roses")
    hit_id = hit(db, RowMatch(entry(db, "tulips"), "sha256"), RowMatch(entry(db, "roses"), "sha256"))
    add_list(db, [digest_entry("b")])
    assert (remark(db), mark(db, hit_id)) == (Marked(), None)
    with db.write():
        lists.set_enabled(db, int(db.value("SELECT id FROM hash_lists WHERE name = 'roses'")), False)
    assert (remark(db, "roses"), mark(db, hit_id)) == (Marked(1, 0), "list-disabled")


def test_phashes_and_benign_lists_carry_no_hit(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    add_list(db, [digest_entry("c")], "roses")
    add_list(db, [digest_entry("a")], "harmless", kind="benign")
    matches = (
        RowMatch(entry(db, "tulips"), "sha256"),
        RowMatch(entry(db, "roses", "c"), "phash", 2, 4),
        RowMatch(entry(db, "harmless"), "sha256", benign=True),
    )
    hit_id = hit(db, *matches)
    add_list(db, [digest_entry("b")])
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "entry-withdrawn")


def test_a_disabled_and_a_dropped_list_mark_too(db: Database) -> None:
    add_list(db, [digest_entry("a")])
    hit_id = hit(db, RowMatch(entry(db, "tulips"), "sha256"))
    enable(db, False)
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "list-disabled")
    enable(db, True)
    assert (remark(db), mark(db, hit_id)) == (Marked(0, 1), None)
    with db.write():
        lists.drop(db, int(db.value("SELECT id FROM hash_lists")))
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "list-dropped")


@pytest.mark.parametrize("status", CLOSED)
def test_what_is_closed_is_left_alone(db: Database, status: str) -> None:
    add_list(db, [digest_entry("a")])
    hit_id = hit(db, RowMatch(entry(db, "tulips"), "sha256"))
    with db.write():
        db.execute("UPDATE hits SET status = ? WHERE id = ?", status, hit_id)
    enable(db, False)
    assert (remark(db), mark(db, hit_id)) == (Marked(), None)


def test_a_report_that_comes_late_is_marked_and_a_new_ground_lifts_the_mark(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    gone = entry(db, "tulips")
    add_list(db, [digest_entry("b")])
    hit_id = hit(db, RowMatch(gone, "sha256"))
    assert mark(db, hit_id) == "entry-withdrawn"
    assert hit(db, RowMatch(entry(db, "tulips", "b"), "sha256"), serial="s2") == hit_id
    assert mark(db, hit_id) is None


def test_a_version_that_waits_marks_nothing_until_it_is_served(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    hit_id = hit(db, RowMatch(entry(db, "tulips"), "sha256"))
    add_list(db, [digest_entry("b")], governed=True)
    assert (remark(db), mark(db, hit_id)) == (Marked(), None)
    serve(db, 2)
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "entry-withdrawn")
    add_list(db, [digest_entry("a")], governed=True)
    assert (remark(db), mark(db, hit_id)) == (Marked(), "entry-withdrawn")
    serve(db, 3)
    assert (remark(db), mark(db, hit_id)) == (Marked(0, 1), None)
    add_list(db, [digest_entry("b")], governed=True)  # what stands is the value under its second number
    assert (remark(db), mark(db, hit_id)) == (Marked(), None)
    enable(db, False)
    assert (remark(db), mark(db, hit_id)) == (Marked(1, 0), "entry-withdrawn")


def serve(db: Database, version: int) -> None:
    """As if a second person had enabled it."""
    with db.write():
        db.execute("DROP TRIGGER IF EXISTS hash_lists_served_by_two")
        db.execute("UPDATE hash_lists SET served_version = ?", version)


def test_hits_that_quarantine_holds_are_marked_when_they_are_let_go(db: Database) -> None:
    add_list(db, [digest_entry("a"), digest_entry("b")])
    held, other = (
        hit(db, RowMatch(entry(db, "tulips"), "sha256"), serial=serial, text=serial) for serial in ("s1", "s2")
    )
    moves = {"event": "quarantine", "before": "new", "after": "quarantined", "reason": "a flood"}
    with db.write():
        decide_many(db, ANNA, [held], **moves)
    add_list(db, [digest_entry("b")])
    assert remark(db) == Marked(1, 0)
    assert (mark(db, held), mark(db, other)) == (None, "entry-withdrawn")
    with db.write():
        decide_many(db, ANNA, [held], event="lift", before="quarantined", after="new", reason="none")
    assert mark(db, held) == "entry-withdrawn"
