"""Dropping destroys: outside of the lab one person asks for it, and another one does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.errors import InvalidInput, NotAuthorised, StoreUnavailable
from crawler.service.dropping import WEEK, Dropped, asked_for, drop, keep
from crawler.service.lists import set_enabled
from crawler.store import audit, lists
from crawler.store.database import Database
from crawler.store.drops import DropAsked
from tests.service.governed import BERT
from tests.store.factories import ANNA, add_list, digest_entry, store_at

NOW = 1_780_000_000.0


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with store_at(tmp_path, lab=False) as opened:
        opened.clock = lambda: NOW
        add_list(opened, [digest_entry("a"), digest_entry("b")], governed=True)
        yield opened


def row(db: Database) -> lists.HashList:
    found = lists.find(db, "tulips")
    assert found is not None
    return found


def acts(db: Database) -> list[tuple[str, str, str]]:
    events = audit.events(db, object_id="tulips")
    return [(event["act"], event["actor"], event["result"]) for event in events if "drop" in event["act"]]


def test_one_asks_and_another_does_it(db: Database) -> None:
    assert drop(db, ANNA, "tulips") == DropAsked("anna", NOW, 1)
    assert (row(db).entries, asked_for(db, row(db))) == (2, DropAsked("anna", NOW, 1))
    with pytest.raises(NotAuthorised, match="second person"):
        drop(db, ANNA, "tulips")
    assert row(db).entries == 2
    assert drop(db, BERT, "tulips") == Dropped(2)
    assert lists.find(db, "tulips") is None
    assert acts(db) == [
        ("lists.drop.ask", "anna", "done"),
        ("lists.drop", "anna", "refused"),
        ("lists.drop", "bert", "done"),
    ]
    add_list(db, [digest_entry("a")], governed=True)  # the name again: nobody asks to drop that
    assert drop(db, BERT, "tulips") == DropAsked("bert", NOW, 2)


def test_what_was_asked_long_ago_or_of_another_version_does_not_hold(db: Database) -> None:
    drop(db, ANNA, "tulips")
    db.clock = lambda: NOW + WEEK + 1
    assert drop(db, BERT, "tulips") == DropAsked("bert", NOW + WEEK + 1, 1)
    add_list(db, [digest_entry("a"), digest_entry("c")], governed=True)
    assert drop(db, ANNA, "tulips") == DropAsked("anna", NOW + WEEK + 1, 2)
    assert row(db).entries == 2


def test_it_may_be_taken_back(db: Database) -> None:
    with pytest.raises(InvalidInput, match="nobody asks"):
        keep(db, ANNA, "tulips")
    drop(db, ANNA, "tulips")
    keep(db, BERT, "tulips")
    assert asked_for(db, row(db)) is None
    assert isinstance(drop(db, BERT, "tulips"), DropAsked)


def test_disabling_is_a_safety_stop_for_one(db: Database) -> None:
    drop(db, ANNA, "tulips")
    assert not set_enabled(db, ANNA, "tulips", False).enabled


def test_the_database_itself_wants_two_persons(db: Database) -> None:
    with pytest.raises(StoreUnavailable, match="dropped by another person"), db.write():
        lists.drop(db, row(db).id)
    drop(db, ANNA, "tulips")
    with pytest.raises(StoreUnavailable, match="CHECK"), db.write():
        db.execute("UPDATE list_drops SET done_by = 'anna'")
    with pytest.raises(StoreUnavailable, match="stays who asked"), db.write():
        db.execute("UPDATE list_drops SET asked_by = 'bert', done_by = 'anna'")
    assert row(db).entries == 2
