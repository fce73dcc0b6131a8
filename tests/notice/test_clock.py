from __future__ import annotations

import pytest

from crawler.notice.clock import HOUR, MOST_ATTEMPTS, clock, due_at, next_attempt


@pytest.mark.parametrize(
    ("hours", "passed", "open_hits", "overdue"),
    [(24, 23.99, 1, False), (24, 24.01, 1, True), (24, 24.01, 0, False), (12, 13, 2, True), (24, 24, 1, False)],
)
def test_a_deadline_is_over_after_its_hours_and_not_before(
    hours: int, passed: float, open_hits: int, overdue: bool
) -> None:
    friday_evening = 1_780_081_200.0  # 2026-05-29 19:00 UTC
    found = clock(friday_evening, hours, friday_evening + passed * HOUR, open_hits=open_hits)
    assert found.overdue is overdue
    assert found.remaining == pytest.approx((hours - passed) * HOUR)


def test_the_weekend_and_the_change_of_clocks_do_not_pause_it() -> None:
    saturday_before_summer_time = 1_774_692_000.0  # 2026-03-28 10:00 UTC
    assert due_at(saturday_before_summer_time, 24) - saturday_before_summer_time == 86_400


def test_waits_grow_and_end() -> None:
    waits = [next_attempt(attempts, 0.0) for attempts in range(1, MOST_ATTEMPTS + 1)]
    assert waits[:4] == [300.0, 600.0, 1200.0, 2400.0]
    assert max(wait for wait in waits if wait is not None) == 14_400.0
    assert waits[-1] is None
