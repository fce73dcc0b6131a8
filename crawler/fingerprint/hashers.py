"""Hashers that others license, PhotoDNA above all: a package brings one by the entry point group `vangnet.hashers`.

    [project.entry-points."vangnet.hashers"]
    photodna = "the_package:hasher"

The entry point's name is the algorithm, as hash lists name it. What it leads to has the attributes of `Plugin`; it is
loaded before a sandbox closes itself in, and runs inside: without files, network and threads, within the same limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Protocol

from crawler.errors import SandboxUnavailable
from crawler.records import Rejected

GROUP = "vangnet.hashers"
LONGEST_CODE = 4096
"""Bytes."""

OURS = frozenset({"md5", "sha1", "sha256", "pdq", "phash"})
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,23}")

# What code that we do not know may raise. MemoryError is left to the sandbox.
FOREIGN_ERRORS = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Plugin(Protocol):
    """What an entry point leads to.

    threshold: the largest distance at which two codes count as near, in units of `distance`.
    """

    threshold: int

    def code(self, data: bytes) -> bytes | None:
        """The code of an image file; None when it has none. May raise anything: then it failed for this image."""
        ...

    def distance(self, one: bytes, other: bytes) -> int:
        """0 for equal codes, and the larger the less alike two are. Both come from `code`, or from a list."""
        ...


@dataclass(frozen=True, slots=True)
class Hasher:
    """A plug-in that was loaded. name: the algorithm.  compute, distance: as `Plugin` has them."""

    name: str
    threshold: int
    compute: Callable[[bytes], bytes | None]
    distance: Callable[[bytes, bytes], int]

    def code(self, data: bytes | memoryview) -> bytes | Rejected | None:
        """The code of an image file, None when it has none. Rejected: "hasher(NAME)", when the plug-in failed."""
        try:
            found = self.compute(bytes(data))
        except FOREIGN_ERRORS as error:
            return Rejected(f"hasher({self.name})", type(error).__name__)
        if found is None or (isinstance(found, bytes) and 0 < len(found) <= LONGEST_CODE):
            return found
        return Rejected(f"hasher({self.name})", "no code")


def installed() -> tuple[str, ...]:
    """The algorithms that plug-ins of this installation compute, in order. Runs none of their code."""
    return tuple(sorted({each.name for each in entry_points(group=GROUP)}))


def load() -> tuple[Hasher, ...]:
    """Every installed plug-in, by name.

    Raises SandboxUnavailable for one that cannot be loaded or is none, for a name that is ours or no name, and for two
    of one name: crawling on without a hasher that somebody counts on would be silent.
    """
    found: dict[str, Hasher] = {}
    for each in sorted(entry_points(group=GROUP), key=lambda each: each.name):
        if each.name in found or each.name in OURS or not NAME.fullmatch(each.name):
            raise SandboxUnavailable(f"hasher {each.name!r} ({each.value}): the name is taken or is none; uninstall it")
        try:
            plugin = each.load()
            hasher = Hasher(each.name, int(plugin.threshold), plugin.code, plugin.distance)
        except FOREIGN_ERRORS as error:
            raise SandboxUnavailable(
                f"hasher {each.name!r} ({each.value}): cannot be loaded ({type(error).__name__}); mend or uninstall it"
            ) from error
        found[each.name] = hasher
    return tuple(found.values())
