"""What the stages inside a sandbox process cost for one image, measured by themselves on files of the gallery.

Run as a process of its own, with the kernels of the crawl: `python -m bench.stages SITE INDEX` prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import process_time

from bench.processes import Window
from bench.product import Product
from bench.report import Row, progress, row
from bench.serving import Gallery
from crawler.records import Fingerprint

ROUNDS = 3
BUDGET = 2_300.0
"""Microseconds of processor time for an image, from its URL to its end (README.md)."""


def cost(works: Sequence[Callable[[], object]]) -> float:
    """Microseconds of processor time of each work, in the best of some rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = process_time()
        for work in works:
            work()
        best = min(best, process_time() - started)
    return 1e6 * best / len(works)


def measure(site: Path, index: Path) -> dict[str, float]:
    """digest, fingerprint, search: of a file, of what is known of it, of its codes; as a sandbox does each, the first
    and the last with all of an order."""
    from crawler.fingerprint import compute
    from crawler.fingerprint.exact import digests
    from crawler.fingerprint.md5 import md5_of
    from crawler.match import search
    from crawler.match.index import open_index
    from crawler.match.matcher import Matcher
    from crawler.sandbox.waiting import MOST_TOGETHER

    compute.warm()
    search.warm()
    opened = open_index(index)
    opened.preload()
    matcher = Matcher(opened)
    files = [path.read_bytes() for path in sorted((site / "i" / "0").iterdir())[:144]]
    prints = [found for data in files if isinstance(found := compute.fingerprint(data), Fingerprint)]
    orders = [range(first, first + MOST_TOGETHER) for first in range(0, len(prints), MOST_TOGETHER)]
    known, codes = [each.digests for each in prints], [each.codes for each in prints]

    def digest(order: range) -> None:
        for n, md5 in zip(order, md5_of([memoryview(files[n]) for n in order]), strict=True):
            digests(memoryview(files[n]), md5)

    fingerprints = [lambda n=n: compute.fingerprint(files[n], known=known[n]) for n in range(len(files))]
    return {
        "digest": cost([lambda order=order: digest(order) for order in orders]) / MOST_TOGETHER,
        "fingerprint": cost(fingerprints),
        "search": cost([lambda order=order: matcher.screen_many([codes[n] for n in order]) for order in orders])
        / MOST_TOGETHER,
    }


def measured(ours: Product, site: Gallery) -> dict[str, float]:
    """`measure`, in a process of its own."""
    progress("stages by themselves")
    index = max(ours.home.index.glob("*.vgx"), key=lambda path: path.stat().st_size)
    environment = ours.environment | {"NUMBA_CACHE_DIR": ours.environment["VANGNET_KERNELS"]}
    command = [sys.executable, "-m", "bench.stages", str(site.root), str(index)]
    out = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def stage_rows(ours: Product, site: Gallery, found: Window, fetch: float) -> list[Row]:
    """The budget of an image: each stage, and what each process spends besides. fetch: microseconds."""
    alone = measured(ours, site)
    sandbox, worker = found.micros("sandbox"), found.micros("worker")
    stages = {
        "fetch": fetch,
        "worker besides: frontier, hand-over, its share of a page": worker - fetch,
        "digests": alone["digest"],
        "decode, PDQ, pHash": alone["fingerprint"],
        "search of its codes": alone["search"],
        "sandbox besides: hand-over, exact matches, evidence": sandbox - sum(alone.values()),
        "Redis": found.micros("redis"),
        "recorder": found.micros("recorder"),
    }
    rows = [row(f"budget of an image: {name}", each, "us") for name, each in stages.items()]
    return [*rows, row("budget of an image, all of it", sum(stages.values()), "us", at_most=BUDGET)]


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), Path(sys.argv[2]))))
