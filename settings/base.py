"""What every settings module shares. Values and dotted names only."""

BOT_NAME = "vangnet"
SPIDER_MODULES = ["spiders"]
NEWSPIDER_MODULE = "spiders"
