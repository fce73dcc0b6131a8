"""How sure a hit is: computed from what matched, never typed.

A  a sha256; or an md5 or sha1 together with the list's size, or with a near code that agrees.
B  a near code, confirmed by an independent one: of another algorithm, or another list's entry.
C  a single near match, or an md5 or sha1 alone.

Near codes are PDQ and those of plug-in hashers such as PhotoDNA. A pHash confirms one and is none itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from crawler.match.entries import DIGEST_BYTES

Certainty = Literal["A", "B", "C"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One match, with what the store knows about its entry.

    list: the list's name.  entry: its number in the store.
    algorithm: "sha256", "sha1", "md5", "pdq", "phash", or that of a plug-in.  distance: bits, 0 for digests.
    size_agrees: the list gives the file's size, and it is that of the image.
    benign: the list is one of harmless images.
    """

    list: str
    entry: int
    algorithm: str
    distance: int = 0
    size_agrees: bool = False
    benign: bool = False


def certainty(matches: Sequence[Evidence]) -> Certainty:
    """The class of a hit that rests on these matches. Benign lists never raise or lower it.

    Raises ValueError when nothing here can raise a hit: no digest and no near code of a block list.
    """
    counted = [match for match in matches if not match.benign]
    algorithms = {match.algorithm for match in counted}
    weak = [match for match in counted if match.algorithm in ("md5", "sha1")]
    near = [match for match in counted if match.algorithm not in {*DIGEST_BYTES, "phash"}]
    if "sha256" in algorithms or (weak and near) or any(match.size_agrees for match in weak):
        return "A"
    independent = len({match.list for match in near}) > 1 or len({match.algorithm for match in near}) > 1
    if near and ("phash" in algorithms or independent):
        return "B"
    if near or weak:
        return "C"
    raise ValueError("no digest or near code of a block list has matched: this is no hit")
