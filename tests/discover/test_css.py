"""Style sheets: which URLs a browser would load."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.css import references


def images(text: str) -> list[str]:
    return [url for url, imported in references(text) if not imported]


def imports(text: str) -> list[str]:
    return [url for url, imported in references(text) if imported]


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("p{background:url(a.jpg)}", ["a.jpg"]),
        ("p{background:URL( 'a.jpg' )}", ["a.jpg"]),
        ('p{background:url("a b).jpg")}', ["a b).jpg"]),
        ("p{background:url(a.jpg), url(b.jpg)}", ["a.jpg", "b.jpg"]),
        ("background:#fff url(a.jpg) no-repeat", ["a.jpg"]),
        ("p{background:url(\n a.jpg \n)}", ["a.jpg"]),
        ("p{background:url(a\\(1\\).jpg)}", ["a(1).jpg"]),
        ("p{background:url(a\\20 b.jpg)}", ["a b.jpg"]),
        ('p{background:url("a\\\nb.jpg")}', ["ab.jpg"]),
        ("p{background:url('a.jpg'", ["a.jpg"]),
        ("p{background:url(a.jpg", ["a.jpg"]),
        ("p{background:u\\72l(a.jpg)}", ["a.jpg"]),
        ("p{background:\\75 rl(a.jpg)}", ["a.jpg"]),
        ("p{background:ur\\l(a.jpg)}", ["a.jpg"]),
        ("p{list-style:url(a.png);cursor:url(b.cur),auto;content:url(c.gif)}", ["a.png", "b.cur", "c.gif"]),
        ("p{background:image-set('a.avif' type('image/avif'), 'b.jpg' 2x)}", ["a.avif", "b.jpg"]),
        ("p{background:-webkit-image-set(url(a.jpg) 1x, url('b.jpg') 2x)}", ["a.jpg", "b.jpg"]),
        ("p{background:image-set(linear-gradient(red,blue) 1x, 'b.jpg' 2x), 'c.jpg'}", ["b.jpg"]),
        ("p{filter:url(#f);mask:url(m.svg#f)}", ["m.svg#f"]),
        ("@font-face{src:url(f.woff2) format('woff2'),url('f.eot?#iefix')}", []),
        ("@namespace url(http://www.w3.org/1999/xhtml);p{background:url(a.jpg)}", ["a.jpg"]),
        ("@namespace svg 'http://www.w3.org/2000/svg';p{background:url(a.jpg)}", ["a.jpg"]),
        ("/* url(a.jpg) */ p{background:url(b.jpg)}", ["b.jpg"]),
        ("p{content:'/*'}q{background:url(b.jpg)}", ["b.jpg"]),
        ("p{content:'url(a.jpg)'}", []),
        ("p{content:'unclosed\n}q{background:url(b.jpg)}", ["b.jpg"]),
        ("p{background:url(//h/a/*b*/.jpg)}", ["//h/a/*b*/.jpg"]),
        ("p{background:url()}q{background:url('')}", []),
        ("p{background:url(data:image/png;base64,AAAA)}", ["data:image/png;base64,AAAA"]),
        (":root{--hero:url(a.jpg)}", ["a.jpg"]),
    ],
)
def test_images(text: str, urls: list[str]) -> None:
    assert images(text) == urls


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("@import 'a.css';", ["a.css"]),
        ('@import "a.css" screen;', ["a.css"]),
        ("@IMPORT url(a.css) layer(x) supports(display: grid);", ["a.css"]),
        ("@import url('a.css')", ["a.css"]),
        ("@import 'a.css';p{content:'b'}", ["a.css"]),
        ("/* @import 'a.css'; */", []),
        ("@\\69mport 'a.css';", ["a.css"]),
    ],
)
def test_imported_sheets(text: str, urls: list[str]) -> None:
    assert imports(text) == urls
    assert images(text) == []


@given(st.text("url()'\"\\/* \n@import;{}image-set,a1", max_size=100))
def test_any_text_is_read(text: str) -> None:
    for url, _ in references(text):
        assert url


def test_a_broken_url_ends_at_its_parenthesis() -> None:
    assert [
        url for url, _ in references("i{background:url(a'b.png)} u{background:url(c.png x)} b{background:url('d.png')}")
    ] == [
        *("a", "c.png", "d.png"),
    ]
