"""What changes an image may undergo and still be found, and how often different images are taken for one another.

The list is what its owner makes with plain tools from the original: `pdqhash` of the pixels (or the reference tool's
512 convention) and `imagehash.phash`. Ours is what the sandbox does with an image file, at the default thresholds: the
same code, run in this process. The peers hash the changed file's pixels plainly and compare at the same distances.

Like is compared with like, and there ours must be nowhere lower: what our PDQ finds on a list of PDQ codes alone with
pdqhash, our pHash (the one that is recorded beside a hit) with imagehash's, each at its own default distance.

Beside them stands what raises a hit on a list that has the pHash of each image too. That is another question: a pHash
raises no hit of ours by itself, by design, as among millions of entries too many would be wrong. It makes ours look
again, and PDQ decides; so a copy whose pHash alone is near is no hit. Figures are shares of the images.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import imagehash
import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image

from bench.changes import CHANGES, THUMBNAILS, Change
from bench.photographs import Photographs, figures, file_of, photographs
from bench.report import Result, Row, main, progress, row
from crawler.fingerprint.compute import fingerprint, reference_code, reference_phash, warm
from crawler.fingerprint.doubt import BITS_ALLOWED
from crawler.fingerprint.options import DEFAULT_OPTIONS, FingerprintOptions
from crawler.match.index import IndexRow, index_in_memory
from crawler.match.matcher import Matcher
from crawler.match.thresholds import Thresholds
from crawler.records import Code, Fingerprint
from crawler.sandbox.examine import Examiner

THRESHOLDS = Thresholds()
EIGHT = FingerprintOptions(orientations="all")
CONTENDERS = ("ours", "ours_both", "ours_squeezed", "ours_all", "ours_uncropped", "pdqhash", "phash", "imagehash")
UNCROPPED = FingerprintOptions(uncropped=(2, 5, 10))


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
    """Which contender finds one changed image, of those of its kind of list. wrong: ours names another image.

    phash: ours is within the distance of the list's.
    lost: the evidence of a transform agrees that the screen did not let pass.  screen_error: bits.
    """

    ours: bool
    ours_both: bool
    ours_squeezed: bool
    ours_all: bool
    ours_uncropped: bool
    pdqhash: bool
    phash: bool
    imagehash: bool
    wrong: bool
    lost: bool
    screen_error: int


def entry_of(image: Image.Image) -> Entry:
    pixels = np.asarray(image)
    return Entry(plain_pdq(pixels)[0], plain_pdq(squeezed(pixels))[0], plain_phash(image))


class Lists:
    """What the sandbox does, with lists of all originals. Entry 2 n is the PDQ code of image n, 2 n + 1 its pHash."""

    def __init__(self, entries: list[Entry]) -> None:
        plain = [IndexRow(2 * n, "pdq", entry.pdq) for n, entry in enumerate(entries)]
        other = [IndexRow(2 * n, "pdq", entry.pdq_squeezed) for n, entry in enumerate(entries)]
        both = [*plain, *(IndexRow(2 * n + 1, "phash", entry.phash) for n, entry in enumerate(entries))]
        self._examiners = {
            "ours": examiner(plain),
            "ours_both": examiner(both),
            "ours_squeezed": examiner(other),
            "ours_all": examiner(plain, EIGHT),
            "ours_uncropped": examiner(plain, UNCROPPED),
        }

    def found(self, data: bytes, change: str) -> dict[str, set[int]]:
        """Contender -> the originals that it takes the file for; those of the options where they matter, else none."""
        idle = set() if "crop" in change else {"ours_uncropped"}
        idle |= set() if "90" in change else {"ours_all"}
        found: dict[str, set[int]] = {name: set() for name in idle}
        for name in self._examiners.keys() - idle:
            answer = self._examiners[name].examine(memoryview(data)).found
            found[name] = (
                {match.entry // 2 for match in answer.matches if match.algorithm == "pdq"} if answer else set()
            )
        return found


def examiner(rows: list[IndexRow], options: FingerprintOptions = DEFAULT_OPTIONS) -> Examiner:
    return Examiner(Matcher(index_in_memory(rows)), options, remembered=0)


def passes(code: Code, expected: bytes) -> bool:
    """Whether the screen lets a fast code through (the evidence's quality is judged later)."""
    return apart(code.value, expected) <= THRESHOLDS.screen_distance


def agrees(evidence: Code, expected: bytes) -> bool:
    """Whether the evidence makes a hit."""
    return apart(evidence.value, expected) <= THRESHOLDS.pdq_distance and evidence.quality >= THRESHOLDS.min_quality


def looked_for(number: int, data: bytes, entry: Entry, found: dict[str, set[int]], same: set[int]) -> Found:
    """What became of image `number` in `data`. found: what `Lists` made of it.  same: who shows the same picture."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    code, quality = plain_pdq(np.asarray(image))
    own = reference_phash(data)
    lost, error = False, 0
    printed = fingerprint(data)
    for each in printed.codes if isinstance(printed, Fingerprint) else ():
        evidence = reference_code(data, each.transform)
        if isinstance(evidence, Code) and evidence.quality >= THRESHOLDS.min_quality:
            error = max(error, apart(evidence.value, each.value))
            for expected in (entry.pdq, entry.pdq_squeezed):
                lost |= agrees(evidence, expected) and not passes(each, expected)
    return Found(
        **{name: number in each for name, each in found.items()},
        pdqhash=apart(code, entry.pdq) <= THRESHOLDS.pdq_distance and quality >= THRESHOLDS.min_quality,
        phash=isinstance(own, bytes) and apart(own, entry.phash) <= THRESHOLDS.phash_distance,
        imagehash=apart(plain_phash(image), entry.phash) <= THRESHOLDS.phash_distance,
        wrong=any(not each <= same for each in found.values()),
        lost=lost,
        screen_error=error,
    )


def recall_rows(found: Photographs, changes: dict[str, Change], *, judged: bool) -> tuple[list[Row], list[Found]]:
    """The rows of every change, and all that was looked for."""
    entries = [entry_of(image) for image in found.images]
    lists = Lists(entries)
    # The packages have a picture or two under several names.
    same = [{n for n, other in enumerate(entries) if agrees(Code(entry.pdq, 100), other.pdq)} for entry in entries]
    rows: list[Row] = []
    everything: list[Found] = []
    for name, change in changes.items():
        results = []
        for number, image in enumerate(found.images):
            data = change(image)
            results.append(looked_for(number, data, entries[number], lists.found(data, name), same[number]))
        everything += results
        share = {each: float(np.mean([getattr(result, each) for result in results])) for each in CONTENDERS}
        progress(
            f"{name}: PDQ {share['ours']:.3f} (pdqhash {share['pdqhash']:.3f}), "
            f"pHash {share['phash']:.3f} (imagehash {share['imagehash']:.3f}), "
            f"hits on PDQ and pHash {share['ours_both']:.3f}, 512 {share['ours_squeezed']:.3f}"
        )
        what = f"found after: {name} ({len(results)} {found.source})"
        for ours, peer, text, like in (
            ("ours", "pdqhash", "list of PDQ", True),
            ("phash", "imagehash", "pHash with pHash", True),
            ("ours_both", "imagehash", "hits on a list of PDQ and pHash, where pHash alone raises none of ours", False),
        ):
            least = share[peer] if judged and like else None
            rows.append(row(f"{what}, {text}", share[ours], "share", peer=share[peer], peer_name=peer, at_least=least))
        plain = share["ours"]
        others = [("list in the 512 convention", "ours_squeezed", "list as is")]
        others += [("list of PDQ, uncropped = 2, 5, 10", "ours_uncropped", "without")] if "crop" in name else []
        others += [("orientations = all", "ours_all", "mirror")] if "90" in name else []
        rows += [
            row(f"{what}, {text}", share[ours], "share", peer=plain, peer_name=peer) for text, ours, peer in others
        ]
    return rows, everything


def tiles(image: Image.Image) -> list[Image.Image]:
    """The four quarters of an image."""
    x, y = image.width // 2, image.height // 2
    return [image.crop((left, top, left + x, top + y)) for left in (0, x) for top in (0, y)]


def subjects(name: str) -> frozenset[str]:
    """The words of a file name: pictures that share one may show the same thing, and are not compared."""
    return frozenset(word for word in re.findall(r"[a-z]{4,}", name.lower()))


def unrelated(names: list[str]) -> npt.NDArray[np.bool_]:
    """(n, n) whether two pictures share no word in their names (nor are one and the same)."""
    words_of = [subjects(name) or frozenset([name]) for name in names]
    return np.array([[one.isdisjoint(other) for other in words_of] for one in words_of])


def false_rows(pictures: list[tuple[str, Image.Image]], what: str) -> list[Row]:
    """False matches over all pairs of unrelated pictures, per class of certainty.

    pictures: (name, image). Each is listed with sha256, PDQ and pHash, and each is examined against what is unrelated
    to it. A: equal sha256. C: PDQ within the distance, in any of our codes, those of a second look too. B: C, and a
    pHash of the same picture agrees.
    """
    names: list[str] = []
    files: list[bytes] = []
    rows: list[IndexRow] = []
    for name, image in pictures:
        data = file_of(image, "PNG", compress_level=1)
        found = fingerprint(data)
        if isinstance(found, Fingerprint) and found.codes[0].quality >= THRESHOLDS.min_quality:
            values = (("sha256", found.digests.sha256), ("pdq", found.codes[0].value), ("phash", found.phash))
            rows += [IndexRow(3 * len(names) + n, algorithm, value) for n, (algorithm, value) in enumerate(values)]
            names.append(name)
            files.append(data)
    strangers, index = unrelated(names), index_in_memory(rows)
    wrong: dict[str, set[tuple[int, int]]] = {algorithm: set() for algorithm in ("sha256", "pdq", "phash")}
    twice = 0
    for number, data in enumerate(files):
        known = {3 * other + n for other in map(int, np.flatnonzero(~strangers[number])) for n in range(3)}
        matcher = Matcher(index, masked=known)
        found = fingerprint(data)
        twice += isinstance(found, Fingerprint) and matcher.resembles(found.phash)
        answer = Examiner(matcher, DEFAULT_OPTIONS, remembered=0).examine(memoryview(data)).found
        for match in answer.matches if answer else ():
            wrong[match.algorithm].add((min(number, match.entry // 3), max(number, match.entry // 3)))
    pairs = int(strangers.sum()) // 2
    independent = len({subjects(name) for name in names}) // 2
    by_class = {"A": wrong["sha256"], "B": wrong["pdq"] & wrong["phash"], "C": wrong["pdq"]}
    told = ", ".join(f"{name} {len(found)}" for name, found in by_class.items())
    progress(f"{what}: {len(names)} pictures, {pairs} pairs: {told}; looked at twice: {twice}")
    for one, other in sorted(wrong["pdq"]):
        progress(f"    {names[one]} = {names[other]}")
    bound = (
        f"95 % bound {3 / max(1, pairs):.2g} if the {pairs} pairs were independent, "
        f"{3 / max(1, independent):.2g} by the {independent} that are"
    )
    rows_of = [
        row(f"false matches of class {name} among {what}: {bound}", float(len(found)), "pairs", at_most=0.0)
        for name, found in by_class.items()
    ]
    share = twice / max(1, len(names))
    return [*rows_of, row(f"looked at twice against a list of {len(names)} unrelated: {what}", share, "share")]


def run(quick: bool) -> Result:
    warm()
    found = photographs(640 if quick else 900, 6 if quick else None)
    rows, results = recall_rows(found, CHANGES, judged=True)
    small, small_results = recall_rows(found, THUMBNAILS, judged=False)
    rows += small
    what = "images lost at the screen that the evidence would have confirmed"
    rows.append(row(what, float(sum(each.lost for each in results + small_results)), "images", at_most=0.0))
    what = "changed images that ours took for another photograph"
    rows.append(row(what, float(sum(each.wrong for each in results + small_results)), "images", at_most=0.0))
    what, most = "largest distance of a fast code from its evidence", float(BITS_ALLOWED)
    rows.append(row(what, float(max(each.screen_error for each in results)), "bits", at_most=most))
    farthest = float(max(each.screen_error for each in small_results))
    rows.append(row(f"{what}, thumbnails", farthest, "bits", at_most=most))
    whole = list(zip(found.names, found.images, strict=True))
    quarters = [(name, tile) for name, image in whole for tile in tiles(image)]
    rows += false_rows(whole + quarters, f"{found.source} and their quarters")
    drawn = figures(60 if quick else 400)
    if drawn:
        rows += false_rows(drawn, "figures of opencv-doc")
    return Result(
        tuple(rows), "the algorithms: PDQ survives a crop of a percent or two, and guesses at it reach to ten"
    )


if __name__ == "__main__":
    main(run)
