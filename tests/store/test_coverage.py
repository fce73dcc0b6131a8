from __future__ import annotations

from collections import defaultdict

from crawler.match.index import IndexInfo
from crawler.records import RunId
from crawler.review.revisit import FULL_AGE, expected_yield
from crawler.store import campaigns, coverage, indexes, lists
from crawler.store.database import Database
from crawler.store.hits import record
from tests.store.factories import ANNA, ATTRIBUTION, add_list, digest_entry, image, report

NOW = 1_790_000_000.0


def run(db: Database, campaign: str, fetched: int, *used: str, finished: bool = True) -> RunId:
    campaigns.save(db, ANNA, campaign, "text", campaign)
    made = campaigns.start_run(db, ANNA, campaign)
    with db.write():
        for index in used:
            coverage.note_index(db, made, index)
            coverage.note_index(db, made, index)
    if finished:
        campaigns.finish_run(db, ANNA, made, {"urls": {"fetched": fetched}})
    return made


def index_of(db: Database, name: str) -> str:
    """Note an index of the lists as they are served."""
    digest = name * 32
    with db.write():
        chosen = lists.all_lists(db)
        indexes.note(db, indexes.index_key(chosen), IndexInfo(db.home.index, digest, {}, {}), chosen)
    return digest


def test_how_much_was_crawled_with_each_version(db: Database) -> None:
    list_id = add_list(db, [digest_entry("a")]).list.id
    (nothing,) = coverage.seen_since(db, list_id)
    assert (nothing.urls, nothing.known, nothing.share) == (0, 0, None)
    first = index_of(db, "11")
    run(db, "north", 1_000, first)
    run(db, "south", 3_000, first)
    run(db, "before-indexes-were-noted", 1_000)
    add_list(db, [digest_entry("a"), digest_entry("b")])
    second = index_of(db, "22")
    run(db, "north", 900, second)
    run(db, "south", 2_500, first, second)
    run(db, "south", 0, second, finished=False)
    latest, before = coverage.seen_since(db, list_id)
    assert (latest.version, latest.urls, latest.known, latest.share) == (2, 900, 5_000, 0.18)
    assert (before.version, before.urls, before.share) == (1, 4_000, 0.8)
    assert [each.version for each in coverage.seen_since(db, list_id, versions=1)] == [2]


def test_pages_with_hits_are_ordered_by_what_they_promise(db: Database) -> None:
    add_list(db, [digest_entry("an image")])
    db.clock = lambda: NOW
    recorded: dict[str, list[str]] = defaultdict(list)
    pages = {"rich": (5, 20), "poor": (1, 20), "fresh": (5, 0), "rejected": (5, 20)}
    for name, (images, days) in pages.items():
        for number in range(images):
            made = report(
                f"{name}{number}",
                image_url=f"https://{name}.example/{number}.jpg",
                page_url=f"https://{name}.example/",
                found_at=NOW - days * 86_400,
                found=image(f"{name}{number}"),
            )
            recorded[name].append(record(db, made, ATTRIBUTION).hit_id)
    record(db, report("bare", image_url="https://bare.example/x.jpg", page_url=None, found_at=NOW - 1e6), ATTRIBUTION)
    with db.write():
        for hit_id in recorded["rejected"]:
            db.execute("UPDATE hits SET status = 'rejected' WHERE id = ?", hit_id)
    found = coverage.hit_pages(db, 10)
    assert [page.url for page in found] == [
        "https://rich.example/",
        "https://poor.example/",
        "https://bare.example/x.jpg",
        "https://fresh.example/",
    ]
    assert (found[0].hits, found[0].last_seen) == (5, NOW - 20 * 86_400)
    assert len(coverage.hit_pages(db, 2)) == 2
    assert "rich" not in repr(found[0])


def test_what_a_visit_promises() -> None:
    assert expected_yield(3, 0.0) == expected_yield(0, FULL_AGE) == 0.0
    assert expected_yield(1, FULL_AGE) == expected_yield(1, 3 * FULL_AGE) == 1.0
    assert expected_yield(7, FULL_AGE / 2) > expected_yield(1, FULL_AGE / 2)
