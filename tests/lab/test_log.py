from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.lab.log import Entry, RequestLog, busiest, excess, worst_excess

TIMES = st.lists(st.floats(0, 8, allow_nan=False), min_size=1, max_size=40).map(sorted)


def slow_excess(times: list[float], rate: float) -> float:
    pairs = [(i, j) for i in range(len(times)) for j in range(i, len(times))]
    return max((j - i + 1) - (rate * max(1.0, times[j] - times[i]) + 1) for i, j in pairs)


@given(TIMES, st.floats(0.5, 20))
def test_excess_is_the_worst_window(times: list[float], rate: float) -> None:
    assert excess(times, rate) == pytest.approx(slow_excess(times, rate), abs=1e-6)


@given(TIMES, st.floats(0.1, 3))
def test_busiest_counts_closed_windows(times: list[float], window: float) -> None:
    assert busiest(times, window) == max(sum(at <= other <= at + window for other in times) for at in times)


def test_an_even_pace_is_polite() -> None:
    times = [number / 4 for number in range(100)]
    assert excess(times, 4.0) <= 0
    assert excess(times, 3.9) > 0
    assert worst_excess([], 4.0) == float("-inf")


def test_the_log_counts_what_is_open_and_out_of_scope() -> None:
    log = RequestLog()
    log.accepted("127.10.1.1")
    log.accepted("127.50.1.1")
    first, number = log.begin("127.10.1.1", "a.example", "/")
    log.begin("127.10.1.1", "www.verboden.example", "/")
    log.end(Entry(first, "127.10.1.1", "a.example", "/", 200))
    assert number == 1
    assert log.begin("127.10.1.1", "a.example", "/")[1] == 2
    assert log.figures()["127.10.1.1"] == {"requests": 1, "concurrent": 2, "per_second": 1}
    assert log.trespass == {"connection to 127.50.1.1": 1, "request to www.verboden.example": 1}
    log.clear()
    assert not log.trespass
    assert log.begin("127.10.1.1", "a.example", "/")[1] == 1
