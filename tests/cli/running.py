"""Run `vangnet` in this process, through the entry point that turns errors into lines and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from crawler.cli.main import entry


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    def document(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Run = Callable[..., Ran]


def runner(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *before: str) -> Run:
    """A function that runs `vangnet` with the global options `before` and the arguments that it is given."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr("sys.argv", ["vangnet", *before, *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            entry()
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ran(ended.value.code, out, err)

    return run
