"""Builds a packed address table from ranges that come one by one; memory grows with what is said, not with ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Lazy, write_file
from crawler.attribute.packed import text_sections
from crawler.attribute.rows import TableInfo, Values
from crawler.attribute.spool import Column, Scratch
from crawler.attribute.sweeping import LOW, RangeSweep, Swept, nested

_FIELDS: Final = {"bounds": ("u8", 4), "named": ("u4", 1), "weight": ("u4", 1)}


class TableBuilder:
    """Ranges and what is said of them, then `finish`."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._ranges = {version: scratch.records(_FIELDS) for version in (4, 6)}
        self._values: dict[Values, int] = {}

    def add(self, version: int, first: int, last: int, values: Values, weight: int = 0) -> None:
        """The next range, in any order. Of equal ranges the one with the greatest weight stays, then the latest."""
        named = self._values.setdefault(values, len(self._values) + 1)
        self._ranges[version].append(first >> 64, first & LOW, last >> 64, last & LOW, named, weight)

    def finish(self, path: Path, info: TableInfo) -> int:
        """Write the table. Returns how many ranges it was given."""
        bounds, named = self._scratch.column("Q"), self._scratch.column("I")
        bounds.write(np.zeros(4, "<u8"))
        named.append(0)
        four, six = (self._swept(version, bounds, named) for version in (4, 6))
        total = len(named) - 1
        sections = {
            "start4": four.lows.section(width=4),
            "row4": four.owners.section(),
            "high6": six.highs.section(),
            "low6": six.lows.section(),
            "row6": six.owners.section(),
            **_facts(list(self._values)),
            "named": named.section(),
            "bounds": bounds.section(),
        }
        write_file(path, info, sections)
        return total

    def _swept(self, version: int, bounds: Column, named: Column) -> Swept:
        sweep = RangeSweep(self._scratch, version, len(named), parents=False)
        for rows in self._ranges[version].ordered(_by_weight):
            sweep.feed(rows["bounds"], rows["named"])
            bounds.write(rows["bounds"])
            named.write(rows["named"])
        return sweep.finish()


def _by_weight(rows: npt.NDArray[Any]) -> list[npt.NDArray[np.uint64]]:
    return [*nested(rows), rows["weight"].astype(np.uint64)]


def _facts(values: list[Values]) -> dict[str, npt.NDArray[Any] | Lazy]:
    texts: dict[str | None, int] = {None: 0, "": 0}
    facts = np.zeros((len(values) + 1, 7), dtype="<u4")
    anycast = np.zeros(len(values) + 1, dtype="u1")
    for number, v in enumerate(values, 1):
        named = (v.country, v.as_name, v.network, v.holder, v.abuse_contact, v.cdn)
        country, *others = (texts.setdefault(text, len(texts) - 1) for text in named)
        facts[number] = (country, v.asn or 0, *others)
        anycast[number] = v.anycast
    return {"facts": facts, "anycast": anycast, **text_sections([text for text in texts if text])}
