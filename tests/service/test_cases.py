"""Case items under any sequence of acts: no illegal transition, no lost event, nothing done twice."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from crawler.errors import InvalidInput, NotAuthorised, Refused
from crawler.records import RowMatch
from crawler.review.states import START, TRANSITIONS, Event, Status
from crawler.service import case_acts, case_undo, cases
from crawler.service.hits import confirm_hit
from crawler.store.actors import Actor, Role
from crawler.store.cases import find
from crawler.store.database import Database
from crawler.store.decisions import events_of
from crawler.store.hits import record
from tests.store.factories import ATTRIBUTION, add_list, code_entry, digest_entry, image, report, store_at

PEOPLE = [Actor("anna", frozenset({Role.ANALYST}), "cli"), Actor("bert", frozenset(Role), "cli")]
SIMPLE = ("confirm", "reject", "refer", "resume", "reopen", "quarantine", "lift")


def filled(db: Database) -> list[str]:
    """A case item of class A with two places, and one of class C."""
    done = add_list(db, [digest_entry("an image"), code_entry(1)], near="assess")
    ids = {row["algorithm"]: row["id"] for row in db.rows("SELECT algorithm, id FROM hash_entries")}
    assert done.list.entries == 2
    sure, near = image("an image", RowMatch(ids["sha256"], "sha256")), image("b", RowMatch(ids["pdq"], "pdq", 8, 31))
    for number, found in enumerate((sure, sure, near)):
        url = f"https://gallery.example/{number}.jpg"
        record(db, report(f"s{number}", image_url=url, found=found), ATTRIBUTION)
    return [row["id"] for row in db.rows("SELECT id FROM cases ORDER BY rowid")]


class Desk(RuleBasedStateMachine):
    """Two people at two items, with a clock that goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory(prefix="vg")
        self.manager = store_at(Path(self.directory.name))
        self.db = self.manager.__enter__()
        self.now = 1_780_000_000.0
        self.db.clock = lambda: self.now
        self.items = filled(self.db)
        self.refused = 0

    def teardown(self) -> None:
        self.manager.__exit__(None, None, None)
        self.directory.cleanup()

    @rule(seconds=st.sampled_from([1.0, 600.0, 1_000.0, 2_000.0, 90_000.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.now += seconds

    @rule(who=st.sampled_from(PEOPLE), skip=st.none() | st.integers(0, 1))
    def take(self, who: Actor, skip: int | None) -> None:
        cases.take_next(self.db, who, skip=None if skip is None else self.items[skip])

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(0, 1), name=st.sampled_from(SIMPLE), stale=st.booleans())
    def act(self, who: Actor, item: int, name: str, stale: bool) -> None:
        case_id = self.items[item]
        version = cases.known(self.db, case_id).version - stale
        before = self.statuses(case_id)
        try:
            getattr(case_acts, f"{name}_case")(self.db, who, case_id, reason="why", version=version)
            assert not stale
            assert self.statuses(case_id) != before
        except (Refused, NotAuthorised):
            assert self.statuses(case_id) == before

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(0, 1), listed=st.booleans())
    def assess(self, who: Actor, item: int, listed: bool) -> None:
        with suppress(Refused):
            case_acts.assess_case(
                self.db, who, self.items[item], listed=listed, assessor="P", reference="PV", reason="as they say"
            )

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(0, 1))
    def hold(self, who: Actor, item: int) -> None:
        with suppress(Refused):
            case_acts.hold_case(self.db, who, self.items[item], owner="police", days=1, reason="why")

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(0, 1))
    def undo(self, who: Actor, item: int) -> None:
        case_id = self.items[item]
        possible = case_undo.may_undo(self.db, who, case_id)
        try:
            case_undo.undo_case(self.db, who, case_id)
            assert possible
        except Refused:
            assert not possible

    @rule(who=st.sampled_from(PEOPLE), item=st.integers(0, 1))
    def release(self, who: Actor, item: int) -> None:
        with suppress(Refused):
            cases.release_case(self.db, who, self.items[item])

    @invariant()
    def every_event_is_kept_and_legal(self) -> None:
        for row in self.db.rows("SELECT id, status FROM hits"):
            standing = START
            for event, before, after in events_of(self.db, row["id"]):
                assert Status(before) is standing
                assert TRANSITIONS[standing][Event(event)] == after
                standing = Status(after)
            assert standing == row["status"]

    @invariant()
    def nothing_near_is_confirmed_without_an_assessment(self) -> None:
        confirmed = "SELECT count(*) FROM decisions JOIN hits ON hits.id = hit_id WHERE event = 'confirm' AND "
        unassessed = "certainty <> 'A' AND assessment IS NULL AND before <> 'new'"
        assert self.db.value(confirmed + unassessed + " AND before <> 'held'") == 0

    @invariant()
    def every_act_is_on_record(self) -> None:
        moved = self.db.value("SELECT count(DISTINCT act_id) FROM decisions")
        noted = self.db.value('SELECT count(*) FROM audit_events WHERE body LIKE \'%"act":"cases.%\'')
        assert noted >= moved

    def statuses(self, case_id: str) -> list[str]:
        return [row["status"] for row in self.db.rows("SELECT status FROM hits WHERE case_id = ? ORDER BY id", case_id)]


Desk.TestCase.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestDesk = Desk.TestCase


def test_a_hit_whose_item_somebody_has_is_left_to_them(db: Database) -> None:
    anna, bert = PEOPLE
    item = cases.take_next(db, anna)
    assert item is None
    filled(db)
    item = cases.take_next(db, anna)
    hit = db.value("SELECT id FROM hits WHERE case_id = ?", item)
    with pytest.raises(Refused, match="is with anna at the desk"):
        confirm_hit(db, bert, hit, reason="listed")
    assert confirm_hit(db, anna, hit, reason="listed")["status"] == "confirmed"


def test_a_hold_keeps_its_owner_and_its_end_while_a_hit_is_held(db: Database) -> None:
    """A second place of the image is found meanwhile, and decided on."""
    _, bert = PEOPLE
    record(db, report("s1", image_url="https://gallery.example/1.jpg"), ATTRIBUTION)
    (item,) = [row["id"] for row in db.rows("SELECT id FROM cases")]
    case_acts.hold_case(db, bert, item, owner="police", days=10, reason="asked for")
    held = find(db, item)
    assert held is not None and held.hold_owner == "police"
    record(db, report("s2", image_url="https://gallery.example/2.jpg"), ATTRIBUTION)
    for act in (
        lambda: case_acts.reject_case(db, bert, item, reason="no"),
        lambda: case_undo.undo_case(db, bert, item),
        lambda: case_acts.reject_case(db, bert, item, reason="no"),
    ):
        act()
        kept = find(db, item)
        assert kept is not None
        assert (kept.hold_owner, kept.hold_until) == (held.hold_owner, held.hold_until)
    case_acts.resume_case(db, bert, item, reason="over")
    ended = find(db, item)
    assert ended is not None and (ended.hold_owner, ended.hold_until) == (None, None)


def test_undo_ends_after_half_an_hour_and_belongs_to_who_decided(db: Database) -> None:
    anna, bert = PEOPLE
    item = filled(db)[0]
    now = 1_780_000_000.0
    db.clock = lambda: now
    case_acts.confirm_case(db, anna, item, reason="listed")
    with pytest.raises(Refused, match="no decision of yours"):
        case_undo.undo_case(db, bert, item)
    now += case_undo.UNDO_SECONDS + 1
    with pytest.raises(Refused, match="older than half an hour"):
        case_undo.undo_case(db, anna, item)
    assert case_acts.reopen_case(db, bert, item, reason="a mistake")["status"] == ["new"]


def test_the_order_of_the_queue(db: Database) -> None:
    """By class, then category, then age."""
    add_list(db, [digest_entry("one", category="2"), digest_entry("two", category="1"), code_entry(1, category="1")])
    ids = {row["value"]: row["id"] for row in db.rows("SELECT id, value FROM hash_entries")}
    entry = {text: ids[digest_entry(text).value] for text in ("one", "two")}
    near = ids[code_entry(1).value]
    shown = (("c", RowMatch(near, "pdq", 2, 31)), ("one", None), ("two", None), ("d", RowMatch(near, "pdq", 2, 31)))
    for number, (text, match) in enumerate(shown):
        found = image(text, match or RowMatch(entry[text], "sha256"))
        record(db, report(f"s{number}", found=found, found_at=1_000.0 - number), ATTRIBUTION)
    listed = cases.list_cases(db, PEOPLE[0])["items"]
    assert [(item["certainty"], item["category"], item["first_at"][14:19]) for item in listed] == [
        ("A", "1", "16:38"),
        ("A", "2", "16:39"),
        ("C", "1", "16:37"),
        ("C", "1", "16:40"),
    ]


def test_items_and_views_that_are_not_there(db: Database) -> None:
    with pytest.raises(InvalidInput, match="no case item 'x'"):
        case_acts.confirm_case(db, PEOPLE[0], "x", reason="why")
    with pytest.raises(InvalidInput, match="no list 'x'"):
        cases.list_cases(db, PEOPLE[0], view="x")
