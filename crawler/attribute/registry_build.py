"""Builds the files of `registry_file.py` from a split dump of the RIPE database, in flat memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, inet_pton
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.container import Lazy, Sections, write_file
from crawler.attribute.formats.rpsl import Object, objects
from crawler.attribute.formats.source import Source
from crawler.attribute.packed import text_sections
from crawler.attribute.registry_file import COLUMNS, handle_hash
from crawler.attribute.rows import TableInfo
from crawler.attribute.spool import Scratch, gathered
from crawler.attribute.sweeping import LOW, Swept, ordered, swept
from crawler.ranges import parse_prefix
from crawler.records import Rejected

LICENCE: Final = "RIPE Database Terms and Conditions"
_EMPTY: Final = frozenset(
    (
        "IANA-BLK",
        "IANA-BLOCK",
        "NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",
        "IPV6-NON-RIPE-NCC-MANAGED-ADDRESS-BLOCK",
    )
)
"""Objects that stand for all addresses that the RIPE NCC does not manage: nobody's network."""

_COUNTRY: Final = re.compile("[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class Built:
    """objects: how many were kept.  info: its date is the latest `last-modified` in the dump, else the file's day."""

    objects: int
    info: TableInfo


def build_handles(source: Source, kind: str, path: Path, scratch: Scratch, stated_date: str | None = None) -> Built:
    """Objects of a class that has handles (organisation, role, person, aut-num), by handle."""
    columns = COLUMNS[kind]
    hashes, cells, texts = scratch.column("Q"), scratch.column("I"), scratch.texts()
    cells.extend((0,) * len(columns))
    latest = ""
    wanted = (kind, *(name for name in columns if name != kind))
    for found in objects(source, wanted):
        handle = found.get(columns[0])
        if not handle:
            raise source.wrong(f"a {kind} without {columns[0]}")
        hashes.append(handle_hash(handle))
        cells.extend(tuple(texts.add(found.get(name)) for name in columns))
        latest = max(latest, found.get("last-modified", ""))
    count = len(hashes)
    _some(source, kind, count)
    info = _info(source, kind, stated_date, latest)
    found_hashes = hashes.finish()
    order = np.argsort(found_hashes, kind="stable")
    rows = cells.finish().reshape(-1, len(columns))
    write_file(
        path,
        info,
        {
            "hash": np.concatenate([np.zeros(1, "<u8"), found_hashes[order]]),
            "cells": Lazy(rows.nbytes, _after(rows[:1], gathered(rows, order + 1))),
            "texts": texts.finish(),
        },
        kind=kind,
    )
    return Built(count, info)


def build_networks(
    source: Source, kind: str, paths: tuple[Path, Path], scratch: Scratch, stated_date: str | None = None
) -> Built:
    """inetnum or inet6num. paths: of the networks, and of a packed address table of their countries."""
    version = 4 if kind == "inetnum" else 6
    columns = COLUMNS[kind]
    bounds, cells, countries, texts = scratch.column("Q"), scratch.column("I"), scratch.column("H"), scratch.texts()
    codes: dict[str, int] = {}
    latest, seen = "", 0
    for found in objects(source, (kind, *columns)):
        seen += 1
        latest = max(latest, found.get("last-modified", ""))
        first, last = _range(source, version, found[kind])
        if found.get("netname") in _EMPTY:
            continue
        bounds.extend((first >> 64, first & LOW, last >> 64, last & LOW))
        cells.extend(tuple(texts.add(found.get(name)) for name in columns))
        countries.append(_country(source, found, codes))
    _some(source, kind, seen)
    info = _info(source, kind, stated_date, latest)
    ranges, rows = bounds.finish().reshape(-1, 4), cells.finish().reshape(-1, len(columns))
    order = ordered(ranges, np.zeros(len(ranges), "<u4"))
    segments = swept(scratch, version, ranges, order, 1, parents=True)
    write_file(
        paths[0],
        info,
        {
            "high6": segments.highs,
            "low6": segments.lows,
            "row6": segments.owners,
            "bounds": Lazy(ranges.nbytes + 32, _after(np.zeros(4, "<u8"), gathered(ranges, order))),
            "parent": Lazy(4 * (len(order) + 1), _after(np.zeros(1, "<u4"), iter([segments.parents]))),
            "cells": Lazy(rows.nbytes + 4 * len(columns), _after(np.zeros(len(columns), "<u4"), gathered(rows, order))),
            "texts": texts.finish(),
        },
        kind=kind,
    )
    held = np.concatenate([np.zeros(1, "<u2"), countries.finish()[order]])[segments.owners]
    write_file(paths[1], info, _countries(version, segments, held, list(codes)))
    return Built(len(order), info)


def _countries(version: int, segments: Swept, held: npt.NDArray[Any], codes: list[str]) -> Sections:
    """A packed address table of the country of every segment, equal neighbours joined."""
    change = np.ones(len(held), dtype=bool)
    change[1:] = held[1:] != held[:-1]
    facts = np.zeros((len(codes) + 1, 7), dtype="<u4")
    facts[1:, 0] = np.arange(1, len(codes) + 1)
    none = np.empty(0, "<u8")
    highs, lows, rows = segments.highs[change], segments.lows[change], held[change]
    return {
        "start4": lows if version == 4 else none,
        "row4": rows if version == 4 else none,
        "high6": highs if version == 6 else none,
        "low6": lows if version == 6 else none,
        "row6": rows if version == 6 else none,
        "facts": facts.ravel(),
        **text_sections(codes),
    }


def _range(source: Source, version: int, text: str) -> tuple[int, int]:
    start, dash, end = text.partition("-")
    if version == 4 and dash:
        try:
            first, last = inet_pton(AF_INET, start.strip()), inet_pton(AF_INET, end.strip())
        except (OSError, ValueError) as error:
            raise source.wrong(f"{text[:60]!r} is no range such as 192.0.2.0 - 192.0.2.255") from error
        if first > last:
            raise source.wrong(f"the range {text[:60]!r} runs backwards")
        return int.from_bytes(first, "big"), int.from_bytes(last, "big")
    network = parse_prefix(text)
    if isinstance(network, Rejected) or network.version != version:
        raise source.wrong(f"{text[:60]!r} is no IPv{version} range")
    return int(network.network_address), int(network.broadcast_address)


def _country(source: Source, found: Object, codes: dict[str, int]) -> int:
    text = found.get("country", "").upper()
    known = codes.get(text) if text else 0
    if known is not None:
        return known
    if not _COUNTRY.fullmatch(text):
        raise source.wrong(f"country {text[:20]!r} is not a code of two letters")
    return codes.setdefault(text, len(codes) + 1)


def _some(source: Source, kind: str, count: int) -> None:
    if not count:
        raise source.wrong(f"holds no {kind}")


def _info(source: Source, kind: str, stated: str | None, latest: str) -> TableInfo:
    found = latest[:10] if re.fullmatch(r"\d{4}-\d{2}-\d{2}", latest[:10]) else None
    return TableInfo(f"RIPE database, {kind}", stated or found or source.day(), LICENCE)


def _after(first: npt.NDArray[Any], rest: Iterator[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
    yield first
    yield from rest
