from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler.errors import StoreUnavailable
from crawler.store import audit
from crawler.store.database import Database
from tests.store.factories import ANNA


def append(db: Database, *acts: str) -> None:
    for act in acts:
        with db.write():
            audit.append(db, ANNA, act, f"object of {act}", detail={"n": len(act)})


@contextmanager
def intruder(db: Database) -> Iterator[sqlite3.Connection]:
    """Somebody with the file, who knows SQLite."""
    with sqlite3.connect(db.home.database, isolation_level=None) as connection:
        for trigger in ("audit_events_in_order", "audit_events_unchanged", "audit_events_kept"):
            connection.execute(f"DROP TRIGGER {trigger}")
        yield connection
    connection.close()


def rechain(connection: sqlite3.Connection) -> None:
    """Make the hashes fit again, as one can who knows how they are made."""
    before = bytes(32)
    for serial, body in connection.execute("SELECT serial, body FROM audit_events ORDER BY serial").fetchall():
        before = audit.chained(before, serial, body)
        connection.execute("UPDATE audit_events SET hash = ? WHERE serial = ?", (before, serial))
    connection.execute("UPDATE audit_head SET serial = ?, hash = ?", (serial, before))


def test_events_are_read_as_they_were_written(db: Database) -> None:
    db.clock = lambda: 1_780_000_000.25
    append(db, "hits.confirm", "hits.reject")
    found = list(audit.events(db))
    assert found[0] == {
        "serial": 1,
        "at": "2026-05-28T20:26:40.250Z",
        "actor": "anna",
        "origin": "cli",
        "act": "hits.confirm",
        "object": "object of hits.confirm",
        "result": "done",
        "detail": {"n": 12},
    }
    assert [event["act"] for event in audit.events(db, last=1)] == ["hits.reject"]
    assert [event["serial"] for event in audit.events(db, object_id="object of hits.reject")] == [2]
    assert list(audit.events(db, object_id="nothing")) == []


def test_an_untouched_chain_holds(db: Database) -> None:
    assert audit.verify(db) == audit.Verdict(0)
    append(db, "a", "b", "c")
    assert audit.verify(db) == audit.Verdict(3)


def test_an_event_belongs_to_the_transaction_of_its_act(db: Database) -> None:
    append(db, "a")
    with pytest.raises(RuntimeError), db.write():
        audit.append(db, ANNA, "b", "x")
        raise RuntimeError
    assert audit.verify(db) == audit.Verdict(1)
    with pytest.raises(AssertionError):
        audit.append(db, ANNA, "c", "x")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_events SET body = '{}' WHERE serial = 1",
        "DELETE FROM audit_events WHERE serial = 2",
        "INSERT INTO audit_events VALUES (7, '{}', x'00')",
        "INSERT INTO audit_events VALUES (NULL, '{}', x'00')",
        "INSERT INTO audit_events VALUES (-1, '{}', x'00')",
        "INSERT OR REPLACE INTO audit_events VALUES (2, '{}', x'00')",
        "REPLACE INTO audit_events VALUES (1, '{}', x'00')",
    ],
)
def test_triggers_refuse_changes(db: Database, statement: str) -> None:
    append(db, "a", "b")
    with pytest.raises(StoreUnavailable, match="audit events are append"), db.write():
        db.execute(statement)
    assert audit.verify(db) == audit.Verdict(2)


def test_a_change_is_found(db: Database) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("""UPDATE audit_events SET body = replace(body, '"actor":"anna"', '"actor":"bert"')
                              WHERE serial = 2""")
    verdict = audit.verify(db)
    assert (verdict.serial, verdict.intact, verdict.events) == (2, False, 3)


@pytest.mark.parametrize("serial", [1, 2, 3])
def test_a_removal_is_found(db: Database, serial: int) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("DELETE FROM audit_events WHERE serial = ?", (serial,))
    verdict = audit.verify(db)
    assert (verdict.serial, verdict.events) == (serial, 2)


def test_a_removal_that_closes_the_gap_is_found(db: Database) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("DELETE FROM audit_events WHERE serial = 2")
        connection.execute("UPDATE audit_events SET serial = 2 WHERE serial = 3")
        rechain(connection)
    assert not audit.verify(db).intact


def test_an_insertion_is_found(db: Database) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("UPDATE audit_events SET serial = 4 WHERE serial = 3")
        connection.execute("INSERT INTO audit_events SELECT 3, body, hash FROM audit_events WHERE serial = 1")
    assert audit.verify(db).serial == 3


def test_an_appended_event_is_found(db: Database) -> None:
    append(db, "a")
    with intruder(db) as connection:
        body = connection.execute("SELECT body FROM audit_events").fetchone()[0]
        connection.execute("INSERT INTO audit_events VALUES (2, ?, ?)", (body, b"x"))
        rechain(connection)
    verdict = audit.verify(db)
    assert verdict.problem == "the head's signature does not fit"


def test_a_reorder_is_found(db: Database) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        for old, new in ((1, 9), (2, 1), (9, 2)):
            connection.execute("UPDATE audit_events SET serial = ? WHERE serial = ?", (new, old))
    assert audit.verify(db).serial == 1


def test_a_chain_that_was_made_anew_is_found(db: Database) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("UPDATE audit_events SET body = replace(body, 'anna', 'bert')")
        rechain(connection)
    assert audit.verify(db).problem == "the head's signature does not fit"


def test_an_emptied_table_is_found(db: Database) -> None:
    append(db, "a", "b")
    with intruder(db) as connection:
        connection.execute("DELETE FROM audit_events")
    assert audit.verify(db).problem == "the chain does not end at its signed head"
    with sqlite3.connect(db.home.database) as connection:
        connection.execute("DELETE FROM audit_head")
    connection.close()
    assert audit.verify(db).intact  # nothing says any more that there was something: why heads are also kept elsewhere


@pytest.mark.parametrize(
    "body", ["CAST(body AS BLOB)", "CAST(x'22ff22' AS TEXT)", "17", "1.5", "body || char(0)", "''", "zeroblob(9)"]
)
def test_what_is_no_text_any_more_is_found(db: Database, body: str) -> None:
    append(db, "a", "b", "c")
    with intruder(db) as connection:
        connection.execute("DROP INDEX audit_events_object")
        connection.execute(f"UPDATE audit_events SET body = {body} WHERE serial = 2")
    verdict = audit.verify(db)
    assert (verdict.serial, verdict.problem) == (2, "the event was changed, or another one put in its place")
    if "CAST(body" not in body:  # which reads as before
        with pytest.raises(StoreUnavailable):
            list(audit.events(db))


@pytest.mark.parametrize("column", ["hash", "signature", "serial"])
@pytest.mark.parametrize("value", ["17", "'text'", "x''", "zeroblob(64)", "1e300"])
def test_a_head_that_is_none_is_found(db: Database, column: str, value: str) -> None:
    append(db, "a", "b")
    with intruder(db) as connection:
        connection.execute(f"UPDATE audit_head SET {column} = {value}")
    assert audit.verify(db).problem == "the head's signature does not fit"


def test_a_hash_of_another_kind_is_found(db: Database) -> None:
    append(db, "a", "b")
    with intruder(db) as connection:
        connection.execute("UPDATE audit_events SET hash = hex(hash) WHERE serial = 1")
    assert audit.verify(db).serial == 1


def test_an_end_that_was_cut_off_under_an_older_head_is_found_by_heads_kept_elsewhere(db: Database) -> None:
    append(db, "a")
    with intruder(db) as connection:
        old = connection.execute("SELECT serial, hash, signature FROM audit_head").fetchone()
        append(db, "b", "c")
        kept = audit.head(db)
        assert kept is not None
        connection.execute("DELETE FROM audit_events WHERE serial > 1")
        connection.execute("UPDATE audit_head SET serial = ?, hash = ?, signature = ?", old)
    assert audit.verify(db).intact  # alone it cannot know
    found = audit.verify(db, [kept])
    assert (found.serial, found.problem) == (2, "events are missing that a head kept elsewhere knows of")
    append(db, "d", "e")  # written by the product since, with its key
    assert audit.verify(db, [kept]).problem == "the chain is not the one whose head was kept elsewhere"


def test_a_missing_head_is_found(db: Database) -> None:
    append(db, "a", "b")
    with intruder(db) as connection:
        connection.execute("DELETE FROM audit_head")
    assert audit.verify(db).problem == "the signed head is missing"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    detail=st.dictionaries(st.text(st.characters()), st.none() | st.booleans() | st.integers() | st.text(), max_size=4)
)
def test_any_detail_survives(db: Database, detail: dict[str, object]) -> None:
    with db.write():
        serial = audit.append(db, ANNA, "act", "object", detail=detail)
    (event,) = audit.events(db, last=1)
    assert event["detail"] == json.loads(json.dumps(detail))
    assert event["serial"] == serial
    assert audit.verify(db).intact


def test_a_long_chain_is_walked_quickly(db: Database) -> None:
    """A hundred thousand events in less than the tenth part of ten seconds, with room for a busy machine."""
    body = json.dumps(
        {"act": "hits.show", "actor": "anna", "at": "2026-06-17T08:30:00.000Z", "detail": {}, "object": "x"}
    )
    before, rows = bytes(32), []
    for serial in range(1, 100_001):
        before = audit.chained(before, serial, body)
        rows.append((serial, body, before))
    with db.write():
        db.execute_many("INSERT INTO audit_events VALUES (?, ?, ?)", rows)
    started = time.process_time()
    verdict = audit.verify(db)
    assert time.process_time() - started < 1.0
    assert (verdict.events, verdict.problem) == (100_000, "the signed head is missing")
