"""From a campaign file to recorded hits, against a real web server, with real processes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from PIL import Image, ImageOps

from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Answer, Site, html, image, receive, serve


def sha256(body: bytes) -> str:
    return f"sha256 {hashlib.sha256(body).hexdigest()}"


def pdq(of: Image.Image) -> str:
    bits, quality = pdqhash.compute(np.asarray(of))
    assert quality >= 50
    return f"pdq {np.packbits(bits).tobytes().hex()}"


@pytest.fixture
def vangnet(tmp_path: Path) -> Vangnet:
    return Vangnet(tmp_path / "home")


def accounted(urls: dict[str, object]) -> bool:
    failed, skipped = urls["failed"], urls["skipped"]
    assert isinstance(failed, dict)
    assert isinstance(skipped, dict)
    ended = int(str(urls["fetched"])) + sum(failed.values()) + sum(skipped.values())
    return urls["discovered"] == ended + int(str(urls["pending"]))


NO_URLS = {
    "scheme": "gopher://example.nl/",
    "credentials": "http://user:secret@example.nl/",
    "control-characters": "http://example.nl/\u202egpj.exe",
    "idna": "http://xn--/",
    "too-long": "/" + "a" * 3_000,
}
"""What is no URL that a crawl asks for, by the reason."""


def test_every_planted_image_is_found_and_every_url_accounted_for(vangnet: Vangnet) -> None:
    as_is, near, other, inline = (picture(n) for n in range(4))
    bodies = {"as-is": encoded(as_is), "other": encoded(other)}
    near_copy = encoded(ImageOps.mirror(near).resize((300, 225)), quality=60)
    data_url = "data:image/png;base64," + b64encode(encoded(inline, "PNG")).decode()
    flaky: list[Answer] = [(503, {}, b""), image(bodies["as-is"])]
    pages: dict[str, object] = {
        "/": html(
            '<a href="two.html">two</a><a href="/moved">m</a><a href="/gone">g</a><img src="other.jpg">'
            f'<img src="{data_url}"><a href="http://127.0.0.1:1/closed">c</a><a href="http://10.1.2.3/">p</a>'
            '<a href="/secret/x.html">s</a><a href="/image-as-page">i</a><img src="/page-as-image">'
            + "".join(f'<a href="{url}">no</a>' for url in NO_URLS.values())
        ),
        "/two.html": html('<img src="as-is.jpg"><img src="near.jpg"><img src="cut.jpg"><img src="flaky.jpg">'),
        "/robots.txt": (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /secret/\n"),
        "/as-is.jpg": image(bodies["as-is"]),
        "/near.jpg": image(near_copy, "text/plain"),
        "/cut.jpg": image(bodies["other"][:40]),
        "/other.jpg": image(bodies["other"]),
        "/flaky.jpg": lambda before: flaky[min(before, 1)],
        "/moved": (302, {"Location": "/two.html?again"}, b""),
        "/two.html?again": html("nothing new"),
        "/image-as-page": image(encoded(near)),
        "/page-as-image": html('<img src="/late.jpg">'),
        "/late.jpg": image(encoded(as_is.resize((200, 150)), quality=80)),
    }
    with serve(pages) as site:
        vangnet.hash_list(sha256(bodies["as-is"]), pdq(near), pdq(inline), pdq(as_is))
        file = vangnet.campaign(site.root + "/")
        # Nobody listens at the proxy: who followed the variable would find nothing.
        proxied = replace(vangnet, environment={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
        done = proxied.run("crawl", file, "--workers", 2, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    said = [done.stderr, *(log.read_text() for log in (vangnet.home / "logs").glob("*.log"))]
    assert len(said) >= 3
    assert "".join(said).count("ALL_PROXY, http_proxy in the environment: ignored") == 1
    hits = {hit["image_url"].removeprefix(site.root): hit for hit in vangnet.json("hits", "list")}
    assert set(hits) == {"/as-is.jpg", "/near.jpg", "/flaky.jpg", "/#data-0", "/image-as-page", "/late.jpg"}
    assert hits["/as-is.jpg"]["certainty"] == "A"
    assert hits["/as-is.jpg"]["page_url"] == f"{site.root}/two.html"
    assert [m["transform"] for m in hits["/near.jpg"]["matches"] if m["algorithm"] == "pdq"] == ["mirror"]
    assert accounted(summary["urls"])
    assert summary["urls"]["pending"] == 0
    assert summary["urls"]["failed"]["http-404"] == 1
    assert summary["urls"]["failed"]["connect-refused"] == 1
    assert summary["urls"]["skipped"] == {"out-of-scope": 1, "robots": 1}
    assert sum(n for reason, n in summary["urls"]["failed"].items() if reason.startswith("undecodable")) == 1
    (run,) = vangnet.json("campaign", "show", "test")["history"]
    assert run["summary"]["rejected"] == {f"rejected:{reason}": 1 for reason in NO_URLS}
    letters = Counter(letter["reason"] for letter in vangnet.json("campaign", "status", "test")["dead_letters"])
    assert letters == summary["urls"]["failed"]
    told = vangnet.run("campaign", "status", "test").stdout.partition("newest dead letters")[2]
    assert all(reason in told for reason in letters)
    assert summary["hits"] == 6
    assert site.asked("/secret/x.html") == 0
    assert site.asked("/flaky.jpg") == 2
    again = {"/flaky.jpg", "/page-as-image"}  # the latter as an image first, and then as the page that it is
    assert {path: site.asked(path) for path in pages if site.asked(path) != 1} == dict.fromkeys(again, 2)


def many(count: int) -> dict[str, object]:
    bodies = [encoded(picture(n, (120, 90))) for n in range(8)]
    pages: dict[str, object] = {"/": html("".join(f'<a href="/p{n}">p</a>' for n in range(count // 10)))}
    for page in range(count // 10):
        pages[f"/p{page}"] = html("".join(f'<img src="/{page}-{n}.jpg">' for n in range(10)))
        for n in range(10):
            pages[f"/{page}-{n}.jpg"] = image(bodies[n % 8])
    return pages


def begun(site: Site, requests: int) -> None:
    deadline = time.monotonic() + 90
    while len(site.requests) < requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(site.requests) >= requests


def test_an_interrupted_crawl_is_resumed_and_asks_for_nothing_twice(vangnet: Vangnet) -> None:
    pages = many(200)
    with serve(pages) as site:
        vangnet.hash_list(sha256(pages["/3-4.jpg"][2]))
        file = vangnet.campaign(site.root + "/", rate=60, concurrency=4)
        with vangnet.start("crawl", file, "--workers", 2, "--json") as crawl:
            begun(site, 60)
            crawl.send_signal(signal.SIGINT)
            out, err = crawl.communicate(timeout=60)
        assert crawl.returncode == 130, err
        interrupted = json.loads(out)
        assert interrupted["urls"]["pending"] > 0
        assert accounted(interrupted["urls"])
        summary = vangnet.json("crawl", file)
    assert summary["run"] == 1
    assert summary["urls"] == {"discovered": 221, "fetched": 221, "failed": {}, "skipped": {}, "pending": 0}
    assert len(site.requests) == 222  # with robots.txt, and no URL twice
    assert summary["hits"] == sum(path.endswith(("-4.jpg",)) for path in pages)


@pytest.mark.long
def test_a_killed_worker_and_a_killed_crawl_lose_nothing(vangnet: Vangnet) -> None:
    pages = many(200)
    environment = {"VANGNET_LEASE_SECONDS": "1"}
    vangnet = Vangnet(vangnet.home, environment=environment)
    with serve(pages) as site:
        vangnet.hash_list(sha256(pages["/3-4.jpg"][2]))
        file = vangnet.campaign(site.root + "/", rate=60, concurrency=4)
        with vangnet.start("crawl", file, "--workers", 2, "--json") as crawl:
            begun(site, 40)
            kill_a_worker(crawl.pid)
            begun(site, 100)
            crawl.kill()
            crawl.communicate(timeout=60)
        summary = vangnet.json("crawl", file)
    assert summary["run"] == 1
    assert summary["urls"] == {"discovered": 221, "fetched": 221, "failed": {}, "skipped": {}, "pending": 0}
    assert summary["hits"] == 20
    hits = vangnet.json("hits", "list")
    assert {hit["sightings"] for hit in hits} == {1}
    assert len(hits) == 20


def kill_a_worker(parent: int) -> None:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        words = path.read_bytes().split(b"\0")
        if b"worker" in words and str(parent).encode() in words:
            os.kill(int(path.parent.name), signal.SIGKILL)
            return
    raise AssertionError("no worker to kill")


def test_a_robots_txt_that_moved_is_followed_on_its_address_and_elsewhere(vangnet: Vangnet) -> None:
    rules = (200, {"Content-Type": "text/plain"}, b"User-agent: *\nDisallow: /no/\n")
    pages: dict[str, object] = {
        "/robots.txt": (301, {"Location": "/rules/robots.txt"}, b""),
        "/": html('<a href="/yes">y</a><a href="/no/x">n</a>'),
        "/yes": html("yes"),
    }
    with receive(lambda _: rules, "127.0.0.2") as other:
        pages["/rules/robots.txt"] = (302, {"Location": f"{other.root}/robots.txt"}, b"")
        with serve(pages) as site:
            vangnet.hash_list(sha256(b"something"))
            summary = vangnet.json("crawl", vangnet.campaign(site.root + "/"))
    assert summary["urls"]["fetched"] == 2
    assert summary["urls"]["skipped"] == {"robots": 1}
    assert site.asked("/rules/robots.txt") == other.asked("/robots.txt") == 1
    assert site.asked("/no/x") == 0


def test_a_campaign_is_crawled_once_at_a_time_and_rests_when_it_is_interrupted(vangnet: Vangnet) -> None:
    vangnet, pages = Vangnet(vangnet.home, program=warm_command()), many(200)
    with serve(pages) as site:
        vangnet.hash_list(sha256(b"something"))
        file = vangnet.campaign(site.root + "/", rate=40, concurrency=2)
        with vangnet.start("crawl", file, "--json") as crawl:
            begun(site, 20)
            second = vangnet.run("crawl", file)
            assert (second.returncode, "is being crawled" in second.stderr) == (3, True)
            crawl.send_signal(signal.SIGINT)
            crawl.communicate(timeout=60)
        before = len(site.requests)
        with serve({"/": html("another")}) as other:
            done = vangnet.json("crawl", vangnet.campaign(other.root + "/", name="other"))
        assert done["urls"]["fetched"] == 1
        assert len(site.requests) == before
