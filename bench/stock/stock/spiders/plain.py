"""Fetches the URLs of a file and does nothing with them: Scrapy's own scheduler and default download handler."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

from scrapy import Request, Spider
from scrapy.http import Response


class PlainSpider(Spider):
    name = "plain"
    custom_settings: ClassVar[dict[str, Any]] = {
        "SCHEDULER": "scrapy.core.scheduler.Scheduler",
        "DUPEFILTER_CLASS": "scrapy.dupefilters.RFPDupeFilter",
        "ITEM_PIPELINES": {},
        "EXTENSIONS": {},
    }

    def __init__(self, urls: str, result: str, seconds: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.urls = Path(urls).read_text().split()
        self.result = Path(result)
        self.end = float(seconds)
        self.times: list[float] = []

    async def start(self) -> AsyncIterator[Request]:
        for url in self.urls:
            if self.times and time.monotonic() - self.times[0] > self.end:
                return
            yield Request(url)

    def parse(self, response: Response) -> None:
        if len(response.body) > 1000:
            self.times.append(time.monotonic())

    def closed(self, reason: str) -> None:
        """The first and the last tenth are start and end, not a rate."""
        tenth = len(self.times) // 10
        kept = self.times[tenth : len(self.times) - tenth]
        seconds = kept[-1] - kept[0]
        self.result.write_text(json.dumps({"fetched": len(kept) - 1, "seconds": seconds, "reason": reason}))
