"""The frontier's contract: how leases of a streak end, and what becomes of their slots."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from crawler.frontier.base import STREAK, Completion
from crawler.records import Done, Failed, Kind, Lease, Outcome, Rekind, Retry, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import RUN, claim, fill, pages, urls_of
from tests.contract.streaks import AHEAD, answered, apart, by_turn, sizes, streak_of

Build = Callable[..., Bench]

# ---------------------------------------------------------------- slots that were not used


@pytest.mark.parametrize("unsent", [pytest.param(None, id="given back"), pytest.param(Skipped("robots"), id="skipped")])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sent", [0, 1, 9, 15])
async def test_the_slots_of_a_tail_come_back_in_whatever_order_it_is_given_back(
    build: Build, unsent: Outcome | None, seed: int, sent: int
) -> None:
    bench = build(**AHEAD)
    leases = await streak_of(bench)
    ends = [Completion(x, Done()) if i < sent else Completion(x, unsent, unsent=True) for i, x in enumerate(leases)]
    Random(seed).shuffle(ends)
    late = Completion(leases[0], None)
    assert await bench.frontier.complete([*ends, late]) == [True] * STREAK + [False]
    again = await claim(bench.frontier)
    if sent:
        assert apart(leases[0], again[0], 0.5 * sent, bench.exact)
    else:
        assert again[0].not_before < leases[1].not_before
    if unsent is None:
        # To the front of their queue, as they stood there.
        assert urls_of(again)[: STREAK - sent] == urls_of(leases[sent:])


async def test_the_slots_of_a_tail_come_back_in_several_calls_from_its_end_only(build: Build) -> None:
    bench = build(**AHEAD)
    leases = await streak_of(bench)
    assert await bench.frontier.give_back(leases[:-4]) == [True] * 12
    # Slots with others after them are lost.
    await bench.frontier.complete([Completion(leases[14], Done())])
    await bench.frontier.give_back([leases[15]])
    await bench.frontier.give_back([leases[13]])
    first, *others = await claim(bench.frontier, 2)
    assert apart(leases[15], first, 0.0, bench.exact)
    await bench.frontier.give_back([*others])
    await bench.frontier.give_back([first])
    [first] = await claim(bench.frontier, 1)
    assert apart(leases[15], first, 0.0, bench.exact)


async def test_slots_that_were_used_do_not_come_back(build: Build) -> None:
    bench = build(**AHEAD)
    leases = await streak_of(bench)
    await bench.frontier.complete([Completion(lease, Skipped("robots")) for lease in reversed(leases)])
    [first] = await claim(bench.frontier, 1)
    assert apart(leases[-1], first, 0.125, bench.exact)


async def test_the_slots_of_a_tail_are_lost_when_another_was_given_after_it(build: Build) -> None:
    bench = build(**AHEAD)
    leases = await streak_of(bench)
    [other] = await claim(bench.frontier, 1)
    await bench.frontier.give_back(leases)
    [first] = await claim(bench.frontier, 1)
    assert apart(other, first, 0.125, bench.exact)


# ---------------------------------------------------------------- ends


async def test_leases_of_a_streak_end_each_by_itself(build: Build) -> None:
    bench = build(**AHEAD)
    frontier = bench.frontier
    done, retried, failed, moved, back, late, *others = leases = await streak_of(bench, 9)
    again = await frontier.reslot(late)
    assert again is not None
    assert (again.token, again.streak, again.places) == (late.token, late.streak, late.places)
    assert apart(leases[-1], again, 0.125, bench.exact)
    ends = [
        Completion(done, Done(), latency=8.0),
        Completion(retried, Retry("reset", 600.0)),
        Completion(failed, Failed("reset")),
        Completion(moved, Rekind(Kind.IMAGE)),
        Completion(back, None),
        Completion(again, Done()),
    ]
    assert await frontier.complete(ends) == [True] * 6
    assert await frontier.complete(ends) == [False] * 6
    counts = await frontier.counts(RUN)
    assert (counts.fetched, counts.failed, counts.retried) == (3, {"reset": 1}, {"reset": 1})
    assert counts.waiting == {"queued": 11 + 2, "leased": 3, "delayed": 1}
    turns = by_turn((await frontier.claim(50, 0)).leases)
    assert [len(turn) for turn in turns] == [1] * 12  # for one of the streak was given back
    assert not {turn[0].item.url for turn in turns} & set(urls_of(others))
    assert await frontier.give_back(others) == [True] * 3


async def test_what_a_dead_worker_held_of_a_streak_comes_back_once(build: Build) -> None:
    bench = build(lease_seconds=0.2)
    await answered(bench, 0.008, concurrency=5)
    await fill(bench.frontier, pages("a.example", range(8)), concurrency=5)
    leases = await claim(bench.frontier)
    assert sizes(leases) == [8]
    await bench.frontier.complete([Completion(leases[0], Done()), Completion(leases[5], Done())])
    await bench.sleep(0.8)
    assert await bench.frontier.reap() == 6
    assert await bench.frontier.reap() == 0
    assert await bench.frontier.complete([Completion(lease, Done()) for lease in leases]) == [False] * 8
    again: list[Lease] = []
    for _ in "12":
        again += (given := await claim(bench.frontier))
        await bench.frontier.complete([Completion(lease, Done()) for lease in given])
    assert sorted(urls_of(again)) == sorted(urls_of([*leases[1:5], *leases[6:]]))
    assert {lease.item.attempts for lease in again} == {1}
