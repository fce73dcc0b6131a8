"""A list that grows after the night has an image found that the night passed by, without anybody's doing."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from crawler.bus.server import embedded_server
from tests.flow.test_crawl import sha256
from tests.flow.test_join import ending, until
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import html, image, serve

KNOWN, LATER = (encoded(picture(number)) for number in range(2))


@pytest.mark.long
def test_what_a_grown_list_knows_is_found_by_itself(tmp_path: Path) -> None:
    own = tmp_path / "server"
    own.mkdir(mode=0o700)
    pages: dict[str, object] = {
        "/": html('<img src="/known.jpg"><img src="/later.jpg">'),
        "/known.jpg": image(KNOWN),
        "/later.jpg": image(LATER),
    }
    with ExitStack() as stack:
        site = stack.enter_context(serve(pages))
        server = stack.enter_context(embedded_server(own))
        vangnet = Vangnet(tmp_path / "home", environment={"REDIS_URL": server.url})
        vangnet.hash_list(sha256(KNOWN), name="police")
        vangnet.json("campaign", "create", vangnet.campaign(site.root + "/"))
        vangnet.json("campaign", "start", "test")

        def begin(command: str, log: str) -> Path:
            file = stack.enter_context((tmp_path / log).open("w"))
            stack.enter_context(ending(vangnet.start(command, log=file)))
            return tmp_path / log

        recorder = begin("recorder", "recorder.log")
        begin("worker", "worker.log")
        until(lambda: vangnet.json("campaign", "status", "test")["state"] == "finished", "the night", 240)
        assert len(vangnet.json("hits", "list")) == 1
        asked = len(site.requests)
        vangnet.hash_list(sha256(KNOWN), sha256(LATER), name="police")
        until(lambda: "re-visit begun" in recorder.read_text(), "the re-visit", 120)
        begin("worker", "second.log")  # a worker ends when no campaign is running; an installation starts it again
        until(lambda: len(vangnet.json("hits", "list")) == 2, "the image that was passed by", 240)
        until(lambda: vangnet.json("campaign", "status", "test-revisit")["state"] == "finished", "the end of it", 60)
        assert sorted(path for _, path in site.requests[asked:]) == ["/", "/known.jpg", "/later.jpg", "/robots.txt"]
        (seen, _) = vangnet.json("hashes", "lists")[0]["seen"]
        assert seen["version"] == 2 and seen["urls"] > 0
        found = {hit["image_url"]: hit["campaign"] for hit in vangnet.json("hits", "list")}
        assert found == {site.root + "/known.jpg": "test", site.root + "/later.jpg": "test-revisit"}
