"""The item pipeline: the one outcome that a callback yields ends the lease."""

from __future__ import annotations

from scrapy.crawler import Crawler

from crawler.bridge.pages import PageOutcome
from crawler.bridge.worker import worker_of


class CompletePipeline:
    """Completes leases with the outcomes that come by; other items pass."""

    def __init__(self, crawler: Crawler) -> None:
        self._crawler = crawler

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> CompletePipeline:
        return cls(crawler)

    async def process_item(self, item: object) -> object:
        worker = worker_of(self._crawler)
        if isinstance(item, PageOutcome) and worker is not None:
            await worker.pages.complete(item.completion)
        return item
