"""RSS, RDF and Atom, with the modules that carry pictures."""

from __future__ import annotations

import pytest

from tests.discover.support import content, kinds, sources

URL = "http://site.example/feed/"
RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"
  xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:atom="http://www.w3.org/2005/Atom">
<channel><title>T</title><link>http://site.example/</link>
<atom:link href="http://site.example/feed/" rel="self" type="application/rss+xml"/>
<atom:link href="/feed/2" rel="next"/>
<image><url>http://site.example/logo.png</url><link>http://site.example/about</link></image>
<itunes:image href="http://site.example/cover"/>
<item><title>1</title><link>http://site.example/1</link><guid isPermaLink="false">http://site.example/guid</guid>
<enclosure url="http://site.example/e" type="image/jpeg" length="1"/>
<enclosure url="http://site.example/e.mp3" type="audio/mpeg" length="1"/>
<media:content url="http://site.example/m" medium="image"><media:thumbnail url="http://site.example/mt"/></media:content>
<media:content url="http://site.example/m.mp4" type="video/mp4"/>
<description>&lt;img src="/d.jpg"&gt; &lt;a href="/da"&gt;x&lt;/a&gt;</description>
<content:encoded><![CDATA[<p><img src="/c.jpg" srcset="/c2.jpg 2x"></p>]]></content:encoded></item>
<item><guid>http://site.example/2</guid></item>
</channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xml:base="http://site.example/blog/"><title>T</title>
<link href="./"/><link rel="self" href="atom.xml"/><icon>/i.png</icon><logo>/l.png</logo>
<entry><link rel="alternate" href="1"/><link rel="enclosure" type="image/png" href="e"/><link rel="edit" href="edit/1"/>
<content type="html">&lt;img src="a.jpg"></content></entry>
<entry><link href="2"/><content type="xhtml"><div><img src="x.jpg"/><a href="y">y</a></div></content></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">
<channel rdf:about="http://site.example/rdf"><link>http://site.example/</link></channel>
<item rdf:about="http://site.example/1"><link>http://site.example/1</link></item></rdf:RDF>"""


def test_rss() -> None:
    assert sources(RSS, URL, "application/rss+xml") == {
        "/e": "enclosure",
        "/m": "enclosure",
        "/mt": "enclosure",
        "/cover": "enclosure",
        "/d.jpg": "img",
        "/c.jpg": "img",
        "/c2.jpg": "srcset",
        "/logo.png": "meta",
        "/feed/2": "feed",
        "/1": "item",
        "/2": "item",
        "/da": "a",
        "/": "alternate",
    }
    assert content(RSS, URL, "text/xml").rejected == {"media": 2}
    assert kinds(RSS, URL)["/feed/2"] == "feed"


def test_atom() -> None:
    assert sources(ATOM, URL, "application/atom+xml") == {
        "/blog/e": "enclosure",
        "/blog/a.jpg": "img",
        "/blog/x.jpg": "img",
        "/blog/1": "item",
        "/blog/2": "item",
        "/blog/y": "a",
        "/blog/": "alternate",
        "/i.png": "icon",
        "/l.png": "icon",
    }


def test_rdf() -> None:
    assert sources(RDF, URL, None) == {"/1": "item", "/": "alternate"}


def test_json_feed() -> None:
    text = (
        '{"version": "https://jsonfeed.org/version/1.1", "home_page_url": "/", "items": [{"url": "/1", "image": "/i",'
        ' "content_html": "<img src=\\"/c.jpg\\">", "attachments": [{"url": "/a.jpg", "mime_type": "image/jpeg"}]}]}'
    )
    assert sources(text, URL, "application/feed+json") == {
        "/c.jpg": "img",
        "/i": "json",
        "/a.jpg": "json",
        "/1": "json-link",
    }


@pytest.mark.parametrize("content_type", ["application/rss+xml", "text/html", "text/plain", None])
def test_html_under_the_name_of_a_feed(content_type: str | None) -> None:
    assert sources("<!doctype html><html><img src=/a.jpg></html>", URL, content_type) == {"/a.jpg": "img"}


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/octet-stream", None])
def test_a_feed_under_another_name(content_type: str | None) -> None:
    assert "/1" in sources(RSS, URL, content_type)


def test_broken_feeds_are_read_as_far_as_they_go() -> None:
    cut = RSS[: RSS.index("<media:content")]
    assert set(sources(cut, URL)) == {"/e", "/logo.png", "/cover", "/feed/2", "/1", "/"}
    assert sources("<rss><channel><item><link>/1<item><link>/2", URL) == {"/1": "item", "/2": "item"}


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("", "/feed/a.jpg"),
        ("/b/", "/b/a.jpg"),
        ("b/c.xml", "/feed/b/a.jpg"),
        ("mailto:x", "/feed/a.jpg"),
        ("http://[", "/feed/a.jpg"),
        ("HTTP://SITE.example/x y/", "/x%20y/a.jpg"),
    ],
)
def test_a_base_of_any_form(base: str, url: str) -> None:
    feed = f'<feed xml:base="{base}"><entry><link rel="enclosure" type="image/jpeg" href="a.jpg"/></entry></feed>'
    assert sources(feed, URL, "application/atom+xml") == {url: "enclosure"}
