from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from crawler.match.index import IndexInfo
from crawler.records import AddressFacts, Attribution, HitReport, RowMatch, RunId
from crawler.store import audit, entries, indexes, lists
from crawler.store.database import Database, open_store
from crawler.store.decisions import add_note, decide, decisions_json, note_text
from crawler.store.hit_views import hit_json, hits_json, run_counts, sightings_json, state_of
from crawler.store.hits import record, record_many
from tests.store.factories import (
    ANNA,
    ATTRIBUTION,
    IMAGE_URL,
    PAGE_URL,
    RUN,
    add_list,
    code_entry,
    digest_entry,
    home_at,
    image,
    report,
)

SHA256, MD5, PDQ, PHASH = 1, 2, 3, 4
"""Numbers of the entries that `listed` makes."""


def listed(db: Database) -> None:
    add_list(
        db,
        [
            digest_entry("an image", category="1", external_id="case-7"),
            digest_entry("an image", "md5", size=4_321),
            code_entry(1),
            code_entry(1, "phash"),
        ],
    )
    rows = entries.index_rows(db, lists.all_lists(db))
    by_algorithm = {row.algorithm: row.entry for row in rows}
    order = ("sha256", "md5", "pdq", "phash")
    with db.write():
        # Numbers follow the values; the tests want them by algorithm.
        db.execute("UPDATE hash_entries SET id = id + 100")
        for number, algorithm in enumerate(order, 1):
            db.execute("UPDATE hash_entries SET id = ? WHERE id = ?", number, by_algorithm[algorithm] + 100)


def test_the_json_of_a_hit_has_every_key(db: Database) -> None:
    listed(db)
    done = record(db, report(found=image("an image", RowMatch(SHA256, "sha256"))), ATTRIBUTION)
    assert done.new
    assert hit_json(db, done.hit_id, reveal=True) == {
        "id": done.hit_id,
        "campaign": "nightly",
        "run": 1,
        "status": "new",
        "certainty": "A",
        "image_url": IMAGE_URL,
        "page_url": PAGE_URL,
        "redirects": ["https://gallery.example/r/1"],
        "found_at": "2026-05-28T20:26:40.500Z",
        "sightings": 1,
        "domain": "gallery.example",
        "icann_domain": "gallery.example",
        "ip": "192.0.2.7",
        "hoster": {
            "asn": 64496,
            "as_name": "TULIP-AS",
            "network": "TULIP-NET",
            "holder": "Tulip Hosting B.V.",
            "abuse_contact": "abuse@tulip.example",
            "country": "NL",
            "evidence": [{"fact": "country NL", "source": "lab", "date": "2026-06-17", "prefix": "192.0.2.0/24"}],
        },
        "cdn": None,
        "sha256": image().sha256.hex(),
        "md5": image().md5.hex(),
        "width": 640,
        "height": 480,
        "bytes": 4_321,
        "quality": 88,
        "matches": [
            {
                "list": "tulips",
                "list_version": 1,
                "entry": "case-7",
                "algorithm": "sha256",
                "distance": 0,
                "threshold": 0,
                "category": "1",
                "transform": "none",
            }
        ],
        "mark": None,
    }


def test_what_is_not_known_is_null(db: Database) -> None:
    bare = Attribution(None, None, "192.0.2.7", AddressFacts(cdn="Dyke CDN"))
    found = replace(image("x", RowMatch(77, "sha1")), width=None, height=None, quality=None)
    done = record(db, report(page_url=None, redirects=(), found=found), bare)
    shown = hit_json(db, done.hit_id, reveal=True)
    assert shown is not None
    assert (shown["domain"], shown["page_url"], shown["redirects"], shown["width"]) == (None, None, [], None)
    assert shown["hoster"]["asn"] is None
    assert shown["cdn"] == {"name": "Dyke CDN", "origin": "unknown"}
    assert shown["matches"][0]["list"] is None
    assert shown["matches"][0]["entry"] == "77"
    assert shown["certainty"] == "C"


def test_a_second_delivery_changes_nothing(db: Database) -> None:
    listed(db)
    first = record(db, report(), ATTRIBUTION)
    before = (hit_json(db, first.hit_id, reveal=True), run_counts(db, RUN), audit.verify(db))
    again = record_many(db, [(report(), ATTRIBUTION)] * 3)
    assert {(result.hit_id, result.new, result.repeated) for result in again} == {(first.hit_id, False, True)}
    assert (hit_json(db, first.hit_id, reveal=True), run_counts(db, RUN), audit.verify(db)) == before


def test_one_batch_may_repeat_itself(db: Database) -> None:
    results = record_many(db, [(report("s1"), ATTRIBUTION), (report("s1"), ATTRIBUTION), (report("s2"), ATTRIBUTION)])
    assert [(result.new, result.repeated) for result in results] == [(True, False), (False, True), (False, False)]
    shown = hit_json(db, results[0].hit_id, reveal=True)
    assert shown is not None
    assert shown["sightings"] == 2


def test_a_sighting_in_a_later_run(db: Database) -> None:
    first = record(db, report(), ATTRIBUTION)
    later = record(db, report("s2", run=RunId("weekly", 5), found_at=1_790_000_000.0), ATTRIBUTION)
    assert later.hit_id == first.hit_id
    assert not later.new
    shown = hit_json(db, first.hit_id, reveal=True)
    assert shown is not None
    assert (shown["campaign"], shown["run"], shown["sightings"]) == ("nightly", 1, 2)
    assert shown["found_at"].startswith("2026-05-28")
    assert [seen["campaign"] for seen in sightings_json(db, first.hit_id, reveal=True)] == ["nightly", "weekly"]
    assert [hit["id"] for hit in hits_json(db, reveal=True, campaign="weekly")] == [first.hit_id]
    assert list(hits_json(db, reveal=True, campaign="other")) == []
    counts = run_counts(db, RunId("weekly", 5))
    assert (counts.hits, counts.new_hits, counts.sightings) == (1, 0, 1)


@pytest.mark.parametrize(
    ("url", "same"),
    [
        (IMAGE_URL + "?Expires=17&Signature=abc&Key-Pair-Id=K", True),
        (IMAGE_URL + "?size=2", False),
        ("https://img.gallery.example/holiday/other.jpg", False),
    ],
)
def test_one_hit_is_one_image_at_one_resource(db: Database, url: str, same: bool) -> None:
    first = record(db, report(), ATTRIBUTION)
    second = record(db, report("s2", image_url=url), ATTRIBUTION)
    assert (first.hit_id == second.hit_id) == same
    other_image = record(db, report("s3", found=image("another")), ATTRIBUTION)
    assert other_image.new


def test_images_inside_a_page_are_resources_of_their_own(db: Database) -> None:
    hits = {record(db, report(f"s{n}", image_url=f"{PAGE_URL}#data-{n}"), ATTRIBUTION).hit_id for n in range(2)}
    assert len(hits) == 2
    assert {hit["image_url"][-2:] for hit in hits_json(db, reveal=False)} == {"-0", "-1"}


def test_a_url_that_is_not_canonical_is_still_a_hit(db: Database) -> None:
    assert record(db, report(image_url="HTTP://Gallery.EXAMPLE/a b"), ATTRIBUTION).new


def test_hits_of_one_image_at_one_domain_are_one_case(db: Database) -> None:
    elsewhere = replace(ATTRIBUTION, domain="tulip.example")
    record(db, report("s1"), ATTRIBUTION)
    record(db, report("s2", image_url="https://gallery.example/copy.jpg"), ATTRIBUTION)
    record(db, report("s3", image_url="https://tulip.example/copy.jpg"), elsewhere)
    cases = [row["case_id"] for row in db.rows("SELECT case_id FROM hits ORDER BY found_at, rowid")]
    assert cases[0] == cases[1] != cases[2]
    assert run_counts(db, RUN).images == 1


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([RowMatch(SHA256, "sha256")], "A"),
        ([RowMatch(MD5, "md5")], "A"),
        ([RowMatch(PDQ, "pdq", 10, 31)], "C"),
        ([RowMatch(PDQ, "pdq", 10, 31), RowMatch(PHASH, "phash", 2, 4)], "B"),
    ],
)
def test_certainty_follows_from_the_matches(db: Database, matches: list[RowMatch], expected: str) -> None:
    listed(db)
    done = record(db, report(found=image("an image", *matches)), ATTRIBUTION)
    shown = hit_json(db, done.hit_id, reveal=True)
    assert shown is not None
    assert shown["certainty"] == expected


def test_a_size_that_differs_does_not_corroborate(db: Database) -> None:
    listed(db)
    found = replace(image("an image", RowMatch(MD5, "md5")), size=1)
    done = record(db, report(found=found), ATTRIBUTION)
    shown = hit_json(db, done.hit_id, reveal=True)
    assert shown is not None
    assert shown["certainty"] == "C"


def test_matches_merge_whatever_the_order(tmp_path: Path) -> None:
    reports = [
        report("s1", found=image("an image", RowMatch(PDQ, "pdq", 12, 31, "mirror"))),
        report("s2", found=image("an image", RowMatch(PDQ, "pdq", 8, 31, "none"), RowMatch(SHA256, "sha256"))),
        report("s3", found=image("an image", RowMatch(PDQ, "pdq", 8, 31, "512"), RowMatch(PHASH, "phash", 1, 4))),
    ]
    results = []
    for number, order in enumerate(permutations(reports)):
        with open_store(home_at(tmp_path / str(number))) as db:
            listed(db)
            done = record_many(db, [(one, ATTRIBUTION) for one in order])
            shown = hit_json(db, done[0].hit_id, reveal=True)
            assert shown is not None
            results.append((shown["certainty"], shown["matches"]))
    assert all(result == results[0] for result in results)
    certainty, matches = results[0]
    assert certainty == "A"
    assert [(match["algorithm"], match["distance"], match["transform"]) for match in matches] == [
        ("sha256", 0, "none"),
        ("phash", 1, "none"),
        ("pdq", 8, "512"),
    ]


def test_a_dropped_list_keeps_its_name_in_its_hits(db: Database) -> None:
    listed(db)
    before = record(db, report("s1", found=image("an image", RowMatch(SHA256, "sha256"))), ATTRIBUTION)
    with db.write():
        lists.drop(db, lists.all_lists(db)[0].id)
    after = record(db, report("s2", found=image("other", RowMatch(SHA256, "sha256"))), ATTRIBUTION)
    shown = [hit_json(db, hit, reveal=True) for hit in (before.hit_id, after.hit_id)]
    assert [hit["matches"][0]["list"] for hit in shown if hit] == ["tulips", None]


def test_the_list_version_is_that_of_the_index(db: Database, tmp_path: Path) -> None:
    listed(db)
    digest = "cd" * 32
    with db.write():
        index = IndexInfo(tmp_path, digest, {}, {})
        indexes.note(db, indexes.index_key(lists.all_lists(db)), index, lists.all_lists(db))
        db.execute("UPDATE hash_lists SET version = 9")
    known = record(db, report("s1", index=digest), ATTRIBUTION)
    unknown = record(db, report("s2", found=image("other")), ATTRIBUTION)
    shown = [hit_json(db, hit, reveal=True) for hit in (known.hit_id, unknown.hit_id)]
    assert [hit["matches"][0]["list_version"] for hit in shown if hit] == [1, 9]


def test_a_report_without_evidence_is_shown_in_the_weakest_class(db: Database) -> None:
    done = record(db, report(found=image("x", RowMatch(PHASH, "phash", 1, 4))), ATTRIBUTION)
    state = state_of(db, done.hit_id)
    assert state is not None
    assert state.certainty == "C"


def test_dimensions_may_come_later(db: Database) -> None:
    bare = replace(image(), width=None, height=None, quality=None)
    record(db, report("s1", found=bare), ATTRIBUTION)
    record(db, report("s2"), ATTRIBUTION)
    (shown,) = hits_json(db, reveal=True)
    assert (shown["width"], shown["height"], shown["quality"]) == (640, 480, 88)


def test_near_hits_follow_the_policy_of_every_list(db: Database) -> None:
    add_list(db, [code_entry(1)], "mild", near="confirm")
    add_list(db, [code_entry(1)], "strict", near="assess")
    mild, strict = (row.entry for row in entries.index_rows(db, lists.all_lists(db)))
    states = []
    for number, numbers in enumerate([(mild,), (strict,), (mild, strict), (999,)]):
        found = image(str(number), *(RowMatch(entry, "pdq", 4, 31) for entry in numbers))
        done = record(db, report(f"s{number}", found=found), ATTRIBUTION)
        state = state_of(db, done.hit_id)
        assert state is not None
        states.append(state.near_may_confirm)
    assert states == [True, False, False, False]


def test_masked_urls_tell_apart_and_give_nothing_away(db: Database) -> None:
    record(db, report("s1"), ATTRIBUTION)
    record(db, report("s2", image_url="https://img.gallery.example/holiday/secret-nama.jpg"), ATTRIBUTION)
    one, other = hits_json(db, reveal=False)
    assert one["image_url"] != other["image_url"]
    assert one["page_url"] == other["page_url"]
    assert "gallery" not in one["image_url"] + one["page_url"] + "".join(one["redirects"])


def test_nothing_of_a_hit_stands_readable_in_the_files(tmp_path: Path) -> None:
    """What a thief of database, log or backup reads: no URL, no host, no digest, no code, no reason."""
    home = home_at(tmp_path, lab=False)
    with open_store(home) as db:
        add_list(db, [code_entry(1)])
        found = image("an image", RowMatch(1, "pdq", 4, 31))
        done = record(db, report(found=found), ATTRIBUTION)
        record(db, report("s2", found=found, run=RunId("weekly", 1)), ATTRIBUTION)
        with db.write():
            decide(
                db,
                ANNA,
                done.hit_id,
                event="reject",
                before="new",
                after="rejected",
                reason="a tulip field",
                assessment="PV-12",
            )
        names = {"vangnet.sqlite", "vangnet.sqlite-wal", "vangnet.sqlite-shm"}
        bytes_then = {path.name: path.read_bytes() for path in home.root.iterdir() if path.name in names}
        db.shrink_log()
        bytes_then["folded"] = home.database.read_bytes()
    sha256, md5 = found.sha256, found.md5
    secrets = [IMAGE_URL, PAGE_URL, "secret-name", "img.gallery.example", "/r/1", "page=4", "tulip field", "PV-12"]
    needles = [text.encode() for text in secrets] + [sha256, md5, sha256.hex().encode(), md5.hex().encode()]
    needles += [text.encode("utf-16-le") for text in secrets] + [sha256.hex().upper().encode()]
    assert len(bytes_then) == 4
    assert b"gallery.example" in b"".join(
        bytes_then.values()
    )  # the registered domain is kept plain, so the search works
    for name, data in bytes_then.items():
        assert [needle for needle in needles if needle in data] == [], name


def test_decisions_move_a_hit_once(db: Database) -> None:
    hit = record(db, report(), ATTRIBUTION).hit_id
    more = {"event": "confirm", "before": "new", "after": "confirmed", "reason": "listed"} | {
        "assessment": None,
        "assessor": None,
    }
    with db.write():
        assert decide(db, ANNA, hit, **more)
        assert decide(db, ANNA, hit, **more) is None
    (decision,) = decisions_json(db, hit)
    assert decision == {"at": decision["at"], "actor": "anna", **more}
    assert [hit["status"] for hit in hits_json(db, reveal=True, status="confirmed")] == ["confirmed"]
    assert list(hits_json(db, reveal=True, status="new")) == []


def test_notes(db: Database) -> None:
    with db.write():
        note = add_note(db, ANNA, "x", "reveal", "why")
    assert note_text(db, note) == "why"
    assert note_text(db, "nothing") is None


def test_many_hits_are_listed_in_order(db: Database) -> None:
    batch: list[tuple[HitReport, Attribution]] = [
        (report(f"s{n}", image_url=f"https://gallery.example/{n}.jpg", found_at=2_000.0 - n), ATTRIBUTION)
        for n in range(1_200)
    ]
    record_many(db, batch)
    found = [hit["found_at"] for hit in hits_json(db, reveal=True)]
    assert len(found) == 1_200
    assert found == sorted(found)
    events = list(audit.events(db))
    assert [(event["act"], event["detail"]["sightings"]) for event in events] == [("hits.record", 1_200)]


def test_no_url_can_be_tried_against_the_serials_that_are_kept(db: Database) -> None:
    made = report("of url and digest")
    assert not record(db, made, ATTRIBUTION).repeated
    assert record(db, made, ATTRIBUTION).repeated
    assert "of url and digest" not in db.value("SELECT serial FROM sightings")


def test_what_an_older_version_recorded_is_not_doubled_by_a_delivery_after_the_upgrade(db: Database) -> None:
    made = report("of url and digest")
    first = record(db, made, ATTRIBUTION)
    with db.write():
        db.execute("UPDATE sightings SET serial = 'of url and digest'")
    again = record(db, made, ATTRIBUTION)
    assert (again.hit_id, again.repeated) == (first.hit_id, True)
    assert db.value("SELECT count(*) FROM sightings") == 1
