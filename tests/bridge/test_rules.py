"""What is kept of robots.txt, and by which name robots.txt calls us."""

from __future__ import annotations

import pytest

from crawler.bridge.rules import pack_rules, pack_unreachable, product_token, unpack_rules
from crawler.errors import RecordCorrupt
from crawler.fetch.robots import RobotsRules, parse_robots
from crawler.records import Failed


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
