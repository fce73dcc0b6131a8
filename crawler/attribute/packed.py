"""Packed address tables: ranges of addresses, and what is said of each. `container.py` has the form of the file.

start4   u32   first address of every IPv4 segment, ascending; a segment reaches to the next start
row4     u32   its range, 0 for none
high6    u64   upper half of the first address of every IPv6 segment     low6   u64   lower half     row6   u32
bounds   u64   per range, 4 columns: upper and lower half of the first and of the last address; without this section
               a segment is its own range
named    u32   per range, the row of `facts`; without this section a range's number is that of its row
facts    u32   per row, 7 columns: country, AS number, AS name, network, holder, abuse contact, CDN marker;
               text as its number (0 for none), row 0 is empty
anycast  u8    per row of `facts`, 1 for anycast; may be absent
offsets  u32   start of every text, then the end of the last     texts   UTF-8
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Iterable
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Sections, assemble, read_sections
from crawler.attribute.merged import find6
from crawler.attribute.rows import NO_CDN, Row, TableInfo, Values, flatten
from crawler.errors import AddressDataInvalid

_LOW: Final = 2**64 - 1

MAX_KNOWN: Final = 10_000
"""Rows whose values are kept as objects, most of all for tables with few distinct ones; then all are forgotten."""

WIDTHS: Final = {"facts": 7, "bounds": 4}
"""Columns of the sections that have more than one."""


def pack(info: TableInfo, rows: Iterable[Row]) -> bytes:
    """A table as the bytes of a packed file; every row keeps its own range as evidence."""
    listed = list(rows)
    texts: dict[str | None, int] = {None: 0, "": 0}
    facts = np.zeros((len(listed) + 1, 7), dtype="<u4")
    bounds = np.zeros((len(listed) + 1, 4), dtype="<u8")
    for number, row in enumerate(listed, 1):
        v = row.values
        named = (v.country, v.as_name, v.network, v.holder, v.abuse_contact, v.cdn)
        country, *others = (texts.setdefault(text, len(texts) - 1) for text in named)
        facts[number] = (country, v.asn or 0, *others)
        bounds[number] = (row.first >> 64, row.first & _LOW, row.last >> 64, row.last & _LOW)
    sections: Sections = {"facts": facts, "bounds": bounds, **text_sections([text for text in texts if text])}
    sections["anycast"] = np.array([False, *(row.values.anycast for row in listed)], dtype="u1")
    for version in (4, 6):
        numbers = [number for number, row in enumerate(listed, 1) if row.version == version]
        starts, owners = flatten([(listed[number - 1].first, listed[number - 1].last) for number in numbers])
        owned = [numbers[owner] if owner >= 0 else 0 for owner in owners]
        sections.update(segment_sections(version, starts, owned))
    return assemble(info, sections)


def text_sections(texts: list[str]) -> Sections:
    """The sections for texts; the first has number 1, since 0 is none."""
    encoded = [b"", *(text.encode() for text in texts)]
    offsets = np.zeros(len(encoded) + 1, dtype="<u4")
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return {"offsets": offsets, "texts": np.frombuffer(b"".join(encoded), dtype="u1")}


def segment_sections(version: int, starts: list[int], rows: list[int]) -> Sections:
    """The sections for segments. A start behind the last address of the version is left out."""
    end = 2**32 if version == 4 else 2**128
    kept = [(start, row) for start, row in zip(starts, rows, strict=True) if start < end]
    owned = np.array([row for _, row in kept], dtype="<u4")
    if version == 4:
        return {"start4": np.array([start for start, _ in kept], dtype="<u4"), "row4": owned}
    high = np.array([start >> 64 for start, _ in kept], dtype="<u8")
    return {"high6": high, "low6": np.array([start & _LOW for start, _ in kept], dtype="<u8"), "row6": owned}


class PackedTable:
    """A packed table, read in place from `buffer` (bytes or a memory map), which it keeps.

    name: what messages call it.  verify: as in `container.read_sections`.
    Raises AddressDataInvalid when the buffer is not a whole table of this format.
    """

    def __init__(self, buffer: Any, name: str, *, verify: bool = True) -> None:
        try:
            header, sections = read_sections(buffer, verify=verify)
            self.info = TableInfo(str(header["source"]), str(header["date"]), str(header["licence"]))
            datetime.date.fromisoformat(self.info.date)
            _check(sections)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise AddressDataInvalid(f"{name}: is no whole packed address table ({error}); load it again") from error
        self.name = name
        self.ranges = len(sections["row4"]) + len(sections["row6"])
        self.size = len(buffer)
        self._sections = sections
        self._known: dict[int, Values] = {}
        self._start4, self._row4 = sections["start4"].data, sections["row4"].data
        self._high6, self._low6, self._row6 = (sections[name].data for name in ("high6", "low6", "row6"))
        self._facts = sections["facts"].reshape(-1, WIDTHS["facts"])
        self._flat = sections["facts"].data
        self._bounds = sections["bounds"].data if "bounds" in sections else None
        self._named = sections["named"].data if "named" in sections else None
        self._anycast = sections.get("anycast")
        self._offsets, self._texts = sections["offsets"].data, sections["texts"].data

    @property
    def starts(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Starts of the segments: IPv4 (uint32), upper and lower half of IPv6 (uint64)."""
        return self._sections["start4"], self._sections["high6"], self._sections["low6"]

    def segment(self, version: int, number: int) -> int:
        """The segment around an address, -1 before the first."""
        if version == 4:
            return bisect_right(self._start4, number) - 1
        return find6(self._high6, self._low6, number)

    def row(self, version: int, segment: int) -> int:
        """The range that has a segment; 0 for none."""
        if segment < 0:
            return 0
        return int(self._row4[segment] if version == 4 else self._row6[segment])

    def rows4(self, numbers: npt.NDArray[np.uint32]) -> npt.NDArray[Any]:
        """The rows of `facts` for many IPv4 addresses; 0 for none."""
        segments = np.searchsorted(self._sections["start4"], numbers, "right")
        ranges = np.concatenate([np.zeros(1, "<u4"), self._sections["row4"]])[segments]
        return ranges if self._named is None else self._sections["named"][ranges]

    def around4(self, numbers: npt.NDArray[np.uint32]) -> tuple[npt.NDArray[Any], ...]:
        """Of many IPv4 addresses: the row of `facts` (0 for none), first and last address of the range that has it."""
        starts = self._sections["start4"]
        segments = np.searchsorted(starts, numbers, "right").astype(np.int64)
        ranges = np.append(np.zeros(1, "<u4"), self._sections["row4"])[segments]
        if self._bounds is not None:
            bounds = self._sections["bounds"].reshape(-1, WIDTHS["bounds"])[ranges]
            first, last = bounds[:, 1].astype(np.int64), bounds[:, 3].astype(np.int64)
        else:
            ends = np.append(starts.astype(np.int64), 2**32)
            first, last = ends[segments - 1], ends[segments] - 1
        return ranges if self._named is None else self._sections["named"][ranges], first, last

    @cached_property
    def judged(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Per row of `facts`, what scope is judged by: country ("" for none), AS number (0 for none), CDN (1 for a
        front, -1 for what is none, 0 for unknown), anycast."""
        facts = self._facts
        texts = {number: self._text(number) or "" for number in np.unique(facts[:, [0, 6]]).tolist()}
        countries = np.array([texts[number][:2] for number in facts[:, 0].tolist()], dtype="U2")
        marks = {number: -1 if text == NO_CDN else int(bool(text)) for number, text in texts.items()}
        cdns = np.array([marks[number] for number in facts[:, 6].tolist()], dtype=np.int8)
        none = np.zeros(len(facts), dtype=bool)
        return countries, facts[:, 1], cdns, none if self._anycast is None else self._anycast.astype(bool)

    def named(self, row: int) -> int:
        """The row of `facts` that a range has."""
        return row if self._named is None else int(self._named[row])

    def values(self, row: int) -> Values:
        """What a row of `facts` says."""
        known = self._known.get(row)
        if known is None:
            if len(self._known) >= MAX_KNOWN:
                self._known.clear()
            known = self._known[row] = self._values(row)
        return known

    def _values(self, row: int) -> Values:
        country, asn, *others = self._flat[7 * row : 7 * row + 7]
        as_name, network, holder, contact, cdn = [self._text(other) if other else None for other in others]
        anycast = self._anycast is not None and bool(self._anycast[row])
        return Values(self._text(country), asn or None, as_name, network, holder, contact, cdn, anycast)

    def bounds(self, version: int, segment: int) -> tuple[int, int]:
        """First and last address of the range that a segment's row speaks of."""
        if self._bounds is not None:
            at = 4 * self.row(version, segment)
            high, low, last_high, last_low = self._bounds[at : at + 4]
            return high << 64 | low, last_high << 64 | last_low
        starts = self._start4 if version == 4 else self._high6
        end = 2**32 if version == 4 else 2**128
        following = self._first(version, segment + 1) if segment + 1 < len(starts) else end
        return self._first(version, segment), following - 1

    def _first(self, version: int, segment: int) -> int:
        return self._start4[segment] if version == 4 else self._high6[segment] << 64 | self._low6[segment]

    def _text(self, number: int) -> str | None:
        if number == 0:
            return None
        return str(self._texts[self._offsets[number] : self._offsets[number + 1]], "utf-8", "replace")


def _check(sections: Sections) -> None:
    """That nothing in the sections leads outside, so that a lookup cannot fail. Raises ValueError, KeyError."""
    rows = len(sections["facts"].reshape(-1, WIDTHS["facts"]))
    named = sections.get("named")
    ranges = rows if named is None else len(named)
    offsets = sections["offsets"]
    texts = sections["facts"].reshape(-1, WIDTHS["facts"])[:, [0, 2, 3, 4, 5, 6]]
    sound = (
        len(sections["start4"]) == len(sections["row4"])
        and len(sections["high6"]) == len(sections["low6"]) == len(sections["row6"])
        and rows > 0
        and (named is None or named.max(initial=0) < rows)
        and len(sections.get("anycast", range(rows))) == rows
        and all(sections[name].max(initial=0) < ranges for name in ("row4", "row6"))
        and (sections["start4"][1:] > sections["start4"][:-1]).all()
        and (sections["high6"][1:] >= sections["high6"][:-1]).all()
        and int(texts.max(initial=0)) < len(offsets) - 1
        and (offsets[1:] >= offsets[:-1]).all()
        and int(offsets[-1]) <= len(sections["texts"])
        and ("bounds" not in sections or _bounded(sections, ranges))
    )
    if not sound:
        raise ValueError("its sections do not fit together")


def _bounded(sections: Sections, ranges: int) -> bool:
    """Whether every range runs forwards, and those of IPv4 segments are IPv4."""
    bounds = sections["bounds"].reshape(-1, WIDTHS["bounds"])
    if len(bounds) != ranges:
        return False
    high, low, last_high, last_low = bounds.T
    forwards = (high < last_high) | ((high == last_high) & (low <= last_low))
    of_ipv4 = bounds[sections["row4"]]
    return bool(forwards.all()) and not of_ipv4[:, [0, 2]].any() and int(of_ipv4.max(initial=0)) < 2**32
