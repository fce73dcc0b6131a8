"""The whole job against the stock recipe: pages, images, digests, PDQ, pHash, match against 1.4 M codes, record.

Ours is `vangnet crawl --workers 2`; the stock recipe is the Scrapy project in bench/stock, started twice: Scrapy,
scrapy-redis, hashlib, imagehash, pdqhash, FAISS BinaryFlat. Both crawl the same gallery behind the same nginx, with the
same list, on a Redis server with the same configuration, politeness off. Start-up is excluded: our rate is taken from
the first image on, that of the stock recipe after some hundreds, when both processes are warm. Sides take turns, and
the best turn of each counts. Then fetching alone: our fetcher, Scrapy's default handler, and aiohttp, one process each;
and what the stages of an image cost.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.fetching import fetch_rows
from bench.peer import peer_window
from bench.processes import Account, Stretch, Window, window
from bench.product import Codes, Product, import_codes, product, random_codes, stopped
from bench.report import Result, Row, main, progress, row
from bench.serving import Gallery, gallery
from bench.stages import stage_rows

WORKERS = 2
MOST_SECONDS = 120.0
"""For one crawl of ours; beyond it the machine is no place to measure on."""
PEER = "Scrapy + scrapy-redis + hashlib + imagehash + pdqhash + FAISS BinaryFlat"


@dataclass(frozen=True, slots=True)
class Sizes:
    """images: of the gallery.  pictures: that its files are made from.  codes: on the list.  seconds: of the peer's
    window.  turns: of each side.  fetch: seconds of each contender that only fetches."""

    images: int
    pictures: int
    codes: int
    seconds: float
    turns: int
    fetch: float


FULL = Sizes(12_000, 24, 1_400_000, 45.0, 2, 8.0)
QUICK = Sizes(2_000, 8, 100_000, 5.0, 1, 1.0)


def our_window(ours: Product, site: Gallery, name: str, server: int) -> Window:
    """One crawl of the gallery, from the first image on, with all pages but the first ones.

    Raises RuntimeError unless it ends with every image seen and every planted one found.
    """
    file = ours.campaign(name, site.seeds)
    process = ours.start("crawl", str(file), "--workers", str(WORKERS), "--json")
    with stopped(process), ours.watching(name) as look:
        account = Account([process.pid, ours.redis_pid, server])
        last = site.images * 19 // 20
        stretch = Stretch(first=1, last=last, seconds=MOST_SECONDS, patience=180)
        found = window(look, account, stretch, [process])
        summary = json.loads(process.communicate(timeout=MOST_SECONDS)[0])
    if (summary["images"], summary["hits"]) != (site.images, len(site.planted)):
        raise RuntimeError(f"{summary['images']} images and {summary['hits']} hits, planted were {len(site.planted)}")
    return found


def taking_turns(ours: Product, site: Gallery, codes: Codes, sizes: Sizes, root: Path, server: int) -> list[Window]:
    """The best window of ours and of the stock recipe."""
    best: list[Window] = []
    for turn in range(sizes.turns):
        works: list[Callable[[], Window]] = [
            partial(our_window, ours, site, f"turn-{turn}", server),
            partial(peer_window, root / f"stock-{turn}", site, codes, WORKERS, sizes.seconds, server),
        ]
        found = [work() for work in works]
        for name, each in zip(("ours", "stock"), found, strict=True):
            progress(f"{name}: {each.images} images and {each.pages} pages in {each.seconds:.1f} s, {each.rate:.0f}/s")
            progress(f"{name}: {each.budget}")
        best = [max(pair, key=lambda each: each.rate) for pair in zip(best or found, found, strict=True)]
    return best


def rows_of(site: Gallery, sizes: Sizes, ours: Window, peer: Window) -> list[Row]:
    what = (
        f"images/s of the whole job, {WORKERS} processes, {sizes.codes:,} codes, {site.source}, "
        f"{site.mean_bytes / 1000:.0f} kB"
    )
    rate = row(what, ours.rate, "images/s", peer=peer.rate, peer_name=PEER, ratio=ours.rate / peer.rate, at_least=8.0)
    mine, theirs = (sum(map(each.micros, each.spent.keys() - {"nginx"})) for each in (ours, peer))
    what = "processor time per image, all processes but the web server"
    return [rate, row(what, mine, "us", peer=theirs, peer_name=PEER, ratio=theirs / mine)]


def run(quick: bool) -> Result:
    """quick: fewer images and codes, one turn."""
    sizes = QUICK if quick else FULL
    with TemporaryDirectory(prefix="vg") as folder:
        root = Path(folder)
        with product(root) as ours, gallery(root, sizes.images, pictures=sizes.pictures) as (site, server):
            codes = random_codes(sizes.codes)
            import_codes(ours, codes, site.planted)
            found, peer = taking_turns(ours, site, codes, sizes, root, server)
            fetching = fetch_rows(site, root, sizes.fetch)
            stages = stage_rows(ours, site, found, fetching.ours)
            rows = rows_of(site, sizes, found, peer) + fetching.rows + stages
    return Result(tuple(rows), f"The processors: {found.budget}.")


if __name__ == "__main__":
    main(run)
