"""`Link` and `Refresh` headers, and what relations mean."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.links import from_headers, refresh_target
from crawler.discover.page import discover
from crawler.records import Kind


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("</a.jpg>; rel=preload; as=image", [("/a.jpg", "preload")]),
        ('</a.jpg>; rel="preload"; as="image"', [("/a.jpg", "preload")]),
        ("</a.css>;rel=stylesheet, </p>; rel=next", [("/a.css", "sheet"), ("/p", "next")]),
        ('</p>; title="a, b; c \\" d"; rel="prev"', [("/p", "next")]),
        ("</x,y>; rel=next", [("/x,y", "next")]),
        (
            '<>; rel=preload; as=image; imagesrcset="/a.jpg 1x, /b.jpg 2x"',
            [("/a.jpg", "srcset-smaller"), ("/b.jpg", "srcset")],
        ),
        ('</f>; rel=alternate; type="application/atom+xml"', [("/f", "feed")]),
        ("</f>; rel=alternate; type=text/html", [("/f", "alternate")]),
        ("</f.ico>; REL=ICON", [("/f.ico", "icon")]),
        ("<https://cdn.example>; rel=preconnect", []),
        ("</a.js>; rel=preload; as=script", []),
        ("</a>", []),
        ("rel=next", []),
        ("<", []),
    ],
)
def test_link_header(value: str, found: list[tuple[str, str]]) -> None:
    assert list(from_headers([("Link", value)])) == found


@pytest.mark.parametrize(
    ("value", "target"),
    [
        ("5; url=/p", "/p"),
        ("0;URL='/p q'", "/p q"),
        ('0, url = "/p"', "/p"),
        ("0;/p", "/p"),
        ("0 /p", "/p"),
        ("1.5;url=/p", "/p"),
        ("url=/p", "/p"),
        ("5", None),
        ("5;", None),
        ("", None),
    ],
)
def test_refresh(value: str, target: str | None) -> None:
    assert refresh_target(value) == target


def test_headers_of_an_answer_count_like_its_elements() -> None:
    headers = [("content-type", "text/html"), ("LINK", "</a.jpg>; rel=preload; as=image"), ("refresh", "0; url=/p")]
    found = discover(b"", "text/html", "http://site.example/x/", headers).candidates
    assert [(each.url, each.kind) for each in found] == [
        ("http://site.example/a.jpg", Kind.IMAGE),
        ("http://site.example/p", Kind.PAGE),
    ]


@pytest.mark.parametrize("unit", ["<", "<a;", '<a>;b="', "<a>;b", "; =", '\\"'])
def test_time_is_linear(unit: str) -> None:
    value = unit * (65_536 // len(unit))
    started = time.process_time()
    list(from_headers([("Link", value), ("Refresh", value)]))
    assert time.process_time() - started < 0.5


@given(st.text('<>;=", \\arel/next', max_size=80))
def test_any_header_is_read(value: str) -> None:
    list(from_headers([("Link", value), ("Refresh", value)]))
