"""Make the address tables of the package from two npm packages, for maintainers:

    npm pack @ip-location-db/asn @ip-location-db/geo-whois-asn-country     # and unpack each
    python -m crawler.attribute.make_snapshot ASN_DIR COUNTRY_DIR

Input: `*-ipv4-num.csv` and `*-ipv6-num.csv` with first, last, then AS number and name, or country. Their ranges overlap
here and there: the smallest range around an address decides. To keep the package small, the name of an AS is kept only
when it has an address in the Netherlands or at least 2,048 IPv4 addresses anywhere; the number is always kept.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

from crawler.attribute.archive import squeeze
from crawler.attribute.container import assemble
from crawler.attribute.packed import PackedTable, segment_sections, text_sections
from crawler.attribute.rows import TableInfo, flatten

_HOME = "NL"
_NAMED_FROM = 2_048
_LONGEST_NAME = 48

Segments = tuple[list[int], list[str]]
"""Starts, and for each what holds from there on: an AS number or a country, "" for nothing."""


def read_segments(path: Path) -> tuple[Segments, dict[str, str]]:
    """Disjoint segments of one file, equal neighbours joined, and the names that it gives to values."""
    ranges: list[tuple[int, int]] = []
    values: list[str] = []
    names: dict[str, str] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for first, last, value, *name in csv.reader(stream):
            ranges.append((int(first), int(last)))
            values.append(value)
            if name:
                names.setdefault(value, re.sub(r"[\s|\x00-\x1f\x7f-\x9f]+", " ", name[0]).strip())
    starts: list[int] = []
    held: list[str] = []
    for start, owner in zip(*flatten(ranges), strict=True):
        value = values[owner] if owner >= 0 else ""
        if not held or held[-1] != value:
            starts.append(start)
            held.append(value)
    return (starts, held), names


def country_table(info: TableInfo, segments: dict[int, Segments]) -> bytes:
    """Packed: one row per country."""
    countries = sorted({value for _, held in segments.values() for value in held} - {""})
    numbers = {"": 0} | {country: number for number, country in enumerate(countries, 1)}
    facts = np.zeros((len(countries) + 1, 7), dtype="<u4")
    facts[1:, 0] = np.arange(1, len(countries) + 1)
    return _assembled(info, segments, numbers, facts, countries)


def origin_table(info: TableInfo, segments: dict[int, Segments], names: dict[str, str]) -> bytes:
    """Packed: one row per AS, in the order of their numbers."""
    systems = sorted({int(value) for _, held in segments.values() for value in held if value})
    numbers = {"": 0} | {str(system): number for number, system in enumerate(systems, 1)}
    facts = np.zeros((len(systems) + 1, 7), dtype="<u4")
    facts[1:, 1] = systems
    texts = []
    for number, system in enumerate(systems, 1):
        if names.get(str(system)):
            texts.append(names[str(system)][:_LONGEST_NAME].rstrip())
            facts[number, 2] = len(texts)
    return _assembled(info, segments, numbers, facts, texts)


def _assembled(
    info: TableInfo,
    segments: dict[int, Segments],
    numbers: dict[str, int],
    facts: np.ndarray[tuple[int, int], np.dtype[np.uint32]],
    texts: list[str],
) -> bytes:
    sections = {"facts": facts.ravel(), **text_sections(texts)}
    for version, (starts, held) in segments.items():
        sections |= segment_sections(version, starts, [numbers[value] for value in held])
    return assemble(info, sections)


def worth_naming(origins: dict[int, Segments], countries: dict[int, Segments]) -> set[str]:
    """The AS numbers whose names are kept."""
    sizes: Counter[str] = Counter()
    for first, last, value in _pieces(origins[4], 2**32):
        sizes[value] += last - first + 1
    kept = {value for value, size in sizes.items() if size >= _NAMED_FROM}
    for version, end in ((4, 2**32), (6, 2**128)):
        dutch = [(first, last) for first, last, value in _pieces(countries[version], end) if value == _HOME]
        position = 0
        for first, last, value in _pieces(origins[version], end):
            while position < len(dutch) and dutch[position][1] < first:
                position += 1
            if position < len(dutch) and dutch[position][0] <= last:
                kept.add(value)
    return kept - {""}


def _pieces(segments: Segments, end: int) -> Iterator[tuple[int, int, str]]:
    starts, held = segments
    for start, following, value in zip(starts, [*starts[1:], end], held, strict=True):
        if following > start:
            yield start, following - 1, value


def _day(directory: Path) -> str:
    """The day of the data, from the version "2.3.YYYYMMDDHH" of its npm package."""
    version = json.loads((directory / "package.json").read_text())["version"].split(".")[2]
    return f"{version[:4]}-{version[4:6]}-{version[6:8]}"


@click.command()
@click.argument("asn", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("country", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=Path(__file__).parent / "data", show_default=True)
def main(asn: Path, country: Path, out: Path) -> None:
    """Write country.vga.xz and origin-as.vga.xz from the unpacked npm packages ASN and COUNTRY."""
    countries = {
        version: read_segments(country / f"geo-whois-asn-country-ipv{version}-num.csv")[0] for version in (4, 6)
    }
    origins: dict[int, Segments] = {}
    names: dict[str, str] = {}
    for version in (4, 6):
        origins[version], found = read_segments(asn / f"asn-ipv{version}-num.csv")
        names |= found | names
    kept = worth_naming(origins, countries)
    named = {system: name for system, name in names.items() if system in kept}
    where = "npm @ip-location-db/geo-whois-asn-country (NRO, RIR whois)"
    tables = {
        "country": country_table(TableInfo(where, _day(country), "CC-BY-4.0"), countries),
        "origin-as": origin_table(
            TableInfo("npm @ip-location-db/asn (RouteViews, DB-IP, NRO)", _day(asn), "CC-BY-4.0"), origins, named
        ),
    }
    for name, packed in tables.items():
        archive = squeeze(packed)
        (out / f"{name}.vga.xz").write_bytes(archive)
        click.echo(f"{name}: {PackedTable(packed, name).ranges} ranges, {len(packed)} bytes, {len(archive)} packed")


if __name__ == "__main__":
    main()
