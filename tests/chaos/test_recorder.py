"""A disk that is full for a while, and a power cut that the server's file remembers less of than the database."""

from __future__ import annotations

from resource import RLIM_INFINITY, RLIMIT_FSIZE, prlimit

import pytest

from tests.chaos import victims
from tests.chaos.conftest import SMALL, CrawlOf
from tests.servers.vangnet import Vangnet


@pytest.mark.long
@pytest.mark.parametrize("limit", [pytest.param(16_384, id="database"), pytest.param(0, id="all")])
def test_a_disk_that_was_full_costs_no_hit(crawl_of: CrawlOf, limit: int) -> None:
    crawling = crawl_of(SMALL)
    crawling.start()
    crawling.asked(20)
    recorder = victims.crew(crawling.pid)["recorder"]
    # No file of the recorder's grows beyond this: not the database; its log, which is short, only with 0.
    prlimit(recorder, RLIMIT_FSIZE, (limit, RLIM_INFINITY))
    crawling.until(lambda: crawling.waiting("res") >= 3, "results that wait")
    assert victims.crew(crawling.pid).get("recorder") == recorder
    prlimit(recorder, RLIMIT_FSIZE, (RLIM_INFINITY, RLIM_INFINITY))
    crawling.judge(crawling.finished())


def test_what_the_server_forgot_in_a_power_cut_is_not_recorded_twice(crawl_of: CrawlOf) -> None:
    """With `appendfsync everysec` the last second is lost; the database, which syncs each commit, keeps it."""
    crawling = crawl_of(SMALL)
    crawling.start()
    crawling.until(lambda: recorded(crawling.vangnet) >= 1, "a first hit")
    (log,) = (crawling.home / "server" / "appendonlydir").glob("*.incr.aof")
    kept, before = log.stat().st_size, recorded(crawling.vangnet)
    crawling.until(lambda: recorded(crawling.vangnet) > before, "hits that the server forgets")
    victims.kill(victims.server(crawling.home))
    victims.kill(crawling.pid)
    crawling.ended()
    with log.open("r+b") as file:
        file.truncate(kept)
    crawling.judge(crawling.finish())


def recorded(vangnet: Vangnet) -> int:
    """Hits in the database."""
    return len(vangnet.json("hits", "list"))
