"""Sitemaps: protocol, extensions, text, gzip, and what robots.txt says about them."""

from __future__ import annotations

import gzip

from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.sitemap import from_robots
from crawler.records import Kind
from tests.discover.support import by_url, content, kinds, sources

URL = "http://site.example/sitemap.xml"
URLSET = """<?xml version="1.0" encoding="UTF-8"?>
<!-- made by hand -->
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"
  xmlns:image="http://www.google.com/schemas/sitemap-image/1.1" xmlns:xhtml="http://www.w3.org/1999/xhtml">
  <url><loc>http://site.example/p?a=1&amp;b=2</loc><lastmod>2024-01-01</lastmod>
    <image:image><image:loc>http://site.example/i/1</image:loc></image:image>
    <image:image><image:loc> <![CDATA[http://site.example/i/2.jpg]]> </image:loc></image:image>
    <xhtml:link rel="alternate" hreflang="nl" href="http://site.example/nl/p"/>
  </url>
  <url><loc>http://site.example/i/3.jpg</loc></url>
  <url><video:video><video:thumbnail_loc>http://site.example/t.jpg</video:thumbnail_loc>
    <video:content_loc>http://site.example/v.mp4</video:content_loc></video:video></url>
</urlset>"""
INDEX = """<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<sitemap><loc>http://site.example/sitemap.xml</loc></sitemap>
<sitemap><loc>http://site.example/s1.xml.gz</loc></sitemap></sitemapindex>"""


def test_pages_and_images() -> None:
    assert sources(URLSET, URL, "application/xml") == {
        "/p?a=1&b=2": "sitemap-page",
        "/i/1": "sitemap-image",
        "/i/2.jpg": "sitemap-image",
        "/nl/p": "sitemap-page",
        "/i/3.jpg": "sitemap-page",
        "/t.jpg": "sitemap-image",
    }
    found = kinds(URLSET, URL, "application/xml")
    assert [url for url, kind in found.items() if kind == "page"] == ["/p?a=1&b=2", "/nl/p"]


def test_an_index_that_includes_itself() -> None:
    assert kinds(INDEX, URL, "text/html") == {"/s1.xml.gz": "feed"}


def test_other_prefixes_and_no_namespace() -> None:
    text = "<s:urlset><s:url><s:loc>/p</s:loc><i:image><i:loc>/i</i:loc></i:image></s:url></s:urlset>"
    assert sources(text, URL, None) == {"/p": "sitemap-page", "/i": "sitemap-image"}


def test_gzip_by_its_content() -> None:
    body = gzip.compress(URLSET.encode())
    assert set(by_url(body, URL, "application/octet-stream")) == set(by_url(URLSET, URL))


def test_gzip_of_several_members_is_read_to_its_end() -> None:
    half = len(URLSET) // 2
    members = [gzip.compress(part.encode()) for part in (URLSET[:half], URLSET[half:])]
    assert content(b"".join(members), URL) == content(URLSET, URL)
    assert content(b"".join(members) + b"\0" * 9, URL) == content(URLSET, URL)
    assert content(b"".join(members)[:-12], URL).rejected == {"body-damaged": 1}
    many = gzip.compress(URLSET.encode()) + gzip.compress(b" ") * 2_000
    assert content(many, URL).rejected == {"body-cut": 1}


def test_gzip_that_is_damaged_or_cut() -> None:
    body = gzip.compress(URLSET.encode(), mtime=0)
    assert len(content(body[:-12], URL).candidates) > 0
    assert content(body[:-12], URL).rejected == {"body-damaged": 1}
    assert content(body[:3] + b"\xff" + body[4:40] + b"\xff" * 20, URL).candidates == ()
    assert content(b"\x1f\x8b\x08" + b"\xff" * 30, URL).rejected == {"body-damaged": 1}


def test_gzip_that_explodes_is_cut() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * 60_000_000)
    assert content(bomb, URL).rejected == {"body-cut": 1}


def test_text() -> None:
    text = "\ufeffhttp://site.example/a\r\nhttp://site.example/b.jpg\n\nnot a url\nhttp://site.example/a\n"
    assert kinds(text, URL, "text/plain") == {"/b.jpg": "image", "/a": "page"}
    assert content("a text about http://site.example/a\n", URL, "text/plain").candidates == ()


def test_entities_are_not_expanded() -> None:
    text = (
        '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "http://site.example/"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        "<urlset><url><loc>&b;</loc></url><url><loc>&x;</loc></url><url><loc>http://site.example/p</loc></url></urlset>"
    )
    assert "/p" in by_url(text, URL)
    assert not [url for url in by_url(text, URL) if "passwd" in url]


def test_robots() -> None:
    text = "User-agent: *\nDisallow: /x\nSitemap: http://site.example/s.xml # main\nSITEMAP:/t.xml\nSitemap: ftp://h/\n"
    found = from_robots(text, "http://site.example/robots.txt")
    assert [(each.url, each.kind) for each in found] == [
        ("http://site.example/s.xml", Kind.FEED),
        ("http://site.example/t.xml", Kind.FEED),
    ]


def test_well_known_places_when_robots_names_none() -> None:
    found = from_robots("User-agent: *\n", "http://site.example:8080/robots.txt")
    assert [each.url for each in found] == [
        "http://site.example:8080/sitemap.xml",
        "http://site.example:8080/sitemap_index.xml",
    ]


@given(
    st.lists(
        st.sampled_from(
            [
                "<url>",
                "</url>",
                "<loc>",
                "</loc>",
                "http://h/",
                "<image:image>",
                "<![CDATA[",
                "]]>",
                "<",
                ">",
                "/>",
                '"',
                "<!--",
                "&amp;",
            ]
        )
    )
)
def test_any_pieces_are_read(pieces: list[str]) -> None:
    content("<urlset>" + "".join(pieces), URL)
