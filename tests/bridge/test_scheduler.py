"""scrapy-redis's scheduler without its traffic: a buffer in memory, in order, whatever REDIS_URL says."""

from __future__ import annotations

from scrapy import Request, Spider
from scrapy.utils.test import get_crawler
from scrapy_redis.scheduler import Scheduler as RedisScheduler

from crawler.bridge.scheduler import Scheduler


def test_it_is_a_buffer_that_asks_no_server() -> None:
    crawler = get_crawler(Spider, {"REDIS_URL": "redis://127.0.0.1:1/0"})
    scheduler = Scheduler.from_crawler(crawler)
    assert isinstance(scheduler, RedisScheduler)
    scheduler.open(Spider("s"))
    requests = [Request(f"http://a.example/{n}") for n in (1, 2, 1)]
    assert all(map(scheduler.enqueue_request, requests))
    assert (len(scheduler), scheduler.has_pending_requests()) == (3, True)
    assert [scheduler.next_request() for _ in range(4)] == [*requests, None]
    scheduler.enqueue_request(requests[0])
    scheduler.close("finished")
    assert not scheduler.has_pending_requests()
