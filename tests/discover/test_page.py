"""Whole documents: who reads what, bounds, and hostile input."""

from __future__ import annotations

import gzip
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.discover.collect import MAX_CANDIDATES
from crawler.discover.page import discover, redirect_candidate
from crawler.discover.sniff import MAX_BODY
from crawler.records import Candidate, Kind, Rejected
from crawler.urls import canonical
from tests.discover.support import PAGE, content, sources

URL = "http://site.example/x"


@pytest.mark.parametrize(
    ("body", "content_type", "found"),
    [
        ("p{background:url(/a.jpg)}", "text/css", {"/a.jpg": "css"}),
        ("@import '/b.css';", "text/css; charset=utf-8", {"/b.css": "sheet"}),
        ("var a='/a.jpg'", "application/javascript", {"/a.jpg": "script"}),
        ('{"image":"/a"}', "application/json", {"/a": "json"}),
        ('{"image":"/a"}', "application/vnd.api+json", {"/a": "json"}),
        (' [{"image":"/a"}]', None, {"/a": "json"}),
        ("callback({image:'/a.jpg'})", "application/json", {"/a.jpg": "script"}),
        ("<img src=/a.jpg>", None, {"/a.jpg": "img"}),
        ("<img src=/a.jpg>", "application/xhtml+xml", {"/a.jpg": "img"}),
        ("<img src=/a.jpg>", "application/octet-stream", {"/a.jpg": "img"}),
        ("<html><img src=/a.jpg>", "text/plain", {"/a.jpg": "img"}),
        ("<?xml version='1.0'?><!DOCTYPE html><html><img src='/a.jpg'/></html>", "text/xml", {"/a.jpg": "img"}),
        ("<svg xmlns='http://www.w3.org/2000/svg'><image href='/a.jpg'/></svg>", "image/svg+xml", {"/a.jpg": "svg"}),
        ("some text about /a.jpg", "text/plain", {}),
        ("", "text/html", {}),
        ("\x00", None, {}),
    ],
)
def test_who_reads_it(body: str, content_type: str | None, found: dict[str, str]) -> None:
    assert sources(body, URL, content_type) == found


@pytest.mark.parametrize(
    "start", [b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"%PDF-1.7", b"PK\x03\x04", b"RIFF....WEBP"]
)
def test_what_holds_no_references_is_said(start: bytes) -> None:
    for body in (start + b"<img src=/a.jpg>", gzip.compress(start + b"<img src=/a.jpg>")):
        found = content(body)
        assert found.candidates == ()
        assert found.rejected == {"body-binary": 1}


def test_gzipped_html_is_unpacked_once() -> None:
    page = b"<img src=/a.jpg>"
    assert [each.url for each in content(gzip.compress(page)).candidates] == ["http://site.example/a.jpg"]
    assert content(gzip.compress(gzip.compress(page))).rejected == {"body-binary": 1}


def test_redirects() -> None:
    assert redirect_candidate("/y", URL) == Candidate("http://site.example/y", Kind.PAGE, "redirect", 2)
    assert redirect_candidate("//h.example/a", URL, Kind.IMAGE, 1) == Candidate(
        "http://h.example/a", Kind.IMAGE, "redirect", 1
    )
    assert redirect_candidate("#y", URL) == Rejected("loop")
    assert redirect_candidate("/logout", URL) == Rejected("acts")
    assert redirect_candidate("javascript:1", URL) == Rejected("scheme")
    assert redirect_candidate("http://[", URL) == Rejected("host")


def test_candidates_are_cut_by_priority_and_counted() -> None:
    page = "".join(f"<a href=/p{n}>x</a>" for n in range(9_000)) + "".join(f"<img src=/i{n}.jpg>" for n in range(300))
    found = content(page)
    assert len(found.candidates) == MAX_CANDIDATES
    assert [each.kind for each in found.candidates[:300]] == [Kind.IMAGE] * 300
    assert found.rejected == {"cut": 9_300 - MAX_CANDIDATES}


def test_a_smaller_limit() -> None:
    found = discover(b"<a href=/p>x</a><img src=/a.jpg><a href=/q>x</a>", "text/html", URL, limit=2)
    assert [each.url for each in found.candidates] == ["http://site.example/a.jpg", "http://site.example/p"]
    assert found.rejected == {"cut": 1}


def test_a_hundred_thousand_links_do_not_hide_the_images() -> None:
    page = "".join(f"<a href=/p{n}>x</a>" for n in range(100_000)) + "<img src=/last.jpg>"
    found = content(page)
    assert found.candidates[0].url == "http://site.example/last.jpg"
    assert found.rejected["cut"] == 100_001 - MAX_CANDIDATES


def test_a_body_that_is_too_long_is_read_up_to_the_bound() -> None:
    page = b"<img src=/first.jpg>" + b" " * MAX_BODY + b"<img src=/last.jpg>"
    found = content(page)
    assert [each.url for each in found.candidates] == ["http://site.example/first.jpg"]
    assert found.rejected == {"body-cut": 1}


DRAWN = "<svg xmlns='http://www.w3.org/2000/svg' xmlns:l='http://www.w3.org/1999/xlink'>"


@pytest.mark.parametrize(
    ("declared", "drawn", "found"),
    [
        ("<!ENTITY a '/a.jpg'>", "<image l:href='&a;'/>", ["a.jpg"]),
        ('<!-- x --><!ELEMENT g ANY>%p;<!ENTITY s "/i/">\n<!ENTITY a "&s;a.jpg">', "<image href='&a;'/>", ["i/a.jpg"]),
        (
            "<!ENTITY a \"<image href='/a.jpg'/>\"><!ENTITY b '&#60;image href=\"/b.jpg\"/>'>",
            "&a;&b;",
            ["a.jpg", "b.jpg"],
        ),
        ("<!ENTITY a '/a.jpg'><!ENTITY a '/b.jpg'>", "<image href='&a;'/>", ["a.jpg"]),
        ("<!ENTITY a SYSTEM 'file:///etc/passwd'>", "&a;<image href='/a.jpg'/>", ["a.jpg"]),
        ("<!ENTITY a '&a;&a;/a.jpg'>", "<image href='/b.jpg'/><g id='&a;'/>", ["b.jpg"]),
    ],
)
def test_drawings_name_their_images_by_entities_of_their_own(declared: str, drawn: str, found: list[str]) -> None:
    page = f"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'x' [{declared}]>{DRAWN}{drawn}</svg>"
    for start in ("", "<?xml version='1.0'?>\n<!-- Generator -->"):
        urls = [each.url for each in content(start + page, content_type="image/svg+xml").candidates]
        assert urls == [f"http://site.example/{each}" for each in found]


def test_an_image_that_an_entity_holds_is_looked_at() -> None:
    page = f"<!DOCTYPE svg [<!ENTITY a 'data:image/gif;base64,R0lGODlhAQABAAAAACw='>]>{DRAWN}<image href='&a;'/></svg>"
    assert len(content(page, content_type="image/svg+xml").data_images) == 1


@pytest.mark.parametrize("body", ["<p>", DRAWN + "<text>"])
@pytest.mark.parametrize("text", ["a > b <!-- ", "<style>", "<img src=/no.jpg>", "> <title>", ""])
def test_what_stands_in_a_section_of_text_hides_nothing(body: str, text: str) -> None:
    for section in (f"<![CDATA[{text}]]>", f"<![CDATA[{text}]]><![CDATA["):
        assert [each.url for each in content(f"{body}{section}<img src=/a.jpg>").candidates] == [
            "http://site.example/a.jpg"
        ]


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE svg [<!ENTITY y '> <img src=/a.jpg> '>]><p>",
        "<!DOCTYPE svg [<!ENTITY sol 'no'>]><p><img src='&sol;a.jpg'>",
        "<p><![CDATA[><img alt=']]>' src=/a.jpg>",
        "<p><![CDATA[ <!-- > <img src=/a.jpg>",
    ],
)
def test_what_only_xml_knows_hides_nothing_of_a_page(page: str) -> None:
    assert "http://site.example/a.jpg" in [each.url for each in content(page).candidates]


# (what is repeated, what stands before it, what after); each is a page of about half a megabyte.
HOSTILE = {
    "nested elements": ("<div>", "", ""),
    "nested elements with attributes": ("<div x=1.2>", "", ""),
    "nested formatting": ("<b><i><p>", "", ""),
    "nested tables": ("<table><tr><td>", "", ""),
    "unclosed tags": ("<a ", "", ""),
    "unclosed headings": ("<h1 x", "", ""),
    "words": ("ab cd ", "<p>", ""),
    "unclosed values": ("<a href='", "", ""),
    "unclosed comments": ("<!--", "", ""),
    "less-than signs": ("<", "", ""),
    "end tags": ("</", "", ""),
    "scripts": ("<script>", "", ""),
    "empty scripts": ("<script/>", "", ""),
    "text areas": ("<textarea>", "", ""),
    "closed text areas": ("<textarea>x</textarea>", "", ""),
    "noscript": ("<noscript>", "", ""),
    "templates": ("<template>", "", ""),
    "frames in frames": ("&lt;iframe srcdoc=", "<iframe srcdoc='", "'>"),
    "many attributes": (" a.b=c.d", "<img", ">"),
    "a long attribute": ("x", "<img src='", "'>"),
    "a long name": ("src-", "<p data-", "=a.jpg>"),
    "ampersands": ("&", "<a href='", "'>"),
    "references": ("&#x41;", "<a href='", "'>"),
    "equals signs": ("=", "<a ", ">"),
    "a long srcset": ("a.jpg 1x,", "<img srcset='", "'>"),
    "commas in srcset": (",", "<img srcset='", "'>"),
    "parentheses in srcset": ("a (", "<img srcset='", "'>"),
    "url( in styles": ("url(", "<p style='", "'>"),
    "quotes in sheets": ("'\\", "<style>", ""),
    "comments in sheets": ("/*", "<style>", ""),
    "imports in sheets": ("@import ", "<style>", ""),
    "image sets": ("image-set(", "<style>", ""),
    "escapes in sheets": ("\\75", "<style>", ""),
    "brackets in json": ("[", "<script type=application/json>", ""),
    "strings in json": ('"x/a.jpg",', "<script type=application/json>[", "1]"),
    "quotes in scripts": ('"', "<script>", ""),
    "strings in scripts": ("'a.jpg?", "<script>", ""),
    "bases": ("<base", "", ""),
    "refreshes": ("0;url=", "<meta http-equiv=refresh content='", "'>"),
    "white space": (" ", "", ""),
    "comments": ("<!--x-->", "", ""),
    "instructions": ("<?", "", ""),
    "sitemap entries": ("<url><loc>http://h/", "<urlset>", ""),
    "entities": ("<!ENTITY b '&a;&a;'>", "<!DOCTYPE l [<!ENTITY a 'x'>", "]><urlset><url><loc>&b;"),
    "feed items": ("<item><link>/a", "<rss>", ""),
    "character data": ("<![CDATA[", "<rss>", ""),
    "sections": ("<![CDATA[", "<svg>", ""),
    "sections with markup": ("<![CDATA[><p x.y=/>]]>", "<svg>", ""),
    "entities of entities": ("<image href='&b;'/>", "<!DOCTYPE svg [<!ENTITY a 'ab/c.jpg'><!ENTITY b '&a;&a;'>]>", ""),
    "declarations": ("<!ENTITY a 'b'>", "<!DOCTYPE svg [", "]>&a;"),
    "a comment of a document type": ("-", "<!DOCTYPE svg [<!ENTITY a 'b'><!-- ", "]>&a;"),
    "unclosed xml": ("<a b='", "<urlset>", ""),
    "thumbnails": ("<img src=/1_s.jpg?w=1>", "", ""),
    "listings": ("<pre><a ", "<title>index of /</title>", ""),
    "data images": ("<img src=data:image/png;base64,AAAA>", "", ""),
    "types within types": ('{"@type":', "", "[" + "1," * 200_000 + "1]" + "}" * 990),
    "header of nothing": ("\x00", "", ""),
    "surrogates": ("\ud800", "", ""),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_time_and_memory_are_bounded(name: str) -> None:
    unit, before, after = HOSTILE[name]
    repeats = 990 if unit == '{"@type":' else 400_000 // len(unit)  # deeper, and it is no JSON
    body = (before + unit * repeats + after).encode("utf-8", "surrogatepass")
    started = time.process_time()
    found = content(body, content_type=None)
    # A quadratic way would take minutes; the slowest of these takes a tenth of a second on an idle machine.
    assert time.process_time() - started < 2
    assert len(found.candidates) <= MAX_CANDIDATES


def test_memory_stays_a_small_multiple_of_the_page() -> None:
    body = b"".join(b"<a href=/%d>" % number for number in range(40_000))
    tracemalloc.start()
    content(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * len(body)


def usable(body: bytes, content_type: str | None) -> None:
    """Reads the body and checks what holds for every document."""
    found = discover(body, content_type, PAGE, [("Link", body[:60].decode("latin-1"))], limit=20)
    assert len(found.candidates) <= 20
    assert len({each.url for each in found.candidates}) == len(found.candidates)
    for each in found.candidates:
        assert canonical(each.url) == each.url
        assert each.url != PAGE
        assert 0 <= each.priority <= 9
    assert all(number > 0 for number in found.rejected.values())
    assert [image.number for image in found.data_images] == list(range(len(found.data_images)))
    assert found == discover(body, content_type, PAGE, [("Link", body[:60].decode("latin-1"))], limit=20)


TYPES = st.sampled_from(
    [
        None,
        "",
        "text/html",
        "text/css",
        "text/plain",
        "application/json",
        "application/xml",
        "text/javascript",
        "text/html; charset=utf-16",
        ";;;",
    ]
)
STARTS = st.sampled_from(
    [b"", b"<urlset>", b"<rss><item>", b"{", b"\x1f\x8b\x08\x00", b"\xff\xfe", b"<title>Index of /</title>", b"<list>"]
)
PIECES = st.lists(
    st.sampled_from(
        [
            *(
                b"<img src=",
                b"a.jpg",
                b"'",
                b'"',
                b">",
                b"<",
                b" ",
                b"/",
                b"<a href=",
                b"http://",
                b"h.example",
                b"</a>",
                b"<base href=",
            ),
            *(
                b"<script>",
                b"</script>",
                b"<style>",
                b"url(",
                b")",
                b"<!--",
                b"-->",
                b"<link rel=next href=",
                b"srcset='a 1x, b'",
                b"style=",
            ),
            *(
                b"data:image/png;base64,AAAA",
                b"<iframe srcdoc=",
                b"&lt;",
                b"&",
                b"\x00",
                b"\xff",
                b"\xc3",
                b"<loc>",
                b"<item>",
                b"{",
                b"}",
                b"[",
            ),
            *(
                b"<url>",
                b"image",
                b":",
                b",",
                b"\\",
                b"?",
                b"#",
                b"%",
                b"=",
                b"<meta http-equiv=refresh content='0;url=",
                b"data-src=",
                b'"\\ud800"',
                b'"data:image/png,\\ud800"',
                b'{"@type":',
                b"<image srcset='",
                b"data:image/svg+xml,",
            ),
        ]
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(STARTS, st.one_of(st.binary(max_size=200), PIECES), TYPES)
def test_any_bytes_are_read(start: bytes, body: bytes, content_type: str | None) -> None:
    usable(start + body, content_type)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
def test_any_bytes_behind_a_byte_order_mark(body: bytes, mark: bytes) -> None:
    usable(mark + body, None)
