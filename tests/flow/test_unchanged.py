"""What was clean is asked about on the next night, and hits are fetched again."""

from __future__ import annotations

from pathlib import Path

from tests.flow.test_crawl import accounted, sha256
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, serve

PLANTED, CLEAN, NEW = (encoded(picture(number, (160, 120))) for number in range(3))
PAGE = b"<img src=/planted.jpg><img src=/clean.jpg><img src=/weak.jpg>"


def tagged(body: bytes, tag: str, kind: str = "image/jpeg") -> Answer:
    return 200, {"Content-Type": kind, "ETag": tag}, body


def test_what_was_clean_is_asked_about(tmp_path: Path) -> None:
    vangnet = Vangnet(tmp_path / "home")
    vangnet.hash_list(sha256(PLANTED))
    pages = {
        "/": tagged(PAGE, '"page"', "text/html"),
        "/planted.jpg": tagged(PLANTED, '"planted"'),
        "/clean.jpg": tagged(CLEAN, '"clean"'),
        "/weak.jpg": tagged(NEW, 'W/"weak"'),
    }
    with serve({**pages}) as site:
        file = vangnet.campaign(site.root + "/")
        nights = [vangnet.json("crawl", file)]
        assert site.unchanged == []

        nights.append(vangnet.json("crawl", file))
        assert site.unchanged == ["/clean.jpg"]
        assert [night["images"] for night in nights] == [3, 2]
    for night in nights:
        assert accounted(night["urls"])
        assert night["urls"]["fetched"] == 4
    hits = {hit["image_url"].removeprefix(site.root): hit["sightings"] for hit in vangnet.json("hits", "list")}
    assert hits == {"/planted.jpg": 2}
