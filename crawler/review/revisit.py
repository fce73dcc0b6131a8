"""Which pages to visit again when a hash list has grown: those that yielded most, the longer ago the sooner."""

from __future__ import annotations

from math import log2

FULL_AGE = 2_592_000.0
"""Seconds (30 days) after which a visit counts as old as can be."""


def expected_yield(hits: int, age: float) -> float:
    """How much a visit of a page is worth, as a number to order pages by; 0 for a page that was just visited.

    hits: images that were ever found on it.  age: seconds since it was last seen with one of them.
    A guess, not a forecast: the first hit says most about a page, each further one less; and what has changed since the
    last visit grows with the time since, up to a month.
    """
    return log2(1 + max(hits, 0)) * min(max(age, 0.0) / FULL_AGE, 1.0)
