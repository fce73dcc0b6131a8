"""Tables for people, on stdout. Cells may hold what strangers wrote, so nothing in them can steer a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from crawler.service.texts import plain

_WHOLE: Final = 31
"""Characters of a range of IPv4 addresses at most."""
_WIDEST: Final = 100_000
"""Columns that no table needs."""
_FOLDED: Final = 1.4
"""Times the width of a terminal: what is wider cannot be read any more when its cells are folded."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their columns, numbers to the right.  empty: the line that is printed when there are none.

    Where a terminal is too narrow even with cells folded, each row is a block of its own, a value a line. A pipe
    or a file is as wide as it takes: a row is a line there.
    """
    kept = [list(row) for row in rows]
    console = Console(highlight=False)
    if not kept:
        console.print(Text(empty))
        return
    table = _table(columns, kept)
    width = console.measure(table, options=console.options.update(max_width=_WIDEST)).maximum
    if not console.is_terminal:
        console.width = max(width, console.width)
    elif width > _FOLDED * console.width:
        for row in kept:
            console.print(_block(zip(columns, row, strict=True)), "")
        return
    console.print(table)


def _table(columns: Sequence[str], kept: Sequence[Sequence[object]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, name in enumerate(columns):
        right = all(isinstance(row[number], int | float) for row in kept)
        whole = all(_is_short_word(plain(row[number])) for row in kept)
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=whole)
    for row in kept:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


def _is_short_word(cell: str) -> bool:
    """Whether a cell is a number, a day or a range of addresses, which nobody could copy from two lines."""
    return " " not in cell and "://" not in cell and cell[:1] != "/" and len(cell) <= _WHOLE


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names with their values, one a line."""
    Console(highlight=False).print(_block(facts))


def _block(facts: Iterable[tuple[str, object]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, Text(plain(value)))
    return table
