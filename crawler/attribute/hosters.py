"""Dutch hosters and their AS numbers: a text table that ships with the package and that people edit.

    #vangnet-hosters 1
    #source …        #date 2026-06-17        #licence …
    # AS number | country | hoster | brands
    20857       | NL      | TransIP | Signet

One in the home (`tables/hosters.txt`) takes the place of the packaged one.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

from crawler.attribute.rows import TableInfo
from crawler.errors import AddressDataInvalid

MAGIC: Final = "#vangnet-hosters 1"
FILE: Final = "hosters.txt"
_MAX_FILE: Final = 1_048_576
_HEADER: Final = ("source", "date", "licence")


@dataclass(frozen=True, slots=True)
class Hoster:
    """country: whose hoster it is.  name: the company.  brands: other names that people and machines know it by."""

    asn: int
    country: str
    name: str
    brands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hosters:
    """The table. path: its file, or what messages call it."""

    info: TableInfo
    by_asn: Mapping[int, Hoster] = field(default_factory=dict)
    path: str = ""
    size: int = 0


NO_HOSTERS: Final = Hosters(TableInfo("", "", ""))


def packaged_hosters() -> Hosters:
    """The table of the package."""
    found = resources.files("crawler.attribute").joinpath("data", FILE)
    return parse_hosters(found.read_text("utf-8"), f"packaged {FILE}")


def read_hosters(path: Path) -> Hosters:
    """A table of people. Raises AddressDataInvalid "FILE: line N: reason"."""
    try:
        if path.stat().st_size > _MAX_FILE:
            raise AddressDataInvalid(f"{path}: larger than {_MAX_FILE} bytes")
        return parse_hosters(path.read_bytes().decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise AddressDataInvalid(f"{path}: line {line}: is not UTF-8 text") from error
    except OSError as error:
        raise AddressDataInvalid(f"{path}: cannot be read: {error.strerror}") from error


def parse_hosters(content: str, source: str) -> Hosters:
    """As `read_hosters`, of text. source: what messages call it."""
    lines = content.split("\n")
    if lines[0].strip() != MAGIC:
        raise AddressDataInvalid(f"{source}: line 1: is not {MAGIC!r}; this is no table of hosters")
    header: dict[str, str] = {}
    found: dict[int, Hoster] = {}
    for number, raw in enumerate(lines[1:], 2):
        line = raw.strip()
        wrong = None
        if line.startswith("#"):
            name, _, value = line[1:].partition(" ")
            if name in _HEADER:
                header[name] = value.strip()
        elif line:
            wrong = _row(line, found)
        if wrong:
            raise AddressDataInvalid(f"{source}: line {number}: {wrong}")
    for name in _HEADER:
        if not header.get(name):
            raise AddressDataInvalid(f"{source}: the header has no line '#{name} …'")
    try:
        datetime.date.fromisoformat(header["date"])
    except ValueError as error:
        raise AddressDataInvalid(f"{source}: {header['date'][:40]!r} is not a day such as 2026-06-17") from error
    info = TableInfo(header["source"], header["date"], header["licence"])
    return Hosters(info, found, source, len(content.encode()))


def _row(line: str, found: dict[int, Hoster]) -> str | None:
    columns = [column.strip() for column in line.split("|")]
    if not 3 <= len(columns) <= 4:
        return f"has {len(columns)} columns; AS number | country | hoster | brands"
    match = re.fullmatch("(?:AS)?([0-9]{1,10})", columns[0])
    number = int(match[1]) if match else 0
    if not 0 < number < 2**32:
        return f"{columns[0][:40]!r} is not an AS number such as 64496"
    if not re.fullmatch("[A-Z]{2}", columns[1]):
        return f"{columns[1][:40]!r} is not a two-letter country code such as NL"
    if not columns[2] or not line.isprintable():
        return "names no hoster, or holds a control character"
    if number in found:
        return f"AS{number} stands in the table already"
    brands = tuple(brand.strip() for brand in columns[3].split(",") if brand.strip()) if len(columns) == 4 else ()
    found[number] = Hoster(number, columns[1], columns[2], brands)
    return None
