"""What goes to a child together: in order of arrival, bounded, and never with what has to go by itself."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from crawler.records import Digests
from crawler.sandbox.protocol import WholeFile
from crawler.sandbox.waiting import MOST_TOGETHER, TOGETHER_BYTES, Job, Waiting

FILE = WholeFile(Digests(b"m" * 16, b"s" * 20, b"S" * 32), 7)
LOOP = asyncio.new_event_loop()


def job(size: int, *, alone: bool = False, given_up: bool = False) -> Job:
    answer = LOOP.create_future()
    if given_up:
        answer.cancel()
    return Job(FILE if size < 0 else memoryview(bytes(TOGETHER_BYTES + 10))[:size], answer, alone=alone)


jobs = st.builds(
    job,
    st.sampled_from([-1, 0, 1, 1000, TOGETHER_BYTES // 2, TOGETHER_BYTES, TOGETHER_BYTES + 1]),
    alone=st.booleans(),
    given_up=st.booleans(),
)


@given(st.lists(jobs, max_size=20), st.integers(0, 5))
def test_all_go_once_in_order_and_within_bounds(given_jobs: list[Job], children: int) -> None:
    waiting = Waiting()
    for each in given_jobs:
        waiting.append(each)
    taken: list[Job] = []
    while len(waiting):
        before = len(waiting)
        order = waiting.next_order(children)
        assert len(order) <= MOST_TOGETHER
        assert len(order) <= max(1, -(-before // max(1, children)))
        assert len(order) <= 1 or sum(each.size for each in order) <= TOGETHER_BYTES
        assert len(order) <= 1 or not any(each.single for each in order)
        assert order or not len(waiting)
        taken += order
    assert taken == [each for each in given_jobs if not each.answer.done()]
    assert waiting.next_order(children) == []


def test_what_is_put_back_comes_first_in_its_order() -> None:
    waiting = Waiting()
    first, second, third = job(1), job(2), job(3)
    for each in (first, second, third):
        waiting.append(each)
    waiting.put_back(waiting.next_order(2))
    assert waiting.next_order(1) == [first, second, third]
    waiting.put_back([first, second])
    waiting.append(third)
    waiting.discard(second)
    waiting.discard(second)
    assert waiting.take_all() == [first, third]
    assert len(waiting) == 0
