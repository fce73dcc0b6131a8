"""How long removals take, from intervals: a removal is known to lie between two visits, or not to have come yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, nextafter, sqrt
from typing import Final

import numpy as np

_ROUNDS: Final = 5_000
_CLOSE: Final = 1e-9
_MOST: Final = 600
"""Different intervals above which times are rounded up to whole hours, so that the estimate stays quick."""
_HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds from the notice's delivery to the removal: later than `after`, no later than `until`; inf: not yet."""

    after: float
    until: float = inf


@dataclass(frozen=True, slots=True)
class Step:
    """Between `start` and `end` (seconds) the share that remains falls to `remaining`; nobody knows where."""

    start: float
    end: float
    remaining: float


@dataclass(frozen=True, slots=True)
class Share:
    """removed of judged, with a confidence interval (0 to 1); undetermined: not known on which side they are."""

    removed: int
    judged: int
    undetermined: int
    share: float | None
    low: float | None
    high: float | None


def remaining(durations: Sequence[Duration]) -> list[Step]:
    """The share that remains over time, from 1 down; empty without a removal.

    The nonparametric maximum-likelihood estimate for interval-censored data, by self-consistency; where every duration
    is exact or right-censored it is that of Kaplan and Meier.
    Source: Turnbull, "The Empirical Distribution Function with Arbitrarily Grouped, Censored and Truncated Data", 1976.
    """
    counted = Counter(_rounded(durations))
    places = _places(counted)
    if not places:
        return []
    weights = np.array(list(counted.values()), dtype=float)
    holds = np.array(
        [[each.after <= start and end <= each.until for start, end in places] for each in counted], dtype=float
    )
    mass = np.full(len(places), 1.0 / len(places))
    for _ in range(_ROUNDS):
        expected = holds * mass
        expected /= expected.sum(axis=1, keepdims=True)
        new = weights @ expected / weights.sum()
        done = float(np.abs(new - mass).max()) < _CLOSE
        mass = new
        if done:
            break
    left = 1.0 - np.cumsum(mass)
    steps = zip(places, left, mass, strict=True)
    return [Step(s, e, max(float(rest), 0.0)) for (s, e), rest, share in steps if e < inf and share > _CLOSE]


def removed_within(durations: Sequence[Duration], horizon: float) -> Share:
    """The share removed within `horizon` seconds, with its 95 % interval by Wilson's score.

    Those that were not visited around the horizon, so that nobody knows, are counted apart and not in the share.
    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
    """
    removed = sum(each.until <= horizon for each in durations)
    stayed = sum(each.after >= horizon for each in durations)
    judged = removed + stayed
    undetermined = len(durations) - judged
    if not judged:
        return Share(0, 0, undetermined, None, None, None)
    low, high = wilson(removed, judged)
    return Share(removed, judged, undetermined, removed / judged, low, high)


def wilson(k: int, n: int, z: float = 1.959963984540054) -> tuple[float, float]:
    """Bounds of the score interval for k of n, n above 0.  z: 1.96 for 95 %."""
    share, square = k / n, z * z
    middle = (share + square / (2 * n)) / (1 + square / n)
    half = z / (1 + square / n) * sqrt(share * (1 - share) / n + square / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _places(counted: Counter[Duration]) -> list[tuple[float, float]]:
    """The intervals that can hold mass: from a lower bound to an upper bound with no other bound in between."""
    # At one moment, an interval ends before the next one begins: (1, 2] and (2, 3] have nothing in common.
    ends = [(each.until, 0) for each in counted] + [(each.after, 1) for each in counted]
    order = sorted(set(ends))
    return [(at, then) for (at, kind), (then, next_kind) in pairwise(order) if kind > next_kind]


def _rounded(durations: Sequence[Duration]) -> list[Duration]:
    bounds = [(each.after, each.until) for each in durations]
    if len(set(durations)) > _MOST:
        bounds = [
            (after // _HOUR * _HOUR, -(-until // _HOUR) * _HOUR if until < inf else inf) for after, until in bounds
        ]
    # A moment that is known exactly is an interval too, if the shortest one.
    return [Duration(min(after, nextafter(until, -inf)), until) for after, until in bounds]
