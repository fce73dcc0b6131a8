"""What a URL says of the trap that it may belong to: calendars, faceted lists, endless paths, session numbers.

A suspicion is no proof: what is suspected is asked for last and within a budget, and never dropped by itself. Pure
functions of the URL; that many URLs show the same is told by `discover/sketch.py`.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Final

MOST_SEGMENTS: Final = 12
"""Directories below which a path counts as endless."""
LONGEST: Final = 600
"""Characters after which a URL does."""
MOST_REPEATS: Final = 2
"""How often one segment stands in an honest path."""

_LISTS: Final = tomllib.loads(resources.files("crawler.discover").joinpath("traps.toml").read_text("utf-8"))
_CALENDAR_WORDS: Final = frozenset(_LISTS["calendar_words"])
_DATE_NAMES: Final = frozenset(_LISTS["date_names"])
_FACET_NAMES: Final = frozenset(_LISTS["facet_names"])
_SESSION_NAMES: Final = frozenset(name for name in _LISTS["session_names"] if name[-1] != "*")
_SESSION_PREFIXES: Final = tuple(name[:-1] for name in _LISTS["session_names"] if name[-1] == "*")
_MOST_FACETS: Final = 1
_MOST_PARAMETERS: Final = 4
_JOINERS: Final = str.maketrans("", "", "-_[].+")
_WORDS: Final = re.compile(r"[a-z]+")
_DATE: Final = re.compile(r"(?<!\d)(\d{4})[-/]?(0?[1-9]|1[0-2])(?:[-/]?(?:0?[1-9]|[12]\d|3[01]))?(?!\d)")
_DATE_VALUE: Final = re.compile(r"[-0-9/.:tz]{1,25}\Z")
_OLDEST: Final = 1990
_SESSION_IN_PATH: Final = re.compile(
    r";(?:jsessionid|phpsessid|sid|sessionid)=[^/;]*|/\([a-z]\([a-z0-9]{16,32}\)\)(?=/)", re.I
)
_SESSION_VALUE: Final = re.compile(r"(?=[^0-9]*[0-9])[a-z0-9%_-]{12,}\Z", re.I)


def without_session(url: str) -> str:
    """A canonical URL without the session number that a server wrote into it; the same URL when there is none.

    Servers write them for visitors who bring no cookie, so one without it leads to the same page, or to it by way of a
    redirect.
    """
    start = url.index("/", 8)
    path, question, query = url[start:].partition("?")
    if ";" in path or "(" in path:
        path = _SESSION_IN_PATH.sub("", path)
    if "s" in query.lower():
        query = "&".join(pair for pair in query.split("&") if not _is_session(pair))
        question = question if query else ""
    return url[:start] + path + question + query


def _is_session(pair: str) -> bool:
    name, _, value = pair.partition("=")
    name = name.lower().translate(_JOINERS)
    named = name in _SESSION_NAMES or name.startswith(_SESSION_PREFIXES)
    return named and _SESSION_VALUE.match(value) is not None


def trap_of(url: str, year: int) -> str | None:
    """Which trap a canonical URL of a page looks like a part of: "endless", "repeats", "calendar", "facets"; or None.

    year: the current one; dates far from it are made by a program.
    """
    path, _, query = url[url.index("/", 8) :].lower().partition("?")
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > MOST_SEGMENTS or len(url) > LONGEST:
        return "endless"
    if len(segments) > MOST_REPEATS and any(segments.count(each) > MOST_REPEATS for each in segments):
        return "repeats"
    pairs = [pair.partition("=") for pair in query.split("&")] if query else []
    if _is_calendar(path, pairs, year):
        return "calendar"
    return "facets" if _is_facets(pairs) else None


def _is_calendar(path: str, pairs: list[tuple[str, str, str]], year: int) -> bool:
    for _, _, value in pairs:
        if _is_far(value, year):
            return True
    if _is_far(path, year):
        return True
    named = {name.translate(_JOINERS) for name, _, value in pairs if value and _DATE_VALUE.match(value)}
    words = set(_WORDS.findall(path))
    if not words.isdisjoint(_CALENDAR_WORDS):
        return bool(_DATE.search(path)) or not named.isdisjoint(_DATE_NAMES)
    # Two halves of a date, or a whole one under such a name.
    dated = named & _DATE_NAMES
    whole = any(_DATE.match(value) for name, _, value in pairs if name.translate(_JOINERS) in _DATE_NAMES)
    return whole or len(dated) > 1


def _is_far(text: str, year: int) -> bool:
    """Whether a date in it is further from now than anything that people write about."""
    # Numbers of pages and articles look like dates too, so only separated ones count here.
    return any(
        not _OLDEST <= int(match[1]) <= year + 1 and not match[0].isdigit() and 1000 <= int(match[1]) < 9999
        for match in _DATE.finditer(text)
    )


def _is_facets(pairs: list[tuple[str, str, str]]) -> bool:
    if len(pairs) > _MOST_PARAMETERS:
        return True
    names = [name.partition("%5b")[0].partition("[")[0].translate(_JOINERS) for name, _, value in pairs if value]
    facets = sum(name in _FACET_NAMES for name in names)
    return facets > _MOST_FACETS or any(value.count(",") + value.count("%2c") > 1 for _, _, value in pairs if facets)
