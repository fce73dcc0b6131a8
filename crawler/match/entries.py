"""What importers make of a hash list's file: entries, tombstones, and the lines that are neither.

Values are sensitive: no repr, reason or error message shows one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

DIGEST_BYTES: Mapping[str, int] = MappingProxyType({"md5": 16, "sha1": 20, "sha256": 32})
"""Exact digests of a file, and their lengths in bytes."""

CODE_BYTES: Mapping[str, int] = MappingProxyType({"pdq": 32, "phash": 8})
"""Perceptual codes that we can search."""

KEPT_BYTES: Mapping[str, int] = MappingProxyType({"photodna": 144})
"""Codes that are kept and counted, and that only a plug-in can compute and compare."""

VALUE_BYTES: Mapping[str, int] = MappingProxyType({**DIGEST_BYTES, **CODE_BYTES, **KEPT_BYTES})
"""Every algorithm that an entry may have -> length of its value in bytes."""

ListKind = Literal["block", "benign"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a hash list.

    algorithm: a key of `VALUE_BYTES`.  value: that many bytes; PDQ in the byte order of the reference's hexadecimal.
    category: as the list writes it, None when it says nothing.  size: the file's size in bytes, None when not given.
    external_id: the list owner's own name for the image, None when not given. Entries of one image share it.
    """

    algorithm: str
    value: bytes = field(repr=False)
    category: str | None = None
    size: int | None = None
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """The list's owner withdraws everything that was published under `external_id`."""

    external_id: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """Something that is no acceptable entry: malformed, or refused by a poison guard.

    number: counted from 1; the line in text formats (lines, csv, interpol), the image's place in JSON and XML.
    reason: short and stable, without the value.
    """

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class Uncounted:
    """Well-formed and deliberately left out, for instance an image of category 0. `number` as in `BadLine`."""

    number: int
    reason: str


Item = Entry | Tombstone | BadLine | Uncounted
"""What every importer yields, in the order of the file."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A bounded run of items, sorted by kind.

    position, total: bytes of the file read so far and altogether, for a progress bar.
    """

    entries: list[Entry]
    tombstones: list[Tombstone]
    bad: list[BadLine]
    uncounted: list[Uncounted]
    position: int
    total: int


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How to read a hash list.

    format: "auto", or a name of `importers.detect.FORMATS`.
    kind: "benign" lists count by exact digest only; a VICS or NCMEC or Interpol file is refused as one.
    categories: which categories count; None counts all. Category 0 of VICS ("non-pertinent") never counts.
    columns: for csv, role -> name of the column; roles are the algorithms, "algorithm", "value", "category", "size"
    and "id". Roles that are not mapped are guessed from the header.
    """

    format: str = "auto"
    kind: ListKind = "block"
    categories: frozenset[str] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
