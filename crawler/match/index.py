"""Index files: what a crawl worker knows of the hash lists. Codes and entry numbers; no list, category or owner."""

from __future__ import annotations

import hashlib
import mmap
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from crawler.errors import IndexCorrupt
from crawler.match import short_tables
from crawler.match.container import REBUILD, in_memory, map_file, sections_of, write_file
from crawler.match.contents import IndexInfo, IndexRow
from crawler.match.entries import CODE_BYTES, DIGEST_BYTES, KEPT_BYTES
from crawler.match.names import SUFFIX
from crawler.match.tables import (
    HALVES,
    LINEAR_BELOW,
    PADDING,
    SHARED,
    WORDS,
    code_sections,
    digest_sections,
    directory_bits,
    raw_sections,
)

__all__ = ["Index", "IndexInfo", "IndexRow", "build_index", "index_in_memory", "open_index"]

Array = npt.NDArray[Any]
MOST_PLUGGED = 100_000
"""Codes of one plug-in's algorithm that an index takes."""

POPULATE_READ = 22
"""MADV_POPULATE_READ of Linux 5.14, which the mmap module does not name yet."""


@dataclass(frozen=True, slots=True)
class Index:
    """An open index. Reading it needs no file descriptor and no system call, so a closed-in process can.

    sections: "block.sha256.values" and so on: kind of list, algorithm, array of `crawler.match.tables`; read-only.
    """

    sha256: str
    sections: Mapping[str, Array] = field(repr=False)
    mapped: mmap.mmap | None = field(default=None, repr=False)

    def count(self, algorithm: str, *, benign: bool = False) -> int:
        """How many distinct values of an algorithm it holds."""
        entries = self.sections.get(f"{'benign' if benign else 'block'}.{algorithm}.entries")
        return 0 if entries is None else len(entries)

    def plugged(self) -> dict[str, Array]:
        """The codes that plug-ins compare: algorithm -> (n, k) uint8, row by row."""
        return {name: part for name in KEPT_BYTES if (part := self.sections.get(f"block.{name}.raw")) is not None}

    def entries(self, algorithm: str, row: int, *, benign: bool = False) -> tuple[int, ...]:
        """The numbers of the entries that have the value in this row, ascending."""
        table = f"{'benign' if benign else 'block'}.{algorithm}"
        number = int(self.sections[f"{table}.entries"][row])
        if number < SHARED:
            return (number,)
        shared = self.sections[f"{table}.shared"]
        place = number - SHARED
        return tuple(shared[place + 1 : place + 1 + int(shared[place])].tolist())

    def preload(self) -> None:
        """Map every page now, so that the first searches do not wait for the disk. Never fails."""
        if self.mapped is None:
            return
        try:
            self.mapped.madvise(POPULATE_READ)
        except (OSError, ValueError):
            for part in self.sections.values():
                part.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max(initial=0)


@dataclass(slots=True)
class Gathered:
    """The values and entry numbers of one algorithm, as they come in."""

    values: bytearray = field(default_factory=bytearray)
    entries: array[int] = field(default_factory=lambda: array("Q"))


def arrange(
    rows: Iterable[IndexRow], plugged: Collection[str] = ()
) -> tuple[dict[str, Array], dict[str, int], dict[str, int]]:
    """Sections, entries by algorithm, entries that were left out. Raises ValueError for a value of a wrong length."""
    widths = {**CODE_BYTES, **{name: KEPT_BYTES[name] for name in plugged if name in KEPT_BYTES}}
    gathered: dict[tuple[bool, str], Gathered] = {}
    left_out: Counter[str] = Counter()
    for row in rows:
        width = DIGEST_BYTES.get(row.algorithm) or (0 if row.benign else widths.get(row.algorithm, 0))
        so_far = gathered.get((row.benign, row.algorithm))
        full = row.algorithm in KEPT_BYTES and so_far is not None and len(so_far.entries) >= MOST_PLUGGED
        if not width or full:
            left_out[f"benign {row.algorithm}" if row.benign else row.algorithm] += 1
            continue
        if len(row.value) != width:
            raise ValueError(f"entry {row.entry}: a {row.algorithm} value has {width} bytes, not {len(row.value)}")
        into = gathered.setdefault((row.benign, row.algorithm), Gathered())
        into.values += row.value
        into.entries.append(row.entry)
    sections: dict[str, Array] = {}
    counts: dict[str, int] = {}
    for benign, algorithm in sorted(gathered):
        found = gathered.pop((benign, algorithm))
        counts[f"benign {algorithm}" if benign else algorithm] = len(found.entries)
        make = digest_sections if algorithm in DIGEST_BYTES else code_sections
        make = raw_sections if algorithm in KEPT_BYTES else make
        values = np.frombuffer(found.values, np.uint8).reshape(len(found.entries), -1)
        numbers = np.frombuffer(found.entries, np.uint64)
        for name, part in make(values, numbers).items():
            sections[f"{'benign' if benign else 'block'}.{algorithm}.{name}"] = part
    return sections, counts, dict(left_out)


def build_index(rows: Iterable[IndexRow], directory: Path, plugged: Collection[str] = ()) -> IndexInfo:
    """Write the rows as one file `<sha256>.vgx` (mode 0600): whole and on disk, or not at all.

    plugged: algorithms that a plug-in searches. Their codes are compared one by one, so that no more than MOST_PLUGGED
    of each are taken; the others count as unsearchable.
    The same rows, in any order, make the same file. Raises HomeUnusable when it cannot be written, ValueError for a row
    whose value has a wrong length or whose entry number is 2**31 or more.
    """
    sections, counts, left_out = arrange(rows, plugged)
    path, sha256 = write_file(sections, directory)
    return IndexInfo(path, sha256, counts, left_out)


def index_in_memory(rows: Iterable[IndexRow], plugged: Collection[str] = ()) -> Index:
    """An index without a file, for the few entries that came since the file was built. Raises ValueError as above."""
    data, sha256 = in_memory(arrange(rows, plugged)[0])
    return Index(sha256, sections_of(data, "index in memory"))


def open_index(path: Path, expected_sha256: str | None = None, *, verify: bool = False) -> Index:
    """Map an index file, read-only and shared with all processes that map it.

    expected_sha256: what the campaign names; it must be the file's name.  verify: read the whole file and compare its
    sha256 with its name (about 1 s per GB); without it, structure and sizes are checked.
    Raises IndexCorrupt when the file is missing, damaged, of another version, or another index than expected.
    """
    named = path.name.removesuffix(SUFFIX)
    if expected_sha256 is not None and named != expected_sha256:
        raise IndexCorrupt(f"{path}: the campaign needs the index {expected_sha256}{SUFFIX}; copy or {REBUILD}")
    mapped = map_file(path)
    if verify and hashlib.sha256(mapped).hexdigest() != named:
        raise IndexCorrupt(f"{path}: the index's bytes do not have the sha256 of its name; copy or {REBUILD}")
    sections = sections_of(mapped, str(path))
    for table in sorted({name.rpartition(".")[0] for name in sections}):
        kind, _, algorithm = table.partition(".")
        if kind not in ("block", "benign") or not sound(sections, table, algorithm):
            raise IndexCorrupt(f"{path}: the index's {algorithm} table is damaged; {REBUILD}")
    return Index(named, sections, mapped)


def sound(sections: Mapping[str, Array], table: str, algorithm: str) -> bool:
    """Whether the arrays of one table belong together by shape and type, and none leads outside of another: the
    compiled search checks no bounds."""

    def part(name: str) -> Array:
        return sections.get(f"{table}.{name}", np.zeros(0, np.uint32))

    count, shared = len(part("entries")), part("shared")
    wanted: dict[str, tuple[tuple[int, ...], str]] = {"entries": ((count,), "<u4"), "shared": ((len(shared),), "<u4")}
    if algorithm in DIGEST_BYTES:
        wanted["values"] = (count, DIGEST_BYTES[algorithm]), "|u1"
        wanted["starts"] = ((1 << directory_bits(count)) + 1,), "<u4"
    elif algorithm in KEPT_BYTES:
        wanted["raw"] = (count, KEPT_BYTES[algorithm]), "|u1"
    elif f"{table}.codes" in sections:
        wanted["codes"] = (count, CODE_BYTES.get(algorithm, 0) // 8), "<u8"
    elif CODE_BYTES.get(algorithm) != 4 * WORDS:
        return False
    else:
        padded = count + PADDING
        wanted |= {"tails": (((WORDS - 1) * count,), "<u4"), "rows": (((WORDS - 1) * count,), "<u4")}
        wanted |= dict.fromkeys(("lows", "highs"), ((WORDS * padded,), "<u2"))
        wanted |= dict.fromkeys(("by_high", "by_low"), ((WORDS * (HALVES + 1),), "<u4"))
    if any((part(name).shape, part(name).dtype.str) != shape for name, shape in wanted.items()):
        return False
    many_short = algorithm == "phash" and count >= LINEAR_BELOW
    if many_short and not short_tables.sound(part("order"), part("by_word"), count):
        return False
    if "rows" in wanted and np.any(part("rows") >= count):
        return False
    buckets = [part("starts")] if "starts" in wanted else []
    buckets += [ends for name in ("by_high", "by_low") if name in wanted for ends in np.array_split(part(name), WORDS)]
    if any(ends[0] != 0 or ends[-1] != count or np.any(ends[1:] < ends[:-1]) for ends in buckets):
        return False
    places = part("entries")[part("entries") >= SHARED].astype(np.int64) - SHARED
    return not np.any(places >= len(shared)) and not np.any(places + shared[places] >= len(shared))
