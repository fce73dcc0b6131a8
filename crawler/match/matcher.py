"""From fingerprints to the entries that an image agrees with. Lives inside the sandbox.

The order of its use: `exact` on the digests; `screen` on fast codes, which names the transforms worth a full decode;
where nothing comes of it, `resembles` and `closest` for a second look; `near` and `corroborate` on the codes of that
decode; `decide` on all of it. Only what `decide` returns leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import numpy as np

from crawler.match.entries import DIGEST_BYTES
from crawler.match.index import Index, index_in_memory
from crawler.match.live import ListState, Mask
from crawler.match.search import look_up, pack, search
from crawler.match.thresholds import Thresholds
from crawler.records import Code, Digests, RowMatch

__all__ = ["MOST_MATCHES", "Matcher", "Thresholds", "decide"]

Distance = Callable[[bytes, bytes], int]

MOST_MATCHES = 256
"""Matches that are recorded for one image: digests first, then the nearest."""


class Matcher:
    """The enabled lists, as one process knows them.

    indexes: the base file, and the deltas imported since.  masked: entries that were disabled or withdrawn since.
    """

    def __init__(
        self,
        indexes: Index | Sequence[Index],
        thresholds: Thresholds | None = None,
        masked: Collection[int] | Mask = frozenset(),
    ) -> None:
        self.indexes = (indexes,) if isinstance(indexes, Index) else tuple(indexes)
        self.thresholds = thresholds or Thresholds()
        self.masked: Mask | frozenset[int] = masked if isinstance(masked, Mask) else frozenset(masked)
        self._digests = [
            (index, algorithm, benign)
            for algorithm in DIGEST_BYTES
            for index in self.indexes
            for benign in (False, True)
            if index.count(algorithm, benign=benign)
        ]

    def in_state(self, state: ListState, plugged: Collection[str] = ()) -> Matcher:
        """The same base file, with another state of the lists. plugged: algorithms that plug-ins compare here."""
        added = (index_in_memory(state.added, plugged),) if state.added else ()
        return Matcher((self.indexes[0], *added), self.thresholds, Mask(state.masked))

    def exact(self, digests: Digests) -> tuple[RowMatch, ...]:
        """Entries with one of these digests, of block lists and of benign ones."""
        found: list[RowMatch] = []
        for index, algorithm, benign in self._digests:
            value = np.frombuffer(getattr(digests, algorithm), np.uint8).reshape(1, -1)
            row = int(look_up(index, algorithm, value, benign=benign)[0])
            if row >= 0:
                entries = self.known(index.entries(algorithm, row, benign=benign))
                found.extend(RowMatch(entry, algorithm, benign=benign) for entry in entries)
        return tuple(found)

    def screen(self, codes: Sequence[Code]) -> tuple[str, ...]:
        """The transforms of which a code lies within the screening distance of an entry, in the order of `codes`."""
        return self.screen_many([codes])[0]

    def screen_many(self, images: Sequence[Sequence[Code]]) -> list[tuple[str, ...]]:
        """`screen` for several images in one pass, which is faster than one by one.

        Codes of flat images, which `near` would not let match whatever is listed, are not looked up.
        """
        poorest = self.thresholds.min_quality - self.thresholds.quality_margin
        codes = [(number, code) for number, image in enumerate(images) for code in image if code.quality >= poorest]
        passed: set[int] = set()
        queries = pack([code.value for _, code in codes])
        for index in self.indexes if codes else ():
            near = search(index, queries, self.thresholds.screen_distance)
            if not len(near):
                continue
            if self.masked:
                passed.update(int(q) for q, row in pairs(near) if self.known(index.entries("pdq", row)))
            else:
                passed.update(np.unique(near.query_no).tolist())
        transforms: list[dict[str, None]] = [{} for _ in images]
        for at in sorted(passed):
            number, code = codes[at]
            transforms[number][code.transform] = None
        return [tuple(names) for names in transforms]

    def closest(self, codes: Sequence[Code], most: int) -> tuple[str, ...]:
        """Up to `most` of the transforms that `screen` names, the nearest first."""
        queries = pack([code.value for code in codes])
        best: dict[str, int] = {}
        for index in self.indexes:
            near = search(index, queries, self.thresholds.screen_distance)
            for (at, row), distance in zip(pairs(near), near.distance.tolist(), strict=True):
                name = codes[at].transform
                if distance < best.get(name, distance + 1) and self.known(index.entries("pdq", row)):
                    best[name] = distance
        return tuple(sorted(best, key=lambda name: best[name])[:most])

    def resembles(self, phash: bytes) -> bool:
        """Whether a pHash of an entry is so near that the image is worth a second look."""
        radius = self.thresholds.resemblance
        if radius < 0:
            return False
        return any(
            self.known(index.entries("phash", row))
            for index in self.indexes
            for _, row in pairs(search(index, pack([phash]), radius, "phash"))
        )

    def near(self, code: Code) -> tuple[RowMatch, ...]:
        """Entries within the PDQ distance of a reference code, nearest first; none when its quality is too low."""
        if code.quality < self.thresholds.min_quality:
            return ()
        return self.within("pdq", code.value, self.thresholds.pdq_distance, code.transform)

    def has(self, algorithm: str) -> bool:
        """Whether there is an entry of a plug-in's algorithm."""
        return any(index.count(algorithm) for index in self.indexes)

    def plugged(self, algorithm: str, code: bytes, threshold: int, distance: Distance) -> tuple[RowMatch, ...]:
        """Entries of a plug-in's algorithm within its threshold, nearest first, compared one by one by the plug-in.

        Lets through whatever `distance` raises.
        """
        found: list[RowMatch] = []
        for index in self.indexes:
            for row, other in enumerate(index.plugged().get(algorithm, ())):
                apart = int(distance(code, other.tobytes()))
                if 0 <= apart <= threshold:
                    entries = self.known(index.entries(algorithm, row))
                    found.extend(RowMatch(entry, algorithm, apart, threshold) for entry in entries)
        return tuple(sorted(found, key=order))

    def corroborate(self, phash: bytes) -> tuple[RowMatch, ...]:
        """Entries within the pHash distance, nearest first. They confirm a hit and never raise one."""
        return self.within("phash", phash, self.thresholds.phash_distance, "none")

    def within(self, algorithm: str, value: bytes, radius: int, transform: str) -> tuple[RowMatch, ...]:
        found: list[RowMatch] = []
        for index in self.indexes:
            neighbours = search(index, pack([value]), radius, algorithm)
            for (_, row), distance in zip(pairs(neighbours), neighbours.distance.tolist(), strict=True):
                entries = self.known(index.entries(algorithm, row))
                found.extend(RowMatch(entry, algorithm, distance, radius, transform) for entry in entries)
        return tuple(sorted(found, key=order))

    def known(self, entries: Iterable[int]) -> list[int]:
        """The entries without the masked ones."""
        return [entry for entry in entries if entry not in self.masked]


def pairs(neighbours: Any) -> Iterable[tuple[int, int]]:
    return zip(neighbours.query_no.tolist(), neighbours.row.tolist(), strict=True)


def order(match: RowMatch) -> tuple[bool, int, int, str, int]:
    """Digests first, then PDQ and plug-ins, then pHash, each of block lists, the nearest first; then benign lists."""
    rank = 0 if match.algorithm in DIGEST_BYTES else 2 if match.algorithm == "phash" else 1
    return (match.benign, rank, match.distance, match.algorithm, match.entry)


def decide(
    exact: Sequence[RowMatch], near: Sequence[RowMatch] = (), corroborating: Sequence[RowMatch] = ()
) -> tuple[RowMatch, ...]:
    """What is recorded for an image: at most 256 matches, or nothing.

    A block-listed digest, PDQ code or plug-in code within the distance raises a hit; pHashes and benign lists are
    reported beside it and raise none. Of several transforms that lead to one entry, the nearest counts.
    """
    if not any(not match.benign for match in (*exact, *near)):
        return ()
    best: dict[tuple[int, str, bool], RowMatch] = {}
    for match in sorted((*exact, *near, *corroborating), key=order):
        best.setdefault((match.entry, match.algorithm, match.benign), match)
    return tuple(best.values())[:MOST_MATCHES]
