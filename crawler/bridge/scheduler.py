"""scrapy-redis's scheduler, made harmless: a small buffer between the claimer and the engine.

It keeps scrapy-redis's conventions (REDIS_URL in the settings or the environment; a name and a colon before every key)
and none of its traffic: what is due comes from the frontier through `PageLane`, and nothing blocks the event loop.
"""

from __future__ import annotations

from collections import deque

from scrapy import Request, Spider
from scrapy.crawler import Crawler
from scrapy_redis.scheduler import Scheduler as RedisScheduler


class Scheduler(RedisScheduler):  # type: ignore[misc]  # scrapy-redis has no types
    """Holds requests that were given to the engine and not yet started."""

    def __init__(self) -> None:
        self.persist = True
        self._buffer: deque[Request] = deque()

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Scheduler:
        del crawler
        return cls()

    def open(self, spider: Spider) -> None:
        self.spider = spider

    def close(self, reason: str) -> None:
        """Nothing to flush: the leases of what is left run out, or were given back by the worker before."""
        del reason
        self._buffer.clear()

    def flush(self) -> None:
        self._buffer.clear()

    def __len__(self) -> int:
        return len(self._buffer)

    def enqueue_request(self, request: Request) -> bool:
        self._buffer.append(request)
        return True

    def next_request(self) -> Request | None:
        return self._buffer.popleft() if self._buffer else None

    def has_pending_requests(self) -> bool:
        return bool(self._buffer)
