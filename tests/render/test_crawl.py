"""Pages made by script, crawled end to end: real libraries, a real browser, a real server, two workers."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import re
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from crawler.render.machine import MEMORY
from tests.hostile.memory import command, descendants, holders
from tests.render.browser import LIBRARIES, left_of, needs_browser
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, Site, Visit, html, image, receive

pytestmark = needs_browser
RATE, PATIENCE = 60, 120.0
CONTROL = b"a text that the browser was given"

GALLERY = """<!DOCTYPE html><html><head><title>Galerij</title><script src="/lib/petite-vue.iife.js"></script>
<script src="/lib/baguetteBox.min.js"></script></head><body><div id="app"></div><script src="/galerij.js"></script>
</body></html>"""
GALLERY_SCRIPT = """
const kept = "a text that the browser was given";
document.getElementById("app").innerHTML =
  '<div class="g" v-scope><a v-for="p in photos" :href="p.large"><img :src="p.thumb"></a></div>';
const show = (url) => document.body.append(Object.assign(new Image(), { src: url, alt: kept }));
const run = async () => {
  const { rows, inline } = await (await fetch("http://127.0.0.2:PORT/api/photos.json")).json();
  const at = (folder, row) => ["", folder, row + ".jpg"].join("/");
  const photos = rows.map((row) => ({ thumb: at("t", row), large: at("g", row) }));
  PetiteVue.createApp({ photos }).mount();
  show(inline);
  show(URL.createObjectURL(await (await fetch(at("blob", 0))).blob()));
  setTimeout(() => baguetteBox.run(".g"), 50);
  const alive = setInterval(() => document.body.append(document.createElement("p")), 200);
  await fetch("/hold.json");
  clearInterval(alive);
};
run();
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
LARGE, LATER = 6, 4


def plain(text: str, kind: str) -> Answer:
    return 200, {"Content-Type": kind}, text.encode()


@dataclass
class Stage:
    """A site with a gallery and a list without end, whose images only their scripts name; each holds a canary.

    other: the port at which it has its data, at another address.
    """

    pages: dict[str, Answer] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    canaries: list[bytes] = field(default_factory=list)
    scanned: threading.Event = field(default_factory=threading.Event)
    other: int = 0

    def answer(self, visit: Visit) -> Answer:
        if visit.path == "/galerij.js":
            return plain(GALLERY_SCRIPT.replace("PORT", str(self.other)), "text/javascript")
        if visit.path == "/hold.json":
            self.scanned.wait(PATIENCE)
            return plain("{}", "application/json")
        return self.pages.get(visit.path, (404, {}, b""))


def stage() -> Stage:
    dice, made = random.Random(8), Stage()

    def photo(path: str) -> bytes:
        canary = dice.randbytes(48)
        body = encoded(picture(len(made.bodies)), comment=canary)
        made.canaries.append(canary[8:40])
        made.bodies[path] = body
        return body

    for path in (*(f"/g/{n}.jpg" for n in range(LARGE)), *(f"/later/{n}.jpg" for n in range(LATER)), "/blob/0.jpg"):
        made.pages[path] = image(photo(path))
    inline = base64.b64encode(photo("/api/photos.json#data-0")).decode()
    made.canaries.append(inline[100:160].encode())
    photos = {"rows": list(range(LARGE)), "inline": f"data:image/jpeg;base64,{inline}"}
    made.pages |= {f"/t/{n}.jpg": image(encoded(picture(50 + n, (120, 90)))) for n in range(LARGE)}
    made.pages |= {
        f"/deel/{n + 2}": html(f'<p class="post" style="height: 1500px"><img src="/later/{n}.jpg"></p>')
        for n in range(LATER)
    }
    made.pages |= {f"/lib/{each.name}": plain(each.read_text(), "text/javascript") for each in LIBRARIES.glob("*.js")}
    return Stage(
        made.pages
        | {
            "/": html('<a href="/galerij">g</a><a href="/lijst">l</a>'),
            "/galerij": html(GALLERY),
            "/api/photos.json": (200, {"Access-Control-Allow-Origin": "*"}, json.dumps(photos).encode()),
            "/lijst": html(SCROLL),
            "/scroll.js": plain(SCROLL_SCRIPT, "text/javascript"),
        },
        made.bodies,
        made.canaries,
    )


@pytest.fixture
def vangnet(tmp_path: Path, kernels: Path) -> Vangnet:
    ours = {"VANGNET_KERNELS": str(kernels), "VANGNET_RENDER_SECONDS": "100", "VANGNET_LEASE_SECONDS": "200"}
    ours |= {"VANGNET_HEADER_TIMEOUT": "60"}  # a page stays open while a busy machine looks into the browser
    return Vangnet(tmp_path / "home", environment=ours)


def campaign(vangnet: Vangnet, root: str, made: Stage) -> Path:
    vangnet.hash_list(*(f"sha256 {hashlib.sha256(body).hexdigest()}" for body in made.bodies.values()))
    return vangnet.campaign(root + "/", rate=RATE, concurrency=4, limits='render = "auto"')


def worst_window(site: Site) -> float:
    """By how many requests the busiest window was above what the rate allows, robots.txt and all else included."""
    times = sorted(visit.at for visit in site.visits)
    spans = ((i, j) for i in range(len(times)) for j in range(i, len(times)))
    return max(j - i + 1 - (RATE * max(times[j] - times[i], 1.0) + 1) for i, j in spans)


def wait(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "the crawl does not get there"
        time.sleep(0.05)


def held_by_browsers(crawl: int, secrets: list[bytes]) -> dict[int, set[int]]:
    """By process of a browser or its driver, which of the secrets it holds."""
    held: dict[int, set[int]] = {}
    for pid in descendants(crawl):
        with suppress(OSError):  # a process that ended meanwhile
            if "chromium" in command(pid) or "playwright" in command(pid):
                held[pid] = set(holders(pid, secrets))
    return held


def profiles_of_browsers(crawl: int) -> set[Path]:
    """Of this crawl alone: other tests' browsers have theirs in the same place."""
    found: set[Path] = set()
    for pid in descendants(crawl):
        with suppress(OSError):  # a process that ended meanwhile
            found |= {Path(each) for each in re.findall(rf"{MEMORY}/vangnet-render-\w+", command(pid))}
    return found


def files_in(profiles: set[Path]) -> list[Path]:
    return [file for each in profiles for file in each.rglob("*") if file.is_file()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a browser that is somebody else")
def test_what_only_scripts_show_is_found_once_politely_and_never_in_a_browser(vangnet: Vangnet) -> None:
    made = stage()
    with receive(made.answer) as site, receive(made.answer, "127.0.0.2") as api:
        made.other = api.port
        file = campaign(vangnet, site.root, made)
        with vangnet.start("crawl", file, "--workers", 2, "--json") as crawl:
            try:
                wait(lambda: site.asked("/hold.json") and all(site.asked(f"/t/{n}.jpg") for n in range(LARGE)))
                time.sleep(0.5)
                held = held_by_browsers(crawl.pid, [CONTROL, *made.canaries])
                profiles = profiles_of_browsers(crawl.pid)
                leaked = [each for each in files_in(profiles) if any(c in each.read_bytes() for c in made.canaries)]
            finally:
                made.scanned.set()
                out, err = crawl.communicate(timeout=PATIENCE)
    assert crawl.returncode == 0, err
    # The scan sees what a browser holds, and of the images there is nothing.
    assert len(held) >= 5
    assert set().union(*held.values()) == {0}
    assert profiles
    assert leaked == []
    urls = json.loads(out)["urls"]
    assert urls["failed"] == {}
    assert (urls["pending"], urls["discovered"]) == (0, urls["fetched"] + sum(urls["skipped"].values()))
    hits = {
        hit["image_url"].removeprefix(site.root).removeprefix(api.root): hit for hit in vangnet.json("hits", "list")
    }
    assert set(hits) == set(made.bodies)
    assert hits["/api/photos.json#data-0"]["ip"] == "127.0.0.2"
    assert [visit.path for visit in api.visits] == ["/robots.txt", "/api/photos.json"]
    shown = [path for path in hits if not path.startswith("/later")]
    assert {hits[path]["page_url"] for path in shown} == {f"{site.root}/galerij"}
    assert {hit["sightings"] for hit in hits.values()} == {1}
    for path in (*(each for each in hits if "#" not in each), *(f"/t/{n}.jpg" for n in range(LARGE))):
        assert site.asked(path) == 1, path
    assert worst_window(site) <= 0
    assert len({visit.headers["User-Agent"] for visit in site.visits}) == 1
    told = vangnet.json("campaign", "show", "test")["history"][-1]["summary"]["rendering"]
    assert told["rendered"] == 2
    assert not told.keys() & {"render-timeout", "render-crash", "render-memory", "render-unavailable"}
    assert files_in(profiles) == []


@pytest.mark.long
def test_a_killed_browser_loses_no_url_and_leaves_nothing(vangnet: Vangnet) -> None:
    crawl: list[int] = []
    killed: list[int] = []
    profiles: set[Path] = set()
    shown = encoded(picture(1))
    script = "document.body.append(Object.assign(new Image(), {src: ['', 'shown.jpg'].join('/')})); fetch('/kill.json')"
    pages = {
        "/": html(f'<a href="/rest">r</a><script>{script}</script>'),
        "/rest": html("the rest"),
        "/shown.jpg": image(shown),
    }

    def answer(visit: Visit) -> Answer:
        if visit.path == "/kill.json" and not killed:
            wait(lambda: site.asked("/shown.jpg"))
            profiles.update(profiles_of_browsers(crawl[0]))
            for pid in descendants(crawl[0]):
                if os.getsid(pid) == pid and command(pid).partition(" ")[0].endswith("/chromium"):
                    killed.append(pid)
                    os.kill(pid, signal.SIGKILL)
        return pages.get(visit.path, (404, {}, b""))

    with receive(answer) as site:
        vangnet.hash_list(f"sha256 {hashlib.sha256(shown).hexdigest()}")
        file = vangnet.campaign(site.root + "/", limits='render = "auto"')
        with vangnet.start("crawl", file, "--json") as process:
            crawl.append(process.pid)
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    urls = json.loads(out)["urls"]
    assert (urls["pending"], urls["failed"]) == (0, {})
    assert site.asked("/rest") == 1
    assert [hit["image_url"] for hit in vangnet.json("hits", "list")] == [f"{site.root}/shown.jpg"]
    told = vangnet.json("campaign", "show", "test")["history"][-1]["summary"]["rendering"]
    assert told["render-crash"] == len(killed) == 1
    assert left_of(killed[0]) == []
    assert profiles
    assert files_in(profiles) == []
