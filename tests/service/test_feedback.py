from __future__ import annotations

import pytest

from crawler.errors import InvalidInput
from crawler.records import RowMatch
from crawler.service.feedback import feedback_for
from crawler.service.hits import confirm_hit, reject_hit
from crawler.store import audit, entries, lists
from crawler.store.database import Database
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, add_list, code_entry, digest_entry, image, report

ENTRIES = [
    digest_entry("a", category="1", external_id="case-1"),
    digest_entry("b", category="1", external_id="case-2"),
    digest_entry("c"),
    digest_entry("d", external_id="case-4"),
    code_entry(1, external_id="case-5"),
    code_entry(1, "phash", external_id="case-5"),
]


@pytest.fixture
def found(db: Database) -> dict[str, list[str]]:
    """Two hits of each entry with a digest. Returns label or digest -> hits."""
    add_list(db, ENTRIES)
    made: dict[str, list[str]] = {}
    for row in entries.index_rows(db, lists.all_lists(db)):
        for number in range(2 if row.algorithm == "sha256" else 1):
            url = f"https://gallery.example/{row.entry}/{number}.jpg"
            at = report(
                f"{row.entry}-{number}", image_url=url, found=image(url, RowMatch(row.entry, row.algorithm, 0, 31))
            )
            if row.algorithm != "phash":
                facts = entries.entry_facts(db, [row.entry])[row.entry]
                name = row.value.hex() if facts.label == str(row.entry) else facts.label
                made.setdefault(name, []).append(record(db, at, ATTRIBUTION).hit_id)
    return made


def test_owners_are_told_what_became_of_their_entries(db: Database, found: dict[str, list[str]]) -> None:
    unnamed = digest_entry("c").value.hex()
    for hit in found["case-1"]:
        confirm_hit(db, ANNA, hit, reason="the list says so")
    confirm_hit(db, ANNA, found["case-2"][0], reason="the list says so")
    reject_hit(db, ANNA, found["case-2"][1], reason="a flower")
    reject_hit(db, ANNA, found[unnamed][0], reason="a flower")
    done = feedback_for(db, ANNA, "tulips")
    assert (done["list"], done["list_version"]) == ("tulips", 1)
    by_name = {row["entry"] or row["value"]: row for row in done["entries"]}
    assert {name: row["verdict"] for name, row in by_name.items()} == {
        "case-1": "confirmed",
        "case-2": "disputed",
        unnamed: "rejected",
    }
    assert by_name["case-1"] == {
        "entry": "case-1",
        "value": None,
        "algorithm": "sha256",
        "category": "1",
        "verdict": "confirmed",
        "confirmed": 2,
        "rejected": 0,
        "elsewhere": 0,
        "quarantine": None,
        "withdrawn": False,
    }
    last = list(audit.events(db))[-1]
    assert (last["act"], last["object"]) == ("lists.feedback", "tulips")
    assert last["detail"] == {"version": 1, "confirmed": 1, "disputed": 1, "rejected": 1}
    assert "gallery" not in str(done)


def test_what_waits_for_an_assessment_or_in_quarantine_is_disputed(db: Database, found: dict[str, list[str]]) -> None:
    with db.write():
        db.execute("UPDATE hits SET status = 'elsewhere' WHERE id = ?", found["case-4"][0])
        entry = db.value("SELECT id FROM hash_entries WHERE external_id = 'case-5' AND algorithm = 'pdq'")
        row = {"entry_id": entry, "state": "waiting", "since": 1.0, "domains": 30}
        db.insert("entry_quarantines", row)
    done = feedback_for(db, ANNA, "tulips")
    assert [(row["entry"], row["verdict"]) for row in done["entries"]].count(("case-4", "disputed")) == 1
    assert [row["verdict"] for row in done["entries"] if row["entry"] == "case-5"] == ["disputed"]


def test_a_list_that_is_none(db: Database) -> None:
    with pytest.raises(InvalidInput, match="no list"):
        feedback_for(db, ANNA, "tulips")
