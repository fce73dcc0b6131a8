"""Whether a worker's memory stays flat: 200,000 images, some of them large, some from servers that take their time.

One `vangnet worker` on a frontier that was filled before, at a hundred addresses. Every fiftieth image has 4 MB, every
twentieth comes in two halves with two seconds between them. What counts is what the worker and its sandbox hold in
memory after the first 20,000 images, and the highest level from then on; and how many sockets are open.

Held is what PSS says without pages of files. Those are libraries, which other processes of the machine may map as well;
their share goes up and down with how many do, whatever a crawl does: by 20 MiB and more where tests start and end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import monotonic

import uvloop

from bench.growth import HOSTS, Filler
from bench.processes import TooSlow, processes, role
from bench.product import SETTINGS, Product, import_codes, product, random_codes, stopped
from bench.report import Result, Row, main, progress, row
from bench.serving import synthetic
from crawler.fetch.surroundings import descriptors_needed
from crawler.frontier.base import Frontier
from crawler.options import Options, load_options
from crawler.records import RunId
from crawler.service.deployment import Server, joined

NAME = "growth"
RUN = RunId(NAME, 1)
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Sizes:
    """images: in all.  first: of them, after which the level is taken.  seconds: from the first one on, at the most."""

    images: int
    first: int
    seconds: float


FULL = Sizes(200_000, 20_000, 540.0)
QUICK = Sizes(6_000, 1_500, 40.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """images: done by then.  held: bytes, by role.  sockets: open in the worker."""

    images: int
    held: dict[str, int]
    sockets: int


def kind_of(number: int) -> str:
    """What the image with a number is like. Every host has some of each: slow ones at a few would take half an hour."""
    turn = number + number // len(HOSTS)
    if turn % 50 == 7:
        return "large"
    return "slow" if turn % 20 == 3 else "i"


def sample(worker: int, images: int) -> Sample:
    """What a worker and the processes below it hold now."""
    held: dict[str, int] = {}
    for pid in below(worker):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # a sandbox child that was replaced
            continue
        own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        name = "worker" if pid == worker else role(pid)
        held[name] = held.get(name, 0) + own
    return Sample(images, held, sum(1 for link in links(worker) if link.startswith("socket:")))


def below(root: int) -> list[int]:
    """A process and all its descendants."""
    parents = {pid: process.parent for pid, process in processes().items()}
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def links(pid: int) -> Iterable[str]:
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield str(entry.readlink())
        except OSError:
            continue


async def watched(frontier: Frontier, worker: int, sizes: Sizes) -> list[Sample]:
    """Samples until all images are done, or the time is over."""
    samples: list[Sample] = []
    begun, last, since = monotonic(), 0, monotonic()
    while last < sizes.images and (not last or monotonic() - begun < sizes.seconds):
        await asyncio.sleep(0.5)
        done = (await frontier.counts(RUN)).tally.get("images", 0)
        if done > last:
            begun = begun if last else monotonic()
            last, since = done, monotonic()
        elif monotonic() - since > 240:
            raise TooSlow(f"nothing after {last} images")
        samples.append(sample(worker, done))
        if len(samples) % 20 == 0:
            held = ", ".join(f"{name} {size / MIB:.0f}" for name, size in samples[-1].held.items())
            progress(f"{last:,} images: {held} MiB, {samples[-1].sockets} sockets")
    return samples


def rows_of(samples: list[Sample], sizes: Sizes, options: Options) -> list[Row]:
    """The level is the median of a tenth as many images as came before; so is each that is compared with it."""
    done = samples[-1].images
    bands: dict[int, list[Sample]] = {}
    for each in samples:
        if each.images >= sizes.first:
            bands.setdefault((each.images - sizes.first) * 10 // sizes.first, []).append(each)
    if len(bands) < 2:
        raise TooSlow(f"only {done:,} images in {sizes.seconds:.0f} s")
    what = f"{done:,} images, 2 % of 4 MB, 5 % slow"
    rows = []
    for name in ("worker", "sandbox"):
        levels = [median(each.held.get(name, 0) for each in bands[band]) / MIB for band in sorted(bands)]
        rows.append(
            row(
                f"{name}: highest level after {sizes.first:,} of {what}, against the level then",
                max(levels),
                "MiB",
                peer=levels[0],
                peer_name=f"itself after {sizes.first:,} images",
                ratio=max(levels) / levels[0],
                at_most=1.1,
            )
        )
    bound = descriptors_needed(options.page_concurrency + options.image_concurrency, 0)
    rows.append(
        row(
            "sockets of the worker at the most, Redis and sandbox included",
            max(each.sockets for each in samples),
            "sockets",
            at_most=bound,
        )
    )
    return rows


async def measured(ours: Product, port: int, sizes: Sizes, options: Options) -> list[Row]:
    async with joined(Server(options, ours.redis_url)) as deployment:
        filler = Filler(deployment.frontier, port, await deployment.control.number_key(), kind_of)
        await filler.fill(sizes.images)
        with stopped(ours.start("recorder")), stopped(ours.start("worker")) as worker:
            samples = await watched(deployment.frontier, worker.pid, sizes)
    return rows_of(samples, sizes, options)


def run(quick: bool) -> Result:
    """quick: 6,000 images, the level after 1,500."""
    sizes, options = QUICK if quick else FULL, load_options(SETTINGS)
    with TemporaryDirectory(prefix="vg") as folder, product(Path(folder)) as ours, synthetic() as (port, _):
        import_codes(ours, random_codes(1_000), [])
        ours.campaign(NAME, [f"http://{HOSTS[0]}:{port}/p/0"])
        ours.run("campaign", "start", NAME)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            rows = runner.run(measured(ours, port, sizes, options))
    return Result(tuple(rows), "Nothing: it is bounded, or it is not.")


if __name__ == "__main__":
    main(run)
