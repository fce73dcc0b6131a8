"""What a worker runs: serves every running campaign. Needs REDIS_URL; `vangnet worker` starts it."""

from typing import Any

from crawler.bridge.spider import LeaseSpider


class CrawlSpider(LeaseSpider):
    name = "crawl"
    custom_settings: dict[str, Any] | None = {
        "SCHEDULER": "crawler.bridge.scheduler.Scheduler",
        "ITEM_PIPELINES": {"crawler.bridge.pipeline.CompletePipeline": 100},
        "EXTENSIONS": {"crawler.wiring.WorkerExtension": 0},
    }
