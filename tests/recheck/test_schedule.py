from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.recheck.outcome import Outcome
from crawler.recheck.schedule import MISSES, MOMENTS, SPACING, Check, Watched, due_at, gone_from, is_due, misses

HOUR, DAY = 3600.0, 86_400.0
AT = 1_780_000_000.0
ABSENT, UP = Outcome.ABSENT, Outcome.UP


def checks(*pairs: tuple[float, Outcome]) -> tuple[Check, ...]:
    return tuple(Check(AT + after, outcome) for after, outcome in pairs)


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        (Watched(AT), AT + HOUR),
        (Watched(AT, checks((HOUR, UP))), AT + 2 * HOUR),
        (Watched(AT, checks((HOUR, UP), (25 * HOUR, UP))), AT + 36 * HOUR),
        # A worker that slept through three moments visits once, and goes on from there.
        (Watched(AT, checks((9 * HOUR, UP))), AT + 12 * HOUR),
        (Watched(AT, checks((HOUR, ABSENT))), AT + HOUR + SPACING),
        (Watched(AT, checks((HOUR, ABSENT), (HOUR + SPACING, ABSENT))), AT + HOUR + 2 * SPACING),
        (Watched(AT, checks((HOUR, ABSENT), (HOUR + 200, UP))), AT + 2 * HOUR),
        (Watched(AT, (), removed_at=AT + DAY), AT + 8 * DAY),
        (Watched(AT, checks((9 * DAY, ABSENT)), removed_at=AT + DAY), AT + 31 * DAY),
        (Watched(AT, checks((32 * DAY, ABSENT)), removed_at=AT + DAY), None),
        (Watched(AT, checks((93 * DAY, UP))), None),
    ],
)
def test_when_the_next_visit_is_due(watched: Watched, expected: float | None) -> None:
    assert due_at(watched) == expected
    if expected is not None:
        assert (is_due(watched, expected - 1), is_due(watched, expected)) == (False, True)


@pytest.mark.parametrize(
    ("seen", "gone"),
    [
        (checks((0, ABSENT), (180, ABSENT), (360, ABSENT)), AT),
        (checks((0, ABSENT), (100, ABSENT), (200, ABSENT)), None),  # closer together than the spacing
        (checks((0, ABSENT), (100, ABSENT), (190, ABSENT), (380, ABSENT)), AT),
        (checks((0, ABSENT), (180, UP), (360, ABSENT), (540, ABSENT)), None),
        (checks((0, ABSENT), (180, UP), (360, ABSENT), (540, ABSENT), (720, ABSENT)), AT + 360),
        (checks((0, ABSENT), (180, Outcome.UNREACHABLE), (360, ABSENT), (540, ABSENT)), AT),
        (checks((0, ABSENT), (180, Outcome.CHANGED), (360, ABSENT), (540, ABSENT)), None),
        (checks((0, Outcome.BLOCKED), (180, Outcome.EXPIRED), (360, Outcome.UNREACHABLE)), None),
        ((), None),
    ],
)
def test_three_misses_apart_make_a_removal(seen: tuple[Check, ...], gone: float | None) -> None:
    assert gone_from(seen, SPACING) == gone


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(Outcome)), max_size=30).map(sorted),
    st.floats(1, 10_000),
)
def test_misses_are_always_apart_and_after_the_last_sight(pairs: list[tuple[float, Outcome]], spacing: float) -> None:
    seen = [Check(at, outcome) for at, outcome in pairs]
    found = misses(seen, spacing)
    assert all(later >= earlier + spacing for earlier, later in pairwise(found))
    last = max((n for n, check in enumerate(seen) if check.outcome in (UP, Outcome.MOVED, Outcome.CHANGED)), default=-1)
    assert set(found) <= {check.at for check in seen[last + 1 :]}
    assert (gone_from(seen, spacing) is None) == (len(found) < MISSES)


def test_the_first_day_is_looked_at_closely() -> None:
    assert tuple(sorted(set(MOMENTS))) == MOMENTS
    assert sum(moment <= DAY for moment in MOMENTS) >= 6
    assert DAY in MOMENTS and 12 * HOUR in MOMENTS
