"""Looking values up in the lists, as a list's owner would. It is an oracle for evaders too: capped, and noted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from crawler.errors import InvalidInput, Refused
from crawler.match.entries import CODE_BYTES, DIGEST_BYTES
from crawler.service.actors import require
from crawler.store import audit, entries, lists, quotas
from crawler.store.actors import Actor
from crawler.store.database import Database
from crawler.store.lists import HashList

MAX_VALUES: Final = 100
"""Values of one call."""

PER_DAY: Final = 500
"""Values that one person may look up in a day, where no option says otherwise."""

RADIUS: Final = {"pdq": 31, "phash": 4}
"""Bits up to which a code counts as near."""

_LENGTHS = {**DIGEST_BYTES, **CODE_BYTES}
_VALUE = re.compile(r"(?:(md5|sha1|sha256|pdq|phash)[:= ])?([0-9A-Fa-f]+)\Z")


@dataclass(frozen=True, slots=True)
class _Query:
    """One value as it was given, and what it may be: an algorithm -> its bytes."""

    text: str = field(repr=False)
    readings: dict[str, bytes] = field(repr=False)


def check(db: Database, actor: Actor, values: Sequence[str], *, per_day: int = PER_DAY) -> list[dict[str, Any]]:
    """Which lists know these values, enabled or not.

    values: hexadecimal, an algorithm and ":" before it or not; without, the length says what it is (64 digits are
    looked up as sha256 and as PDQ). Codes are found within `RADIUS` bits, exactly, by comparing with every one.
    per_day: values that one person may look up in a day (UTC).
    Returns {"value", "lists": {name: number of its matches}, "matches": [{"list", "list_version", "enabled", "kind",
    "entry", "algorithm", "distance", "category"}]} for each, the nearest first; "lists" has every list.
    Raises InvalidInput for a value that is none and for too many of them, Refused when the day's are used up,
    NotAuthorised.
    """
    require(db, actor, "lists.check")
    if len(values) > MAX_VALUES:
        raise InvalidInput(f"{len(values)} values are too many for one check; give at most {MAX_VALUES}")
    queries = [_parsed(number, value) for number, value in enumerate(values, 1)]
    _count(db, actor, len(values), per_day)
    known = lists.all_lists(db)
    found = [_exact(db, known, query) for query in queries]
    for name, radius in RADIUS.items():
        _add_near(db, known, name, radius, [(query, matches) for query, matches in zip(queries, found, strict=True)])
    for matches in found:
        matches.sort(key=lambda match: (match["distance"], match["list"], match["entry"]))
    with db.write():
        detail = {"values": len(values), "found": sum(1 for matches in found if matches)}
        audit.append(db, actor, "lists.check", "", detail=detail)
    return [
        {"value": query.text, "lists": _per_list(known, matches), "matches": matches}
        for query, matches in zip(queries, found, strict=True)
    ]


def _count(db: Database, actor: Actor, values: int, per_day: int) -> None:
    """Count before looking: an answer that is interrupted has been given."""
    with db.write():
        day = datetime.fromtimestamp(db.clock(), UTC).date().isoformat()
        counted = quotas.take(db, actor, day, values, per_day)
        if counted is None:
            detail = {"why": "quota", "values": values}
            audit.append(db, actor, "lists.check", "", result="refused", detail=detail)
    if counted is None:
        raise Refused(f"{actor.name!r} may look up {per_day} values a day; go on tomorrow, or ask an administrator")


def _per_list(known: list[HashList], matches: list[dict[str, Any]]) -> dict[str, int]:
    counts = dict.fromkeys((row.name for row in known), 0)
    for match in matches:
        counts[match["list"]] += 1
    return counts


def _parsed(number: int, text: str) -> _Query:
    match = _VALUE.match(text.strip())
    length = len(match[2]) / 2 if match else 0
    readings = [name for name, size in _LENGTHS.items() if size == length]
    if match and match[1]:
        readings = [name for name in readings if name == match[1]]
    if match is None or not readings:
        raise InvalidInput(f"value {number} is no md5, sha1, sha256, pdq or phash in hexadecimal")
    return _Query(text.strip(), {name: bytes.fromhex(match[2]) for name in readings})


def _exact(db: Database, known: list[HashList], query: _Query) -> list[dict[str, Any]]:
    return [
        _match(row, entry.label, algorithm, 0, entry.category)
        for algorithm, value in query.readings.items()
        if algorithm in DIGEST_BYTES
        for row in known
        for entry in entries.entries_with(db, row.id, algorithm, value)
    ]


def _add_near(
    db: Database,
    known: list[HashList],
    algorithm: str,
    radius: int,
    asked: list[tuple[_Query, list[dict[str, Any]]]],
) -> None:
    """Compare every code of every list; slower than the index, but it knows disabled lists as well."""
    wanted = [
        (int.from_bytes(query.readings[algorithm], "big"), matches)
        for query, matches in asked
        if algorithm in query.readings
    ]
    by_id = {row.id: row for row in known}
    for list_id, label, category, value in entries.codes(db, algorithm) if wanted else ():
        code = int.from_bytes(value, "big")
        for query, matches in wanted:
            distance = (code ^ query).bit_count()
            if distance <= radius and list_id in by_id:
                matches.append(_match(by_id[list_id], label, algorithm, distance, category))


def _match(row: HashList, label: str, algorithm: str, distance: int, category: str | None) -> dict[str, Any]:
    return {
        "list": row.name,
        "list_version": row.version,
        "enabled": row.enabled,
        "kind": row.kind,
        "entry": label,
        "algorithm": algorithm,
        "distance": distance,
        "category": category,
    }
