"""Open directory listings, as the usual servers write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.discover.listing import is_listing
from crawler.records import Kind
from tests.discover.support import by_url, content

FOLDER = "http://site.example/photos/"

# One page each, written by hand in the syntax of the server.
ALL = {file.stem: file.read_text("utf-8") for file in sorted((Path(__file__).parent / "listings").glob("*.html"))}


def test_there_is_a_sample_of_each_server() -> None:
    assert set(ALL) == {"apache", "caddy", "iis", "lighttpd", "nginx", "python"}


@pytest.mark.parametrize("server", ALL)
def test_files_and_folders(server: str) -> None:
    assert is_listing(ALL[server])
    found = by_url(ALL[server], FOLDER)
    assert {
        url: (each.source, each.kind, each.priority) for url, each in found.items() if url.startswith("/photos/")
    } == {
        "/photos/a%20b.jpg": ("listing", Kind.IMAGE, 1),
        "/photos/2024/": ("directory", Kind.PAGE, 3),
        "/photos/notes.txt": ("listing-other", Kind.PAGE, 7),
    }


@pytest.mark.parametrize("server", ["nginx", "apache", "lighttpd", "caddy", "iis"])
def test_the_folder_above_is_a_link_like_others(server: str) -> None:
    assert by_url(ALL[server], FOLDER)["/"].source == "a"


@pytest.mark.parametrize(("server", "number"), [("apache", 4), ("caddy", 2)])
def test_links_that_sort_are_left_aside(server: str, number: int) -> None:
    found = content(ALL[server], FOLDER)
    assert found.rejected["sorting"] == number
    assert not [each.url for each in found.candidates if "?" in each.url]


def test_an_ordinary_page_is_no_listing() -> None:
    assert not is_listing("<title>Our index of happiness</title><h1>Photos</h1><a href='?sort=name'>by name</a>")
    assert not is_listing("<p>Served with <a href='https://caddyserver.com'>Caddy</a></p>")


def test_nginx_as_json() -> None:
    entries = [
        {"name": "2024", "type": "directory", "mtime": "Mon, 01 Jan 2024 10:00:00 GMT"},
        {"name": "a b?.jpg", "type": "file", "mtime": "Mon, 01 Jan 2024 10:00:00 GMT", "size": 12345},
        {"name": "x:y#z.txt", "type": "file", "mtime": "Mon, 01 Jan 2024 10:00:00 GMT", "size": 12},
    ]
    found = by_url(json.dumps(entries), FOLDER, "application/json")
    assert {url: each.source for url, each in found.items()} == {
        "/photos/a%20b%3F.jpg": "listing",
        "/photos/2024/": "directory",
        "/photos/x%3Ay%23z.txt": "listing-other",
    }


def test_caddy_as_json() -> None:
    entries = [
        {
            "name": "2024/",
            "size": 4096,
            "url": "./2024/",
            "mod_time": "2024-01-01T10:00:00Z",
            "mode": 2147484141,
            "is_dir": True,
        },
        {
            "name": "a.jpg",
            "size": 12,
            "url": "./a.jpg",
            "mod_time": "2024-01-01T10:00:00Z",
            "mode": 420,
            "is_dir": False,
        },
    ]
    found = by_url(json.dumps(entries), FOLDER, "application/json")
    assert {url: each.source for url, each in found.items()} == {
        "/photos/a.jpg": "listing",
        "/photos/2024/": "directory",
    }


def test_other_json_is_no_listing() -> None:
    found = by_url(json.dumps([{"name": "a.jpg", "image": "/b.jpg"}]), FOLDER, "application/json")
    assert set(found) == {"/b.jpg"}


def test_nginx_as_xml() -> None:
    text = (
        '<?xml version="1.0"?>\n<list>\n<directory mtime="2024-01-01T10:00:00Z">2024</directory>\n'
        '<file mtime="2024-01-01T10:00:00Z" size="12345">a &amp; b.jpg</file>\n</list>\n'
    )
    found = by_url(text, FOLDER, "text/xml")
    assert {url: each.source for url, each in found.items()} == {
        "/photos/a%20%26%20b.jpg": "listing",
        "/photos/2024/": "directory",
    }
