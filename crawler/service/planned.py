"""When a cron line fires, in the time of a place: pure functions around cronsim, which knows of summer time.

An hour that does not exist (02:30 in the night when the clocks go forward) fires when the clocks have moved, at 03:00;
an hour that comes twice fires once.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from crawler.errors import InvalidInput

ZONE: Final = "Europe/Amsterdam"
FURTHEST: Final = timedelta(days=366 * 9)
"""A line that does not fire within nine years never does: leap days are eight years apart at the most."""
MOST: Final = 1_000
"""Planned times that one look considers; a line that fires each minute has more in a day."""


def check_line(cron: str, zone: str, now: float) -> float:
    """The first time that a line fires after `now`, epoch seconds. Raises InvalidInput for a line that never does."""
    if len(cron.split()) != 5:
        raise InvalidInput(f"cron line {cron!r} has not five fields; give minute, hour, day, month, weekday")
    found = next_after(cron, zone, now)
    if found is None:
        raise InvalidInput(f"cron line {cron!r} never fires; mend its day or month")
    return found


def next_after(cron: str, zone: str, after: float) -> float | None:
    """The first time later than `after`, epoch seconds; None when there is none. Raises InvalidInput."""
    start = datetime.fromtimestamp(after, _zone(zone))
    try:
        found = next(CronSim(cron, start))
    except CronSimError as error:
        raise InvalidInput(f"cron line {cron!r}: {error}; see `vangnet schedule add --help`") from error
    except StopIteration:
        return None
    return found.timestamp() if found - start < FURTHEST else None


def planned(cron: str, zone: str, *, after: float, until: float) -> list[float]:
    """The times later than `after` and not later than `until`, in order; the latest MOST of them."""
    found: list[float] = []
    at = next_after(cron, zone, after)
    while at is not None and at <= until:
        found = [*found[-MOST + 1 :], at]
        at = next_after(cron, zone, at)
    return found


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise InvalidInput(f"there is no time zone {name!r}; give one such as {ZONE}") from error
