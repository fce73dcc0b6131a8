"""What somebody learns who steals the disk after a campaign has ended: no URL of a hit, and none of its digests."""

from __future__ import annotations

from pathlib import Path

from crawler.lab.demo_home import FILES
from crawler.urls import parts
from tests.flow.conftest import Crawled

OURS = ("kernels", FILES, "keys", "index", "tables")
"""Not what a crawl writes: compiled code, the lab's own files, and keys, which are told to be kept elsewhere."""


def stolen(root: Path) -> dict[str, bytes]:
    found = [path for path in root.rglob("*") if path.is_file() and path.relative_to(root).parts[0] not in OURS]
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_the_disk_gives_no_url_of_a_hit_away(crawled: Crawled) -> None:
    files = stolen(crawled.home.root)
    assert any("aof" in name for name in files)
    assert any(name.startswith("vangnet.sqlite") for name in files)
    urls = {url for hit in crawled.hits for url in (hit["image_url"], hit["page_url"], *hit["redirects"]) if url}
    paths = {parts(url.partition("#")[0]).path for url in urls}
    needles = {*urls, *(path for path in paths if len(path) > 8), *(hit["sha256"] for hit in crawled.hits)}
    assert len(needles) > 20
    told = {name: [needle for needle in needles if needle.encode() in data] for name, data in files.items()}
    assert {name: found for name, found in told.items() if found} == {}
