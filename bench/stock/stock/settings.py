"""From Scrapy's "Broad Crawls" page and scrapy-redis's "Usage"; everything else is Scrapy's default."""

import os

BOT_NAME = "stock"
SPIDER_MODULES = ["stock.spiders"]
NEWSPIDER_MODULE = "stock.spiders"

ROBOTSTXT_OBEY = False
CONCURRENT_REQUESTS = 64
CONCURRENT_REQUESTS_PER_DOMAIN = 64
DOWNLOAD_DELAY = 0
COOKIES_ENABLED = False
RETRY_ENABLED = False
LOG_LEVEL = "INFO"

SCHEDULER = "scrapy_redis.scheduler.Scheduler"
SCHEDULER_PERSIST = True
SCHEDULER_QUEUE_CLASS = "scrapy_redis.queue.PriorityQueue"
DUPEFILTER_CLASS = "scrapy_redis.dupefilter.RFPDupeFilter"
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
ITEM_PIPELINES = {"scrapy_redis.pipelines.RedisPipeline": 300}

HASHES = os.environ.get("STOCK_HASHES", "")
EXTENSIONS = {"stock.progress.Progress": 500}
