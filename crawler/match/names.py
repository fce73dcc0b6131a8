"""What a hit was matched against, in a word. Apart from the rest, because a worker need not load the search for it."""

from __future__ import annotations


def state_name(index: str, number: int) -> str:
    """`<sha256 of the index file>+<number of the state of the lists>`; without a state, the file alone."""
    return f"{index}+{number}" if number else index


SUFFIX = ".vgx"
"""Of an index file, whose name is its sha256."""
