"""The loopback mini-internet of the demo and of the tests: the only settings that permit private addresses."""

from settings.base import *  # noqa: F403  (Scrapy reads a settings module's names, so the base's must be ours)

VANGNET_LAB = True
VANGNET_DNS_PATIENCE = 1.55
VANGNET_REQUIRE_CAMPAIGN_APPROVAL = False
