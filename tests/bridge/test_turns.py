"""Streaks at the worker: how many are under way, in which order, and what becomes of those whose turn does not come.

Time is the loop's own, which leaps over every rest: what is measured here is exact on any machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from crawler.bridge.answers import Answered, Unsent, unanswered
from crawler.bridge.courier import STOPPED_PAUSE
from crawler.bridge.outcomes import backoff
from crawler.bridge.turns import Turns
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.frontier.base import Completion
from crawler.records import Fetched, FetchOrder, Skipped
from tests.bridge.leaping import leaping
from tests.bridge.parts import HOST, answer
from tests.bridge.streaks import DENIES, FIRST, LIFE, MISSED, WINDOW, Bench, found, streak


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
    loop.now += WINDOW + 0.5
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
    bench.frontier.facts = replace(bench.frontier.facts, robots=DENIES)
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
async def test_a_pause_closes_an_address_and_other_answers_close_none() -> None:
    bench = Bench(asking_for_rest(429))
    closed, other = streak(2, places=1), streak(2, places=1, first=200, path="b/")
    other[0] = other[0]._replace(item=other[0].item._replace(url=f"{HOST}/b/7"))
    sent = await bench.send([*closed, *other])
    assert [isinstance(each, Answered) for each in sent] == [True, False, True, False]
    bench = Bench(asking_for_rest(500))
    sent = await bench.send(streak(3, places=1))
    assert all(isinstance(each, Answered) for each in sent)
    alone = Bench(asking_for_rest(429))
    sent = await alone.send([each._replace(streak=0) for each in streak(3, 1, 0.3)])
    assert [isinstance(each, Answered) for each in sent] == [True, False, False]


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
