"""Where a server's clock stands in readings of our own, as narrowly as its answers have shown.

An answer shows it to within as long as it took, which on a busy machine is longer than a request may be late for its
slot; but the clocks run on evenly, so that one quick answer among slow ones serves for all. Marzullo's intersection.
"""

from __future__ import annotations

import math

_DRIFT = 0.001
"""Seconds per second that two clocks are believed to part; twice what adjusted clocks are slewed by at the most."""
_CUT = 0.001
"""A server's clock is told in whole milliseconds, cut off."""


class ServerClock:
    """One server's. Seconds."""

    def __init__(self) -> None:
        self._low, self._high, self._at = -math.inf, math.inf, 0.0

    def told(self, before: float, told: float, after: float) -> tuple[float, float]:
        """When the server's clock stood at `told`: no sooner and no later, by all that it told. It said so between two
        moments of ours. Where that does not fit together one of the clocks was set, and what was known is dropped."""
        earliest, latest = before - _CUT - told, after - told
        # From the start of the answer before, for it is not known when within it the clock was read.
        drift = (after - self._at) * _DRIFT
        low, high = max(self._low - drift, earliest), min(self._high + drift, latest)
        if low > high:
            low, high = earliest, latest
        self._low, self._high, self._at = low, high, before
        return told + low, told + high
