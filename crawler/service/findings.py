"""What `vangnet doctor` finds, and what every check of it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from crawler.home import Home
from crawler.options import Options
from crawler.store.database import Database


class Level(StrEnum):
    """problem: something will go wrong, or evidence may be lost.  warning: it may.  ok: looked at, and as it should."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """check: a short stable name.  what: is found, in a line.  mend: what to do about it; "" for nothing."""

    check: str
    level: Level
    what: str
    mend: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Look:
    """db: None when it could not be opened.  now: epoch seconds."""

    home: Home
    options: Options
    db: Database | None
    now: float


Check = Callable[[Look], list[Finding]]
"""Looks at one thing. May raise VangnetError: then that is the finding."""


def ok(check: str, what: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, what)


def warning(check: str, what: str, mend: str) -> Finding:
    """Something may go wrong."""
    return Finding(check, Level.WARNING, what, mend)


def problem(check: str, what: str, mend: str) -> Finding:
    """Something will go wrong."""
    return Finding(check, Level.PROBLEM, what, mend)
