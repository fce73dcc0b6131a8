"""Exact search of PDQ codes within 31 bits against FAISS, on one core; digests, index files, and the reading of lists.

The peer is the fastest of FAISS's exact searches: BinaryFlat by range, BinaryFlat for the nearest one, and MultiHash
16x16 with one flip (which finds less than all). Each takes turns with ours, and the best turn of each counts. All times
are of the processor, one thread each, so that other processes on the machine disturb both as little as may be.
Ours searches a mapped file, and must find what BinaryFlat finds.
"""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from bench.report import Result, Row, main, progress, row
from crawler.match.entries import ImportOptions
from crawler.match.importers import detect
from crawler.match.index import Index, IndexInfo, IndexRow, build_index, open_index
from crawler.match.search import Codes, look_up, pack, search, warm

RADIUS = 31
SCREEN = 41
"""Bits: the PDQ distance, and with the margin for codes of a reduced decode."""

IMAGE = 4
"""Codes of one image: two conventions, as is and mirrored."""

LINES = 1_400_000
Bytes = npt.NDArray[np.uint8]

READY = """
from pathlib import Path
from crawler.match.index import open_index
from crawler.match.search import pack, search, warm
warm()
index = open_index(Path({path!r}), {sha256!r})
index.preload()
search(index, pack([bytes(32)]), 31)
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of everything: queries of ours and of the peer in a turn, and turns."""

    ours: int
    peer: int
    turns: int


def uniform(count: int, rng: np.random.Generator) -> Bytes:
    """(count, 32) codes of independent fair bits."""
    return rng.integers(0, 256, (count, 32), dtype=np.uint8)


def clustered(count: int, rng: np.random.Generator) -> Bytes:
    """Codes as a list of real images has them: clusters of near-duplicates, most of them small, some of thousands; and
    bits that are not equally likely."""
    centres = uniform(count // 4, rng)
    centres[:, ::5] &= uniform(count // 4, rng)[:, ::5]
    sizes = np.minimum(rng.zipf(1.7, count // 4), 5000)
    picked = np.repeat(np.arange(count // 4), sizes)
    picked = np.resize(rng.permutation(picked), count)
    return flipped(centres[picked], 24, rng)


def flipped(codes: Bytes, most: int, rng: np.random.Generator) -> Bytes:
    """The codes with up to `most` bits flipped each."""
    changed = codes.copy()
    rows = np.arange(len(codes))
    bits = rng.integers(0, most + 1, len(codes))
    for turn in range(most):
        place = rng.integers(0, 256, len(codes))
        mask = np.where(turn < bits, np.uint8(1) << (place % 8).astype(np.uint8), 0).astype(np.uint8)
        changed[rows, place // 8] ^= mask
    return changed


def queries_for(codes: Bytes, count: int, rng: np.random.Generator) -> Bytes:
    """Nine of ten resemble nothing, as on the web; the tenth is a code of the list with up to 40 bits flipped."""
    queries = uniform(count, rng)
    queries[::10] = flipped(codes[rng.integers(0, len(codes), len(queries[::10]))], 40, rng)
    return queries


def packed(queries: Bytes) -> Codes:
    return pack([query.tobytes() for query in queries])


def rows_of(algorithm: str, values: Bytes) -> Iterator[IndexRow]:
    """An index row per value."""
    width = values.shape[1]
    flat = values.tobytes()
    return (IndexRow(n, algorithm, flat[n * width : (n + 1) * width]) for n in range(len(values)))


def spent() -> float:
    """Seconds of processor time of this process and of its children that have ended. On a quiet core that is what a
    clock shows; on a shared one it is what can be compared."""
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + below.ru_utime + below.ru_stime


def best(turns: int, *works: Callable[[], object]) -> list[float]:
    """The least processor time of each work in seconds, over `turns` rounds in which they take turns."""
    times = [float("inf")] * len(works)
    for _ in range(turns):
        for number, work in enumerate(works):
            started = spent()
            work()
            times[number] = min(times[number], spent() - started)
    return times


@dataclass(slots=True)
class Peers:
    """FAISS's indexes of the same codes."""

    flat: faiss.IndexBinaryFlat
    hashed: faiss.IndexBinaryMultiHash

    def works(self, queries: Bytes) -> dict[str, Callable[[], object]]:
        """FAISS counts distances below its radius, hence the one more."""
        return {
            "FAISS BinaryFlat range_search": lambda: self.flat.range_search(queries, RADIUS + 1),
            "FAISS BinaryFlat search k=1": lambda: self.flat.search(queries, 1),
            "FAISS MultiHash 16x16 nflip=1": lambda: self.hashed.range_search(queries, RADIUS + 1),
        }


def peers_of(codes: Bytes) -> Peers:
    flat = faiss.IndexBinaryFlat(256)
    flat.add(codes)
    hashed = faiss.IndexBinaryMultiHash(256, 16, 16)
    hashed.nflip = 1
    hashed.add(codes)
    return Peers(flat, hashed)


def recall(index: Index, peers: Peers, queries: Bytes) -> float:
    """The share of all pairs that either side finds which both find, at the same distance."""
    near = search(index, packed(queries), RADIUS)
    ours = {
        (query, entry, distance)
        for query, place, distance in zip(
            near.query_no.tolist(), near.row.tolist(), near.distance.tolist(), strict=True
        )
        for entry in index.entries("pdq", place)
    }
    limits, distances, labels = peers.flat.range_search(queries, RADIUS + 1)
    theirs = {
        (query, int(labels[at]), int(distances[at]))
        for query in range(len(queries))
        for at in range(int(limits[query]), int(limits[query + 1]))
    }
    return len(ours & theirs) / len(ours | theirs)


def compare(what: str, index: Index, codes: Bytes, sizes: Sizes, goal: float) -> list[Row]:
    """Ours and the peers on the same codes and queries."""
    rng = np.random.default_rng(11)
    progress(f"{what}: FAISS builds its indexes")
    peers = peers_of(codes)
    queries = queries_for(codes, sizes.ours, rng)
    mine, few = packed(queries), queries[: sizes.peer]
    works = peers.works(few)
    progress(f"{what}: searching")
    times = best(sizes.turns, lambda: search(index, mine, RADIUS), *works.values())
    rates = dict(zip(works, (len(few) / each for each in times[1:]), strict=True))
    name = max(rates, key=rates.__getitem__)
    ours = len(queries) / times[0]
    progress(f"{what}: ours {ours:.0f}/s, " + ", ".join(f"{key} {rate:.0f}/s" for key, rate in rates.items()))
    return [
        row(
            f"{what}: queries within {RADIUS} bits",
            ours,
            "queries/s",
            peer=rates[name],
            peer_name=name,
            ratio=ours / rates[name],
            at_least=goal,
        ),
        row(f"{what}: agreement with BinaryFlat", recall(index, peers, few), "share", at_least=1.0),
    ]


def images(what: str, index: Index, codes: Bytes, turns: int) -> list[Row]:
    """One image's codes at a time, without others to share a pass with: at the PDQ distance, and when screening."""
    mine = packed(queries_for(codes, 1024, np.random.default_rng(13)))
    parts = [mine[at : at + IMAGE] for at in range(0, len(mine), IMAGE)]
    found = []
    for radius in (RADIUS, SCREEN):
        alone, together = best(
            turns,
            lambda radius=radius: [search(index, part, radius) for part in parts],
            lambda radius=radius: search(index, mine, radius),
        )
        found.append(row(f"{what}: {IMAGE} codes of one image within {radius} bits", 1e3 * alone / len(parts), "ms"))
        found.append(row(f"{what}: the same, many images in a pass", 1e3 * together / len(parts), "ms"))
    return found


def built(
    what: str, codes: Bytes, folder: Path, seconds: float | None = None, megabytes: float | None = None
) -> tuple[IndexInfo, list[Row]]:
    """The index file of these codes, and rows on its making with their goals."""
    progress(f"{what}: building")
    started = spent()
    info = build_index(rows_of("pdq", codes), folder)
    taken = spent() - started
    size = info.path.stat().st_size / 1e6
    rows = [
        row(f"{what}: building the file", taken, "s", at_most=seconds),
        row(f"{what}: file", size, "MB", at_most=megabytes),
    ]
    return info, rows


def ready(what: str, info: IndexInfo) -> Row:
    """Until a fresh process, the kernels compiled before, has mapped the file and answered a first query."""
    code = READY.format(path=str(info.path), sha256=info.sha256)
    taken = best(3, lambda: subprocess.run([sys.executable, "-c", code], check=True))
    return row(f"{what}: start of a process until its first answer", taken[0], "s", at_most=1.0)


def digests(count: int, folder: Path, turns: int) -> Row:
    """Batch lookups of sha256 digests, half of them known."""
    progress("digests")
    rng = np.random.default_rng(17)
    known = uniform(count, rng)
    index = open_index(build_index(rows_of("sha256", known), folder).path)
    asked = uniform(200_000, rng)
    asked[::2] = known[rng.integers(0, count, len(asked[::2]))]
    table = set(map(bytes, known))
    values = list(map(bytes, asked))
    ours, theirs = best(turns, lambda: look_up(index, "sha256", asked), lambda: [value in table for value in values])
    rates = len(asked) / ours, len(asked) / theirs
    return row(
        f"sha256 lookups among {count:,}", rates[0], "lookups/s", peer=rates[1], peer_name="set of bytes", at_least=1e6
    )


def reading(count: int, folder: Path) -> Row:
    """Parsing and guarding a list of lines, without storing it."""
    progress("reading a list")
    path = folder / "list.txt"
    values = uniform(count, np.random.default_rng(19))
    path.write_text("".join(f"pdq {value.tobytes().hex()}\n" for value in values), encoding="ascii")
    started = spent()
    entries = sum(len(batch.entries) for batch in detect.read(path, ImportOptions()))
    taken = (spent() - started) * LINES / count
    if entries != count:
        raise RuntimeError(f"{entries} of {count} entries were read")
    return row(f"reading a list of {LINES:,} lines (measured on {count:,})", taken, "s", at_most=15.0)


def run(quick: bool) -> Result:
    """quick: fewer codes, without clusters and without 10 million."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    faiss.omp_set_num_threads(1)
    warm()
    count = 400_000 if quick else 1_400_000
    name = f"{count:,} uniform codes"
    codes = uniform(count, np.random.default_rng(1))
    turns = 3 if quick else 7
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        info, rows = built(name, codes, folder, 10.0, 200.0)
        rows.append(ready(name, info))
        index = open_index(info.path, info.sha256)
        index.preload()
        rows[:0] = compare(name, index, codes, Sizes(8192, 64 if quick else 128, turns), 50.0)
        rows += images(name, index, codes, turns)
        rows.append(digests(count, folder, turns))
        rows.append(reading(count // 10 if quick else LINES, folder))
        if not quick:
            rows += large(folder)
    return Result(
        tuple(rows),
        "Memory latency: a query reads some 270 buckets of two to six cache lines each and compares a hundred rows; "
        "every bit of radius beyond 31 adds 120 buckets.",
    )


def large(folder: Path) -> list[Row]:
    """Clusters at 1.4 million, and 10 million codes."""
    codes = clustered(1_400_000, np.random.default_rng(2))
    name = "1,400,000 clustered codes"
    info, rows = built(name, codes, folder)
    index = open_index(info.path, info.sha256)
    index.preload()
    rows = compare(name, index, codes, Sizes(8192, 128, 5), 50.0) + rows + images(name, index, codes, 3)
    del codes, index
    gc.collect()
    codes = uniform(10_000_000, np.random.default_rng(3))
    name = "10,000,000 uniform codes"
    info, made = built(name, codes, folder, megabytes=800.0)
    index = open_index(info.path, info.sha256)
    index.preload()
    return rows + compare(name, index, codes, Sizes(4096, 32, 3), 100.0) + made + images(name, index, codes, 3)


if __name__ == "__main__":
    main(run)
