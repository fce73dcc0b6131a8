"""One worker and two, and what a deployment runs into next: Redis, the recorder, or the network, by cost per URL.

The whole job on the gallery of photographs, as in `bench.crawl`; but one image in fifty is on the list, so that the
recorder has something to do. What each process costs per URL says how many URLs one core of it carries, whatever the
number of cores here: workers are added until one of the things that they share is full.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.processes import Account, Stretch, Window, window
from bench.product import Product, import_codes, product, random_codes, stopped
from bench.report import Result, Row, main, progress, row
from bench.serving import Gallery, gallery

PLANT_EVERY = 50
GIGABIT = 1e9 / 8


@dataclass(frozen=True, slots=True)
class Sizes:
    """images: of the gallery.  pictures: that its files are made from.  codes: on the list.
    seconds: longest window."""

    images: int
    pictures: int
    codes: int
    seconds: float


FULL = Sizes(12_000, 24, 1_400_000, 90.0)
QUICK = Sizes(2_000, 8, 100_000, 10.0)


def crawled(ours: Product, site: Gallery, workers: int, sizes: Sizes, server: int) -> Window:
    """One crawl by so many workers."""
    name = f"workers-{workers}"
    file = ours.campaign(name, site.seeds)
    process = ours.start("crawl", str(file), "--workers", str(workers))
    with stopped(process), ours.watching(name) as look:
        account = Account([process.pid, ours.redis_pid, server])
        stretch = Stretch(first=1, last=site.images * 9 // 10, seconds=sizes.seconds, patience=180)
        found = window(look, account, stretch, [process])
    progress(f"{workers} workers: {found.rate:.0f} images/s, {found.pages} pages; {found.budget}")
    return found


def limits(found: Window, site: Gallery) -> dict[str, float]:
    """URLs per second that one core of each process carries, and one gigabit of network."""
    urls = found.images + found.pages
    carried = {name: urls / found.spent[name] for name in ("worker", "sandbox", "redis", "recorder")}
    return carried | {"1 Gbit/s": GIGABIT * urls / (found.images * site.mean_bytes)}


def rows_of(one: Window, two: Window, carried: dict[str, float], sizes: Sizes, site: Gallery) -> list[Row]:
    what = f"images/s of the whole job, {sizes.codes:,} codes, {site.mean_bytes / 1000:.0f} kB"
    rows = [
        row(f"{what}, 2 workers", two.rate, "images/s", peer=one.rate, peer_name="1 worker", ratio=two.rate / one.rate)
    ]
    for name, rate in carried.items():
        unit = "one core of" if "bit" not in name else "a network of"
        rows.append(row(f"URLs/s that {unit} {name} carries", rate, "URLs/s"))
    return rows


def run(quick: bool) -> Result:
    """quick: fewer images and codes."""
    sizes = QUICK if quick else FULL
    with (
        TemporaryDirectory(prefix="vg") as folder,
        product(Path(folder)) as ours,
        gallery(Path(folder), sizes.images, pictures=sizes.pictures, plant_every=PLANT_EVERY) as (site, server),
    ):
        import_codes(ours, random_codes(sizes.codes), site.planted)
        one, two = (crawled(ours, site, workers, sizes, server) for workers in (1, 2))
        carried = limits(two, site)
        shared = {name: carried[name] for name in ("redis", "recorder", "1 Gbit/s")}
        first = min(shared, key=shared.__getitem__)
        return Result(
            tuple(rows_of(one, two, carried, sizes, site)),
            f"Here the processors: {two.budget}. With more machines {first} is full first, at {shared[first]:,.0f} "
            f"URLs/s, which takes {shared[first] / min(carried['worker'], carried['sandbox']):.0f} cores of the dearer "
            "of worker and sandbox.",
        )


if __name__ == "__main__":
    main(run)
