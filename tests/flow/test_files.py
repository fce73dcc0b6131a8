"""Videos, archives and PDF files: hashed whole and looked up when the campaign says so."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.flow.test_crawl import accounted, sha256
from tests.servers.vangnet import Vangnet
from tests.servers.web import Answer, html, serve

CAP = 300_000


def film(seed: int, size: int = 200_000) -> bytes:
    return b"\x00\x00\x00\x18ftypisom" + random.Random(seed).randbytes(size)


FILMS = {"/listed.mp4": film(1), "/other.mp4": film(2), "/shown": film(3), "/long.mp4": film(4, CAP)}
PAPER = b"%PDF-1.7\n" + bytes(1_000)


def pages() -> dict[str, Answer]:
    shown = '<video src="/shown" poster="/poster.jpg"></video>'
    linked = "".join(f'<a href="{path}">x</a>' for path in ("/listed.mp4", "/other.mp4", "/long.mp4", "/paper"))
    mistaken = '<img src="/film.jpg">'
    films: dict[str, Answer] = {path: (200, {"Content-Type": "video/mp4"}, body) for path, body in FILMS.items()}
    return films | {
        "/": html(shown + linked + mistaken),
        "/film.jpg": (200, {"Content-Type": "image/jpeg"}, FILMS["/listed.mp4"]),
        "/paper": (200, {"Content-Type": "application/pdf"}, PAPER),
    }


@pytest.fixture
def vangnet(tmp_path: Path) -> Vangnet:
    made = Vangnet(tmp_path / "home")
    made.hash_list(sha256(FILMS["/listed.mp4"]), sha256(FILMS["/shown"]), sha256(PAPER))
    return made


def test_files_are_matched_by_their_digests_when_the_campaign_says_so(vangnet: Vangnet) -> None:
    with serve({**pages()}) as site:
        file = vangnet.campaign(site.root + "/", limits=f"digest_only = true\nmax_digest_bytes = {CAP}")
        done = vangnet.json("crawl", file)
        assert accounted(done["urls"])
        assert done["urls"]["failed"] == {"http-404": 1, "too-large": 1}
        assert done["urls"]["skipped"] == {}
        hits = vangnet.json("hits", "list")
        paths = {hit["image_url"].removeprefix(site.root) for hit in hits}
        assert paths == {"/listed.mp4", "/film.jpg", "/shown", "/paper"}
        shown = vangnet.json("hits", "show", next(hit["id"] for hit in hits if hit["image_url"].endswith("/shown")))
        assert (shown["certainty"], shown["width"]) == ("A", None)
