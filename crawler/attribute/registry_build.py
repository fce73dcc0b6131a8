"""Builds the files of `registry_file.py` from a split dump of the RIPE database, in flat memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from socket import AF_INET, inet_pton
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Lazy, write_file
from crawler.attribute.formats.rpsl import objects, value
from crawler.attribute.formats.source import Source
from crawler.attribute.packed import text_sections
from crawler.attribute.registry_file import COLUMNS, handle_hash
from crawler.attribute.rows import TableInfo
from crawler.attribute.sorting import Records
from crawler.attribute.spool import Scratch, Texts
from crawler.attribute.sweeping import LOW, RangeSweep, Swept, nested
from crawler.ranges import parse_prefix
from crawler.records import Rejected

LICENCE: Final = "RIPE Database Terms and Conditions"
_EMPTY: Final = frozenset(
    (
        b"IANA-BLK",
        b"IANA-BLOCK",
        b"NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",
        b"IPV6-NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",
    )
)
"""Objects that stand for all addresses that the RIPE NCC does not manage: nobody's network."""

_COUNTRY: Final = re.compile("[A-Z]{2}")
_CHANGED: Final = b"last-modified"
_CHUNK: Final = 65_536
_REMEMBERED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Built:
    """objects: how many were kept.  info: its date is the latest `last-modified` in the dump, else the file's day."""

    objects: int
    info: TableInfo


def build_handles(source: Source, kind: str, path: Path, scratch: Scratch, stated_date: str | None = None) -> Built:
    """Objects of a class that has handles (organisation, role, person, aut-num), by handle."""
    columns = COLUMNS[kind]
    handle_name = columns[0].encode()
    names = tuple(name.encode() for name in columns)
    rows, texts = scratch.records({"hash": ("u8", 1), "cells": ("u4", len(columns))}), scratch.texts(value)
    latest = b""
    for found in objects(source, (kind, *(name for name in columns if name != kind))):
        handle = value(found.get(handle_name, b""))
        if not handle:
            raise source.wrong(f"a {kind} without {columns[0]}")
        rows.append(handle_hash(handle), *[texts.add(found.get(name)) for name in names])
        latest = max(latest, found.get(_CHANGED, b""))
    count = len(rows)
    _some(source, kind, count)
    info = _info(source, kind, stated_date, latest)
    hashes, cells = scratch.column("Q"), scratch.column("I")
    hashes.append(0)
    cells.write(np.zeros(len(columns), "<u4"))
    for ordered in rows.ordered(lambda chunk: [chunk["hash"]]):
        hashes.write(ordered["hash"])
        cells.write(ordered["cells"])
    sections = {"hash": hashes.section(), "cells": cells.section(), "texts": texts.section()}
    write_file(path, info, sections, kind=kind)
    return Built(count, info)


def build_networks(
    source: Source, kind: str, paths: tuple[Path, Path], scratch: Scratch, stated_date: str | None = None
) -> Built:
    """inetnum or inet6num. paths: of the networks, and of a packed address table of their countries."""
    version = 4 if kind == "inetnum" else 6
    rows = scratch.records({"bounds": ("u8", 4), "cells": ("u4", len(COLUMNS[kind])), "country": ("u4", 1)})
    texts = scratch.texts(value)
    codes: dict[str, int] = {}
    info = _info(source, kind, stated_date, _networks(source, kind, rows, texts, codes))
    bounds, cells = scratch.column("Q"), scratch.column("I")
    bounds.write(np.zeros(4, "<u8"))
    cells.write(np.zeros(len(COLUMNS[kind]), "<u4"))
    sweep = RangeSweep(scratch, version, parents=True)
    for ordered in rows.ordered(nested):
        bounds.write(ordered["bounds"])
        cells.write(ordered["cells"])
        sweep.feed(ordered["bounds"], ordered["country"])
    segments = sweep.finish()
    sections = {
        "high6": segments.highs.section(),
        "low6": segments.lows.section(),
        "row6": segments.owners.section(),
        "bounds": bounds.section(),
        "parent": segments.parents.section(),
        "cells": cells.section(),
        "texts": texts.section(),
    }
    write_file(paths[0], info, sections, kind=kind)
    write_file(paths[1], info, _countries(scratch, version, segments, list(codes)))
    return Built(len(rows), info)


def _networks(source: Source, kind: str, rows: Records, texts: Texts, codes: dict[str, int]) -> bytes:
    """Read all networks into `rows`, and their countries' codes into `codes`. Returns the latest change."""
    version, names = 4 if kind == "inetnum" else 6, tuple(name.encode() for name in COLUMNS[kind])
    own, add, known = kind.encode(), texts.add, texts.get
    countries: dict[bytes, int] = {}
    latest, seen = b"", 0
    for found in objects(source, (kind, *COLUMNS[kind])):
        seen += 1
        latest = max(latest, found.get(_CHANGED, b""))
        first, last = _range(source, version, found[own])
        get = found.get
        if get(b"netname", b"").strip() in _EMPTY:
            continue
        said = get(b"country", b"")
        country = countries.get(said)
        if country is None:
            country = _country(source, value(said), codes)
            if len(countries) < _REMEMBERED:
                countries[said] = country
        cells = [number if (number := known(raw := get(name))) is not None else add(raw) for name in names]
        rows.append(first >> 64, first & LOW, last >> 64, last & LOW, *cells, country)
    _some(source, kind, seen)
    return latest


def _countries(scratch: Scratch, version: int, segments: Swept, codes: list[str]) -> dict[str, npt.NDArray[Any] | Lazy]:
    """A packed address table of the country of every segment, equal neighbours joined."""
    highs, lows, held = (scratch.column(code) for code in "QQI")
    before = -1
    columns = (each.section().chunks for each in (segments.highs, segments.lows, segments.said))
    for high, low, said in zip(*(_of_size(chunks) for chunks in columns), strict=True):
        change = np.ones(len(said), dtype=bool)
        change[1:] = said[1:] != said[:-1]
        change[0] = said[0] != before
        before = int(said[-1])
        for column, numbers in ((highs, high), (lows, low), (held, said)):
            column.write(numbers[change])
    facts = np.zeros((len(codes) + 1, 7), dtype="<u4")
    facts[1:, 0] = np.arange(1, len(codes) + 1)
    none = np.empty(0, "<u8")
    four = version == 4
    return {
        "start4": lows.section(width=4) if four else none,
        "row4": held.section() if four else none,
        "high6": none if four else highs.section(),
        "low6": none if four else lows.section(),
        "row6": none if four else held.section(),
        "facts": facts.ravel(),
        **text_sections(codes),
    }


def _of_size(chunks: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    """The same numbers, _CHUNK at a time."""
    for chunk in chunks:
        yield from (chunk[start : start + _CHUNK] for start in range(0, len(chunk), _CHUNK))


def _range(source: Source, version: int, raw: bytes) -> tuple[int, int]:
    """First and last address. raw: as it stands in the dump."""
    if version == 4:
        try:
            start, end = raw.split(b"-")
            first = inet_pton(AF_INET, start.strip().decode("ascii"))
            last = inet_pton(AF_INET, end.strip().decode("ascii"))
        except (OSError, ValueError):
            return _odd_range(source, version, value(raw))
        if first > last:
            raise source.wrong(f"the range {value(raw)[:60]!r} runs backwards")
        return int.from_bytes(first, "big"), int.from_bytes(last, "big")
    return _odd_range(source, version, value(raw))


def _odd_range(source: Source, version: int, text: str) -> tuple[int, int]:
    """Of a prefix, and of a range that is not written as nearly all are, for instance with a comment behind it."""
    start, dash, end = text.partition("-")
    if version == 4 and dash:
        try:
            parts = IPv4Address(start.strip()), IPv4Address(end.strip())
        except ValueError as error:
            raise source.wrong(f"{text[:60]!r} is no range such as 192.0.2.0 - 192.0.2.255") from error
        if parts[0] > parts[1]:
            raise source.wrong(f"the range {text[:60]!r} runs backwards")
        return int(parts[0]), int(parts[1])
    network = parse_prefix(text)
    if isinstance(network, Rejected) or network.version != version:
        raise source.wrong(f"{text[:60]!r} is no IPv{version} range")
    return int(network.network_address), int(network.broadcast_address)


def _country(source: Source, said: str, codes: dict[str, int]) -> int:
    """The number of a country, 0 for none."""
    text = said.upper()
    if not text:
        return 0
    if not _COUNTRY.fullmatch(text):
        raise source.wrong(f"country {text[:20]!r} is not a code of two letters")
    return codes.setdefault(text, len(codes) + 1)


def _some(source: Source, kind: str, count: int) -> None:
    if not count:
        raise source.wrong(f"holds no {kind}")


def _info(source: Source, kind: str, stated: str | None, latest: bytes) -> TableInfo:
    changed = value(latest)[:10]
    found = changed if re.fullmatch(r"\d{4}-\d{2}-\d{2}", changed) else None
    return TableInfo(f"RIPE database, {kind}", stated or found or source.day(), LICENCE)
