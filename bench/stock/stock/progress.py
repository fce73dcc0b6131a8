"""Tells every half second how many images and pages this process has worked through, so that a rate can be taken."""

from __future__ import annotations

import os

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy_redis.connection import from_settings
from twisted.internet.task import LoopingCall


class Progress:
    def __init__(self, crawler: Crawler) -> None:
        self.stats = crawler.stats
        self.server = from_settings(crawler.settings)
        self.task = LoopingCall(self.tell)
        crawler.signals.connect(self.opened, signals.spider_opened)
        crawler.signals.connect(self.closed, signals.spider_closed)

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Progress:
        return cls(crawler)

    def opened(self) -> None:
        self.task.start(0.5)

    def closed(self) -> None:
        self.tell()
        self.task.stop()

    def tell(self) -> None:
        counts = {name: self.stats.get_value(name, 0) for name in ("images", "pages")}
        self.server.hset(f"stock:progress:{os.getpid()}", mapping=counts)
