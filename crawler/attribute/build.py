"""From one file of a known kind to the tables that are made of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crawler.attribute.builder import TableBuilder
from crawler.attribute.container import Lazy, write_file
from crawler.attribute.domain import LICENCE
from crawler.attribute.formats import cdn, delegated, mmdb, routes, suffixes
from crawler.attribute.formats.source import Source
from crawler.attribute.registry_build import build_handles, build_networks
from crawler.attribute.registry_file import handle_hash
from crawler.attribute.rows import TableInfo, Values
from crawler.attribute.spool import Scratch

ADDRESSES: Final = "addresses"
SUFFIXES: Final = "suffixes"
_FAMILY: Final = {frozenset({4}): "-4", frozenset({6}): "-6"}
_UNSTATED: Final = "not stated by its publisher"


@dataclass(frozen=True, slots=True)
class Made:
    """One table in a file. rows: what plausibility is judged by.  kind: as in `shelf.Entry`."""

    name: str
    kind: str
    path: Path
    info: TableInfo
    rows: int


def build(kind: str, source: Source, work: Path, stated_kind: str | None, stated_date: str | None) -> list[Made]:
    """The tables of a file. kind: of `recognise.KINDS`.  work: a directory of its own.

    stated_kind: what a bare list of prefixes is; see `load.Stated`.  stated_date: instead of the day that is found.
    Raises AddressDataInvalid naming file, line and reason.
    """
    maker = _MAKERS.get(kind, _registry)
    with Scratch(work) as scratch:
        return maker(_Job(kind, source, work, scratch, stated_kind, stated_date))


@dataclass(frozen=True, slots=True)
class _Job:
    kind: str
    source: Source
    work: Path
    scratch: Scratch
    stated_kind: str | None
    stated_date: str | None

    def builder(self) -> TableBuilder:
        return TableBuilder(self.scratch)

    def day(self, found: str | None) -> str:
        return self.stated_date or found or self.source.day()

    def table(self, name: str, builder: TableBuilder, info: TableInfo) -> list[Made]:
        path = self.work / "table.vga"
        rows = builder.finish(path, info)
        if not rows:
            self.source.line = 0
            raise self.source.wrong("holds nothing of use")
        return [Made(name, ADDRESSES, path, info, rows)]


def _delegated(job: _Job) -> list[Made]:
    builder = job.builder()
    found = delegated.read(job.source, builder)
    info = TableInfo(f"{found.registry} delegation statistics", job.day(found.day), "free use, by the registry")
    return job.table(f"country-{found.registry}", builder, info)


def _routes(job: _Job) -> list[Made]:
    builder = job.builder()
    versions = routes.read_routes(job.source, builder)
    info = TableInfo("RIS route collectors, riswhoisdump", job.day(None), "RIPE NCC's terms")
    return job.table(f"origin-ris{_FAMILY.get(versions, '')}", builder, info)


def _mmdb(job: _Job) -> list[Made]:
    builder = job.builder()
    name, info = mmdb.read(job.source, builder)
    return job.table(name, builder, TableInfo(info.source, job.day(info.date), info.licence))


def _cdn_json(job: _Job) -> list[Made]:
    builder = job.builder()
    found = cdn.read_json(job.source, builder)
    return job.table(
        found.name, builder, TableInfo(f"addresses published by {found.whose}", job.day(found.day), _UNSTATED)
    )


def _prefixes(job: _Job) -> list[Made]:
    listed = cdn.bare_prefixes(job.source.head()) or []
    if job.stated_kind == "anycast":
        name, values = "anycast", Values(anycast=True)
    elif job.stated_kind is not None:
        brand = job.stated_kind.removeprefix("cdn:")
        name, values = "cdn-" + re.sub("[^a-z0-9]+", "-", brand.lower()).strip("-"), Values(cdn=brand)
    elif cdn.CLOUDFLARE.isdisjoint(listed):
        raise job.source.wrong("is a bare list of prefixes; say whose with --as cdn:NAME, or --as anycast")
    else:
        name, values = "cdn-cloudflare", Values(cdn="Cloudflare", anycast=True)
    builder = job.builder()
    versions = cdn.read_bare(job.source, builder, values)
    info = TableInfo(f"list of addresses, {values.cdn or 'anycast'}", job.day(None), _UNSTATED)
    return job.table(name + _FAMILY.get(versions, ""), builder, info)


def _suffixes(job: _Job) -> list[Made]:
    found = suffixes.read(job.source)
    path = job.work / "suffixes.dat"
    path.write_text(found.text, "utf-8")
    info = TableInfo("Public Suffix List", job.day(found.day), LICENCE)
    return [Made("public-suffixes", SUFFIXES, path, info, found.rules)]


def _as_names(job: _Job) -> list[Made]:
    names = routes.read_names(job.source)
    info = TableInfo("AS names of the RIPE NCC", job.day(None), "RIPE NCC's terms")
    path, texts = job.work / "names.vga", job.scratch.texts()
    rows = sorted((handle_hash(f"AS{asn}"), f"AS{asn}", *said) for asn, said in names.items())
    cells = [(0, 0, 0), *(tuple(texts.add(text.encode() if text else None) for text in row[1:]) for row in rows)]
    sections: dict[str, npt.NDArray[Any] | Lazy] = {
        "hash": np.array([0, *(row[0] for row in rows)], dtype="<u8"),
        "cells": np.array(cells, dtype="<u4").ravel(),
        "texts": texts.section(),
    }
    write_file(path, info, sections, kind="as-names")
    return [Made("as-names", "as-names", path, info, len(rows))]


def _registry(job: _Job) -> list[Made]:
    path, scratch = job.work / "objects.vga", job.scratch
    if job.kind not in ("inetnum", "inet6num"):
        built = build_handles(job.source, job.kind, path, scratch, job.stated_date)
        return [Made(job.kind, job.kind, path, built.info, built.objects)]
    countries = job.work / "countries.vga"
    built = build_networks(job.source, job.kind, (path, countries), scratch, job.stated_date)
    return [
        Made(job.kind, job.kind, path, built.info, built.objects),
        Made(f"country-{job.kind}", ADDRESSES, countries, built.info, built.objects),
    ]


_MAKERS: Final[dict[str, Callable[[_Job], list[Made]]]] = {
    "delegated": _delegated,
    "routes": _routes,
    "mmdb": _mmdb,
    "cdn-json": _cdn_json,
    "prefixes": _prefixes,
    "suffixes": _suffixes,
    "as-names": _as_names,
}
