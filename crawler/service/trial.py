"""Trying a list on harmless images before it is enabled: what it would hit, and it should hit none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from crawler.errors import HomeUnusable
from crawler.fingerprint.options import FingerprintOptions
from crawler.match.index import build_index, open_index
from crawler.store import entries
from crawler.store.database import Database
from crawler.store.lists import HashList

Corpus = Iterable[tuple[str, bytes]]
"""(What an image is, its file), all of them harmless."""


@dataclass(frozen=True, slots=True)
class WouldHit:
    """One harmless image that a list would hit. entry: the entry's label.  distance: bits, 0 for digests."""

    image: str
    entry: str
    algorithm: str
    distance: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What one version of a list would hit. images: that it was tried on."""

    list_id: int
    version: int
    images: int
    hits: tuple[WouldHit, ...]

    def to_json(self) -> dict[str, Any]:
        found = [
            {"image": hit.image, "entry": hit.entry, "algorithm": hit.algorithm, "distance": hit.distance}
            for hit in self.hits
        ]
        return {"images": self.images, "would_hit": found}


def try_list(db: Database, row: HashList, corpus: Corpus, *, progress: Callable[[int], None] | None = None) -> Trial:
    """Match the latest version of a list against `corpus`, in this process: every image of it is our own.

    The nearest match of each image counts. progress: told how many images were looked at.
    Raises HomeUnusable when the home has no room for the list's index.
    """
    # These compile kernels when they are imported; whoever enables no list need not wait for that.
    from crawler.fingerprint.compute import Undecodable, fingerprint
    from crawler.match.matcher import Matcher, decide

    try:
        with TemporaryDirectory(dir=db.home.root, prefix="trial-") as directory:
            built = build_index(entries.latest_rows(db, row), Path(directory), ())
            matcher = Matcher(open_index(built.path, built.sha256))
            images, found = 0, []
            options = FingerprintOptions(full_decode=True)
            for what, content in corpus:
                images += 1
                made = fingerprint(content, options)
                exact = matcher.exact(made.digests)
                codes = () if isinstance(made, Undecodable) else made.codes
                near = [match for code in codes for match in matcher.near(code)]
                if matches := decide(exact, near):
                    found.append((what, matches[0]))
                if progress:
                    progress(images)
    except OSError as error:
        raise HomeUnusable(f"home {db.home.root}: {error.strerror}; make room, or mend it") from error
    labels = entries.entry_facts(db, [match.entry for _, match in found])
    return Trial(
        row.id,
        row.version,
        images,
        tuple(WouldHit(what, labels[match.entry].label, match.algorithm, match.distance) for what, match in found),
    )
