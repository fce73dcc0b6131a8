"""What the frontier keeps for a host after its robots.txt was asked for: the rules, or why there are none.

"R" and the rules' own bytes         the file was read, or there is none
"!" and the name of a failure class  it could not be had: nothing else is asked for on that host in this run
                                     (RFC 9309, 2.3.1.4), and every URL of it ends with that reason
"""

from __future__ import annotations

import re
from functools import lru_cache

from crawler.campaign import Campaign
from crawler.errors import RecordCorrupt
from crawler.fetch.robots import RobotsRules
from crawler.frontier.base import MAX_CRAWL_DELAY
from crawler.records import Failed


def pack_rules(rules: RobotsRules) -> bytes:
    """As the frontier keeps rules."""
    return b"R" + rules.to_bytes()


def pack_unreachable(reason: str) -> bytes:
    """As the frontier keeps that there is no answer."""
    return b"!" + reason.encode()


def unpack_rules(stored: bytes) -> RobotsRules | Failed:
    """What is kept for a host. Raises RecordCorrupt for anything else."""
    if stored[:1] == b"R":
        return RobotsRules.from_bytes(stored[1:])
    if stored[:1] == b"!":
        return Failed(stored[1:].decode("ascii", "replace"))
    raise RecordCorrupt("the robots rules of a host are damaged")


_PRODUCT = re.compile(r"([A-Za-z_-]+)/[0-9]")
_BROWSERS = frozenset({"mozilla", "applewebkit", "chrome", "safari", "gecko", "firefox", "version", "edg", "mobile"})


@lru_cache(64)
def product_token(user_agent: str) -> str:
    """The name that robots.txt would call a crawler by (RFC 9309, 2.2.1): its first product that is no browser's."""
    products = [name for name in _PRODUCT.findall(user_agent) if name.lower() not in _BROWSERS]
    if products:
        return str(products[0])
    words = re.findall(r"[A-Za-z_-]+", user_agent)
    return str(words[0]) if words else "Vangnet"


def crawl_delay(rules: RobotsRules, campaign: Campaign, *, pointer: bool = False) -> float:
    """Seconds between two requests that a host asks of this campaign, at most MAX_CRAWL_DELAY; 0: nothing.

    A campaign that only records what robots.txt says goes by its own rates, but at pointers (outside its scope).
    """
    if campaign.limits.robots != "obey" and not pointer:
        return 0.0
    return min(rules.crawl_delay(product_token(campaign.identity.user_agent)) or 0.0, MAX_CRAWL_DELAY)
