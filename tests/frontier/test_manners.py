"""How an address in trouble is spared, by figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.frontier.base import SLOWEST
from crawler.frontier.manners import Pace, adjusted

latencies = st.none() | st.floats(0.0, 120.0)


def after(*answers: float | None, blocked: bool = False) -> Pace:
    pace = Pace()
    for latency in answers:
        pace = adjusted(*pace, latency, blocked)
    return pace


def test_latency_is_smoothed_over_a_floor_that_rises_slowly() -> None:
    assert after(0.2) == Pace(1.0, 0.2, 0.2)
    assert after(0.2, 1.2) == Pace(1.0, pytest.approx(0.5), pytest.approx(0.203))
    assert after(0.2, 1.2, 1.2) == Pace(1.5, pytest.approx(0.71), pytest.approx(0.20807))
    assert after(0.2, 0.1) == Pace(1.0, pytest.approx(0.17), pytest.approx(0.17))


def test_blocks_double_and_answers_heal() -> None:
    assert [after(*[None] * n, blocked=True).slow for n in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]
    assert adjusted(16.0, 0.1, 0.1, 0.1, False).slow == pytest.approx(12.8)
    assert adjusted(1.1, 0.1, 0.1, 0.1, False).slow == 1.0
    assert adjusted(3.0, 0.1, 0.1, None, False) == Pace(3.0, 0.1, 0.1)


def test_an_address_that_became_slow_for_good_is_forgiven() -> None:
    assert after(0.2, *[2.0] * 20).slow == SLOWEST
    assert after(0.2, *[2.0] * 100).slow == 1.0


@given(st.lists(st.tuples(latencies, st.booleans()), max_size=60))
def test_the_pace_stays_within_its_bounds(answers: list[tuple[float | None, bool]]) -> None:
    pace = Pace()
    for latency, blocked in answers:
        pace = adjusted(*pace, latency, blocked)
        assert 1.0 <= pace.slow <= SLOWEST
        assert (pace.lat is None) == (pace.base is None)
        if pace.lat is not None and pace.base is not None:
            assert 0.0 <= pace.base <= pace.lat + 1e-9
