"""Streaks at the worker: how many are under way, in which order, and what becomes of those whose turn does not come.

Time is the loop's own, which leaps over every rest: what is measured here is exact on any machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.bridge.answers import Answered, Sent, Unsent, unanswered
from crawler.bridge.courier import STOPPED_PAUSE, Courier
from crawler.bridge.outcomes import backoff
from crawler.bridge.rules import pack_rules
from crawler.bridge.turns import Turns
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.fetch.failures import failure
from crawler.fetch.robots import parse_robots
from crawler.frontier.base import Completion
from crawler.records import Fetched, FetchFailed, FetchOrder, Kind, Lease, Skipped
from tests.bridge.leaping import leaping
from tests.bridge.parts import HOST, Frontier, Runs, Web, answer, lease, places_in, served

WINDOW, LIFE = 0.1, 90.0
FIRST = 100
MISSED = Unsent(missed=True)
NO = pack_rules(parse_robots(b"User-agent: *\nDisallow: /no/", 200))


def streak(count: int, places: int, step: float = 0.0, *, first: int = FIRST, path: str = "") -> list[Lease]:
    """Leases as one claim gives them now. path: of all of their URLs, before each one's number."""
    now = asyncio.get_running_loop().time()
    leases = []
    for n in range(count):
        slot = now + n * step
        one = lease(f"{HOST}/{path}{n}", Kind.IMAGE, token=first + n)
        times = {"not_before": slot, "send_by": slot + WINDOW, "expires": slot + WINDOW + LIFE}
        leases.append(one._replace(**times, streak=first, places=places))
    return leases


@dataclass
class Server(Web):
    """Notes when each request left, for which URL, and how many were under way: from the beginning of an order, that
    is with the connection which is made for it.

    connects, serves: seconds, by the number at the end of a URL; 0 where nothing is said.
    """

    connects: dict[int, float] = field(default_factory=dict)
    serves: dict[int, float] = field(default_factory=dict)
    under_way: int = 0
    most: int = 0
    left: list[tuple[float, int]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        loop, number = asyncio.get_running_loop(), int(order.url.rpartition("/")[2])
        self.orders.append(order)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.connects.get(number, 0.0))
            assert order.ready is not None
            if not await order.ready():
                return failure("late")
            self.left.append((loop.time(), number))
            self.sent.append(order)
            await asyncio.sleep(self.serves.get(number, 0.0))
            self.ended.append(loop.time())
            return self.answer(order)
        finally:
            self.under_way -= 1

    @property
    def numbers(self) -> list[int]:
        return [number for _, number in self.left]


def found(order: FetchOrder) -> Fetched:
    return answer(200, url=order.url, body=bytes(5_000), kind="image")


class Slots(Frontier):
    """Gives another slot after so many seconds; None: leases are not held any more."""

    def __init__(self, after: float | None = None) -> None:
        super().__init__()
        self.after = after

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        if self.after is None:
            return None
        slot = asyncio.get_running_loop().time() + self.after
        return lease._replace(not_before=slot, send_by=slot + WINDOW, expires=slot + WINDOW + LIFE)


class Bench:
    def __init__(
        self,
        reply: Callable[[FetchOrder], Fetched | FetchFailed] = found,
        *,
        connects: dict[int, float] | None = None,
        serves: dict[int, float] | None = None,
        reslots: float | None = None,
    ) -> None:
        self.web = Server(reply, connects=connects or {}, serves=serves or {})
        self.frontier: Any = Slots(reslots)
        run = served("", self.web)
        identity = replace(run.campaign.identity, second_user_agent="Second/1.0")
        self.runs: Any = Runs(replace(run, campaign=replace(run.campaign, identity=identity)))
        self.courier = Courier(self.frontier, self.runs, places_in(self.frontier), 1_000_000)
        self.turns: Turns = self.courier._turns

    def start(self, leases: Sequence[Lease]) -> list[asyncio.Task[Sent]]:
        return [asyncio.create_task(self.courier.send(each)) for each in leases]

    async def send(self, leases: Sequence[Lease]) -> list[Sent]:
        return await asyncio.gather(*self.start(leases))

    async def is_clear(self) -> bool:
        """Whether nothing is kept of any streak, once no lease of it can be left."""
        if self.turns._streaks:
            return False
        await asyncio.sleep(2 * LIFE)
        return not self.turns._closed


@leaping
async def test_no_more_of_a_streak_are_under_way_than_it_has_places_and_they_leave_in_order() -> None:
    bench = Bench(serves=dict.fromkeys(range(9), 0.02))
    sent = await bench.send(streak(9, places=2))
    assert all(isinstance(each, Answered) for each in sent)
    assert (bench.web.most, bench.web.numbers) == (2, list(range(9)))
    # Each leaves as soon as one before it is answered.
    began = bench.web.left[0][0]
    assert [at - began for at, _ in bench.web.left] == pytest.approx([n // 2 * 0.02 for n in range(9)])
    assert await bench.is_clear()


@leaping
async def test_turns_come_in_the_order_of_slots_whoever_waited_first() -> None:
    bench = Bench(serves=dict.fromkeys(range(6), 0.01))
    first, *others = streak(6, places=1)
    await bench.send([first, *reversed(others)])
    assert bench.web.numbers == list(range(6))
    # By slots before tokens: the first one has another slot now, after all others.
    again = first._replace(not_before=first.not_before + 0.07, send_by=first.send_by + 1.0)
    bench.web.left.clear()
    others = [each._replace(send_by=each.send_by + 1.0) for each in others]
    await bench.send([others[0], again, *others[1:]])
    assert bench.web.numbers == [1, 2, 3, 4, 5, 0]


@leaping
async def test_a_lease_whose_turn_does_not_come_in_its_slot_is_given_back_at_the_end_of_it() -> None:
    bench, loop = Bench(serves={0: 5.0}), asyncio.get_running_loop()
    leases = streak(4, places=1, step=0.01)
    told: dict[int, float] = {}
    tasks = bench.start(leases)
    for n, task in enumerate(tasks):
        task.add_done_callback(lambda _, n=n: told.setdefault(n, loop.time()))
    sent = await asyncio.gather(*tasks)
    assert isinstance(sent[0], Answered)
    assert sent[1:] == [MISSED] * 3
    assert [told[n] for n in (1, 2, 3)] == pytest.approx([each.send_by for each in leases[1:]])
    assert unanswered(leases[1], MISSED) == Completion(leases[1], None)
    assert len(bench.web.orders) == 1
    assert bench.frontier.calls["reslot"] == 0
    assert await bench.is_clear()


@leaping
async def test_who_comes_late_is_sent_in_another_slot_where_nobody_else_of_the_streak_is_at_it() -> None:
    """A busy worker gets every claim late. It sends one of each streak, which is more than none."""
    bench = Bench(reslots=0.0, serves=dict.fromkeys(range(3), 0.1))
    leases = streak(3, places=2)
    await asyncio.sleep(2 * WINDOW)
    sent = await bench.send(leases)
    assert isinstance(sent[0], Answered)
    assert sent[1:] == [MISSED] * 2
    assert bench.frontier.calls["reslot"] == 1
    assert await bench.is_clear()


@leaping
async def test_a_turn_that_comes_too_late_goes_to_the_next() -> None:
    """As when the loop was busy beyond the end of one's slot, and its timer did not come to it."""
    turns, loop = Turns(), asyncio.get_running_loop()
    first, second, third = streak(3, places=1)
    assert await turns.take(first)
    waiting = [asyncio.create_task(turns.take(each)) for each in (second, third._replace(send_by=third.send_by + 1.0))]
    await asyncio.sleep(0)
    loop.now += WINDOW + 0.5  # type: ignore[attr-defined]
    turns.leave(first)
    assert await asyncio.gather(*waiting) == [False, True]
    turns.leave(third)
    assert not turns._streaks


@leaping
async def test_streaks_do_not_wait_for_each_other_and_leases_by_themselves_for_nobody() -> None:
    bench = Bench(serves=dict.fromkeys(range(3), 0.05))
    one, other = streak(2, places=1), streak(2, places=1, first=200)
    elsewhere = [each._replace(partition=7) for each in one]
    alone = [each._replace(streak=0) for each in streak(3, places=1, first=300)]
    sent = await bench.send([*one, *other, *elsewhere, *alone])
    assert all(isinstance(each, Answered) for each in sent)
    assert bench.web.most == 1 + 1 + 1 + 3
    assert await bench.is_clear()


@leaping
async def test_what_is_not_sent_takes_no_turn() -> None:
    bench = Bench(serves=dict.fromkeys(range(2), 0.05))
    bench.frontier.facts = replace(bench.frontier.facts, robots=NO)
    denied = streak(2, places=1, path="no/")
    assert await bench.send([*denied, *streak(2, places=1)]) == [Skipped("robots")] * 2 + [
        Answered(found(order)) for order in bench.web.orders
    ]
    assert len(bench.web.orders) == 2
    assert await bench.is_clear()


def asking_for_rest(status: int, number: int = 0) -> Callable[[FetchOrder], Fetched]:
    return lambda order: answer(status, url=order.url) if order.url.endswith(f"/{number}") else found(order)


@pytest.mark.parametrize("status", [429, 503])
@leaping
async def test_nothing_more_of_a_streak_is_sent_after_an_answer_that_asks_for_a_pause(status: int) -> None:
    # 0 is answered while 1 is under way, 2 has its turn and waits for its slot, and all others wait for their turn.
    bench = Bench(asking_for_rest(status), serves={0: 0.02, 1: 0.07}, reslots=0.0)
    leases = streak(6, places=3, step=0.0)
    leases[2:] = [each._replace(not_before=each.not_before + 0.05, send_by=each.send_by + 0.05) for each in leases[2:]]
    tasks = bench.start(leases)
    await asyncio.sleep(0.03)
    assert [task.done() for task in tasks] == [True, False, False, True, True, True]
    sent = await asyncio.gather(*tasks)
    assert [isinstance(each, Answered) for each in sent] == [True] * 2 + [False] * 4
    assert sent[2:] == [MISSED] * 4
    assert [order.url for order in bench.web.orders] == [each.item.url for each in leases[:2]]  # nor connected
    # Whoever comes later does not find it open either, but in a slot after the pause.
    late = leases[5]._replace(token=FIRST + 6)
    assert await bench.send([late]) == [MISSED]
    now = asyncio.get_running_loop().time()
    after = late._replace(not_before=now + backoff(0), send_by=now + 2.0)
    assert isinstance((await bench.send([after]))[0], Answered)
    assert await bench.is_clear()


@leaping
async def test_a_request_that_connects_while_its_streak_is_closed_does_not_leave() -> None:
    bench = Bench(asking_for_rest(429), serves={0: 0.02}, connects={1: 0.05}, reslots=0.0)
    sent = await bench.send(streak(2, places=2))
    assert [type(each) for each in sent] == [Answered, Unsent]
    assert (len(bench.web.orders), bench.web.numbers) == (2, [0])
    assert await bench.is_clear()


@leaping
async def test_a_pause_closes_one_streak_and_other_answers_close_none() -> None:
    bench = Bench(asking_for_rest(429))
    closed, other = streak(2, places=1), streak(2, places=1, first=200, path="b/")
    other[0] = other[0]._replace(item=other[0].item._replace(url=f"{HOST}/b/7"))
    sent = await bench.send([*closed, *other])
    assert [isinstance(each, Answered) for each in sent] == [True, False, True, True]
    bench = Bench(asking_for_rest(500))
    sent = await bench.send(streak(3, places=1))
    assert all(isinstance(each, Answered) for each in sent)
    alone = Bench(asking_for_rest(429))
    sent = await alone.send([each._replace(streak=0) for each in streak(3, places=1)])
    assert all(isinstance(each, Answered) for each in sent)
    assert not alone.turns._closed


@leaping
async def test_a_longer_pause_is_not_ended_by_a_shorter_one() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    one, *_ = streak(2, places=1)
    for pause in (1.0, 5.0, 2.0):
        turns.close(one, pause)
    await asyncio.sleep(2.5)
    now = loop.time()
    assert turns.is_closed(one._replace(not_before=now))
    assert not turns.is_closed(one._replace(not_before=now + 2.6))
    turns.close(one, 1e6)  # which outlasts every lease of the streak
    await asyncio.sleep(LIFE + WINDOW)
    assert not turns._closed


@leaping
async def test_a_stop_ends_those_that_wait_and_leaves_the_turns_as_they_are() -> None:
    bench = Bench(serves=dict.fromkeys(range(3), 0.05))
    leases = streak(3, places=1)
    leases[1] = leases[1]._replace(item=leases[1].item._replace(url="http://b.example.nl/1"))
    tasks = bench.start(leases)
    await asyncio.sleep(0.01)
    bench.runs.stops = Stops([Stop(StopKind.HOST, "b.example.nl")])
    bench.courier.abort_stopped()
    assert await tasks[1] == Unsent(STOPPED_PAUSE)
    bench.runs.stops = Stops([Stop(StopKind.HOST, "a.example.nl")])
    assert bench.frontier.blocks == []
    assert len(bench.web.left) == 1
    # One that is under way and stopped has used its slot; who waits has not.
    bench.courier.abort_stopped()
    assert [await tasks[0], await tasks[2]] == [Unsent(STOPPED_PAUSE)] * 2
    assert (len(bench.frontier.blocks), len(bench.web.orders)) == (1, 1)
    assert await bench.is_clear()


@leaping
async def test_a_paused_run_sends_nothing_of_its_streaks_any_more() -> None:
    bench = Bench(serves=dict.fromkeys(range(3), 0.05))
    tasks = bench.start(streak(3, places=1))
    await asyncio.sleep(0.01)
    bench.runs.running = False
    sent = await asyncio.gather(*tasks)
    assert isinstance(sent[0], Answered)
    assert all(isinstance(each, Unsent) for each in sent[1:])
    assert bench.web.numbers == [0]
    assert await bench.is_clear()


@leaping
async def test_who_is_broken_off_in_the_moment_of_its_turn_leaves_it_to_the_next() -> None:
    turns = Turns()
    first, second, third = streak(3, places=1)
    assert await turns.take(first)
    waiting = [asyncio.create_task(turns.take(each)) for each in (second, third)]
    await asyncio.sleep(0)
    turns.leave(first)
    waiting[0].cancel()
    assert await waiting[1] is True
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    # And one that was broken off before is passed over.
    fourth, fifth = (each._replace(token=each.token + 3) for each in (first, second))
    waiting = [asyncio.create_task(turns.take(each)) for each in (fourth, fifth)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    turns.leave(third)
    assert await waiting[1] is True
    turns.leave(fifth)
    assert not turns._streaks


@leaping
async def test_a_second_look_keeps_its_turn() -> None:
    def refusing(order: FetchOrder) -> Fetched:
        first = "Second" not in dict(order.headers)["User-Agent"]
        return answer(403, url=order.url) if first and order.url.endswith("/0") else found(order)

    bench = Bench(refusing, serves=dict.fromkeys(range(2), 0.01), reslots=0.03)
    sent = await bench.send(streak(2, places=1))
    assert isinstance(sent[0], Answered)
    assert sent[0].cloaked
    assert isinstance(sent[1], Answered)
    assert (bench.web.numbers, bench.web.most) == ([0, 0, 1], 1)
    began = bench.web.left[0][0]
    assert [at - began for at, _ in bench.web.left] == pytest.approx([0.0, 0.04, 0.05])
    assert await bench.is_clear()


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
