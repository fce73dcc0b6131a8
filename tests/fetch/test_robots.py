from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.errors import RecordCorrupt
from crawler.fetch.robots import ALLOW_ALL, DENY_ALL, MAX_ROBOTS_BYTES, RobotsRules, parse_robots

TEXT = b"""\
User-agent: *
Disallow: /private
Allow: /private/open
Disallow: /*.php$
Crawl-delay: 2

User-agent: Vangnet
Disallow: /not-us
Request-rate: 1/5

Sitemap: https://a.nl/sitemap.xml
sitemap: /other.xml
"""


def test_rules_for_everyone() -> None:
    rules = parse_robots(TEXT, 200)
    assert rules.allows("https://a.nl/", "Other")
    assert not rules.allows("https://a.nl/private/x", "Other")
    assert rules.allows("https://a.nl/private/open/x", "Other")  # the longest match wins
    assert not rules.allows("https://a.nl/x.php", "Other")
    assert rules.allows("https://a.nl/x.php?q", "Other")
    assert rules.crawl_delay("Other") == 2.0
    assert rules.sitemaps == ("https://a.nl/sitemap.xml", "/other.xml")


def test_rules_for_us_replace_those_for_everyone() -> None:
    rules = parse_robots(TEXT, 200)
    assert rules.allows("https://a.nl/private/x", "Vangnet")
    assert not rules.allows("https://a.nl/not-us", "vangnet")
    assert rules.crawl_delay("Vangnet") == 5.0


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, ALLOW_ALL),
        (403, ALLOW_ALL),
        (401, ALLOW_ALL),
        (500, DENY_ALL),
        (503, DENY_ALL),
        (429, DENY_ALL),
        (301, DENY_ALL),
    ],
)
def test_statuses(status: int, expected: RobotsRules) -> None:
    rules = parse_robots(TEXT, status)
    assert rules == expected
    assert rules.allows("https://a.nl/private", "Vangnet") == (expected is ALLOW_ALL)
    assert rules.crawl_delay("Vangnet") is None
    assert rules.sitemaps == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>not found</html>",
        b"\xff\xfe" + "User-agent: *\nAllow: /".encode("utf-16-le"),
        b"\xef\xbb\xbfUser-agent: *\r\nDisallow:\r\n",
        b"User-agent: *\x00\nDisallow: \xff\xfe/x",
    ],
)
def test_what_is_no_rule_forbids_nothing(body: bytes) -> None:
    assert parse_robots(body, 200).allows("https://a.nl/", "Vangnet")


def test_a_byte_order_mark_hides_no_rule() -> None:
    for body in (b"\xef\xbb\xbfUser-agent: *\nDisallow: /", "\ufeffUser-agent: *\nDisallow: /".encode("utf-16-le")):
        assert not parse_robots(body, 200).allows("https://a.nl/x", "Vangnet")


def test_only_so_much_is_read() -> None:
    filler = b"# " + b"x" * MAX_ROBOTS_BYTES + b"\n"
    rules = parse_robots(b"User-agent: *\n" + filler + b"Disallow: /", 200)
    assert rules.allows("https://a.nl/x", "Vangnet")
    assert len(rules.text) <= MAX_ROBOTS_BYTES


def test_delays_are_bounded() -> None:
    assert parse_robots(b"User-agent: *\nCrawl-delay: 9999999", 200).crawl_delay("Vangnet") == 3600.0
    assert parse_robots(b"User-agent: *\nCrawl-delay: nan", 200).crawl_delay("Vangnet") is None
    assert parse_robots(b"User-agent: *\nRequest-rate: 1/" + b"9" * 400, 200).crawl_delay("Vangnet") == 3600.0
    assert parse_robots(b"User-agent: *\nRequest-rate: 2/5", 200).crawl_delay("Vangnet") == 2.5


@given(body=st.binary(max_size=400), status=st.integers(100, 599))
def test_round_trip(body: bytes, status: int) -> None:
    rules = parse_robots(body, status)
    assert RobotsRules.from_bytes(rules.to_bytes()) == rules
    rules.allows("https://a.nl/x?y#z", "Vangnet")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"text",
        msgpack.packb((9, "allow", "")),
        msgpack.packb((1, "maybe", "")),
        msgpack.packb((1, "rules", 5)),
    ],
)
def test_damaged_records(data: bytes) -> None:
    with pytest.raises(RecordCorrupt, match="robots"):
        RobotsRules.from_bytes(data)
