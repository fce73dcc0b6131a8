"""What goes into an index, and what is known of one that was built: for those who neither build nor search one.

The searches are compiled code, and importing the compiler takes longer than most commands take.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One entry of an enabled list. `entry`: its number in the store, below 2**31."""

    entry: int
    algorithm: str
    value: bytes = field(repr=False)
    benign: bool = False


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """A file that was built.

    rows_by_algorithm: entries that can be found, "sha256" and so on for block lists, "benign sha256" for others.
    unsearchable: entries that were left out, by algorithm: no plug-in can search them, or a benign list has codes.
    """

    path: Path
    sha256: str
    rows_by_algorithm: dict[str, int]
    unsearchable: dict[str, int]
