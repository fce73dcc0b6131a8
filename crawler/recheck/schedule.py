"""When a noticed hit is visited next, and when enough visits missed it to say that it is gone. Pure: takes now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from crawler.recheck.outcome import Outcome

SPACING: Final = 180.0
"""Seconds between two visits that count as misses of their own: a server that is being restarted is no removal."""
MISSES: Final = 3

_HOUR, _DAY = 3600.0, 86_400.0
_HOURS: Final = (1, 2, 4, 8, 12, 18, 24, 36, 48, 72)
_DAYS: Final = (*range(4, 31), *range(37, 93, 7))
MOMENTS: Final = tuple([_HOUR * n for n in _HOURS] + [_DAY * n for n in _DAYS])
"""Seconds after delivery at which a hit is visited: often in its first day, daily for a month, weekly for a quarter."""
AFTERWARDS: Final = (7 * _DAY, 30 * _DAY)
"""Seconds after a removal at which is looked whether the image came back."""


@dataclass(frozen=True, slots=True)
class Check:
    """One visit that is over. at: epoch seconds."""

    at: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Watched:
    """A hit after its notice was delivered. checks: the oldest first.  removed_at: None while it is not gone."""

    delivered_at: float
    checks: tuple[Check, ...] = ()
    removed_at: float | None = None


def due_at(watched: Watched, *, spacing: float = SPACING) -> float | None:
    """When the next visit is due, epoch seconds; in the past when it was missed; None when there is none any more."""
    last = watched.checks[-1].at if watched.checks else None
    if watched.removed_at is not None:
        return _next(watched.removed_at, AFTERWARDS, last)
    missed = misses(watched.checks, spacing)
    if last is not None and 0 < len(missed) < MISSES:
        return last + spacing
    return _next(watched.delivered_at, MOMENTS, last)


def is_due(watched: Watched, now: float, *, spacing: float = SPACING) -> bool:
    """Whether to visit at `now`."""
    due = due_at(watched, spacing=spacing)
    return due is not None and due <= now


def misses(checks: Sequence[Check], spacing: float) -> tuple[float, ...]:
    """When the image was missed since it was seen last: the first of those misses, and each at least `spacing` later.

    Visits that say nothing (unreachable, blocked, expired, unknown) neither count nor start the count anew.
    """
    found: list[float] = []
    for check in checks:
        if check.outcome in (Outcome.UP, Outcome.MOVED, Outcome.CHANGED):
            found = []
        elif check.outcome is Outcome.ABSENT and (not found or check.at >= found[-1] + spacing):
            found.append(check.at)
    return tuple(found)


def gone_from(checks: Sequence[Check], spacing: float) -> float | None:
    """From when on the image was missing, once it was missed often enough; epoch seconds of the first miss."""
    missed = misses(checks, spacing)
    return missed[0] if len(missed) >= MISSES else None


def _next(start: float, offsets: tuple[float, ...], last: float | None) -> float | None:
    return next((start + offset for offset in offsets if last is None or start + offset > last), None)
