"""A crawl of 2,000 URLs during which everything is killed, frozen or filled up, by workers whose clocks are wrong.

Nothing is lost, nothing comes twice, nobody is pestered. A cut network has a test of its own.
"""

from __future__ import annotations

from pathlib import Path

from tests.chaos.conftest import KILLS, SEED, CrawlOf, skewed
from tests.chaos.storm import Act, Storm, schedule

SIZE, RATE = (12, 20, 8), 14.0


def test_the_usual_schedule_has_every_act_and_follows_from_its_seed() -> None:
    usual = schedule(SEED, KILLS)
    assert {act for _, act in usual} == set(Act)
    assert usual == schedule(SEED, KILLS) != schedule(SEED + 1, KILLS)


def test_a_crawl_comes_through_a_storm(crawl_of: CrawlOf, tmp_path: Path, seed: int, kills: int) -> None:
    # A longer storm needs a longer crawl.
    addresses, pages, images = SIZE
    crawling = crawl_of(
        (addresses, max(pages, pages * kills // KILLS), images),
        workers=2,
        rate=RATE,
        environment=skewed(tmp_path / "workers"),
    )
    assert crawling.site.plan.size >= 2_000
    storm = Storm(crawling, seed, kills)
    try:
        summary = storm.crawl()
        crawling.judge(summary)
    finally:
        print("\n".join(storm.log))  # pytest shows it with a failure
