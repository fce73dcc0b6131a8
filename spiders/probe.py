"""One URL, no frontier: `scrapy crawl probe -a url=…` prints what discovery makes of it, one candidate an item."""

from collections.abc import AsyncIterator
from typing import Any

from scrapy import Request, Spider
from scrapy.http import Response

from crawler.discover.page import discover


class ProbeSpider(Spider):
    name = "probe"
    custom_settings: dict[str, Any] | None = {"FEEDS": {"stdout:": {"format": "jsonlines"}}}

    def __init__(self, url: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._url = url

    async def start(self) -> AsyncIterator[Request]:
        yield Request(self._url)

    def parse(self, response: Response, **kwargs: Any) -> Any:
        del kwargs
        declared = response.headers.get("Content-Type")
        content = discover(response.body, declared.decode("latin-1") if declared else None, response.url)
        for candidate in content.candidates:
            yield {
                "url": candidate.url,
                "kind": candidate.kind.value,
                "source": candidate.source,
                "priority": candidate.priority,
            }
