"""HTML: every place that holds a reference, with its kind, source and priority."""

from __future__ import annotations

import pytest

from crawler.discover.page import discover
from crawler.records import Kind
from tests.discover.support import PAGE, by_url, content, kinds, sources


@pytest.mark.parametrize(
    ("markup", "url", "source"),
    [
        ("<img src=/a.jpg>", "/a.jpg", "img"),
        ("<img src=a>", "/dir/a", "img"),
        ("<img src='a b.jpg'>", "/dir/a%20b.jpg", "img"),
        ("<image src=/a.jpg>", "/a.jpg", "svg"),
        ("<svg><image href=/a.jpg></svg>", "/a.jpg", "svg"),
        ("<svg><image xlink:href=/a.jpg></svg>", "/a.jpg", "svg"),
        ("<svg><filter><feImage href=/a.jpg></svg>", "/a.jpg", "svg"),
        ("<svg><use href=/a.svg#x></svg>", "/a.svg", "svg"),
        ("<img srcset='/a.jpg 1x'>", "/a.jpg", "srcset"),
        ("<picture><source srcset='/a.webp 800w, /b.webp 400w'></picture>", "/a.webp", "srcset"),
        ("<picture><source srcset='/a.webp 800w, /b.webp 400w'></picture>", "/b.webp", "srcset-smaller"),
        ("<img data-src=/a.jpg>", "/a.jpg", "lazy"),
        ("<img data-src=/a>", "/a", "lazy"),
        ("<img data-original=/a.jpg>", "/a.jpg", "lazy"),
        ("<img data-lazy-src=/a.jpg>", "/a.jpg", "lazy"),
        ("<img data-cfsrc=/a.jpg>", "/a.jpg", "attribute"),
        ("<img data-orig-file='/a.jpg?x'>", "/a.jpg?x", "lazy"),
        ("<img data-large_image=/a.jpg>", "/a.jpg", "lazy"),
        ("<img lowsrc=/a.jpg>", "/a.jpg", "lazy"),
        ("<img data-srcset='/a.jpg 2x'>", "/a.jpg", "lazy"),
        ("<img data-lazy-srcset='/a.jpg 2x, /b.jpg'>", "/b.jpg", "srcset-smaller"),
        ("<source data-srcset='/a.webp'>", "/a.webp", "lazy"),
        ("<div data-bg=/a.jpg>", "/a.jpg", "lazy"),
        ("<div data-bg='url(/a.jpg)'>", "/a.jpg", "css"),
        ("<div data-background-image=/a.jpg>", "/a.jpg", "lazy"),
        ("<div data-thumb=/t/a.jpg>", "/t/a.jpg", "lazy"),
        ("<li data-invented=/a.jpg>", "/a.jpg", "attribute"),
        ("<li data-src=/image/12>", "/image/12", "attribute"),
        ("<x-photo src=/a.jpg></x-photo>", "/a.jpg", "img"),
        ("<my-image src=/a></my-image>", "/a", "img"),
        ("<amp-img src=/a.jpg></amp-img>", "/a.jpg", "img"),
        ('<div data-gallery=\'[{"src":"/a.jpg","title":"x"}]\'>', "/a.jpg", "json"),
        ("<div data-html='&lt;img src=/a.jpg&gt;'>", "/a.jpg", "img"),
        ("<div style='background:url(/a.jpg)'>", "/a.jpg", "css"),
        ("<style>p{background:url(/a.jpg)}</style>", "/a.jpg", "css"),
        ("<td background=/a.jpg>", "/a.jpg", "background"),
        ("<body background=/a>", "/a", "background"),
        ("<td BACKGROUND=bg>", "/dir/bg", "background"),
        ('<div onclick="toggle(1)" data-src="/a.jpg">', "/a.jpg", "lazy"),
        ('<a id="x" name="y" data-full="/a.jpg">x</a>', "/a.jpg", "lazy"),
        ('<img src="/p.gif" width="1" height="1">', "/p.gif", "pixel"),
        ('<img alt="x" src="/a.jpg" width="100">', "/a.jpg", "img"),
        ('<img src="/a.gif" data-src="/b.jpg">', "/b.jpg", "lazy"),
        ('<link rel="icon" href="/f.ico" type="image/x-icon">', "/f.ico", "icon"),
        ("<video poster=/a.jpg></video>", "/a.jpg", "poster"),
        ("<input type=image src=/a.gif>", "/a.gif", "input"),
        ("<object data=/a.png></object>", "/a.png", "object"),
        ("<object data=/a type=image/png></object>", "/a", "object"),
        ("<embed src=/a.png>", "/a.png", "object"),
        ("<link rel=icon href=/f.ico>", "/f.ico", "icon"),
        ("<link rel='apple-touch-icon' href=/f.png>", "/f.png", "icon"),
        ("<link rel=preload as=image href=/a.jpg>", "/a.jpg", "preload"),
        ("<link rel=preload as=image imagesrcset='/a.jpg 2x, /b.jpg'>", "/a.jpg", "srcset"),
        ("<link rel=image_src href=/a.jpg>", "/a.jpg", "meta"),
        ("<meta property=og:image content=/a.jpg>", "/a.jpg", "meta"),
        ("<meta name=twitter:image:src content=/a>", "/a", "meta"),
        ("<meta itemprop=image content=/a>", "/a", "meta"),
        ("<noscript><img src=/a.jpg></noscript>", "/a.jpg", "img"),
        ("<template><img src=/a.jpg></template>", "/a.jpg", "img"),
        ("<iframe srcdoc='<img src=/a.jpg>'></iframe>", "/a.jpg", "img"),
        ("<iframe srcdoc='&lt;img src=/a.jpg&gt;'></iframe>", "/a.jpg", "img"),
        ("<textarea>&lt;img src=/a.jpg&gt;</textarea>", "/a.jpg", "text"),
        ("<textarea>[IMG]http://site.example/a.jpg[/IMG]</textarea>", "/a.jpg", "text"),
        ("<input value=http://site.example/a.jpg>", "/a.jpg", "text"),
        ("<option value=/a.jpg>", "/a.jpg", "text"),
        ("<script>var a = '/a.jpg';</script>", "/a.jpg", "script"),
        ('<script>var a = "\\/x\\/a.jpg";</script>', "/x/a.jpg", "script"),
        ('<script type="application/ld+json">{"image": "/a"}</script>', "/a", "json"),
        ('<script type="application/json">{"x": {"html": "<img src=/a.jpg>"}}</script>', "/a.jpg", "img"),
        ("<script type='text/template'><img src=/a.jpg></script>", "/a.jpg", "img"),
        ("<svg><script/><image href=/a.jpg></svg>", "/a.jpg", "svg"),
        ("<svg><title><img src=/a.jpg></title></svg>", "/a.jpg", "text"),
        ("<a href=/a.jpg>x</a>", "/a.jpg", "a"),
        ("<a href=/a.JPEG?x=1>x</a>", "/a.JPEG?x=1", "a"),
        ("<a href=/w/12 data-fancybox=g>x</a>", "/w/12", "lightbox"),
        ("<a href=/w/12 class='img lightbox'>x</a>", "/w/12", "lightbox"),
        ("<a href=/w/12 rel=lightbox[x]>x</a>", "/w/12", "lightbox"),
        ('<a class="lightbox" href="/w/12">x</a>', "/w/12", "lightbox"),
        ('<a id="x" href="/w/12" title="t" class="glightbox">x</a>', "/w/12", "lightbox"),
        ('<a href="/a.jpg" style="background:url(/b.jpg)">x</a>', "/b.jpg", "css"),
        ("<a onclick=\"show('/a.jpg')\">x</a>", "/a.jpg", "script"),
        ("<img src=/p.gif width=1 height=1>", "/p.gif", "pixel"),
        ("<a href='/show?u=http%3A%2F%2Fsite.example%2Fa.jpg'>x</a>", "/a.jpg", "a"),
    ],
)
def test_images(markup: str, url: str, source: str) -> None:
    found = by_url(markup)
    assert found[url].source == source
    assert found[url].kind is Kind.IMAGE


@pytest.mark.parametrize(
    ("markup", "url", "source", "kind"),
    [
        ("<a href=/p>x</a>", "/p", "a", "page"),
        ("<a href=p#x>x</a>", "/dir/p", "a", "page"),
        ("<area href=/p>", "/p", "a", "page"),
        ('<a class="x" href="/p">x</a>', "/p", "a", "page"),
        ('<a href="/p?a=1&amp;b=2" class="x">x</a>', "/p?a=1&b=2", "a", "page"),
        ('<a class="x" rel="next" href="/p">x</a>', "/p", "next", "page"),
        ('<a class="lightbox" href="/p.html">x</a>', "/p.html", "a", "page"),
        ("<a href=/p rel='nofollow next'>x</a>", "/p", "next", "page"),
        ("<link rel=prev href=/p>", "/p", "next", "page"),
        ("<link rel=canonical href=/p>", "/p", "alternate", "page"),
        ("<link rel=alternate hreflang=nl href=/p>", "/p", "alternate", "page"),
        ("<link rel=alternate type=application/rss+xml href=/f>", "/f", "feed", "feed"),
        ("<link rel=sitemap href=/s.xml>", "/s.xml", "sitemap", "feed"),
        ("<link rel=stylesheet href=/s.css>", "/s.css", "sheet", "sheet"),
        ("<link rel='alternate stylesheet' href=/s.css>", "/s.css", "sheet", "sheet"),
        ("<link rel=preload as=style href=/s.css>", "/s.css", "sheet", "sheet"),
        ("<style>@import '/s.css';</style>", "/s.css", "sheet", "sheet"),
        ("<iframe src=/p></iframe>", "/p", "frame", "page"),
        ("<iframe data-src=/p></iframe>", "/p", "frame", "page"),
        ("<frameset><frame src=/p></frameset>", "/p", "frame", "page"),
        ("<noframes><a href=/p>x</a></noframes>", "/p", "a", "page"),
        ("<object data=/p type=text/html></object>", "/p", "frame", "page"),
        ("<meta http-equiv=Refresh content='0; URL=/p'>", "/p", "refresh", "page"),
        ("<meta http-equiv=refresh content=\"5;url='/p'\">", "/p", "refresh", "page"),
        ("<meta http-equiv=refresh content='0;/p'>", "/p", "refresh", "page"),
        ("<script>window.location = '/p';</script>", "/p", "onclick", "page"),
        ("<div onclick=\"location.href='/p'\">", "/p", "onclick", "page"),
        ("<div data-href=/p>", "/p", "onclick", "page"),
        ('<script type="application/ld+json">{"url": "/p"}</script>', "/p", "json-link", "page"),
        ("<link rel=manifest href=/m.json>", "/m.json", "manifest", "page"),
    ],
)
def test_pages_sheets_and_feeds(markup: str, url: str, source: str, kind: str) -> None:
    assert sources(markup)[url] == source
    assert kinds(markup)[url] == kind


@pytest.mark.parametrize(
    "markup",
    [
        "<!-- <img src=/a.jpg> -->",
        "<a href='#top'>x</a>",
        "<a href=''>x</a>",
        "<a href='page.html#x'>x</a>",
        "<a name=x>x</a>",
        "<img src=''>",
        "<img alt='/x/a.jpg' title='b.jpg'>",
        "<p data-name='IMG 12.jpg'>",
        "<form action=/p><input name=q></form>",
        "<meta name=description content='a.jpg b.jpg'>",
        "<meta http-equiv=refresh content=30>",
        "<video src=/a.mp4></video>",
        "<script src=/a.js></script>",
        "<script>var a = 'image/jpeg', b = '.jpg', c = `/${x}.jpg`;</script>",
        "<svg><use href='#x'></svg>",
        "<link rel=dns-prefetch href=//cdn.example>",
        "<style>@font-face{src:url(/f.woff)}</style>",
    ],
)
def test_what_is_no_reference(markup: str) -> None:
    found = content(markup)
    assert found.candidates == ()
    assert found.rejected == {}


@pytest.mark.parametrize(
    ("markup", "reason"),
    [
        ("<a href=javascript:void(0)>x</a>", "scheme"),
        ("<a href=mailto:a@site.example>x</a>", "scheme"),
        ("<iframe src=about:blank></iframe>", "scheme"),
        ("<a href='http://u:p@site.example/'>x</a>", "credentials"),
        ("<a href='http://a b/'>x</a>", "host"),
        ("<img src='/\x01.jpg'>", "control-characters"),
        ("<a href=/x.zip>x</a>", "binary"),
        ("<a href=/x.mp4>x</a>", "binary"),
        ("<a href=/logout>x</a>", "acts"),
        ("<a href=/x/12 data-method=delete>x</a>", "acts"),
        ("<img src='/" + "a" * 3_000 + ".jpg'>", "too-long"),
        ("<a href='data:text/html,x'>x</a>", "scheme"),
        ("<img src='data:text/html,x'>", "data-not-image"),
    ],
)
def test_what_is_left_aside_is_counted(markup: str, reason: str) -> None:
    found = content(markup)
    assert found.candidates == ()
    assert found.rejected == {reason: 1}


def test_base_changes_what_follows_and_links_before_it() -> None:
    markup = (
        "<a href=a></a><img src=a.jpg><base href=http://other.example/b/><base href=/c/><a href=d></a><img src=d.jpg>"
    )
    assert set(by_url(markup)) == {
        "http://other.example/b/a",
        "http://other.example/b/d",
        "http://other.example/b/a.jpg",
        "http://other.example/b/d.jpg",
        "/dir/a.jpg",  # a browser had begun to load it
    }


@pytest.mark.parametrize("href", ["", "data:,x", "javascript:1", "#", "http://["])
def test_an_unusable_base_changes_nothing(href: str) -> None:
    assert set(by_url(f"<base href='{href}'><img src=a.jpg>")) == {"/dir/a.jpg"}


def test_base_in_a_comment_or_in_text_is_none() -> None:
    assert set(by_url("<!--<base href=/x/>--><textarea><base href=/y/></textarea><img src=a.jpg>")) == {"/dir/a.jpg"}


def test_one_url_keeps_its_best_place() -> None:
    found = by_url(
        "<link rel=icon href=/a.jpg><a href=/a.jpg>x</a><img src=/a.jpg><div style='background:url(/a.jpg)'>"
    )
    assert [(each.source, each.priority, each.kind) for each in found.values()] == [("a", 1, Kind.IMAGE)]


def test_order_is_by_priority_then_by_place() -> None:
    found = content(
        "<a href=/z>x</a><a href=/y>x</a><img src=/b.jpg><div style='background:url(/c.jpg)'><img src=/a.jpg>"
    )
    assert [each.url.rpartition("/")[2] for each in found.candidates] == ["b.jpg", "a.jpg", "c.jpg", "z", "y"]
    priorities = [each.priority for each in found.candidates]
    assert priorities == sorted(priorities)


def test_queries_are_encoded_as_the_page_is() -> None:
    body = '<meta charset=windows-1252><a href="/\xe9?q=\xe9&r=\u20ac&s=&#322;">x</a>'
    found = content(body.encode("cp1252"), content_type="text/html").candidates
    assert [each.url for each in found] == ["http://site.example/%C3%A9?q=%E9&r=%80&s=%26%23322%3B"]


def test_markup_in_markup_ends_somewhere() -> None:
    inner = "<img src=/deep.jpg>"
    for _ in range(5):
        inner = "<iframe srcdoc='" + inner.replace("&", "&amp;").replace("'", "&#39;") + "'></iframe>"
    found = content(inner + "<img src=/a.jpg>")
    assert [each.url for each in found.candidates] == ["http://site.example/a.jpg"]
    assert found.rejected == {"depth": 1}


def test_files_are_named_where_they_are_wanted() -> None:
    markup = """<a href=/a.zip>x</a><a href=/b.mp3>x</a><video src=/c poster=/p.jpg><source src=/d type=video/webm>
        <source src=/e type=audio/ogg></video><embed src=/f type=application/pdf><a href=/File:g.mp4>x</a>"""
    found = discover(markup.encode(), "text/html", PAGE, files=True)
    named = {each.url.removeprefix("http://site.example"): each for each in found.candidates if each.source == "file"}
    assert set(named) == {"/a.zip", "/c", "/d", "/f"}
    assert {each.kind for each in named.values()} == {Kind.IMAGE}
    assert found.rejected == {"binary": 1}


@pytest.mark.parametrize(
    "markup",
    [
        "<svg><{}/><image href=a.png /></svg>".replace("{}", name)
        for name in ("script", "style", "title", "textarea", "iframe", "xmp", "noscript")
    ],
)
def test_what_follows_an_element_closed_at_once_is_markup(markup: str) -> None:
    assert by_url(markup)["/dir/a.png"].source == "svg"


def test_elements_closed_at_once_cost_no_depth() -> None:
    assert "/dir/a.png" in by_url("<script src=x />" * 50 + "<title/><iframe/>" * 50 + "<img src=a.png>")


def test_prefixed_elements_are_read_by_their_local_names() -> None:
    images = "<s:image l:href=b.png /><s:image xlink:href=c.png />"
    found = sources(f"<h:link rel=stylesheet href=a.css />{images}<h:object data=d.png />")
    assert found == {"/dir/a.css": "sheet", "/dir/b.png": "svg", "/dir/c.png": "svg", "/dir/d.png": "object"}


def test_a_sheet_that_an_xml_document_names_in_its_prologue() -> None:
    markup = "<?xml version='1.0'?><?xml-stylesheet type='text/css' href='/a.css?x&amp;y'?><html><p>x</p></html>"
    assert sources(markup) == {"/a.css?x&y": "sheet"}


def test_markup_and_references_in_a_style_element() -> None:
    assert "/dir/a.png" in sources("<svg><style><img src=a.png></style></svg>")
    assert "/dir/b.png" in sources("<style>p{background:url(&quot;b.png&quot;)}</style>")


def test_a_nul_in_an_attribute_is_a_replacement_character() -> None:
    assert set(by_url("<img src='a\0.png'>")) == {"/dir/a%EF%BF%BD.png"}


def test_control_characters_around_a_reference_are_no_part_of_it() -> None:
    assert set(by_url("<img src='\x01 a.png\x1f'>")) == {"/dir/a.png"}


@pytest.mark.parametrize("start", ["{", "[gallery]", "{{ title }}"])
def test_markup_behind_what_a_template_left_is_no_json(start: str) -> None:
    assert "/dir/a.png" in by_url(f"{start}<p><img src=a.png>")


def test_an_image_outside_of_drawings_is_an_img() -> None:
    assert set(by_url("<image href=a.png src=b.png srcset='c.png 1x, d.png 2x'>")) == {f"/dir/{x}.png" for x in "abcd"}


@pytest.mark.parametrize(
    "tag",
    [
        '<p style="background:url&#40;a.png)">',
        '<p style="background:url&lpar;a.png&rpar;">',
        "<p style=background:url&lpar;a.png&rpar;>",
        '<p style="@import &quot;a.png&quot;">'.replace("@import", "background:image-set&#x28;"),
        '<p data-src="&#47;dir&sol;a&period;png">',
        "<p data-src=&#47;dir&sol;a&period;png>",
        '<img src="a.png" style="background:url&#40;a.png)">',
        '<a href="x" style="background:url&#40;a.png)">',
    ],
)
def test_references_may_stand_for_what_tells(tag: str) -> None:
    assert "/dir/a.png" in by_url(tag)


@pytest.mark.parametrize(
    "markup",
    ["<IMG SRC='/a.png'>", "<p style='background:URL(/a.png)'>", "<video poster='/a.png'>", "<td background='/a.png'>"],
)
def test_markup_in_data_is_known_by_whatever_it_may_name(markup: str) -> None:
    assert "/a.png" in by_url(f'<p data-html="{markup}">')
    assert "/a.png" in by_url(f'<script type="application/json">["{markup}"]</script>')
