"""All fingerprints of an image file against hashlib, pdqhash and imagehash on the full decode, and against the floor.

Ours: MD5, SHA-1, SHA-256, PDQ in both conventions as is and mirrored, pHash, border detection.
Peer: MD5, SHA-1, SHA-256, pdqhash in both conventions, imagehash.phash, on `convert("RGB")`.
Plain peer: the same with pdqhash in one convention only, which is less than ours computes.
Floor: MD5, SHA-1, SHA-256 and the same decode of the luma plane, nothing else.

Sandbox: the way of an image into a sandbox process and of the answer back, over the same examination in this process.

Contenders take turns on each file; the fastest of several rounds counts, summed over the files.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import imagehash
import numpy as np
import pdqhash
import uvloop
from PIL import Image
from simplejpeg import decode_jpeg

from bench.photographs import Photographs, file_of, photographs
from bench.processes import cpu_clock_of
from bench.report import Result, Row, main, progress, row
from crawler.fingerprint.compute import fingerprint, warm
from crawler.fingerprint.options import FingerprintOptions
from crawler.fingerprint.pdq import hashes
from crawler.fingerprint.reference import reference_pdq
from crawler.match.index import IndexRow, build_index, open_index
from crawler.match.matcher import Matcher
from crawler.match.thresholds import Thresholds
from crawler.sandbox.examine import Examiner
from crawler.sandbox.pool import Sandbox
from crawler.sandbox.settings import SandboxSettings

PEER = "hashlib + pdqhash in both conventions + imagehash, full decode"
PLAIN = "hashlib + pdqhash in one convention + imagehash, full decode"
FLOOR = "luma decode + digests"
ALL = FingerprintOptions(orientations="all")
ENCODINGS = {"JPEG": {"quality": 85}, "PNG": {"compress_level": 6}, "WEBP": {"quality": 85}}


def digests(data: bytes) -> None:
    hashlib.md5(data, usedforsecurity=False).digest()
    hashlib.sha1(data, usedforsecurity=False).digest()
    hashlib.sha256(data).digest()


def peer(data: bytes, *, both: bool = True) -> None:
    digests(data)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    pixels = np.asarray(image)
    pdqhash.compute(pixels)
    if both and max(image.size) > 512:
        pdqhash.compute(np.asarray(image.resize((512, 512), Image.Resampling.NEAREST)))
    imagehash.phash(image)


def plain_peer(data: bytes) -> None:
    peer(data, both=False)


def floor(data: bytes) -> None:
    digests(data)
    decode_jpeg(data, "GRAY")


def in_turns(contenders: dict[str, Callable[[bytes], object]], files: list[bytes], rounds: int) -> dict[str, float]:
    """Mean milliseconds a file, each contender's fastest of `rounds`."""
    totals = dict.fromkeys(contenders, 0.0)
    for data in files:
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, run in contenders.items():
                started = time.perf_counter()
                run(data)
                best[name] = min(best[name], time.perf_counter() - started)
        for name, seconds in best.items():
            totals[name] += seconds * 1000.0 / len(files)
    return totals


def files_of(found: Photographs, side: int, format: str) -> list[bytes]:
    """The photographs as files whose longer side is `side`; only those that need not be enlarged."""
    files = []
    for image in found.images:
        if max(image.size) >= side * 0.95:
            small = image.copy()
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            files.append(file_of(small, format, **ENCODINGS[format]))
    return files


def speed_rows(found: Photographs, sides: list[int], formats: list[str], quick: bool) -> list[Row]:
    """One row a format and size against the peer, and for JPEG one against the floor."""
    rows: list[Row] = []
    for format in formats:
        for side in sides:
            limit = (6 if quick else 12) if side < 4000 else 3
            files = files_of(found, side, format)[:limit]
            if not files:
                continue
            contenders: dict[str, Callable[[bytes], object]] = {"ours": fingerprint, "peer": peer, "plain": plain_peer}
            if format == "JPEG":
                contenders |= {"floor": floor, "all": lambda data: fingerprint(data, ALL)}
            best = in_turns(contenders, files, (5 if quick else 7) if side < 4000 else 3)
            size = sum(map(len, files)) / len(files) / 1000
            what = f"all fingerprints, {format} of {side} px ({len(files)} {found.source}, {size:.0f} kB)"
            progress(f"{what}: { ({name: round(value, 2) for name, value in best.items()}) }")
            goal = 10.0 if (format, side) == ("JPEG", 1280) else None
            ratio = best["peer"] / best["ours"]
            rows.append(row(what, best["ours"], "ms", peer=best["peer"], peer_name=PEER, ratio=ratio, at_least=goal))
            ratio = best["plain"] / best["ours"]
            rows.append(row(what, best["ours"], "ms", peer=best["plain"], peer_name=PLAIN, ratio=ratio))
            if format == "JPEG":
                over, most = best["ours"] / best["floor"], 1.3 if side == 1280 else None
                rows.append(
                    row(
                        f"{what}: over the floor",
                        best["ours"],
                        "ms",
                        peer=best["floor"],
                        peer_name=FLOOR,
                        ratio=over,
                        at_most=most,
                    )
                )
                rows.append(
                    row(
                        f"{what}: eight orientations",
                        best["all"],
                        "ms",
                        peer=best["ours"],
                        peer_name="two orientations",
                        ratio=best["all"] / best["ours"],
                    )
                )
    return rows


def pdq_rows(found: Photographs, sides: list[int]) -> list[Row]:
    """PDQ alone on decoded RGB: speed, and in how many photographs any bit or the quality differs from pdqhash."""
    rows: list[Row] = []
    differing = checked = reference_differing = 0
    for side in sides:
        ours = theirs = 0.0
        count = 0
        for image in found.images:
            small = image.copy()
            small.thumbnail((side, side), Image.Resampling.LANCZOS)
            pixels = np.ascontiguousarray(np.asarray(small))
            started = time.perf_counter()
            vector, quality = pdqhash.compute(pixels)
            between = time.perf_counter()
            code = hashes(pixels)[0]
            ours += time.perf_counter() - between
            theirs += between - started
            count += 1
            expected = (np.packbits(vector.astype(np.uint8)).tobytes(), quality)
            differing += (code.value, code.quality) != expected
            reference_differing += reference_pdq(pixels) != expected
            checked += 1
        what = f"PDQ of decoded RGB, {side} px, {count} images: ours in both conventions, pdqhash in one"
        rows.append(
            row(what, ours / count * 1000, "ms", peer=theirs / count * 1000, peer_name="pdqhash", ratio=theirs / ours)
        )
    what = f"images of {checked} whose PDQ code or quality differs from pdqhash's"
    rows.append(row(f"{what}: banded maps", float(differing), "images", peer_name="pdqhash", at_most=0.0))
    rows.append(row(f"{what}: evidence", float(reference_differing), "images", peer_name="pdqhash", at_most=0.0))
    return rows


async def examined(files: list[bytes], settings: SandboxSettings, rounds: int) -> dict[str, float]:
    """Milliseconds a file. here: processor time of the examination in this process.  waiting: of this process and the
    sandbox's together when all files wait at once, as in a crawl; one by one: when each comes when the last is done.
    trip: from call to answer at the best, one by one, trip here: of the work in this process."""
    index = open_index(settings.index, settings.index_sha256)
    here = Examiner(Matcher(index, settings.thresholds), settings.options, remembered=0)
    trips = {name: [float("inf")] * len(files) for name in ("trip", "trip here")}
    spent = dict.fromkeys(("waiting", "one by one", "here"), 0.0)
    sandbox = await Sandbox.start(settings)

    async def in_the_sandbox(data: bytes) -> None:
        await sandbox.examine(data)

    async def in_this_process(data: bytes) -> None:
        here.examine(memoryview(data))

    async def in_turn(examine: Callable[[bytes], Awaitable[None]], trip: list[float]) -> None:
        for number, data in enumerate(files):
            started = time.perf_counter()
            await examine(data)
            trip[number] = min(trip[number], time.perf_counter() - started)

    async def at_once() -> None:
        await asyncio.gather(*map(in_the_sandbox, files))

    try:
        clock = cpu_clock_of(next(iter(sandbox._crew.children)).pid)
        ways: dict[str, Callable[[], Awaitable[None]]] = {
            "waiting": at_once,
            "one by one": lambda: in_turn(in_the_sandbox, trips["trip"]),
            "here": lambda: in_turn(in_this_process, trips["trip here"]),
        }
        for _ in range(rounds):
            for name, way in ways.items():
                before = time.process_time() + time.clock_gettime(clock)
                await way()
                spent[name] += time.process_time() + time.clock_gettime(clock) - before
    finally:
        await sandbox.close(0.0)
    every = {name: total / rounds for name, total in spent.items()} | {name: sum(best) for name, best in trips.items()}
    return {name: total * 1000.0 / len(files) for name, total in every.items()}


def sandbox_rows(found: Photographs, quick: bool) -> list[Row]:
    """What the sandbox adds to digests, exact look-up, fingerprint and screen of a clean image of 800 px."""
    files = files_of(found, 800, "JPEG")[: 6 if quick else 12]
    if not files:
        return []
    random = np.random.default_rng(1)
    kernels = Path(os.environ.get("VANGNET_KERNELS") or "var/bench/kernels")
    with TemporaryDirectory() as folder:
        info = build_index((IndexRow(n, "pdq", random.bytes(32)) for n in range(100_000)), Path(folder))
        settings = SandboxSettings(
            1, info.path, info.sha256, kernels, Thresholds(), remembered=0, recycle_after=1_000_000
        )
        took = uvloop.run(examined(files, settings, 60 if quick else 150))
    progress(f"sandbox: { ({name: round(value, 3) for name, value in took.items()}) }")
    what = f"examination of a JPEG of 800 px in the sandbox ({len(files)} {found.source}, 100,000 PDQ codes listed)"
    return [
        row(
            f"{what}: {of}",
            took[inside],
            "ms",
            peer=took[outside],
            peer_name="the same in this process",
            ratio=took[inside] / took[outside],
            at_most=1.1 if inside == "waiting" else None,
        )
        for of, inside, outside in (
            ("processor time, several waiting as in a crawl", "waiting", "here"),
            ("processor time, one by one", "one by one", "here"),
            ("from call to answer, one by one", "trip", "trip here"),
        )
    ]


def run(quick: bool) -> Result:
    warm()
    sides = [320, 1280] if quick else [320, 800, 1280, 4000]
    found = photographs(1280 if quick else 4000, 8 if quick else 24)
    rows = speed_rows(found, sides, ["JPEG"] if quick else ["JPEG", "PNG", "WEBP"], quick)
    rows += pdq_rows(found, sides[:3])
    rows += sandbox_rows(found, quick)
    return Result(tuple(rows), "the decoder: libjpeg-turbo's entropy decoding and inverse transform, and MD5")


if __name__ == "__main__":
    main(run)
