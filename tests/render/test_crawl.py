"""Pages made by script, crawled end to end: real libraries, real browser, real server, two workers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.render.browser import LIBRARIES, needs_browser
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, Site, Visit, html, image, receive

pytestmark = needs_browser

GALLERY = """<!DOCTYPE html><html><head><title>Galerij</title><script src="/lib/petite-vue.iife.js"></script>
<script src="/lib/baguetteBox.min.js"></script></head><body><div id="app"></div><script src="/galerij.js"></script>
</body></html>"""
GALLERY_SCRIPT = """
document.getElementById("app").innerHTML =
  '<div class="g" v-scope><a v-for="p in photos" :href="p.large"><img :src="p.thumb"></a></div>';
fetch("/api/photos.json").then((answer) => answer.json()).then((rows) => {
  const at = (folder, row) => ["", folder, row + ".jpg"].join("/");
  const photos = rows.map((row) => ({ thumb: at("t", row), large: at("g", row) }));
  PetiteVue.createApp({ photos }).mount();
  setTimeout(() => baguetteBox.run(".g"), 50);
});
"""
SCROLL = """<!DOCTYPE html><html><head><script src="/lib/infinite-scroll.pkgd.min.js"></script></head>
<body><div class="list"><p class="post" style="height: 1500px">One</p></div><script src="/scroll.js"></script>
</body></html>"""
SCROLL_SCRIPT = """
new InfiniteScroll(".list", {
  path: function () { return this.loadCount < 4 ? ["", "deel", this.loadCount + 2].join("/") : undefined; },
  append: ".post", history: false, scrollThreshold: 400,
});
"""
THUMBS, LARGE, LATER = 6, 6, 4


def plain(text: str, kind: str) -> Answer:
    return 200, {"Content-Type": kind}, text.encode()


def pages() -> tuple[dict[str, Answer], list[bytes]]:
    """A site with a gallery and a list without end, and the images that only their scripts name."""
    found: dict[str, Answer] = {
        "/": html('<a href="/galerij">g</a><a href="/lijst">l</a>' + '<a href="/niets">n</a>'),
        "/niets": html("nothing"),
        "/galerij": html(GALLERY),
        "/galerij.js": plain(GALLERY_SCRIPT, "text/javascript"),
        "/api/photos.json": plain(json.dumps(list(range(THUMBS))), "application/json"),
        "/lijst": html(SCROLL),
        "/scroll.js": plain(SCROLL_SCRIPT, "text/javascript"),
    }
    for file in LIBRARIES.glob("*.js"):
        found[f"/lib/{file.name}"] = 200, {"Content-Type": "text/javascript"}, file.read_bytes()
    bodies = [encoded(picture(n)) for n in range(LARGE + LATER)]
    for n in range(LARGE):
        found[f"/g/{n}.jpg"] = image(bodies[n])
        found[f"/t/{n}.jpg"] = image(encoded(picture(50 + n, (120, 90))))
    for n in range(LATER):
        found[f"/deel/{n + 2}"] = html(f'<p class="post" style="height: 1500px"><img src="/later/{n}.jpg"></p>')
        found[f"/later/{n}.jpg"] = image(bodies[LARGE + n])
    return found, bodies


def crawl(vangnet: Vangnet, root: str, known: list[bytes], render: str = "auto", rate: float = 60) -> dict[str, Any]:
    vangnet.hash_list(*(f"sha256 {hashlib.sha256(body).hexdigest()}" for body in known))
    file = vangnet.campaign(root + "/", rate=rate, concurrency=4, limits=f'render = "{render}"')
    summary: dict[str, Any] = vangnet.json("crawl", file, "--workers", 2)
    urls = summary["urls"]
    ended = urls["fetched"] + sum(urls["failed"].values()) + sum(urls["skipped"].values())
    assert (urls["discovered"], urls["pending"]) == (ended, 0)
    return summary


def worst_window(site: Site, rate: float) -> float:
    """By how many requests the busiest window was above what the rate allows, robots.txt and all else included."""
    times = sorted(visit.at for visit in site.visits)
    return max(
        j - i + 1 - (rate * max(times[j] - times[i], 1.0) + 1) for i in range(len(times)) for j in range(i, len(times))
    )


@pytest.fixture
def vangnet(tmp_path: Path, kernels: Path) -> Vangnet:
    ours = {"VANGNET_KERNELS": str(kernels), "VANGNET_RENDER_SECONDS": "40"}
    return Vangnet(tmp_path / "home", environment=ours)


def test_what_only_scripts_show_is_found_politely_and_counted_once(vangnet: Vangnet) -> None:
    found, bodies = pages()

    def answer(visit: Visit) -> Answer:
        return found.get(visit.path, (404, {}, b""))

    with receive(answer) as site:
        summary = crawl(vangnet, site.root, bodies)
    hits = {hit["image_url"].removeprefix(site.root): hit for hit in vangnet.json("hits", "list")}
    assert set(hits) == {f"/g/{n}.jpg" for n in range(LARGE)} | {f"/later/{n}.jpg" for n in range(LATER)}
    assert {hits[f"/g/{n}.jpg"]["page_url"] for n in range(LARGE)} == {f"{site.root}/galerij"}
    assert {hit["sightings"] for hit in hits.values()} == {1}
    assert worst_window(site, 60) <= 0
    # An image is asked for once, by the image lane; nothing but what the pages asked for was asked for.
    for path in (*hits, *(f"/t/{n}.jpg" for n in range(THUMBS))):
        assert site.asked(path) == 1, path
    assert {visit.headers["User-Agent"] for visit in site.visits} == {site.visits[0].headers["User-Agent"]}
    assert summary["urls"]["failed"] == {}
    told = vangnet.json("campaign", "show", "test")["history"][-1]["summary"]["rendering"]
    assert told["rendered"] == 2
    assert told["render-images"] >= len(hits)
    assert "render-timeout" not in told


def test_never_is_never(vangnet: Vangnet) -> None:
    found, bodies = pages()
    with receive(lambda visit: found.get(visit.path, (404, {}, b""))) as site:
        crawl(vangnet, site.root, bodies, render="never")
    assert vangnet.json("hits", "list") == []
    assert not site.asked("/api/photos.json")
