"""An image that its host refuses to strangers is asked for again when a page of its own domain shows it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.flow.test_crawl import sha256
from tests.servers.names import names
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, Site, Visit, html, image, receive

BODY = encoded(picture(3))
IMAGE = "/1.jpg"


@contextmanager
def guarded() -> Iterator[Site]:
    """Two sites that show one image, which is for whom a page of gallery.test sends.

    The last page of the gallery answers when the image has been refused once.
    """
    refused = threading.Event()

    def answer(visit: Visit) -> Answer:
        name = visit.host.partition(":")[0]
        if visit.path == IMAGE:
            if "gallery.test" in (visit.referer or ""):
                return image(BODY)
            refused.set()
            return 403, {"Content-Type": "image/jpeg"}, b""
        shown = f'<img src="http://img.gallery.test:{site.port}{IMAGE}">'
        if name + visit.path == "gallery.test/last":
            refused.wait(60)
        pages = {"forum.test/": shown, "gallery.test/": '<a href="/last">l</a>', "gallery.test/last": shown}
        page = pages.get(name + visit.path)
        return (404, {}, b"") if page is None else html(page)

    with receive(answer) as site:
        yield site


def test_an_image_refused_to_strangers_is_found_at_home(tmp_path: Path) -> None:
    vangnet = Vangnet(tmp_path / "home")
    vangnet.hash_list(sha256(BODY))
    hosts = {"forum": "127.0.0.1", "gallery": "127.0.0.1", "img.gallery": "127.0.0.1"}
    with guarded() as site, names(**hosts) as nameserver:
        file = vangnet.campaign(f"http://forum.test:{site.port}/", f"http://gallery.test:{site.port}/")
        file.write_text(file.read_text() + f'nameservers = ["{nameserver}"]\n')
        done = vangnet.json("crawl", file)
        (hit,) = vangnet.json("hits", "list")
    # Three hosts, and at each two places where a sitemap might have been.
    skipped = {"no-sitemap": 6}
    urls = {"discovered": 11, "fetched": 4, "failed": {"http-403": 1}, "skipped": skipped, "pending": 0}
    assert done["urls"] == urls
    referers = [visit.referer or "" for visit in site.of(IMAGE)]
    assert [f"//{name}.test" in each for name, each in zip(("forum", "gallery"), referers, strict=True)] == [True] * 2
    assert hit["page_url"] == f"http://gallery.test:{site.port}/last"
    assert hit["sightings"] == 1
