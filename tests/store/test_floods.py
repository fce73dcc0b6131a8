from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from crawler.errors import InvalidInput, Refused
from crawler.records import AddressFacts, Attribution, RowMatch
from crawler.review.quarantine import FloodRule
from crawler.service import quarantine
from crawler.service.hits import confirm_hit
from crawler.service.indexing import ensure_index
from crawler.store import alerts, audit, entries, floods, lists
from crawler.store.database import Database
from crawler.store.decisions import decisions_json
from crawler.store.hits import record_many
from tests.store.factories import ANNA, add_list, code_entry, digest_entry, image, report

RULE = FloodRule(domains=5, window=1e6)
NOW = 1_780_000_100.0
HOUR = 3_600.0


@pytest.fixture
def entry(db: Database) -> int:
    """A PDQ entry, beside others."""
    db.clock = lambda: NOW
    add_list(db, [code_entry(1), code_entry(2), digest_entry("x"), digest_entry("y", "md5", size=1)])
    return next(row.entry for row in rows(db) if row.algorithm == "pdq")


def rows(db: Database) -> Sequence[lists.IndexRow]:
    return list(entries.index_rows(db, lists.all_lists(db)))


def number_of(db: Database, algorithm: str, but: int = 0) -> int:
    return next(row.entry for row in rows(db) if row.algorithm == algorithm and row.entry != but)


def seen(db: Database, number: int, *matches: RowMatch, domain: str = "", address: str = "") -> str:
    """Record a hit at a place of its own. Returns its id."""
    name = domain or f"site{number}.example"
    made = report(
        f"serial-{number}-{name}-{len(matches)}",
        image_url=f"https://{name}/{number}.jpg",
        found=image(f"image {number}", *matches),
    )
    at = Attribution(name, name, address or f"192.0.2.{number % 250}", AddressFacts())
    (done,) = record_many(db, [(made, at)])
    floods.settle(db, [done.hit_id], RULE)
    return done.hit_id


def status(db: Database, hit: str) -> str:
    return str(db.value("SELECT status FROM hits WHERE id = ?", hit))


def near(entry: int) -> RowMatch:
    return RowMatch(entry, "pdq", 20, 31)


def flood(db: Database, entry: int, count: int = 5, start: int = 1) -> list[str]:
    return [seen(db, number, near(entry)) for number in range(start, start + count)]


def test_an_entry_that_floods_is_quarantined_with_all_of_its_hits(db: Database, entry: int) -> None:
    first = flood(db, entry, 4)
    assert {status(db, hit) for hit in first} == {"new"}
    assert floods.quarantines(db) == []
    fifth = seen(db, 5, near(entry))
    assert {status(db, hit) for hit in (*first, fifth)} == {"quarantined"}
    later = seen(db, 6, near(entry))
    assert status(db, later) == "quarantined"
    (found,) = floods.quarantines(db)
    assert (found.entry, found.list, found.state, found.domains, found.waiting) == (entry, "tulips", "waiting", 5, 6)
    acts = [event["act"] for event in audit.events(db)]
    assert acts.count("entries.quarantine") == acts.count("alerts.open") == 1
    (decision,) = decisions_json(db, first[0])
    assert (decision["event"], decision["actor"], decision["after"]) == ("quarantine", "recorder", "quarantined")


def test_many_urls_on_one_host_are_never_a_reason(db: Database, entry: int) -> None:
    hits = [seen(db, number, near(entry), domain="one.example", address="192.0.2.1") for number in range(40)]
    hits += [seen(db, number, near(entry), address="192.0.2.1") for number in range(40, 80)]
    assert {status(db, hit) for hit in hits} == {"new"}


def test_class_a_neither_counts_nor_waits(db: Database, entry: int) -> None:
    digest = number_of(db, "sha256")
    sure = [seen(db, number, near(entry), RowMatch(digest, "sha256")) for number in range(1, 12)]
    assert floods.quarantines(db) == []
    flood(db, entry, 5, start=20)
    assert floods.quarantines(db) != []
    sure.append(seen(db, 40, near(entry), RowMatch(digest, "sha256")))
    assert {status(db, hit) for hit in sure} == {"new"}


def test_a_hit_that_another_entry_raises_as_well_does_not_wait(db: Database, entry: int) -> None:
    other = number_of(db, "pdq", but=entry)
    flood(db, entry)
    assert status(db, seen(db, 20, near(entry), near(other))) == "new"


def test_a_hit_that_turns_out_to_be_class_a_goes_on(db: Database, entry: int) -> None:
    hits = flood(db, entry)
    again = seen(db, 1, near(entry), RowMatch(number_of(db, "sha256"), "sha256"))
    assert again == hits[0]
    assert status(db, again) == "new"
    assert status(db, hits[1]) == "quarantined"


def test_what_a_person_put_in_quarantine_stays_there(db: Database, entry: int) -> None:
    hit = seen(db, 1, near(entry))
    with db.write():
        db_decide = floods.decisions.decide_many
        db_decide(db, ANNA, [hit], event="quarantine", before="new", after="quarantined", reason="look at it")
    floods.settle(db, [hit], RULE)
    assert status(db, hit) == "quarantined"


def test_what_a_person_confirmed_was_no_flood(db: Database, entry: int) -> None:
    for hit in flood(db, entry, 4):
        confirm_hit(db, ANNA, hit, reason="assessed", assessment="A-1")
    later = flood(db, entry, 4, start=20)
    assert {status(db, hit) for hit in later} == {"new"}
    last = seen(db, 30, near(entry))
    assert [status(db, hit) for hit in (*later, last)] == ["quarantined"] * 5


def test_matches_of_long_ago_do_not_count(db: Database, entry: int) -> None:
    flood(db, entry, 4)
    db.clock = lambda: NOW + 2e6
    made = report("late", image_url="https://late.example/", found_at=NOW + 2e6, found=image("late", near(entry)))
    (done,) = record_many(db, [(made, Attribution("late.example", "late.example", "192.0.2.9", AddressFacts()))])
    floods.settle(db, [done.hit_id], RULE)
    assert floods.quarantines(db) == []


def test_a_recorder_that_was_killed_makes_up_for_it(db: Database, entry: int) -> None:
    batch = [
        (
            report(f"s{n}", image_url=f"https://s{n}.example/", found=image(f"i{n}", near(entry))),
            Attribution(f"s{n}.example", f"s{n}.example", f"192.0.2.{n}", AddressFacts()),
        )
        for n in range(6)
    ]
    record_many(db, batch)
    assert floods.sweep(db, replace(RULE, domains=0)) == []
    assert floods.sweep(db, RULE) == [entry]
    assert floods.sweep(db, RULE) == []
    assert {row["status"] for row in db.rows("SELECT status FROM hits")} == {"quarantined"}


def test_alerts_rise_until_somebody_answers(db: Database, entry: int) -> None:
    flood(db, entry)
    levels = []
    for hours in (1, 4, 5, 9):
        db.clock = lambda hours=hours: NOW + hours * HOUR
        with db.write():
            alerts.escalate(db, 4 * HOUR)
        levels += [alert.level for alert in alerts.open_alerts(db)]
    assert levels == [1, 2, 2, 3]
    assert [e["detail"]["level"] for e in audit.events(db) if e["act"] == "alerts.escalate"] == [2, 3]
    quarantine.lift(db, ANNA, entry, reason="looked at it", rule=RULE)
    assert alerts.open_alerts(db) == []


def test_lifting_lets_the_hits_go_on(db: Database, entry: int) -> None:
    hits = flood(db, entry)
    (before,) = quarantine.list_quarantines(db, ANNA)
    assert (before["alert"], before["hits"], before["state"]) == (1, 5, "waiting")
    done = quarantine.lift(db, ANNA, entry, reason="one image that went around", rule=RULE)
    assert (done["state"], done["moved"], done["hits"], done["alert"]) == ("lifted", 5, 0, None)
    assert {status(db, hit) for hit in hits} == {"new"}
    assert status(db, seen(db, 30, near(entry))) == "new"
    flood(db, entry, 3, start=40)
    assert floods.quarantines(db)[0].state == "lifted"
    flood(db, entry, 2, start=50)
    (again,) = floods.quarantines(db)
    assert (again.state, again.domains) == ("waiting", 10)
    with pytest.raises(InvalidInput, match="not in quarantine"):
        quarantine.lift(db, ANNA, 9_999, reason="x", rule=RULE)


def test_upholding_rejects_the_hits_and_takes_the_entry_out_of_the_index(db: Database, entry: int) -> None:
    before = ensure_index(db.home, db)
    hits = flood(db, entry)
    done = quarantine.uphold(db, ANNA, entry, reason="a logo", rule=RULE)
    assert (done["state"], done["moved"]) == ("upheld", 5)
    assert {status(db, hit) for hit in hits} == {"rejected"}
    after = ensure_index(db.home, db)
    assert after.sha256 != before.sha256
    assert entry not in {row.entry for row in rows(db)}
    late = seen(db, 60, near(entry))
    assert status(db, late) == "quarantined"
    assert quarantine.uphold(db, ANNA, entry, reason="a late one", rule=RULE)["moved"] == 1
    assert status(db, late) == "rejected"
    assert quarantine.lift(db, ANNA, entry, reason="no logo after all", rule=RULE)["moved"] == 0
    with pytest.raises(Refused, match="is lifted"):
        quarantine.lift(db, ANNA, entry, reason="again", rule=RULE)


def test_reasons_are_given(db: Database, entry: int) -> None:
    flood(db, entry)
    with pytest.raises(InvalidInput, match="a reason"):
        quarantine.uphold(db, ANNA, entry, reason=" ", rule=RULE)
