"""The clock of a notice: it runs from delivery, through nights and weekends, until the deadline is over."""

from __future__ import annotations

from dataclasses import dataclass

HOUR = 3600.0
FIRST_WAIT, LONGEST_WAIT = 300.0, 14_400.0
MOST_ATTEMPTS = 12
"""With the waits above, a day and a half of trying."""


@dataclass(frozen=True, slots=True)
class Clock:
    """Where a delivered notice stands. Seconds; remaining: below 0 when it is overdue."""

    due_at: float
    remaining: float
    overdue: bool


def due_at(delivered_at: float, deadline_hours: int) -> float:
    """When the deadline is over: epoch seconds. Hours are hours, whatever the clocks on the wall do."""
    return delivered_at + deadline_hours * HOUR


def clock(delivered_at: float, deadline_hours: int, now: float, *, open_hits: int) -> Clock:
    """The clock at `now`. open_hits: that are not gone; without one nothing is overdue."""
    due = due_at(delivered_at, deadline_hours)
    return Clock(due, due - now, overdue=now > due and open_hits > 0)


def next_attempt(attempts: int, now: float) -> float | None:
    """When a mail that could not be delivered is tried again, after so many attempts; None: not any more."""
    if attempts >= MOST_ATTEMPTS:
        return None
    return now + float(min(FIRST_WAIT * 2 ** max(attempts - 1, 0), LONGEST_WAIT))
