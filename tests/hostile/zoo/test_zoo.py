"""A crawl over the whole zoo at once: it ends within its budget, finds every picture, and names what it cut short."""

from __future__ import annotations

from pathlib import Path

from tests.hostile.zoo import bodies, pages, paths
from tests.hostile.zoo.park import ANIMALS, DOMAIN, opened
from tests.servers.vangnet import Vangnet

PER_HOST = 150
LIMITS = f'max_urls_per_host = {PER_HOST}\nrender = "never"'
KINDS = (bodies, pages, paths)


def test_the_zoo_is_crawled_within_its_budget_and_every_picture_found(tmp_path: Path) -> None:
    assert len(ANIMALS) >= 30
    vangnet = Vangnet(tmp_path / "home")
    with opened() as park:
        zoo = park.zoo
        vangnet.hash_list(*zoo.hashes)
        file = vangnet.campaign(*zoo.start, rate=400, concurrency=8, limits=LIMITS)
        file.write_text(f'{file.read_text()}nameservers = ["{park.nameserver}"]\n')
        summary = vangnet.json("crawl", file, "--workers", 2)
        found = {hit["image_url"].partition("//")[2].partition(f".{DOMAIN}")[0] for hit in vangnet.json("hits", "list")}
    import json

    Path("/tmp/sw/zoo.json").write_text(
        json.dumps([summary, sorted(park.seen.asked.items(), key=lambda item: -item[1]), sorted(set(ANIMALS) - found)])
    )
    assert set(ANIMALS) - found == set()
    assert park.seen is not None
    assert park.seen.trespasses == []
    urls = summary["urls"]
    assert urls["pending"] == 0
    print(sorted(park.seen.asked.items(), key=lambda item: -item[1]))
    print(urls, summary["seconds"])
