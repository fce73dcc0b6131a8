"""A forum abroad that a campaign names: it is read for links, politely, and nothing else there is touched."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import new_root
from tests.flow.test_crawl import accounted, sha256
from tests.servers.names import names
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Reply, Site, Visit, receive, text

SEEN = encoded(picture(1))
INLINE = f"data:image/jpeg;base64,{b64encode(SEEN).decode()}"
NAMED = ("/thread", "/hop", "/astray", "/picture", "/secret/thread", "/gone")


@dataclass(frozen=True)
class Crawled:
    summary: dict[str, Any]
    pointers: dict[str, int]
    hits: list[dict[str, Any]]
    forum: Site
    gallery: Site


def jpeg() -> Reply:
    return 200, (("Content-Type", "image/jpeg"),), SEEN


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Crawled]:
    vangnet = Vangnet(new_root(tmp_path_factory.mktemp("pointers"), kernels))
    vangnet.hash_list(sha256(SEEN))

    def shop(visit: Visit) -> Reply:
        """Within the scope."""
        pages = {
            "/album": text(f'<a href="{forum}/unnamed-too">f</a><img src="{forum}/own.jpg"><img src="/away.jpg">'),
            "/away.jpg": (302, (("Location", f"{forum}/thread"),), b""),
            "/linked.jpg": jpeg(),
        }
        return pages.get(visit.path, (404, (), b""))

    def abroad(visit: Visit) -> Reply:
        shown = (
            f'<img src="{gallery}/linked.jpg"><img src="/own.jpg"><img src="{INLINE}"><a href="{gallery}/album">a</a>'
            '<a href="/unnamed">u</a><link rel="stylesheet" href="/style.css"><iframe src="/frame"></iframe>'
        )
        pages = {
            "/robots.txt": (200, (("Content-Type", "text/plain"),), b"User-agent: *\nDisallow: /secret/\n"),
            "/thread": text(shown),
            "/hop": (302, (("Location", "/thread"),), b""),
            "/astray": (302, (("Location", "/elsewhere"),), b""),
            "/gone": (410, (), b""),
        }
        return pages.get(visit.path, jpeg())

    with (
        receive(shop, "127.10.0.1") as here,
        receive(abroad, "127.99.0.1") as there,
        names(shop="127.10.0.1", forum="127.99.0.1") as nameserver,
    ):
        gallery, forum = f"http://shop.test:{here.port}", f"http://forum.test:{there.port}"
        # What robots.txt says is only recorded within the scope; outside it is obeyed all the same.
        file = vangnet.campaign(f"{gallery}/", limits='robots = "record"\nrobots_basis = "the law"')
        written = file.read_text().replace('["127.0.0.0/8"]', '["127.10.0.0/16"]\npointers = "pages"')
        pointers = ", ".join(f'"{forum}{path}"' for path in NAMED)
        written = written.replace("[seeds]\n", f"[seeds]\npointers = [{pointers}]\n")
        file.write_text(f'{written}nameservers = ["{nameserver}"]\n')
        summary = vangnet.json("crawl", file, "--workers", 2)
    (run,) = vangnet.json("campaign", "show", "test")["history"]
    yield Crawled(summary, run["summary"]["pointers"], vangnet.json("hits", "list"), there, here)


def test_only_named_pages_are_asked_for_there(crawled: Crawled) -> None:
    asked = [visit.path for visit in crawled.forum.visits]
    assert sorted(asked) == ["/astray", "/gone", "/hop", "/picture", "/robots.txt", "/thread"]
    assert asked[0] == "/robots.txt"


def test_images_are_found_where_they_lie_and_only_there(crawled: Crawled) -> None:
    (hit,) = crawled.hits
    assert hit["image_url"] == f"http://shop.test:{crawled.gallery.port}/linked.jpg"
    assert hit["page_url"] == f"http://forum.test:{crawled.forum.port}/thread"
    assert crawled.summary["images"] == 1


def test_what_they_link_to_within_the_scope_is_crawled(crawled: Crawled) -> None:
    assert {"/album", "/away.jpg", "/linked.jpg"} <= {visit.path for visit in crawled.gallery.visits}


def test_every_url_is_accounted_for(crawled: Crawled) -> None:
    urls = crawled.summary["urls"]
    assert accounted(urls)
    assert urls["pending"] == 0
    assert urls["skipped"] == {"out-of-scope": 8, "robots": 1, "unsupported(image)": 1, "no-sitemap": 2}
    assert urls["failed"] == {"http-404": 1, "http-410": 1}


def test_they_are_counted_apart(crawled: Crawled) -> None:
    assert crawled.pointers == {
        "pointer:pages": 1,
        "pointer:links": 6,
        "pointer:data-images": 1,
        "pointer:redirects": 2,
        "pointer:failed": 1,
        "pointer:skipped": 2,
        "pointer:robots:http-200": 1,
    }
