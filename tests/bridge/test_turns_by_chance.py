"""Whatever befalls the leases of a streak: places hold, nothing leaves before its slot, and nothing is left behind."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from crawler.bridge.answers import Answered, Sent, Unsent
from crawler.records import Fetched, FetchOrder, Lease
from tests.bridge.leaping import leaping
from tests.bridge.parts import answer
from tests.bridge.streaks import MISSED, Bench, found, streak


@dataclass(frozen=True)
class Course:
    """What befalls one lease; seconds. cancelled: after the start, by whoever waits for it; stopped: by a stop."""

    arrives: float
    connects: float
    serves: float
    status: int
    cancelled: float | None
    stopped: float | None


def seconds(most: int) -> st.SearchStrategy[float]:
    """Thousandths, of which many come at the same moment."""
    return st.integers(0, most).map(lambda n: n / 1000)


COURSES = st.lists(
    st.builds(
        Course,
        arrives=st.just(0.0) | seconds(150),
        connects=st.just(0.0) | seconds(30),
        serves=seconds(60),
        status=st.sampled_from([200] * 12 + [404, 403, 500, 429, 503]),
        cancelled=st.none() | st.none() | seconds(200),
        stopped=st.none() | st.none() | st.none() | seconds(200),
    ),
    min_size=2,
    max_size=16,
)


@given(COURSES, st.integers(1, 4), seconds(30), st.none() | seconds(150))
def test_whatever_happens_places_hold_and_nothing_is_left(
    courses: list[Course], places: int, step: float, reslots: float | None
) -> None:
    @leaping
    async def check() -> None:
        await befall(courses, places, step, reslots)

    check()


async def befall(courses: list[Course], places: int, step: float, reslots: float | None) -> None:
    loop, statuses = asyncio.get_running_loop(), {n: course.status for n, course in enumerate(courses)}
    asked_for_rest: list[float] = []

    def reply(order: FetchOrder) -> Fetched:
        status = statuses[int(order.url.rpartition("/")[2])]
        if status in (429, 503):
            asked_for_rest.append(loop.time())
        return found(order) if status == 200 else answer(status, url=order.url)

    bench = Bench(
        reply,
        connects={n: course.connects for n, course in enumerate(courses)},
        serves={n: course.serves for n, course in enumerate(courses)},
        reslots=reslots,
    )
    leases = streak(len(courses), places, step)

    async def work(each: Lease, course: Course) -> Sent:
        await asyncio.sleep(course.arrives)
        return await bench.courier.send(each)

    def stop(flying: Lease) -> None:
        for task, flight in bench.courier._flights.items():
            if flight.lease.token == flying.token and not flight.aborted:
                flight.aborted = True
                task.cancel()

    tasks = [asyncio.create_task(work(*pair)) for pair in zip(leases, courses, strict=True)]
    for each, course, task in zip(leases, courses, tasks, strict=True):
        if course.cancelled is not None:
            loop.call_later(course.cancelled, task.cancel)
        if course.stopped is not None:
            loop.call_later(course.stopped, stop, each)
    ended = await asyncio.gather(*tasks, return_exceptions=True)

    assert bench.web.most <= places
    assert bench.web.under_way == 0
    for outcome, course in zip(ended, courses, strict=True):
        assert isinstance(outcome, Answered | Unsent) or (
            isinstance(outcome, asyncio.CancelledError) and course.cancelled is not None
        )
    for at, number in bench.web.left:
        assert leases[number].not_before <= at
        assert reslots is not None or at <= leases[number].send_by
    for number, outcome in enumerate(ended):
        assert outcome != MISSED or number not in bench.web.numbers
    if asked_for_rest and reslots is None:
        assert all(at <= min(asked_for_rest) for at, _ in bench.web.left)
    if reslots is None and not any(course.arrives or course.connects for course in courses):
        assert bench.web.numbers == sorted(bench.web.numbers)
    assert not bench.courier._flights
    assert await bench.is_clear()
