"""Tables on what they are printed on: a pipe, a wide terminal, a narrow one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from crawler.cli import tables

COLUMNS = ("id", "seen", "image")
URL = "http://shop.voorbeeld.example/gallery/" + "a-long-way/" * 12 + "image.jpg"
ROWS = (("hit-1", 3, URL), ("hit-2", 12, URL))


def printed(monkeypatch: pytest.MonkeyPatch, width: int, *, terminal: bool) -> list[str]:
    out = io.StringIO()
    made = Console(file=out, width=width, force_terminal=terminal, color_system=None, highlight=False)
    monkeypatch.setattr(tables, "Console", lambda **_: made)
    tables.print_table(COLUMNS, ROWS, empty="none")
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_row_of_a_pipe_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, 80, terminal=False)
    assert [line.split() for line in lines] == [list(COLUMNS), ["hit-1", "3", URL], ["hit-2", "12", URL]]


def test_a_terminal_that_is_nearly_wide_enough_folds_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, 150, terminal=True)
    assert lines[0].split() == list(COLUMNS)
    assert len(lines) == 5
    assert max(map(len, lines)) <= 150


def test_a_narrow_terminal_gets_a_block_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, 80, terminal=True)
    assert [lines[0].split(), lines[1].split()] == [["id", "hit-1"], ["seen", "3"]]
    assert lines[2].startswith("image  http://shop.")
    assert "".join(line.removeprefix("image").strip() for line in lines[2 : lines.index("")]) == URL
    assert lines.count("") == 2
    assert max(map(len, lines)) <= 80
