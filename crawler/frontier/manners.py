"""How an address in trouble is spared: the arithmetic, which the scripts of `redis.py` repeat."""

from __future__ import annotations

from typing import NamedTuple

from crawler.frontier.base import SLOWEST

SMOOTHING = 0.3
"""What one answer weighs in the smoothed latency."""
FLOOR_RISE = 0.01
"""By what share of the difference the floor follows a smoothed latency above it: over hundreds of answers."""
HARMLESS = 0.5
"""Seconds: a smoothed latency up to this is no trouble, whatever the floor is."""
TROUBLE = 3.0
"""A smoothed latency above so many times the floor is trouble."""
BLOCKED, RISING, RECOVERING = 2.0, 1.5, 0.8
"""By what the factor changes: at a block, at an answer in trouble, at any other answer."""


class Pace(NamedTuple):
    """slow: factor on the distance of slots, 1 to SLOWEST.  lat: smoothed latency.  base: its floor; seconds, or None
    before the first answer."""

    slow: float = 1.0
    lat: float | None = None
    base: float | None = None


def adjusted(slow: float, lat: float | None, base: float | None, latency: float | None, blocked: bool) -> Pace:
    """The pace of an address after one completion.

    slow, lat, base: the pace before, as in `Pace`.  latency: seconds from sending to the answer's headers; None: there
    was no answer.  blocked: the address asked for a pause, and then the latency of that answer says nothing.

    Exponential smoothing as in RFC 6298; a floor that falls at once and rises slowly, as in LEDBAT's base delay
    (RFC 6817): an address that is slow by nature is not in trouble, and one that becomes so for good is forgiven.
    """
    if blocked:
        return Pace(min(slow * BLOCKED, SLOWEST), lat, base)
    if latency is None:
        return Pace(slow, lat, base)
    lat = latency if lat is None else lat + SMOOTHING * (latency - lat)
    base = lat if base is None or lat < base else base + FLOOR_RISE * (lat - base)
    if lat > HARMLESS and lat > TROUBLE * base:
        return Pace(min(slow * RISING, SLOWEST), lat, base)
    return Pace(max(slow * RECOVERING, 1.0), lat, base)
