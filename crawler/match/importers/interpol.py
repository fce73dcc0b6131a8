"""Interpol's export of its baseline: `;`-separated, with the header

MD5;SHA1;PhotoDNA;Image ID;Is distributed;Victim identified;Offender identified;Series name;Number of submissions;
File Available;Media Type;Baseline

What does not belong to the baseline, the images that the law of every member state forbids, has the category
"other" here, the rest "baseline".
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler.match.entries import BadLine, ImportOptions, Item
from crawler.match.importers.csv import header_line, plain, rows
from crawler.match.importers.source import Source
from crawler.match.importers.values import About, entry, left_out, text_or_none

HEADER = ("md5", "sha1", "photodna", "imageid")
"""How the header begins, as `plain` writes it; columns after these may be missing or more."""

YES = frozenset({"1", "true", "yes", "y"})


def is_header(text: str) -> bool:
    """Whether a first line is that of an Interpol export."""
    return tuple(plain(name) for name in text.split(";")[: len(HEADER)]) == HEADER


def parse(source: Source, options: ImportOptions) -> Iterator[Item]:
    """The items of the file, row by row. Raises HashListInvalid for another header, or a file read as a benign list."""
    if options.kind == "benign":
        raise source.invalid("an Interpol list is no list of harmless images", "import it as --kind block")
    lines = source.lines()
    first, line = header_line(lines)
    header = line.decode("utf-8", "replace").replace('"', "").strip()
    if not is_header(header):
        mend = "import it as --format csv"
        raise source.invalid("the header is not that of an Interpol export", mend, f"line {first}")
    columns = {plain(name): place for place, name in enumerate(header.split(";"))}
    for number, row in rows(lines, ";", first):
        if isinstance(row, str):
            yield BadLine(number, row)
        elif row:
            yield from items(number, row, columns.get("baseline"), options)


def items(number: int, row: list[str], baseline: int | None, options: ImportOptions) -> Iterator[Item]:
    """The entries of one row."""
    if len(row) < len(HEADER):
        yield BadLine(number, f"{len(row)} fields in place of {len(HEADER)} or more")
        return
    category = None
    if baseline is not None and baseline < len(row):
        category = "baseline" if row[baseline].strip().lower() in YES else "other"
    about = About(category, None, text_or_none(row[3]))
    uncounted = left_out(number, about, options)
    if uncounted is not None:
        yield uncounted
        return
    values = [(name, row[place].strip()) for place, name in enumerate(HEADER[:3]) if row[place].strip()]
    if not values:
        yield BadLine(number, "no digest and no code")
    for algorithm, text in values:
        yield entry(number, algorithm, text, options, about)
