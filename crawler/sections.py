"""Read tables of a configuration file into frozen dataclasses, strictly: what is unknown, missing or of the wrong type
is an error with the key's full name.

A field is declared as `name: Annotated[str, check]`, with the key's name as a second annotation where it differs; one
without a default is required. A check takes what the file holds and returns the value to keep, or Rejected with the
reason in `detail`; checks compose (`each(text())`). Nothing here knows what a campaign is.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, get_type_hints

from crawler.errors import CampaignInvalid
from crawler.records import Rejected

Check = Callable[[object], Any]
T = TypeVar("T")

MAX_ITEMS = 20_000
"""Longest array; longer lists of seeds belong in `seeds.files`."""


def file_names(cls: type) -> dict[str, Field[Any]]:
    """Key in the file -> field, in order, for a section's dataclass."""
    return {name: row for name, (row, _) in _rows(cls).items()}


def _rows(cls: type) -> dict[str, tuple[Field[Any], Check]]:
    hints = _hints(cls)
    found = {}
    for row in fields(cls):
        check, *name = hints[row.name].__metadata__
        found[name[0] if name else row.name] = (row, check)
    return found


@cache  # resolving the annotations of a class takes longer than reading its table
def _hints(cls: type) -> Mapping[str, Any]:
    return get_type_hints(cls, include_extras=True)


def read(cls: type[T], table: object, *, source: str, where: str = "") -> T:
    """The section `cls` from a parsed table.

    source: the file's name, for messages.  where: the section's name, "" for the whole file.
    Raises CampaignInvalid "FILE: KEY: reason" for the first key that is unknown, missing, or not what it should be.
    """
    value = section(cls)(table)
    if isinstance(value, Rejected):
        name = ".".join(part for part in (where, value.reason) if part)
        raise CampaignInvalid(f"{source}: {name}: {value.detail}" if name else f"{source}: {value.detail}")
    assert isinstance(value, cls)
    return value


def section(cls: type[T]) -> Check:
    """A check for a table of the keys of `cls`. Its Rejected has the key as reason."""
    rows = _rows(cls)

    def check(table: object) -> Any:
        if not isinstance(table, Mapping):
            return Rejected("", f"must be a table, not {_type_name(table)}")
        for name in table:
            if name not in rows:
                return Rejected(str(name)[:80], f"unknown key{_nearest(str(name), list(rows))}")
        values: dict[str, Any] = {}
        for name, (row, check_value) in rows.items():
            if name in table:
                value = check_value(table[name])
                if isinstance(value, Rejected):
                    return _below(name, value)
                values[row.name] = value
            elif row.default is MISSING and row.default_factory is MISSING:
                return Rejected(name, "is required")
        return cls(**values)

    return check


def _below(name: str, found: Rejected) -> Rejected:
    """The same reason, under the key that leads there."""
    if not found.reason:
        return Rejected(name, found.detail)
    separator = "" if found.reason.startswith("[") else "."
    return Rejected(f"{name}{separator}{found.reason}", found.detail)


def _nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name[:80], known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known here: {', '.join(known)}"


def _type_name(value: object) -> str:
    names = {bool: "true/false", int: "an integer", float: "a number", str: "text", list: "an array", dict: "a table"}
    return names.get(type(value), type(value).__name__)


def refuse(reason: str) -> Rejected:
    """A Rejected about the value at hand itself."""
    return Rejected("", reason)


# ---------------------------------------------------------------- checks


def text(*, pattern: str | None = None, form: str = "", empty: bool = False, longest: int = 1000) -> Check:
    """Text without control characters, stripped. pattern: must match whole; `form` says so in words."""
    compiled = re.compile(pattern) if pattern else None

    def check(value: object) -> str | Rejected:
        if not isinstance(value, str):
            return refuse(f"must be text, not {_type_name(value)}")
        kept = value.strip()
        if not kept and not empty:
            return refuse("must not be empty")
        if len(kept) > longest:
            return refuse(f"is longer than {longest} characters")
        if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in kept):
            return refuse("holds a control character or a line end")
        if compiled and kept and not compiled.fullmatch(kept):
            return refuse(f"{kept[:80]!r} is not {form}")
        return kept

    return check


def integer(low: int, high: int) -> Check:
    """A whole number in [low, high]."""

    def check(value: object) -> int | Rejected:
        if not isinstance(value, int) or isinstance(value, bool):
            return refuse(f"must be a whole number, not {_type_name(value)}")
        return value if low <= value <= high else refuse(f"{value} is not between {low} and {high}")

    return check


def number(low: float, high: float) -> Check:
    """A finite number in [low, high], as float."""

    def check(value: object) -> float | Rejected:
        if not isinstance(value, int | float) or isinstance(value, bool):
            return refuse(f"must be a number, not {_type_name(value)}")
        if not math.isfinite(value) or not low <= value <= high:
            return refuse(f"{value} is not between {low:g} and {high:g}")
        return float(value)

    return check


def choice(*names: str) -> Check:
    """One of `names`."""

    def check(value: object) -> str | Rejected:
        if not isinstance(value, str):
            return refuse(f"must be text, not {_type_name(value)}")
        return value if value in names else refuse(f"{value[:80]!r} is not one of {', '.join(names)}")

    return check


def flag(value: object) -> bool | Rejected:
    """true or false."""
    return value if isinstance(value, bool) else refuse(f"must be true or false, not {_type_name(value)}")


def day(value: object) -> datetime.date | Rejected:
    """A date without a time, as TOML writes it: 2027-01-31."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    hint = " (without quotes)" if isinstance(value, str) else ""
    return refuse(f"must be a date such as 2027-01-31{hint}")


def each(check: Check, *, longest: int = MAX_ITEMS) -> Check:
    """An array of what `check` accepts, as a tuple in the file's order, without repetitions."""

    def check_all(value: object) -> tuple[Any, ...] | Rejected:
        if not isinstance(value, list | tuple):
            return refuse(f"must be an array, not {_type_name(value)}")
        if len(value) > longest:
            return refuse(f"has {len(value)} items, more than {longest}")
        kept: dict[Any, None] = {}
        for position, item in enumerate(value):
            found = check(item)
            if isinstance(found, Rejected):
                return _below(f"[{position}]", found)
            kept[found] = None
        return tuple(kept)

    return check_all
