"""The loopback mini-internet of the demo and of the tests: the only settings that permit private addresses."""

from settings.base import *  # noqa: F403  (Scrapy reads a settings module's names, so the base's must be ours)

VANGNET_LAB = True
VANGNET_DNS_PATIENCE = 1.55
VANGNET_REQUIRE_CAMPAIGN_APPROVAL = False
VANGNET_RECHECK_SPACING = 1.0
VANGNET_AUTHORITY = "Autoriteit Proeflab (lab)"
VANGNET_NOTICE_SENDER = "kennisgeving@autoriteit.example"
VANGNET_NOTICE_CONTACT = "bezwaar@autoriteit.example"
