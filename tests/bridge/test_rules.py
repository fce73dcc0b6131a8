"""What is kept of robots.txt, and by which name robots.txt calls us."""

from __future__ import annotations

import pytest

from crawler.bridge.rules import crawl_delay, pack_rules, pack_unreachable, product_token, unpack_rules
from crawler.errors import RecordCorrupt
from crawler.fetch.robots import RobotsRules, parse_robots
from crawler.frontier.base import MAX_CRAWL_DELAY
from crawler.records import Failed
from tests.bridge.parts import served


def test_rules_survive_the_way_through_redis() -> None:
    rules = unpack_rules(pack_rules(parse_robots(b"User-agent: vangnet\nDisallow: /x\n", 200)))
    assert isinstance(rules, RobotsRules)
    assert not rules.allows("http://a.example/x/y", "Vangnet")
    assert rules.allows("http://a.example/y", "Vangnet")


def test_an_unreachable_file_fails_its_host_with_the_reason() -> None:
    assert unpack_rules(pack_unreachable("connect-refused")) == Failed("connect-refused")


@pytest.mark.parametrize("stored", [b"", b"x", b"Rrubbish"])
def test_rubbish_is_noticed(stored: bytes) -> None:
    with pytest.raises(RecordCorrupt):
        unpack_rules(stored)


@pytest.mark.parametrize(
    ("user_agent", "token"),
    [
        ("Vangnet/1.0 (+https://authority.example/vangnet)", "Vangnet"),
        ("Mozilla/5.0 (compatible; Vangnet/1.0; +https://authority.example/)", "Vangnet"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36", "Mozilla"),
        ("Vangnet (test in a lab)", "Vangnet"),
        ("123", "Vangnet"),
    ],
)
def test_the_name_that_robots_txt_calls_us_by(user_agent: str, token: str) -> None:
    assert product_token(user_agent) == token


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("User-agent: vangnet\nCrawl-delay: 2.5\nUser-agent: *\nCrawl-delay: 9", 2.5),
        ("User-agent: *\nCrawl-delay: 9\nRequest-rate: 1/20", 20.0),
        ("User-agent: other\nCrawl-delay: 9", 0.0),
        ("User-agent: *\nCrawl-delay: 0", 0.0),
        ("User-agent: *\nCrawl-delay: 1000", MAX_CRAWL_DELAY),
        ("User-agent: *\nCrawl-delay: -1", 0.0),
        ("", 0.0),
    ],
)
def test_the_pause_that_a_host_asks_for(text: str, delay: float) -> None:
    rules = parse_robots(text.encode(), 200)
    assert crawl_delay(rules, served().campaign) == delay
    assert crawl_delay(rules, served('robots = "record"\nrobots_basis = "the law"').campaign) == 0.0
