from __future__ import annotations

from itertools import pairwise
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.recheck.survival import Duration, Step, remaining, removed_within, wilson


def exact(at: float) -> Duration:
    return Duration(at, at)


def shares(steps: list[Step]) -> list[tuple[float, float]]:
    return [(step.end, round(step.remaining, 6)) for step in steps]


def test_of_exact_times_it_is_kaplan_and_meiers() -> None:
    # 6 hits: removed after 1, 3, 3 and 5; still up when last seen after 2 and 4.
    seen = [exact(1.0), Duration(2.0), exact(3.0), exact(3.0), Duration(4.0), exact(5.0)]
    # By hand: 1 * 5/6, then * 2/4, then * 0/1.
    assert shares(remaining(seen)) == [(1.0, round(5 / 6, 6)), (3.0, round(5 / 12, 6)), (5.0, 0.0)]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=25), st.lists(st.integers(1, 12), max_size=25))
@settings(max_examples=60, deadline=None)
def test_of_exact_and_right_censored_times_it_is_scipys(removed: list[int], still_up: list[int]) -> None:
    from scipy.stats import CensoredData, ecdf  # seconds, which only who runs this test is to wait

    oracle = ecdf(CensoredData(uncensored=np.array(removed, float), right=np.array(still_up, float))).sf
    seen = [*map(exact, map(float, removed)), *(Duration(float(last)) for last in still_up)]
    for step in remaining(seen):
        assert step.remaining == pytest.approx(float(oracle.evaluate(step.end)), abs=1e-4)


def test_overlapping_intervals_share_their_mass_where_they_meet() -> None:
    # (0, 2] and (1, 3] meet in (1, 2]: all mass lies there.
    assert remaining([Duration(0.0, 2.0), Duration(1.0, 3.0)]) == [Step(1.0, 2.0, 0.0)]


def test_intervals_that_only_touch_do_not_meet() -> None:
    assert shares(remaining([Duration(0.0, 1.0), Duration(1.0, 2.0)])) == [(1.0, 0.5), (2.0, 0.0)]


def test_what_is_still_up_keeps_the_curve_up() -> None:
    assert shares(remaining([Duration(0.0, 1.0), Duration(10.0), Duration(10.0), Duration(10.0)])) == [(1.0, 0.75)]


def test_one_that_was_never_seen_again_says_nothing() -> None:
    with_it = remaining([Duration(0.0, 1.0), Duration(2.0, 3.0), Duration(0.0)])
    assert shares(with_it) == [(1.0, 0.5), (3.0, 0.0)]


def test_without_a_removal_there_is_no_curve() -> None:
    assert remaining([]) == []
    assert remaining([Duration(5.0), Duration(7.0)]) == []


def test_many_different_times_are_rounded_and_still_right() -> None:
    many = [Duration(n * 60.0, n * 60.0 + 30) for n in range(1_000)] + [Duration(1e6)] * 1_000
    steps = remaining(many)
    assert len(steps) <= 20
    assert steps[-1].remaining == pytest.approx(0.5)
    assert all(before.remaining >= after.remaining for before, after in pairwise(steps))


def test_the_share_within_a_horizon_leaves_out_what_nobody_knows() -> None:
    seen = [Duration(0, 10), Duration(0, 24), Duration(30), Duration(24, 40), Duration(20, 30), Duration(3)]
    found = removed_within(seen, 24)
    assert (found.removed, found.judged, found.undetermined, found.share) == (2, 4, 2, 0.5)
    assert found.low == pytest.approx(0.15004, abs=1e-4)
    assert found.high == pytest.approx(0.84996, abs=1e-4)
    assert removed_within([Duration(3, inf)], 24).share is None


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Brown, Cai, DasGupta, "Interval Estimation for a Binomial Proportion", 2001; and the closed form at the ends.
    [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (1, 10, 0.01788, 0.40415), (81, 263, 0.25529, 0.36621)],
)
def test_wilsons_interval(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))
