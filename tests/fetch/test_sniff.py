from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crawler.fetch.sniff import KINDS, SNIFF_BYTES, USABLE, shows_images, sniff

TS = b"G" + bytes(187)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "ICO", "AVIF"])
@pytest.mark.parametrize("declared", [None, "text/html", "video/mp4", "application/octet-stream"])
def test_images_are_seen_whatever_they_are_called(form: str, declared: str | None) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(buffer, form)
    assert sniff(buffer.getvalue(), declared) == "image"


@pytest.mark.parametrize(
    ("head", "declared", "kind"),
    [
        (b"<!DOCTYPE html><p>", None, "html"),
        (b"  \n<HTML>", "text/plain", "html"),
        (b"\xef\xbb\xbf<!doctype html>", None, "html"),
        (b"\xff\xfe<\x00h\x00t\x00m\x00l\x00>\x00", None, "html"),
        (b"<!-- long comment --> <html>", None, "html"),
        (b"<!-- a comment that does not end", "text/html", "html"),
        (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "x"><html xmlns="y">', "application/xhtml+xml", "html"),
        (b"just words", "text/html; charset=utf-8", "html"),
        (b"just words", "text/plain", "text"),
        (b"just words", None, "text"),
        (b"<img src=x>", None, "html"),
        (b"<html>404</html>", "image/jpeg", "html"),
        (b"not found", "image/jpeg", "text"),
        (b"\x01\x02\x03\x04", "image/x-odd", "image"),
        (b"\x01\x02\x03\x04", None, "other"),
        (b"\x01\x02\x03\x04", "text/html", "other"),
        (b'<?xml version="1.0"?><rss version="2.0">', "text/xml", "feed"),
        (b'<?xml version="1.0"?>\n<urlset xmlns="x">', "application/xml", "feed"),
        (b"<sitemapindex>", None, "feed"),
        (b'<feed xmlns="http://www.w3.org/2005/Atom">', "application/atom+xml", "feed"),
        (b'<rdf:RDF xmlns:rdf="x">', None, "feed"),
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "image/svg+xml", "image"),
        (b'<?xml version="1.0"?><svg>', None, "image"),
        (b"body { color: red }", "text/css", "css"),
        (b'{"a": 1}', "application/json", "json"),
        (b'[{"a": 1}]', None, "json"),
        (b'{"a": 1}', "application/ld+json", "json"),
        (b"var x = 1;", "application/javascript", "text"),
        (b"var x = 1;", "text/javascript", "text"),
        (b"%PDF-1.7", "image/jpeg", "pdf"),
        (b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00mp41", "image/jpeg", "video"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00", None, "video"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", None, "image"),
        (b"\x1aE\xdf\xa3\x01\x00", None, "video"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", None, "video"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None, "other"),
        (b"OggS\x00\x02", None, "video"),
        (b"#EXTM3U\n#EXT-X-VERSION:3", None, "video"),
        (TS * 3, None, "video"),
        (b"GGGGGGG", "text/plain", "text"),
        (b"PK\x03\x04\x14\x00", None, "archive"),
        (b"Rar!\x1a\x07\x00", None, "archive"),
        (b"7z\xbc\xaf\x27\x1c", None, "archive"),
        (b"\x1f\x8b\x08\x00", "text/html", "archive"),
        (bytes(257) + b"ustar\x0000", None, "archive"),
        (b"ID3\x03\x00", "audio/mpeg", "other"),
        (b"\xff\xfb\x90\x00\x01", "audio/mpeg", "other"),
        (b"wOF2\x00\x01", "font/woff2", "other"),
        (b"", "image/jpeg", "image"),
        (b"", "text/html", "html"),
        (b"", None, "other"),
    ],
)
def test_what_it_is(head: bytes, declared: str | None, kind: str) -> None:
    assert sniff(head, declared) == kind


@given(head=st.binary(max_size=2 * SNIFF_BYTES), declared=st.none() | st.text(max_size=40))
def test_always_one_of_the_kinds(head: bytes, declared: str | None) -> None:
    assert sniff(head, declared) in KINDS
    assert sniff(head, declared) == sniff(head[:SNIFF_BYTES], declared)


def test_what_is_usable() -> None:
    assert set(KINDS) - USABLE == {"video", "archive", "pdf", "other"}


@pytest.mark.parametrize(
    ("body", "shows"),
    [
        (b"<svg><image href='data:image/png;base64,AAAA'/></svg>", True),
        (b"\xef\xbb\xbf\n<?xml version='1.0'?><svg><svg:image xlink:href='/photo.jpg'/></svg>", True),
        (b"<svg><filter><feImage href='/photo.jpg'/></filter></svg>", True),
        (b"<svg><style>g{fill:url(data:image/png;base64,AAAA)}</style></svg>", True),
        (b"<svg><path d='M0 0'/><g class='image'/></svg>", False),
        (b"\x89PNG\r\n\x1a\n <image > data:image/png", False),
    ],
)
def test_drawings_that_show_images(body: bytes, shows: bool) -> None:
    assert shows_images(body) == shows
