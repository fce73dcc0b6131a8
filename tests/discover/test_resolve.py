"""The short cut for plain references says what the long way says."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crawler.discover.resolve import Resolver
from crawler.urls import canonical

BASES = (
    "http://h.example/",
    "https://h.example:8443/a/b.html",
    "http://h.example/a/b/?q=/x/y",
    "http://[2001:db8::1]/a/",
)
PATHS = st.text("ab./-_~%:?=&#\\ é0:@", min_size=1, max_size=30)


@pytest.mark.parametrize("base", BASES)
@given(text=st.one_of(PATHS, st.builds("http://h.example/{}".format, PATHS), st.builds("https://{}".format, PATHS)))
@example(text="a//b")
@example(text="/a/../b")
@example(text="//a/b")
@example(text="a/.b")
@example(text="a/..")
@example(text="http://H.example/a")
@example(text="http://1.2.3/a")
@example(text="http://a..b/a")
@example(text="https://xn--/a")
@example(text="www.h.example/a.jpg")
@example(text="a" * 2_040)
def test_both_ways_agree(base: str, text: str) -> None:
    text = text.partition("#")[0].strip()
    if text:
        assert Resolver(base, None)(text) == canonical(text, base)


@pytest.mark.parametrize(
    ("codec", "text", "url"),
    [
        ("cp1252", "/\u00e9?\u00e9", "http://h.example/%C3%A9?%E9"),
        ("cp1251", "?q=\u0416", "http://h.example/?q=%C6"),
        ("cp1252", "?q=\u0416\u0416x", "http://h.example/?q=%26%231046%3B%26%231046%3Bx"),
        ("cp932", "?q=\u65e5%20a&b=c+d", "http://h.example/?q=%93%FA%20a&b=c+d"),
        (None, "?q=\u00e9", "http://h.example/?q=%C3%A9"),
    ],
)
def test_queries_in_the_encoding_of_the_document(codec: str | None, text: str, url: str) -> None:
    assert Resolver("http://h.example/", codec)(text) == url
