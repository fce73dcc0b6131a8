"""The plainest format: `<type> <hash>` a line, `#` begins a comment, blank lines are skipped.

# sha256 of the file, PDQ of the picture
sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
pdq f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22
"""

from __future__ import annotations

from collections.abc import Iterator

from crawler.match.entries import BadLine, ImportOptions, Item
from crawler.match.importers.source import MOST_LINE, Source
from crawler.match.importers.values import ALGORITHMS, entry

NAMES = {name.encode("ascii"): algorithm for name, algorithm in ALGORITHMS.items()}
COMMENT = 35
"""The byte "#"."""


def parse(source: Source, options: ImportOptions) -> Iterator[Item]:
    """The items of the file, line by line."""
    for number, line in enumerate(source.lines(), 1):
        parts = line.split(None, 2)
        if len(parts) == 2 and line[0] != COMMENT and len(line) <= MOST_LINE:
            yield typed(number, parts[0], parts[1], options)
        elif parts and parts[0][0] != COMMENT:
            yield remarked(number, line, options)


def typed(number: int, name: bytes, value: bytes, options: ImportOptions) -> Item:
    """An entry from a type and a hash."""
    algorithm = NAMES.get(name) or NAMES.get(name.lower())
    if algorithm is None:
        return BadLine(number, "unknown algorithm")
    return entry(number, algorithm, value, options)


def remarked(number: int, line: bytes, options: ImportOptions) -> Item:
    """A line of another number of words than two: an entry when the rest is a comment."""
    if len(line) > MOST_LINE:
        return BadLine(number, f"longer than {MOST_LINE} bytes")
    words = line.partition(b"#")[0].split()
    if len(words) == 2:
        return typed(number, words[0], words[1], options)
    return BadLine(number, f"{len(words)} words in place of a type and a hash")
