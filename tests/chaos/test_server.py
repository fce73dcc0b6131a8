"""What may happen to the server in mid-crawl: it is full, it is emptied, it dies and nobody starts it again."""

from __future__ import annotations

import pytest

from tests.chaos import victims
from tests.chaos.conftest import SMALL, CrawlOf
from tests.chaos.crawling import HASTY


@pytest.mark.long
def test_a_full_server_delays_and_loses_nothing(crawl_of: CrawlOf) -> None:
    crawling = crawl_of(SMALL)
    crawling.start()
    crawling.asked(60)
    with crawling.redis() as redis:
        redis.config_set("maxmemory", "1mb")
        crawling.until(lambda: crawling.refusals() >= 10, "the server to refuse commands")
        redis.config_set("maxmemory", 0)
    crawling.judge(crawling.finished())


def test_an_emptied_server_is_an_error_and_not_an_end(crawl_of: CrawlOf) -> None:
    crawling = crawl_of(SMALL)
    crawling.start()
    crawling.asked(100)
    with crawling.redis() as redis:
        redis.flushall()
    code, out, err = crawling.ended()
    assert (code, out) == (1, "")
    assert "run test#1 is gone from Redis: the server was emptied or lost its data" in err
    assert "Traceback" not in err
    crawling.start()
    summary = crawling.finished()
    assert (summary["run"], summary["urls"]) == (2, crawling.site.plan.urls)
    hits = crawling.vangnet.json("hits", "list")
    assert {hit["image_url"] for hit in hits} == crawling.site.plan.planted
    assert len(hits) == len(crawling.site.plan.planted)
    for hit in hits:
        once = crawling.site.plan.times(hit["image_url"])
        assert once <= hit["sightings"] <= 2 * once  # all of them in the second run


@pytest.mark.long
def test_a_server_that_stays_away_ends_the_crawl_and_the_next_one_resumes_it(crawl_of: CrawlOf) -> None:
    crawling = crawl_of(SMALL)
    crawling.start(HASTY)
    crawling.asked(100)
    victims.kill(victims.server(crawling.home))
    code, out, err = crawling.ended()
    assert (code, out) == (1, "")
    assert "Redis does not answer" in err
    assert "Traceback" not in err
    crawling.judge(crawling.finish())
