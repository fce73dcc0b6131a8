"""Scripts and style sheets that many pages of a run have in common, in memory and within bounds."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from typing import Final

from crawler.records import RunId
from crawler.render.page import Part

LIFE: Final = 600.0
_Key = tuple[RunId, str]


class PartCache:
    """One per worker. most: bytes of bodies. A part is believed for LIFE seconds, which is less than browsers do."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = 0
        self._parts: OrderedDict[_Key, tuple[float, Part]] = OrderedDict()

    def get(self, key: _Key) -> Part | None:
        """A part that was put here lately."""
        found = self._parts.get(key)
        if found is None:
            return None
        if found[0] < monotonic():
            self._drop(key)
            return None
        self._parts.move_to_end(key)
        return found[1]

    def put(self, key: _Key, part: Part) -> None:
        """Keep a part, and let go of those that were not used for longest."""
        if key in self._parts:
            self._drop(key)
        self._parts[key] = monotonic() + LIFE, part
        self._bytes += len(part.body)
        while self._bytes > self._most:
            self._drop(next(iter(self._parts)))

    def _drop(self, key: _Key) -> None:
        self._bytes -= len(self._parts.pop(key)[1].body)
