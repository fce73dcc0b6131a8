"""The real internet: public addresses only, campaigns are approved by a second person."""

from settings.base import *  # noqa: F403  (Scrapy reads a settings module's names, so the base's must be ours)

VANGNET_LAB = False
VANGNET_REQUIRE_CAMPAIGN_APPROVAL = True
