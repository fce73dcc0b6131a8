"""What every settings module shares. Values and dotted names only."""

BOT_NAME = "vangnet"
SPIDER_MODULES = ["spiders"]
NEWSPIDER_MODULE = "spiders"

TWISTED_REACTOR = "twisted.internet.asyncioreactor.AsyncioSelectorReactor"
ASYNCIO_EVENT_LOOP = "uvloop.Loop"

DOWNLOAD_HANDLERS = {
    "http": "crawler.bridge.handler.FetchHandler",
    "https": "crawler.bridge.handler.FetchHandler",
    "file": None,
    "ftp": None,
    "s3": None,
    "data": None,
}

# Of requests by hand (`scrapy shell`, `scrapy fetch`, the probe); a campaign has an identity of its own.
USER_AGENT = "Vangnet (by hand)"

# Politeness, retries, redirects, robots and cookies are the frontier's and the outcomes' business; what the engine
# would do about them on its own would happen twice, and unseen by the other workers.
DOWNLOADER_MIDDLEWARES_BASE: dict[str, int] = {}
SPIDER_MIDDLEWARES_BASE: dict[str, int] = {}
EXTENSIONS_BASE = {"scrapy.extensions.feedexport.FeedExporter": 0}
ROBOTSTXT_OBEY = False
CONCURRENT_REQUESTS = 256
CONCURRENT_REQUESTS_PER_DOMAIN = 256
CONCURRENT_ITEMS = 2
DOWNLOAD_DELAY = 0
DOWNLOAD_MAXSIZE = 16_777_216
DOWNLOAD_TIMEOUT = 120
TELNETCONSOLE_ENABLED = False
REMOTE_CONTROL_ENABLED = False
REDIRECT_ENABLED = False
RETRY_ENABLED = False
COOKIES_ENABLED = False
HTTPCACHE_ENABLED = False

# Scrapy's log lines name URLs; ours do not.
LOG_ENABLED = False
LOG_LEVEL = "ERROR"
