"""A Public Suffix List (https://publicsuffix.org/list/), checked before it takes the place of the packaged one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from crawler.attribute.formats.source import Source

MAX_LIST: Final = 8_388_608
ICANN: Final = "===BEGIN ICANN DOMAINS==="
_ENDS: Final = ("===END ICANN DOMAINS===", "===BEGIN PRIVATE DOMAINS===", "===END PRIVATE DOMAINS===")
_RULE: Final = re.compile(r"!?(?:\*\.)?[^\s.*!/\x00-\x2c\x7f]{1,63}(?:\.[^\s.*!/\x00-\x2c\x7f]{1,63})*")
_VERSION: Final = re.compile(r"//\s*VERSION:\s*(\d{4}-\d{2}-\d{2})")
_NEEDED: Final = ("com", "nl", "co.uk", "org")
"""Rules that every list has had since it exists."""


@dataclass(frozen=True, slots=True)
class SuffixList:
    """text: the list itself.  rules: how many it has.  day: ISO day that it states, None for one that states none."""

    text: str
    rules: int
    day: str | None


def read(source: Source) -> SuffixList:
    """The list. Raises AddressDataInvalid with the line and reason."""
    marks = [ICANN, *_ENDS]
    rules: dict[str, int] = {}
    lines: list[str] = []
    day = None
    for raw in source.lines():
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise source.wrong("is not UTF-8 text") from error
        lines.append(line)
        if sum(map(len, lines[-1:])) > 500:
            raise source.wrong("longer than 500 characters")
        day = day or (found[1] if (found := _VERSION.match(line)) else None)
        if line.startswith("//"):
            if "===" in line:
                _mark(source, line, marks)
            continue
        if line:
            _rule(source, line, marks, rules)
    if marks:
        raise source.wrong(f"ends without {marks[0]!r}; it is cut off")
    missing = [rule for rule in _NEEDED if rule not in rules]
    if missing:
        raise source.wrong(f"has no rule {missing[0]!r}; it is not the whole list")
    return SuffixList("\n".join(lines) + "\n", len(rules), day)


def _mark(source: Source, line: str, marks: list[str]) -> None:
    if not marks or marks[0] not in line:
        wanted = repr(marks[0]) if marks else "the end"
        raise source.wrong(f"{line[:60]!r} stands where {wanted} is expected; the list is reordered or cut off")
    marks.pop(0)


def _rule(source: Source, line: str, marks: list[str], rules: dict[str, int]) -> None:
    rule = line.split(maxsplit=1)[0]
    if len(marks) not in (1, 3):
        raise source.wrong(f"{rule[:60]!r} stands outside of both parts of the list")
    if not _RULE.fullmatch(rule) or (rule.startswith("!") and "." not in rule):
        raise source.wrong(f"{rule[:60]!r} is no rule of a public suffix list")
    if rules.setdefault(rule, source.line) != source.line:
        raise source.wrong(f"{rule[:60]!r} is a rule already, on line {rules[rule]}")
