"""What is known of a server's clock, by figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.clock import ServerClock

SPANS = st.floats(0.0, 3.0)


def test_one_quick_answer_tells_for_slow_ones_and_for_less_as_time_goes_by() -> None:
    clock = ServerClock()
    assert clock.told(100.0, 7000.1, 100.3) == pytest.approx((99.999, 100.3))
    assert clock.told(101.0, 7001.0, 101.01) == pytest.approx((100.999, 101.01))
    assert clock.told(102.0, 7002.1, 102.4) == pytest.approx((102.099, 102.11), abs=0.01)
    assert clock.told(162.0, 7062.1, 162.4) == pytest.approx((162.04, 162.17), abs=0.01)


def test_a_clock_that_was_set_is_learnt_anew() -> None:
    clock = ServerClock()
    clock.told(100.0, 7000.0, 100.01)
    assert clock.told(101.0, 6000.0, 101.2) == pytest.approx((100.999, 101.2))


@given(st.lists(st.tuples(SPANS, SPANS, SPANS), max_size=20), st.floats(-0.0005, 0.0005))
def test_the_moment_lies_within_whatever_answers_take(answers: list[tuple[float, float, float]], gains: float) -> None:
    """gains: seconds a second of the server's clock over ours, which is cut to milliseconds besides."""
    clock, now = ServerClock(), 50.0
    for rest, there, back in answers:
        before, at = now + rest, now + rest + there
        now = at + back
        told = int(1000 * (9000 + at * (1 + gains))) / 1000
        earliest, latest = clock.told(before, told, now)
        # When it stood at that exactly, a moment before it said so.
        assert earliest - 1e-6 <= (told - 9000) / (1 + gains) <= latest + 1e-6
