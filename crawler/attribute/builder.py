"""Builds a packed address table from ranges that come one by one; memory grows with what is said, not with ranges."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Lazy, write_file
from crawler.attribute.packed import text_sections
from crawler.attribute.rows import TableInfo, Values
from crawler.attribute.spool import Scratch, gathered
from crawler.attribute.sweeping import LOW, Swept, ordered, swept

_EMPTY: Final = np.zeros(4, dtype="<u8")


class TableBuilder:
    """Ranges and what is said of them, then `finish`.

    with_ranges: keep every range as it was given, as evidence; else a segment stands for itself.
    """

    def __init__(self, scratch: Scratch, *, with_ranges: bool = True) -> None:
        self._scratch = scratch
        self._with_ranges = with_ranges
        self._bounds = {version: scratch.column("Q") for version in (4, 6)}
        self._named = {version: scratch.column("I") for version in (4, 6)}
        self._weights = {version: scratch.column("I") for version in (4, 6)}
        self._values: dict[Values, int] = {}

    def add(self, version: int, first: int, last: int, values: Values, weight: int = 0) -> None:
        """The next range, in any order. Of equal ranges the one with the greatest weight stays, then the latest."""
        self._bounds[version].extend((first >> 64, first & LOW, last >> 64, last & LOW))
        self._named[version].append(self._values.setdefault(values, len(self._values) + 1))
        self._weights[version].append(weight)

    def finish(self, path: Path, info: TableInfo) -> int:
        """Write the table. Returns how many ranges it was given."""
        bounds = {version: self._bounds[version].finish().reshape(-1, 4) for version in (4, 6)}
        orders = {version: ordered(bounds[version], self._weights[version].finish()) for version in (4, 6)}
        named = {version: self._named[version].finish() for version in (4, 6)}
        base = 1 + len(orders[4])
        four = swept(self._scratch, 4, bounds[4], orders[4], 1, parents=False)
        six = swept(self._scratch, 6, bounds[6], orders[6], base, parents=False)
        total = sum(map(len, orders.values()))
        names = np.concatenate([[0], named[4][orders[4]], named[6][orders[6]]]).astype("<u4")
        sections = {**_segments(four, six), **_facts(list(self._values))}
        if self._with_ranges:
            sections["named"] = names
            sections["bounds"] = Lazy(32 * (total + 1), _all(bounds, orders))
        else:
            sections["row4"], sections["row6"] = names[four.owners], names[six.owners]
        write_file(path, info, sections)
        return total


def _segments(four: Swept, six: Swept) -> dict[str, npt.NDArray[Any] | Lazy]:
    return {
        "start4": four.lows.astype("<u4"),
        "row4": four.owners,
        "high6": six.highs,
        "low6": six.lows,
        "row6": six.owners,
    }


def _all(bounds: dict[int, npt.NDArray[Any]], orders: dict[int, npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    yield _EMPTY
    for version in (4, 6):
        yield from gathered(bounds[version], orders[version])


def _facts(values: list[Values]) -> dict[str, npt.NDArray[Any]]:
    texts: dict[str | None, int] = {None: 0, "": 0}
    facts = np.zeros((len(values) + 1, 7), dtype="<u4")
    anycast = np.zeros(len(values) + 1, dtype="u1")
    for number, v in enumerate(values, 1):
        named = (v.country, v.as_name, v.network, v.holder, v.abuse_contact, v.cdn)
        country, *others = (texts.setdefault(text, len(texts) - 1) for text in named)
        facts[number] = (country, v.asn or 0, *others)
        anycast[number] = v.anycast
    return {"facts": facts, "anycast": anycast, **text_sections([text for text in texts if text])}
