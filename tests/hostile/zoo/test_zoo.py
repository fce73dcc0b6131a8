"""A crawl over the whole zoo at once: it ends within its budget, finds every picture, and names what it cut short."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.zoo import bodies, pages, paths
from tests.hostile.zoo.park import ANIMALS, DOMAIN, opened
from tests.servers.vangnet import Vangnet

PER_HOST = 150
LIMITS = f'max_urls_per_host = {PER_HOST}\nrender = "never"'
KINDS = (bodies, pages, paths)


NAMED = ("depth", "host-budget", "trap(calendar)", "trap(facets)", "trap(feeds)", "trap(repeat)", "trap(repeats)")


def test_the_zoo_is_crawled_within_its_budget_and_every_picture_found(tmp_path: Path) -> None:
    assert len(ANIMALS) >= 30
    vangnet = Vangnet(tmp_path / "home")
    with opened() as park:
        vangnet.hash_list(*park.zoo.hashes)
        file = vangnet.campaign(*park.zoo.start, rate=400, concurrency=8, limits=LIMITS)
        file.write_text(f'{file.read_text()}nameservers = ["{park.nameserver}"]\n')
        # Either may admit a page's picture, and the other the rest of its links first.
        urls = vangnet.json("crawl", file, "--workers", 2)["urls"]
        hits = {hit["image_url"].partition("//")[2].partition(f".{DOMAIN}")[0] for hit in vangnet.json("hits", "list")}
    assert hits == set(ANIMALS)
    assert park.seen is not None
    assert park.seen.trespasses == []
    # A find lifts its host's budget by half; a farm has some dozens of hosts, each with a robots.txt.
    assert max(park.seen.asked.values()) <= 2 * PER_HOST
    assert urls["fetched"] <= 60 * len(ANIMALS)
    assert urls["pending"] == 0
    assert set(NAMED) <= set(urls["skipped"])
