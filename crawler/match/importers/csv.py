"""Comma-separated lists (RFC 4180; also with `;`, `|` or tabs) with a header, one image a row.

Columns are named by options, or guessed from the header: md5, sha1, sha256, pdq, phash and photodna in any usual
spelling, category, size, id; or one column with the algorithm and one with the value. NSRL's files are read as well.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from crawler.match.entries import VALUE_BYTES, BadLine, ImportOptions, Item
from crawler.match.importers.source import MOST_LINE, Source
from crawler.match.importers.values import (
    ALGORITHMS,
    About,
    entry,
    left_out,
    size_or_none,
    text_or_none,
)

SEPARATORS = ",;\t|"
MOST_LINES = 16
"""Lines of a row, when a quoted field has line breaks."""

MOST_COLUMNS = 256

ROLES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **{name: frozenset({name, f"{name}hash", f"hash{name}", f"{name}sum"}) for name in VALUE_BYTES},
        "photodna": frozenset({"photodna", "pdna", "photodnahash"}),
        "algorithm": frozenset({"algorithm", "hashtype", "hashname", "type", "signaltype"}),
        "value": frozenset({"value", "hash", "hashvalue", "signal"}),
        "category": frozenset({"category", "cat", "classification", "label"}),
        "size": frozenset({"size", "filesize", "mediasize", "bytes", "sizebytes", "length"}),
        "id": frozenset({"id", "externalid", "imageid", "mediaid", "entryid"}),
    }
)
"""What a column is for -> names of columns, in lower case and without anything but letters and digits."""


def plain(name: str) -> str:
    """A column's name in the form of `ROLES`."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def separator_of(header: str) -> str:
    """The one that stands most often in the header; a comma when none does."""
    return max(SEPARATORS, key=header.count)


def columns_of(header: Sequence[str], options: ImportOptions) -> dict[str, int] | str:
    """Role -> place of its column, or in words why there is none."""
    places = {name.strip(): place for place, name in reversed(list(enumerate(header)))}
    found: dict[str, int] = {}
    for role, name in options.columns.items():
        if role not in ROLES:
            return f"a column cannot be mapped to {role!r}"
        if name not in places:
            return f"there is no column {name!r}"
        found[role] = places[name]
    for role, names in ROLES.items():
        guessed = next((place for place, name in enumerate(header) if plain(name) in names), None)
        if guessed is not None:
            found.setdefault(role, guessed)
    if not any(role in VALUE_BYTES for role in found) and not {"algorithm", "value"} <= found.keys():
        return "no column of the header holds a digest or a code"
    return found


def parse(source: Source, options: ImportOptions) -> Iterator[Item]:
    """The items of the file, row by row. Raises HashListInvalid when the header names no column that we need."""
    lines = source.lines()
    first, line = header_line(lines)
    where = f"line {first}"
    try:
        header = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise source.invalid("the header is no UTF-8 text", "save the list as UTF-8", where) from error
    separator = separator_of(header)
    names = fields(header, separator)
    columns = "a quote is not closed" if names is None else columns_of(names, options)
    if isinstance(columns, str):
        raise source.invalid(columns, "name the columns with --column ROLE=NAME", where)
    for number, row in rows(lines, separator, first):
        if isinstance(row, str):
            yield BadLine(number, row)
        elif row:
            yield from items(number, row, columns, options)


def fields(text: str, separator: str) -> list[str] | None:
    """The fields of one row, or None when its quotes are not in order."""
    if '"' not in text:
        return text.split(separator, MOST_COLUMNS)
    try:
        return next(csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True))
    except csv.Error:
        return None


def header_line(lines: Iterator[bytes]) -> tuple[int, bytes]:
    """The first line that is not blank, of at most `MOST_LINE` bytes, and its number. A source has one."""
    return next((number, line[:MOST_LINE]) for number, line in enumerate(lines, 1) if line.strip())


def rows(lines: Iterator[bytes], separator: str, number: int) -> Iterator[tuple[int, list[str] | str]]:
    """The rows after the header, which is line `number`, with the line that each begins on; in place of a row, what is
    wrong with it."""
    waiting: deque[bytes] = deque()
    while True:
        line = waiting.popleft() if waiting else next(lines, None)
        if line is None:
            return
        number += 1
        taken = 0
        if line.count(b'"') % 2:
            while taken < MOST_LINES and line.count(b'"') % 2:
                if taken == len(waiting):
                    more = next(lines, None)
                    if more is None:
                        break
                    waiting.append(more)
                line += b"\n" + waiting[taken]
                taken += 1
            if line.count(b'"') % 2:
                yield number, "a quote is not closed"
                continue
        yield number, row_of(line, separator)
        for _ in range(taken):
            waiting.popleft()
        number += taken


def row_of(line: bytes, separator: str) -> list[str] | str:
    """The fields of a row, none for a blank one, or in words what is wrong with it."""
    if len(line) > MOST_LINE:
        return f"longer than {MOST_LINE} bytes"
    try:
        text = line.decode("utf-8").rstrip("\r")
    except UnicodeDecodeError:
        return "not UTF-8"
    if not text.strip():
        return []
    found = fields(text, separator)
    return "quotes are not in order" if found is None else found


def items(number: int, row: Sequence[str], columns: Mapping[str, int], options: ImportOptions) -> Iterator[Item]:
    """The entries of one row: one per digest or code that it gives."""

    def cell(role: str) -> str:
        place = columns.get(role, MOST_COLUMNS)
        return row[place].strip() if place < len(row) else ""

    about = About(text_or_none(cell("category")), size_or_none(cell("size")), text_or_none(cell("id")))
    uncounted = left_out(number, about, options)
    if uncounted is not None:
        yield uncounted
        return
    values = [(role, text) for role in columns if role in VALUE_BYTES and (text := cell(role))]
    if cell("value"):
        values.append((ALGORITHMS.get(cell("algorithm").lower(), ""), cell("value")))
    if not values:
        yield BadLine(number, "no digest and no code")
    for algorithm, text in values:
        yield entry(number, algorithm, text, options, about) if algorithm else BadLine(number, "unknown algorithm")
