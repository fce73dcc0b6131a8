"""The tokeniser, against the HTML Standard and against Lexbor, which builds the tree that a browser would."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from crawler.discover.tokens import attributes, start_tags, unescape, unescape_text


def tags(text: str) -> list[tuple[str, dict[str, str]]]:
    return [(name, attributes(raw)) for name, raw, *_ in start_tags(text)]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<img src=a.jpg>", {"src": "a.jpg"}),
        ("<IMG SRC='a.jpg'>", {"src": "a.jpg"}),
        ('<img src = "a b.jpg" alt>', {"src": "a b.jpg", "alt": ""}),
        ("<img/src=a.jpg/>", {"src": "a.jpg/"}),
        ("<img\n\tsrc\n=\n'a.jpg'\n>", {"src": "a.jpg"}),
        ("<img src=one src=two>", {"src": "one"}),
        ("<img src=it's.jpg title=x>", {"src": "it's.jpg", "title": "x"}),
        ('<img alt="x>y" src="a.jpg">', {"alt": "x>y", "src": "a.jpg"}),
        ('<img alt="x"src="a.jpg">', {"alt": "x", "src": "a.jpg"}),
        ("<img =x src=a>", {"=x": "", "src": "a"}),
        ("<img src==a>", {"src": "=a"}),
        ('<img "src"=a src=b>', {'"src"': "a", "src": "b"}),
        ("<img src=>", {"src": ""}),
        ("<img src=a.jpg", {"src": "a.jpg"}),
        ('<img src="a.jpg', {"src": "a.jpg"}),
        ("<img src=a&amp;b&lt=c&copy=1&copy;>", {"src": "a&b&lt=c&copy=1\u00a9"}),
    ],
)
def test_attributes_as_the_standard_reads_them(markup: str, expected: dict[str, str]) -> None:
    assert tags(markup) == [("img", expected)]


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <img src=a> -->",
        "<!-- <img src=a> --!>",
        "<!--><!-- <img src=a>",
        "<!doctype <img src=a>",
        "</p <img src=a>",
        "<? <img src=a>",
        "< img src=a>",
        "<p class='<img src=a>'>",
        '<p title="<img src=a>">',
    ],
)
def test_what_is_no_element(markup: str) -> None:
    assert not [name for name, _ in tags(markup) if name == "img"]


@pytest.mark.parametrize(
    "markup", ["<!--><img src=a>", "<!---><img src=a>", "<!----><img src=a>", "<p/><img src=a>", "<<img src=a>"]
)
def test_what_is_an_element_all_the_same(markup: str) -> None:
    assert ("img", {"src": "a"}) in tags(markup)


def test_content_of_text_elements() -> None:
    found = list(start_tags("<script a=1>if (a<b) '<img src=x>'</SCRIPT ><style>p{}</style><title>t"))
    assert [tag[:3] for tag in found] == [
        ("script", " a=1", "if (a<b) '<img src=x>'"),
        ("style", "", "p{}"),
        ("title", "", "t"),
    ]


@pytest.mark.parametrize(
    ("text", "attribute", "between"),
    [
        ("&amp;", "&", "&"),
        ("&amp", "&", "&"),
        ("&ampx", "&ampx", "&x"),
        ("&amp=", "&amp=", "&="),
        ("&amp;=", "&=", "&="),
        ("&notit;", "&notit;", "\u00acit;"),
        ("&notin;", "\u2209", "\u2209"),
        ("&nosuch;", "&nosuch;", "&nosuch;"),
        ("&#65;&#x42;&#X43", "ABC", "ABC"),
        ("&#x80;", "\u20ac", "\u20ac"),
        ("&#x81;", "\x81", "\x81"),
        ("&#0;", "\ufffd", "\ufffd"),
        ("&#xD800;", "\ufffd", "\ufffd"),
        ("&#x110000;", "\ufffd", "\ufffd"),
        ("&#99999999999999999999;", "\ufffd", "\ufffd"),
        ("&#;&#x;&", "&#;&#x;&", "&#;&#x;&"),
        ("a&b=c&lang=nl", "a&b=c&lang=nl", "a&b=c&lang=nl"),
        ("a&para=1&sect=2", "a&para=1&sect=2", "a\u00b6=1\u00a7=2"),
    ],
)
def test_character_references(text: str, attribute: str, between: str) -> None:
    assert unescape_text(text) == between
    assert unescape(text) == attribute


# Pieces that make markup out of random lists: mostly what a page has, and what confuses parsers.
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                "<img src=a.jpg>",
                '<img src="b.jpg" alt="x">',
                "<a href='c.html'>",
                "</a>",
                '<p class="k">',
                "</p>",
                "text",
                " ",
                "\n",
            ),
            *(
                "<",
                ">",
                '"',
                "'",
                "=",
                "/",
                "<!--",
                "-->",
                "--!>",
                "<!",
                "<?",
                "</",
                "<div",
                "<div ",
                "data-x=1",
                "src=d.jpg",
                "<img ",
            ),
            *(
                "<img title='",
                '<img title="',
                "&amp;",
                "&copy",
                "é",
                "<table>",
                "<tr>",
                "</table>",
                "<b>",
                "</b>",
                "<svg>",
                "</svg>",
            ),
            *(
                "<image href=e.jpg>",
                "<link rel=x href=f>",
                "<P TITLE=>",
                "<area href=g>",
                "<source srcset=h>",
                "<x-y data-src=i.jpg>",
            ),
        ]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=400)
@given(PIECES)
@example('<a href="<img src=a.jpg>">')
@example("<!--><img src=a.jpg>-->")
def test_nothing_that_lexbor_sees_is_missed(markup: str) -> None:
    """Every attribute with a URL in the tree that a browser would build is among those of the stream."""
    seen = {(name, key, value) for name, found in tags(markup) for key, value in found.items()}
    names = {"img": ("img", "image")}  # the tree has `img` for `image`
    for node in LexborHTMLParser(markup).css("[src],[href],[srcset],[data-src]"):
        for key in ("src", "href", "srcset", "data-src"):
            value = node.attributes.get(key)
            # On other elements a value without a dot or slash means nothing, and such tags are passed over.
            if value and (node.tag in ("a", "area", "img", "image", "link", "source") or "." in value):
                assert any((name, key, value) in seen for name in names.get(str(node.tag), (node.tag,))), (
                    markup,
                    key,
                    value,
                )


@settings(max_examples=300)
@given(st.text("<>\"'=/!?- \n\tabcsrimg&;#x", max_size=80))
def test_any_text_is_read_to_its_end(text: str) -> None:
    for _, raw, *_ in start_tags(text):
        attributes(raw)


@pytest.mark.parametrize(
    "unit",
    [
        "<div>",
        "<div x=1>",
        "<a ",
        "<a href='",
        "<",
        "<!--",
        "<script>",
        "<b x",
        "</",
        "<?",
        "<p class='",
        "=",
        '<p a="b" ',
    ],
)
def test_time_is_linear(unit: str) -> None:
    """A hundred times the text takes nothing like ten thousand times the time."""
    text = unit * (400_000 // len(unit))
    started = time.process_time()
    for _ in start_tags(text):
        pass
    assert time.process_time() - started < 2
