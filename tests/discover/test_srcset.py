"""`srcset`: the cases of the Web Platform Tests (parse-a-srcset-attribute.html), rewritten for this parser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.srcset import ImageCandidate, parse


def valid(value: str) -> list[str]:
    return [each.url for each in parse(value) if each.valid]


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        ("", []),
        (",", []),
        (",,,", []),
        ("  ", []),
        ("data:,a", ["data:,a"]),
        ("data:,a ", ["data:,a"]),
        ("data:,a ,", ["data:,a"]),
        ("data:,a,", ["data:,a"]),
        ("data:,a, ", ["data:,a"]),
        ("data:,a,,,", ["data:,a"]),
        (",,data:,a", ["data:,a"]),
        ("a,b 1x", ["a,b"]),
        ("a, b 1x", ["a", "b"]),
        ("a 1x,b 2x", ["a", "b"]),
        ("a 1x, b 2x, c 3x", ["a", "b", "c"]),
        ("a\t1x,\n\fb\r2x", ["a", "b"]),
        ("a 1x 1w", []),
        ("a 1w 1x", []),
        ("a 1w 1h", ["a"]),
        ("a 1h 1w", ["a"]),
        ("a 1h", []),
        ("a 1x 1x", []),
        ("a 1w 1w", []),
        ("a 1x 1h", []),
        ("a 0w", []),
        ("a -1w", []),
        ("a 1.0w", []),
        ("a +1w", []),
        ("a 1W", []),
        ("a 1x", ["a"]),
        ("a 0x", ["a"]),
        ("a -0x", ["a"]),
        ("a -1x", []),
        ("a +1x", []),
        ("a 1e3x", ["a"]),
        ("a 1.5e-1x", ["a"]),
        ("a .5x", ["a"]),
        ("a 1.x", []),
        ("a x", []),
        ("a w", []),
        ("a 1 x", []),
        ("a foo", []),
        ("a (, b 1x)", []),
        ("a (, b 1x), c", ["c"]),
        ("a (1x, b 1x", []),
        ("a 1x (", []),
        ("a ( , ( , ), b", ["b"]),
        ("a\u00a01x", ["a\u00a01x"]),
    ],
)
def test_what_a_browser_considers(value: str, urls: list[str]) -> None:
    assert valid(value) == urls


def test_faulty_candidates_are_kept_and_marked() -> None:
    assert parse("a 1q, b 2x") == [ImageCandidate("a", valid=False), ImageCandidate("b", 2.0)]


def test_sizes() -> None:
    assert [each.size for each in parse("a, b 2x, c 320w, d 320w 200h, e 0.5x")] == [1.0, 2.0, 320.0, 320.0, 0.5]


def test_urls_with_commas_and_parentheses() -> None:
    value = "/w_300,h_200/a.jpg 1x, /w_600,h_400/a(1).jpg 2x"
    assert valid(value) == ["/w_300,h_200/a.jpg", "/w_600,h_400/a(1).jpg"]


def test_the_number_of_candidates_is_bounded() -> None:
    assert len(parse("a 1x," * 5_000)) == 1_000
    assert len(parse("a 1x," * 5_000, most=7)) == 7


@given(st.text("a/., \t1.5xwhe()-+", max_size=60))
def test_any_text_is_parsed(value: str) -> None:
    for each in parse(value):
        assert each.url
        assert not each.url.startswith(",")
        assert not any(space in each.url for space in " \t\n\r\f")
