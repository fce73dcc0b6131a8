"""What changes an image may undergo and still be found, and how often different images are taken for one another.

The list is what its owner makes with plain tools from the original: `pdqhash` of the pixels (or the reference tool's
512 convention) and `imagehash.phash`. Ours answers as the sandbox does: fast codes screen at the campaign's distance
plus a margin, the evidence on a full decode decides at the campaign's distance. The peers hash the changed file's
pixels plainly and compare at the same distances. Figures are shares of the images.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from bench.photographs import Photographs, figures, file_of, photographs
from bench.report import Result, Row, main, progress, row
from crawler.fingerprint.compute import fingerprint, reference_code, warm
from crawler.fingerprint.options import FingerprintOptions
from crawler.records import Code, Fingerprint

PDQ_DISTANCE, PHASH_DISTANCE, MIN_QUALITY = 31, 4, 50
SCREEN_MARGIN = 10
EIGHT = FingerprintOptions(orientations="all")
UNCROPPED = FingerprintOptions(uncropped=(2, 5, 10))
Change = Callable[[Image.Image], bytes]
Words = npt.NDArray[np.uint64]


def jpeg(image: Image.Image, quality: int = 85) -> bytes:
    return file_of(image.convert("RGB"), "JPEG", quality=quality)


def resized(image: Image.Image, share: float) -> Image.Image:
    return image.resize(
        (max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.LANCZOS
    )


def thumbnail(image: Image.Image, side: int) -> Image.Image:
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    return small


def cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share / 2), round(image.height * share / 2)
    return image.crop((x, y, image.width - x, image.height - y))


def cropped_unevenly(image: Image.Image, share: float) -> Image.Image:
    """Cut away on one side of each axis only."""
    return image.crop((0, 0, image.width - round(image.width * share), image.height - round(image.height * share)))


def padded(image: Image.Image, across: float, down: float, colour: str) -> Image.Image:
    x, y = round(image.width * across), round(image.height * down)
    return ImageOps.expand(image, (x, y), colour)


def watermarked(image: Image.Image) -> Image.Image:
    layer = Image.new("RGBA", image.size)
    draw = ImageDraw.Draw(layer)
    size = max(12, image.height // 12)
    for step in range(3):
        at = (image.width // 12, image.height * (2 * step + 1) // 6)
        draw.text(at, "example.org  example.org", fill=(255, 255, 255, 140), font_size=size)
    return Image.alpha_composite(image.convert("RGBA"), layer).convert("RGB")


def noisy(image: Image.Image) -> Image.Image:
    grain = np.random.default_rng(7).normal(0.0, 8.0, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def brighter(image: Image.Image, by: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(by)


CHANGES: dict[str, Change] = {
    "JPEG of quality 85": jpeg,
    "JPEG of quality 60": lambda image: jpeg(image, 60),
    "JPEG of quality 30": lambda image: jpeg(image, 30),
    "PNG": lambda image: file_of(image, "PNG", compress_level=1),
    "WebP of quality 75": lambda image: file_of(image, "WEBP", quality=75),
    "GIF of 256 colours": lambda image: file_of(image.quantize(256), "GIF"),
    "resized to 75 %": lambda image: jpeg(resized(image, 0.75)),
    "resized to 50 %": lambda image: jpeg(resized(image, 0.5)),
    "resized to 200 %": lambda image: jpeg(resized(image, 2.0)),
    "watermark": lambda image: jpeg(watermarked(image)),
    "mirrored": lambda image: jpeg(ImageOps.mirror(image)),
    "turned by 90 degrees": lambda image: jpeg(image.transpose(Image.Transpose.ROTATE_90)),
    "cropped by 2 %": lambda image: jpeg(cropped(image, 0.02)),
    "cropped by 5 %": lambda image: jpeg(cropped(image, 0.05)),
    "cropped by 10 %": lambda image: jpeg(cropped(image, 0.1)),
    "cropped by 2 % on one side": lambda image: jpeg(cropped_unevenly(image, 0.02)),
    "black bars above and below, 10 % each": lambda image: jpeg(padded(image, 0.0, 0.1, "black")),
    "white frame of 5 %": lambda image: jpeg(padded(image, 0.05, 0.05, "white")),
    "brighter by 20 %": lambda image: jpeg(brighter(image, 1.2)),
    "darker by 20 %": lambda image: jpeg(brighter(image, 0.8)),
    "noise": lambda image: jpeg(noisy(image)),
    "greyscale": lambda image: file_of(image.convert("L"), "JPEG", quality=85),
    "resized to 50 %, watermark, JPEG of quality 60": lambda image: jpeg(watermarked(resized(image, 0.5)), 60),
    "mirrored, cropped by 2 %, JPEG of quality 60": lambda image: jpeg(cropped(ImageOps.mirror(image), 0.02), 60),
    "greyscale, darker, WebP": lambda image: file_of(brighter(image.convert("L"), 0.8), "WEBP", quality=75),
    "mirrored, white frame, resized to 75 %": lambda image: jpeg(
        resized(padded(ImageOps.mirror(image), 0.05, 0.05, "white"), 0.75)
    ),
}


def to_thumbnail(side: int) -> Change:
    return lambda image: jpeg(thumbnail(image, side))


THUMBNAILS: dict[str, Change] = {f"thumbnail of {side} px": to_thumbnail(side) for side in (200, 150, 100, 75)}


def plain_pdq(pixels: npt.NDArray[np.uint8]) -> tuple[bytes, int]:
    vector, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(vector.astype(np.uint8)).tobytes(), int(quality)


def squeezed(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if max(height, width) <= 512:
        return pixels
    return pixels[np.ix_(np.arange(512) * height // 512, np.arange(512) * width // 512)]


def plain_phash(image: Image.Image) -> bytes:
    return np.packbits(imagehash.phash(image).hash).tobytes()


def apart(one: bytes, other: bytes) -> int:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list knows of an original: the PDQ code in either convention, and the pHash."""

    pdq: bytes
    pdq_squeezed: bytes
    phash: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """Which contender finds one changed image. lost: the evidence of a transform agrees that the screen let pass."""

    ours: bool
    ours_squeezed: bool
    ours_all: bool
    ours_uncropped: bool
    pdqhash: bool
    imagehash: bool
    lost: bool
    screen_error: int


def entry_of(image: Image.Image) -> Entry:
    pixels = np.asarray(image)
    return Entry(plain_pdq(pixels)[0], plain_pdq(squeezed(pixels))[0], plain_phash(image))


def passes(code: Code, expected: bytes) -> bool:
    """Whether the screen lets a fast code through (the evidence's quality is judged later)."""
    return apart(code.value, expected) <= PDQ_DISTANCE + SCREEN_MARGIN


def agrees(evidence: Code, expected: bytes) -> bool:
    """Whether the evidence makes a hit."""
    return apart(evidence.value, expected) <= PDQ_DISTANCE and evidence.quality >= MIN_QUALITY


def within(data: bytes, options: FingerprintOptions, expected: bytes) -> bool:
    """Whether a fast code under these options lies within the campaign's distance."""
    found = fingerprint(data, options)
    codes = found.codes if isinstance(found, Fingerprint) else ()
    return any(apart(each.value, expected) <= PDQ_DISTANCE and each.quality >= MIN_QUALITY for each in codes)


def looked_for(data: bytes, entry: Entry) -> Found:
    """Ask every contender."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    code, quality = plain_pdq(np.asarray(image))
    hits = {"ours": False, "squeezed": False}
    lost, error = False, 0
    found = fingerprint(data)
    for each in found.codes if isinstance(found, Fingerprint) else ():
        evidence = reference_code(data, each.transform)
        if not isinstance(evidence, Code):
            continue
        if evidence.quality >= MIN_QUALITY:
            error = max(error, apart(evidence.value, each.value))
        for name, expected in (("ours", entry.pdq), ("squeezed", entry.pdq_squeezed)):
            hits[name] |= passes(each, expected) and agrees(evidence, expected)
            lost |= agrees(evidence, expected) and not passes(each, expected)
    return Found(
        hits["ours"],
        hits["squeezed"],
        within(data, EIGHT, entry.pdq),
        within(data, UNCROPPED, entry.pdq),
        apart(code, entry.pdq) <= PDQ_DISTANCE and quality >= MIN_QUALITY,
        apart(plain_phash(image), entry.phash) <= PHASH_DISTANCE,
        lost,
        error,
    )


def recall_rows(found: Photographs, changes: dict[str, Change], *, judged: bool) -> tuple[list[Row], int, int]:
    """Two rows a change, and over all: images lost at the screen, and the largest error of a fast code."""
    entries = [entry_of(image) for image in found.images]
    rows: list[Row] = []
    lost = error = 0
    for name, change in changes.items():
        results = [looked_for(change(image), entry) for image, entry in zip(found.images, entries, strict=True)]
        ours, theirs, phash, other, turned, grown = (
            float(np.mean([getattr(each, field) for each in results]))
            for field in ("ours", "pdqhash", "imagehash", "ours_squeezed", "ours_all", "ours_uncropped")
        )
        lost += sum(each.lost for each in results)
        error = max(error, *(each.screen_error for each in results))
        progress(
            f"{name}: ours {ours:.3f} (512: {other:.3f}, eight: {turned:.3f}, uncropped: {grown:.3f}), "
            f"pdqhash {theirs:.3f}, imagehash {phash:.3f}"
        )
        what = f"found after: {name} ({len(results)} {found.source})"
        rows.append(row(what, ours, "share", peer=theirs, peer_name="pdqhash", at_least=theirs if judged else None))
        rows.append(row(what, ours, "share", peer=phash, peer_name="imagehash", at_least=phash if judged else None))
        rows.append(row(f"{what}, list in the 512 convention", other, "share", peer=ours, peer_name="list as is"))
        if "crop" in name:
            wanted = row(
                f"{what}, uncropped = 2, 5, 10", grown, "share", peer=phash, peer_name="imagehash", at_least=phash
            )
            rows.append(wanted)
        if "90" in name:
            rows.append(row(f"{what}, orientations = all", turned, "share", peer=ours, peer_name="mirror"))
    return rows, lost, error


def tiles(image: Image.Image) -> list[Image.Image]:
    """The four quarters of an image."""
    x, y = image.width // 2, image.height // 2
    return [image.crop((left, top, left + x, top + y)) for left in (0, x) for top in (0, y)]


def words(codes: list[bytes]) -> Words:
    return np.frombuffer(b"".join(codes), dtype=np.uint64).reshape(len(codes), -1)


def subjects(name: str) -> frozenset[str]:
    """The words of a file name: pictures that share one may show the same thing, and are not compared."""
    return frozenset(word for word in re.findall(r"[a-z]{4,}", name.lower()))


def unrelated(names: list[str]) -> npt.NDArray[np.bool_]:
    """(n, n) whether two pictures share no word in their names (nor are one and the same)."""
    words_of = [subjects(name) or frozenset([name]) for name in names]
    return np.array([[one.isdisjoint(other) for other in words_of] for one in words_of])


def false_rows(pictures: list[tuple[str, Image.Image]], what: str) -> list[Row]:
    """False matches over all pairs of unrelated pictures, per class of certainty.

    pictures: (name, image). A: equal sha256. C: PDQ within the distance, in any of our codes. B: C, and pHash agrees.
    """
    names: list[str] = []
    sums: list[bytes] = []
    phashes: list[bytes] = []
    listed: list[bytes] = []
    queries: list[tuple[int, bytes]] = []
    for name, image in pictures:
        data = file_of(image, "PNG", compress_level=1)
        found = fingerprint(data)
        if isinstance(found, Fingerprint) and found.codes[0].quality >= MIN_QUALITY:
            queries += [(len(names), code.value) for code in found.codes if code.quality >= MIN_QUALITY]
            names.append(name)
            sums.append(hashlib.sha256(data).digest())
            phashes.append(found.phash)
            listed.append(found.codes[0].value)
    apart_by_name, codes, near = unrelated(names), words(listed), words(phashes)[:, 0]
    matched: set[tuple[int, int]] = set()
    for number, value in queries:
        distance = np.bitwise_count(codes ^ words([value])).sum(axis=1)
        close = np.flatnonzero((distance <= PDQ_DISTANCE) & apart_by_name[number])
        matched |= {(min(number, other), max(number, other)) for other in map(int, close)}
    both = {pair for pair in matched if int(near[pair[0]] ^ near[pair[1]]).bit_count() <= PHASH_DISTANCE}
    equal = sum(sums[a] == sums[b] for a in range(len(sums)) for b in range(a) if apart_by_name[a, b])
    pairs = int(apart_by_name.sum()) // 2
    independent = len({subjects(name) for name in names}) // 2
    progress(f"{what}: {len(names)} pictures, {pairs} pairs: A {equal}, B {len(both)}, C {len(matched)}")
    for one, other in sorted(matched):
        progress(f"    {names[one]} = {names[other]}")
    rows = []
    for name, wrong in (("A", equal), ("B", len(both)), ("C", len(matched))):
        bound = (
            f"95 % bound {3 / max(1, pairs):.2g} if the {pairs} pairs were independent, "
            f"{3 / max(1, independent):.2g} by the {independent} that are"
        )
        rows.append(row(f"false matches of class {name} among {what}: {bound}", float(wrong), "pairs", at_most=0.0))
    return rows


def run(quick: bool) -> Result:
    warm()
    found = photographs(640 if quick else 900, 6 if quick else None)
    rows, lost, error = recall_rows(found, CHANGES, judged=True)
    small, lost_small, error_small = recall_rows(found, THUMBNAILS, judged=False)
    rows += small
    what = "images lost at the screen that the evidence would have confirmed"
    rows.append(row(what, float(lost + lost_small), "images", at_most=0.0))
    what = "largest distance of a fast code from its evidence"
    rows.append(row(what, float(error), "bits", at_most=float(SCREEN_MARGIN)))
    rows.append(row(f"{what}, thumbnails", float(error_small), "bits"))
    whole = list(zip(found.names, found.images, strict=True))
    quarters = [(name, tile) for name, image in whole for tile in tiles(image)]
    rows += false_rows(whole + quarters, f"{found.source} and their quarters")
    drawn = figures(60 if quick else 400)
    if drawn:
        rows += false_rows(drawn, "figures of opencv-doc")
    return Result(tuple(rows), "the algorithms: neither PDQ nor pHash survives a crop beyond a few percent")


if __name__ == "__main__":
    main(run)
