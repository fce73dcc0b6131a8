"""References in JSON and in program text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.scripts import from_program, from_value, parsed
from crawler.records import Rejected


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"image": "/a"}, [("/a", "json")]),
        ({"image": {"url": "https://h/a"}}, [("https://h/a", "json")]),
        ({"images": ["/a", "/b"]}, [("/a", "json"), ("/b", "json")]),
        ({"thumbnailUrl": "//h/a"}, [("//h/a", "json")]),
        ({"@type": "ImageObject", "url": "https://h/a"}, [("https://h/a", "json")]),
        ({"@type": "WebPage", "url": "https://h/a"}, [("https://h/a", "json-link")]),
        ({"anything": "x/a.jpg"}, [("x/a.jpg", "json")]),
        ({"anything": "a.jpg"}, []),
        ({"photo": "a.jpg"}, [("a.jpg", "json")]),
        ({"anything": "/a.jpg?w=3#x"}, [("/a.jpg?w=3#x", "json")]),
        ({"anything": "/a.jpg:large"}, [("/a.jpg:large", "json")]),
        ({"href": "/p"}, [("/p", "json-link")]),
        ({"href": "p"}, []),
        ({"text": "see /a.jpg for more"}, []),
        ({"target": "https://h/?q={term}", "url": "https://h/{x}"}, []),
        ({"image_width": 3, "image": None, "photo": True}, []),
        ({"photo_title": "my tree"}, []),
        ({"body": "<p><img src='/a.jpg'>"}, [("<p><img src='/a.jpg'>", "markup")]),
        ({"body": "a < b"}, []),
        ({"icon": "data:image/png;base64,AAAA"}, [("data:image/png;base64,AAAA", "json")]),
        ("https://h/a.jpg", [("https://h/a.jpg", "json")]),
        ([[[["/x/a.jpg"]]]], [("/x/a.jpg", "json")]),
        (3, []),
    ],
)
def test_json_values(value: object, found: list[tuple[str, str]]) -> None:
    assert list(from_value(value)) == found


@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 200_000, '"' + "a" * 3_000_000 + '"', "1" * 5_000, "\x00"])
def test_what_is_no_json_is_said_and_not_raised(text: str) -> None:
    assert isinstance(parsed(text), Rejected)


def test_values_are_bounded() -> None:
    assert len(list(from_value(["/x/a.jpg"] * 300_000))) < 200_001


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a = 'x/a.jpg';", ["x/a.jpg"]),
        ('a = "https:\\/\\/h\\/a.jpg?x=1"', ["https://h/a.jpg?x=1"]),
        ('a = "\\u002Fa.jpg"', ["/a.jpg"]),
        ('a = "\\x2Fa.jpg"', ["/a.jpg"]),
        ("a = `/a.webp`", ["/a.webp"]),
        ("// don't\na = '/a.jpg'", ["/a.jpg"]),
        ("r = /['\"]/; a = '/a.jpg', b = \"/b.png\"", ["/a.jpg", "/b.png"]),
        ('h = "<img src=\\"/a.jpg\\">"', ["/a.jpg"]),
        ("h = '<img src=\"/a.jpg\">'", ["/a.jpg"]),
        ("a = ['1.jpg','2.jpg']", ["1.jpg", "2.jpg"]),
        ("a = '/x/' + n + '.jpg'", []),
        ("a = `/x/${n}.jpg`", []),
        ("a = '{{x}}.jpg'", []),
        ("a = 'image.jpg.js'", []),
        ("a = 'jpg'", []),
    ],
)
def test_strings_in_program_text(text: str, found: list[str]) -> None:
    assert [url for url, _ in from_program(text)] == found


@pytest.mark.parametrize(
    "text",
    [
        "location='/p'",
        'window.location = "/p"',
        "location.href='/p'",
        "location.replace('/p')",
        "top.location.assign('/p')",
        "window.open('/p')",
    ],
)
def test_pages_that_a_program_goes_to(text: str) -> None:
    assert list(from_program(text)) == [("/p", "onclick")]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=20),
        st.sampled_from(["/a.jpg", "http://h/a", "<img src=x>"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(["image", "url", "x", "@type"]), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_json_is_walked(value: object) -> None:
    assert list(from_value(parsed(json.dumps(value)))) == list(from_value(value))


@given(st.text("'\"`\\/uxa.jpg0 \n<>${}location=", max_size=80))
def test_any_text_is_read(text: str) -> None:
    for url, _ in from_program(text):
        assert url
