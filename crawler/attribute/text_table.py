"""Address tables as text, for people to write and to read; the format is described in `docs/address-tables.md`."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path

from crawler.attribute.rows import Row, TableInfo, Values
from crawler.errors import AddressDataInvalid
from crawler.ranges import parse_address, parse_prefix
from crawler.records import Rejected

MAGIC = "#vangnet-addresses 1"
MAX_FILE = 67_108_864
"""Longest table, in bytes; larger ones are packed."""

MAX_LINE = 2_048
_HEADER = ("source", "date", "licence")
_COLUMNS = ("range", "country", "asn", "as_name", "network", "holder", "abuse_contact", "cdn")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def read_text_table(path: Path) -> tuple[TableInfo, list[Row]]:
    """The header and the rows of a text table.

    Raises AddressDataInvalid "FILE: line N: reason" for the first mistake, and for a file that cannot be read.
    """
    try:
        if path.stat().st_size > MAX_FILE:
            raise AddressDataInvalid(f"{path}: larger than {MAX_FILE} bytes; split it")
        content = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise AddressDataInvalid(f"{path}: line {line}: is not UTF-8 text") from error
    except OSError as error:
        raise AddressDataInvalid(f"{path}: cannot be read: {error.strerror}") from error
    return parse_text_table(content, str(path))


def parse_text_table(content: str, source: str) -> tuple[TableInfo, list[Row]]:
    """As `read_text_table`, of text. source: what messages call it."""
    lines = content.split("\n")
    if lines[0].strip() != MAGIC:
        raise AddressDataInvalid(f"{source}: line 1: is not {MAGIC!r}; this is no address table")
    header: dict[str, str] = {}
    rows: list[Row] = []
    seen: dict[tuple[int, int, int], int] = {}
    for number, line in _lines(lines, source):
        found = _header_line(line, header) if line.startswith("#") else _row(line)
        if isinstance(found, Rejected):
            raise AddressDataInvalid(f"{source}: line {number}: {found.detail}")
        if found is None:
            continue
        first = seen.setdefault((found.version, found.first, found.last), number)
        if first != number:
            raise AddressDataInvalid(f"{source}: line {number}: the same range as line {first}")
        rows.append(found)
    missing = [name for name in _HEADER if name not in header]
    if missing:
        raise AddressDataInvalid(f"{source}: the header has no line '#{missing[0]} …'")
    return TableInfo(header["source"], header["date"], header["licence"]), rows


def _lines(lines: list[str], source: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(lines[1:], 2):
        line = raw.strip()
        if len(line) > MAX_LINE:
            raise AddressDataInvalid(f"{source}: line {number}: longer than {MAX_LINE} characters")
        if _CONTROL.search(line):
            raise AddressDataInvalid(f"{source}: line {number}: holds a control character; columns are separated by |")
        if line:
            yield number, line


def _header_line(line: str, header: dict[str, str]) -> Rejected | None:
    """Take "#name value" into the header; other lines with # are comments."""
    name, _, value = line[1:].partition(" ")
    if name not in _HEADER:
        return None
    if name in header:
        return Rejected("header", f"a second '#{name}'")
    if name == "date" and not _is_day(value.strip()):
        return Rejected("header", f"{value.strip()[:40]!r} is not a day such as 2026-06-17")
    if not value.strip():
        return Rejected("header", f"'#{name}' says nothing")
    header[name] = value.strip()
    return None


def _is_day(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _row(line: str) -> Row | Rejected:
    columns = [column.strip() for column in line.split("|")]
    if len(columns) > len(_COLUMNS):
        return Rejected("row", f"has {len(columns)} columns, more than {len(_COLUMNS)}")
    bounds = _bounds(columns[0])
    if isinstance(bounds, Rejected):
        return bounds
    values = _values([column or None for column in columns[1:]])
    return values if isinstance(values, Rejected) else Row(*bounds, values)


def _bounds(text: str) -> tuple[int, int, int] | Rejected:
    """(version, first, last) of a prefix, an address or "first-last"."""
    start, dash, end = text.partition("-")
    if not dash:
        network = parse_prefix(text)
        if isinstance(network, Rejected):
            return Rejected("range", f"{text[:80]!r} {network.detail}")
        return network.version, int(network.network_address), int(network.broadcast_address)
    first, last = parse_address(start.strip()), parse_address(end.strip())
    if isinstance(first, Rejected) or isinstance(last, Rejected) or first.version != last.version:
        return Rejected("range", f"{text[:80]!r} is not a range such as 192.0.2.7-192.0.2.9")
    if int(first) > int(last):
        return Rejected("range", f"{text[:80]!r} runs backwards")
    return first.version, int(first), int(last)


def _values(columns: list[str | None]) -> Values | Rejected:
    country, asn, *texts = columns + [None] * (len(_COLUMNS) - 1 - len(columns))
    if country and not re.fullmatch("[A-Z]{2}", country):
        return Rejected("country", f"{country[:40]!r} is not a two-letter country code such as NL")
    number = None
    if asn:
        match = re.fullmatch("(?:AS)?([0-9]{1,10})", asn)
        number = int(match[1]) if match else 0
        if not 0 < number < 2**32:
            return Rejected("asn", f"{asn[:40]!r} is not an AS number such as 64496")
    abuse = texts[3]
    if abuse and not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", abuse):
        return Rejected("abuse_contact", f"{abuse[:80]!r} is not a mail address")
    if not any(columns):
        return Rejected("row", "says nothing of its range")
    as_name, network, holder, contact, cdn = texts
    return Values(country, number, as_name, network, holder, contact, cdn)
