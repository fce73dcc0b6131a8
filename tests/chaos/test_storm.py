"""A crawl of 2,000 URLs during which everything is killed: nothing is lost, nothing comes twice, nobody is pestered."""

from __future__ import annotations

from tests.chaos.conftest import KILLS, SEED, CrawlOf
from tests.chaos.storm import Act, Storm, schedule

SIZE = (12, 20, 8)


def test_the_usual_schedule_has_every_act_and_follows_from_its_seed() -> None:
    usual = schedule(SEED, KILLS, 2_000)
    assert {act for _, act in usual} == set(Act)
    assert usual == schedule(SEED, KILLS, 2_000) != schedule(SEED + 1, KILLS, 2_000)
    assert [requests for requests, _ in usual] == sorted(requests for requests, _ in usual)


def test_a_crawl_comes_through_a_storm(crawl_of: CrawlOf, seed: int, kills: int) -> None:
    # A longer storm needs a longer crawl.
    addresses, pages, images = SIZE
    crawling = crawl_of((addresses, max(pages, pages * kills // KILLS), images), workers=2)
    assert crawling.site.plan.size >= 2_000
    storm = Storm(crawling, seed, kills)
    try:
        summary = storm.crawl()
        crawling.judge(summary)
    finally:
        print("\n".join(storm.log))  # pytest shows it with a failure
