"""`base href`: the first usable one counts, and what else may where that cannot be told without a tree."""

from __future__ import annotations

import pytest

from crawler.discover.bases import bases
from tests.discover.support import by_url

URL = "http://site.example/dir/page.html"
ROOT = "http://site.example"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<img src=a.png>", []),
        ("<!--<base href=/no/>--><textarea><base href=/no/></textarea>", []),
        ("<base target=_top><base href=/one/><base href=/two/>", ["/one/"]),
        ("<BASE HREF='\n /one/ '>", ["/one/"]),
        ("<base href=''><base href=/two/>", ["/dir/page.html"]),
        # Chromium goes on to the next one, the standard back to the document.
        ("<base href='http://['><base href=/two/>", ["/two/", "/dir/page.html"]),
        ("<base href='data:,x'>", []),
        # Ignored there by a browser, but only the tree says where an element ends.
        ("<template><base href=/one/></template>", ["/one/", "/dir/page.html"]),
        ("<svg></svg><base href=/one/>", ["/one/", "/dir/page.html"]),
        ("<frameset><base href=/one/>", ["/one/", "/dir/page.html"]),
        # Counts without scripts only.
        ("<noscript><base href=/one/></noscript>", ["/dir/page.html", "/one/"]),
        ("<noscript><base href=/one/></noscript><base href=/two/>", ["/two/", "/one/", "/dir/page.html"]),
    ],
)
def test_bases(markup: str, expected: list[str]) -> None:
    assert [each.removeprefix(ROOT) for each in bases(markup, URL)] == expected


def test_noscript_in_noscript_does_not_go_deep() -> None:
    assert bases("<noscript>" * 20_000 + "<base href=/one/>", URL) == ()


def test_many_bases_are_not_all_tried() -> None:
    markup = "<svg></svg>" + "".join(f"<base href=/{number}/>" for number in range(1_000))
    assert len(bases(markup, URL)) <= 4


def test_images_and_sheets_are_taken_for_every_base_and_links_for_the_likeliest() -> None:
    found = by_url(
        "<template></template><base href=/x/><img src=a.png><link rel=stylesheet href=b.css><a href=c.html>c</a>"
    )
    assert set(found) == {"/x/a.png", "/dir/a.png", "/x/b.css", "/dir/b.css", "/x/c.html"}


def test_the_base_of_a_document_within_counts_there_only() -> None:
    found = by_url("<iframe srcdoc='<base href=/x/><img src=a.png>'></iframe><img src=b.png>")
    assert set(found) == {"/x/a.png", "/dir/a.png", "/dir/b.png"}
