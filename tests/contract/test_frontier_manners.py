"""The frontier's contract: slots, places in flight, blocks, and how an address in trouble is spared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from crawler.frontier.base import Completion, Frontier, Limits
from crawler.frontier.manners import Pace, adjusted
from crawler.records import Candidate, Discovered, Done, Failed, Kind, Retry, RunId, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, IMAGE, PAGES, RUN, admit, claim, fill, pages, urls_of

Build = Callable[..., Bench]


async def test_concurrency_and_rate_hold_over_lanes_hosts_and_runs(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=100.0, concurrency=2)
    await fill(frontier, [("http://b.example/1.jpg", Kind.IMAGE)], rate=100.0, concurrency=2)
    await fill(frontier, [("http://c.example/", Kind.PAGE)], rate=100.0, concurrency=2, run=RunId("d", 1))
    first = await claim(frontier)
    assert len(first) == 2
    assert first[1].not_before - first[0].not_before == pytest.approx(1.25 / 100, abs=0.002)
    assert await claim(frontier) == []
    await frontier.complete([Completion(first[0], Done())])
    assert len(await claim(frontier)) == 1
    await frontier.give_back(first[1:])
    assert len(await claim(frontier)) == 1


async def test_slots_of_an_address_keep_their_distance_over_many_claims(bench: Bench) -> None:
    await fill(bench.frontier, [*PAGES, IMAGE], rate=20.0)
    await fill(bench.frontier, [(f"http://other.example/{n}", Kind.PAGE) for n in range(9)], address="192.0.2.2")
    slots: list[tuple[float, float]] = []
    for _ in range(20):
        for lease in await claim(bench.frontier):
            if lease.item.address == ADDRESS:
                # A slot lies between these: reading the worker's clock takes time.
                slots.append((lease.send_by - 0.25, lease.not_before))
        if len(slots) == 4:
            break
        await bench.sleep(0.02)
    slots.sort()
    assert len(slots) == 4
    for (earliest, _), (_, latest) in pairwise(slots):
        assert latest - earliest >= 1.25 / 20 - bench.exact


async def test_an_address_that_is_not_due_says_when(bench: Bench) -> None:
    assert (await bench.frontier.claim(9, 9)).next_due is None
    await fill(bench.frontier, PAGES, rate=1.0)
    first = await bench.frontier.claim(9, 9)
    assert len(first.leases) == 1
    assert first.next_due == pytest.approx(1.25, abs=0.2)
    await bench.frontier.complete([Completion(first.leases[0], Done())])
    assert (await bench.frontier.claim(0, 9)).next_due is None


async def test_a_blocked_address_waits(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    [lease] = (await frontier.claim(1, 0)).leases
    await frontier.complete([Completion(lease, Retry("http-429", 60.0), block=30.0)])
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due == pytest.approx(30.0, abs=1.0)


async def test_a_shorter_block_does_not_end_a_longer_one(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES)
    one, other, _ = await claim(frontier)
    await frontier.complete([Completion(one, Retry("http-429", 0.0), block=60.0)])
    await frontier.complete([Completion(other, Retry("http-429", 0.0), block=0.001)])
    await bench.sleep(0.02)
    assert await claim(frontier) == []


async def test_an_address_can_be_blocked_from_outside(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, [("http://b.example/", Kind.PAGE)], address="192.0.2.2")
    await frontier.block(ADDRESS, 60.0)
    await frontier.block(ADDRESS, 0.001)
    await fill(frontier, PAGES)
    await bench.sleep(0.02)
    assert urls_of(await claim(frontier)) == ["http://b.example/"]


async def test_a_block_ends(bench: Bench) -> None:
    await fill(bench.frontier, PAGES)
    await bench.frontier.block(ADDRESS, 0.3)
    assert await claim(bench.frontier) == []
    await bench.sleep(0.35)
    assert len(await claim(bench.frontier)) == 3


async def test_the_strictest_campaign_holds_and_leaves_with_its_run(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES, rate=1000.0, concurrency=50)
    await frontier.offer(RunId("slow", 1), [Discovered((Candidate("http://b.example/", Kind.PAGE, "seed"),))])
    await admit(frontier, rate=1000.0, concurrency=1)
    [lease] = await claim(frontier)
    assert await claim(frontier) == []
    await frontier.complete([Completion(lease, Done())])
    await frontier.forget(RunId("slow", 1))
    await bench.sleep(0.01)
    assert len(await claim(frontier)) >= 2


async def test_a_late_request_takes_another_slot(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=2.0, concurrency=3)
    [late] = await claim(frontier)
    again = await frontier.reslot(late)
    assert again is not None
    assert (again.token, again.item) == (late.token, late.item)
    assert again.not_before - late.not_before == pytest.approx(0.625, abs=0.1)
    await frontier.complete([Completion(late, Done())])
    assert await frontier.reslot(late) is None


async def test_another_slot_may_lie_ahead_and_the_address_rests_until_then(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=1000.0, concurrency=3)
    late, *others = await claim(frontier)
    await frontier.give_back(others)
    again = await frontier.reslot(late, 1.0)
    assert again is not None
    assert again.not_before - late.not_before == pytest.approx(1.0, abs=0.2)
    assert again.send_by - again.not_before == pytest.approx(late.send_by - late.not_before, abs=0.1)
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due == pytest.approx(1.0, abs=0.2)


async def test_another_slot_is_another_lease_time(bench: Bench) -> None:
    await fill(bench.frontier, PAGES[:1], rate=2.0)
    [late] = await claim(bench.frontier)
    assert await bench.frontier.reslot(late) is not None
    await bench.sleep(0.5)
    assert await bench.frontier.reap() == 0
    await bench.sleep(0.65)
    assert await bench.frontier.reap() == 1


# ---------------------------------------------------------------- slots that were not used


async def test_a_slot_that_no_request_used_serves_another(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=1.0)
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Skipped("robots"), unsent=True)])
    [lease] = await claim(frontier)
    await frontier.give_back([lease])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Retry("no-rules", 0.0), unsent=True)])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Skipped("robots"))])
    assert await claim(frontier) == []


async def test_a_slot_before_one_that_was_given_is_lost(build: Build) -> None:
    bench = build(lookahead=0.3)
    await fill(bench.frontier, PAGES, rate=5.0)
    first, second = await claim(bench.frontier)
    await bench.frontier.complete([Completion(first, Skipped("robots"), unsent=True)])
    await bench.sleep(0.4)
    [third] = await claim(bench.frontier)
    assert third.not_before - second.not_before >= 0.25 - 0.02


async def test_the_slot_of_a_late_request_serves_another(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=1.0)
    [late] = await claim(frontier)
    again = await frontier.reslot(late)
    assert again is not None
    await frontier.complete([Completion(late, Failed("reset"), unsent=True)])
    # Its first slot had another after it, so that one is lost.
    assert (await frontier.claim(9, 9)).next_due == pytest.approx(1.25, abs=0.2)


# ---------------------------------------------------------------- addresses in trouble

SLOWED = 20.0, 5.0
"""A rate, and a lookahead that shows many slots of it at once."""
BLOCK = (None, 0.001)
"""What an address may answer: latency and block."""


async def pace_after(build: Build, answers: Sequence[tuple[float | None, float]]) -> tuple[float, int]:
    """By how many times the distance of slots is longer than allowed after such answers; how many are slowed."""
    rate, lookahead = SLOWED
    frontier = build(lookahead=lookahead, lease_seconds=60.0).frontier
    await fill(frontier, pages("a.example", range(len(answers) + 2)), rate=rate)
    leases = await claim(frontier, len(answers)) if answers else []
    ends = [
        Completion(lease, Done(), latency=latency, block=block)
        for lease, (latency, block) in zip(leases, answers, strict=True)
    ]
    assert await frontier.complete(ends) == [True] * len(ends)
    first, second = (await frontier.claim(2, 0)).leases
    return (second.not_before - first.not_before) * rate / 1.25, (await frontier.state()).slowed


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([], id="no answer yet"),
        pytest.param([(0.05, 0.0)] * 3, id="quick"),
        pytest.param([(5.0, 0.0)] * 5, id="slow by nature"),
        pytest.param([BLOCK], id="one block"),
        pytest.param([BLOCK] * 6, id="blocks without end"),
        pytest.param([BLOCK, (0.1, 0.0)], id="recovering"),
        pytest.param([BLOCK, (0.1, 0.0), (0.1, 0.0), (0.1, 0.0), (0.1, 0.0)], id="recovered"),
        pytest.param([BLOCK, (None, 0.0), (None, 0.0)], id="no answers after a block"),
        pytest.param([(9.0, 0.001), (0.1, 0.0)], id="the latency of a block says nothing"),
        pytest.param([(0.1, 0.0), (0.1, 0.0), (2.0, 0.0), (2.0, 0.0)], id="rising"),
        pytest.param([(0.01, 0.0), (0.4, 0.0), (0.45, 0.0), (0.45, 0.0)], id="rising, but quick enough"),
        pytest.param([(0.2, 0.0), *[(8.0, 0.0)] * 12], id="rising without end"),
        pytest.param([(0.2, 0.0), *[(8.0, 0.0)] * 4, *[(0.2, 0.0)] * 7], id="risen and fallen"),
        pytest.param([(0.2, 0.0), (8.0, 0.0), BLOCK, (8.0, 0.0), (None, 0.0), (0.1, 0.0)], id="all of it"),
    ],
)
async def test_an_address_in_trouble_is_asked_less_often(
    build: Build, answers: list[tuple[float | None, float]]
) -> None:
    pace = Pace()
    for latency, block in answers:
        pace = adjusted(*pace, latency, block > 0)
    stretch, slowed = await pace_after(build, answers)
    assert stretch == pytest.approx(pace.slow, abs=0.05)
    assert slowed == (pace.slow > 1)


async def test_a_slow_address_is_slow_for_every_run(build: Build) -> None:
    bench = build(lookahead=5.0)
    await fill(bench.frontier, PAGES[:1], rate=20.0)
    [lease] = await claim(bench.frontier)
    await bench.frontier.complete([Completion(lease, Done(), block=0.001)])
    await fill(bench.frontier, [("http://b.example/", Kind.PAGE), IMAGE], rate=20.0, run=RunId("d", 1))
    first, second = sorted(lease.not_before for lease in await claim(bench.frontier))
    assert second - first == pytest.approx(2 * 1.25 / 20.0, abs=bench.exact)


async def test_a_block_from_outside_slows_nothing_down(bench: Bench) -> None:
    await fill(bench.frontier, PAGES)
    await bench.frontier.block(ADDRESS, 0.01)
    assert (await bench.frontier.state()).slowed == 0


async def test_a_replaced_campaign_is_heeded_at_once(build: Build) -> None:
    """Of two runs at an address the stricter one counts, as before."""
    bench = build(lookahead=5.0)
    await fill(bench.frontier, PAGES, rate=1000.0)
    await fill(bench.frontier, [IMAGE], rate=100.0, run=RunId("d", 1))
    for rate, spacing in ((10.0, 0.125), (500.0, 0.0125)):
        await bench.frontier.limit(RUN, lambda _, rate=rate: Limits(rate, 9))
        leases = await claim(bench.frontier)
        first, second, *_ = sorted(lease.not_before for lease in leases)
        assert second - first == pytest.approx(spacing, abs=bench.exact)
        await bench.frontier.give_back(leases)


async def test_what_comes_to_a_host_that_waits_brings_its_limits(build: Build) -> None:
    bench = build(lookahead=5.0)
    await fill(bench.frontier, PAGES[:1], rate=1000.0)
    await fill(bench.frontier, PAGES[1:], rate=10.0)
    first, second, _ = (lease.not_before for lease in await claim(bench.frontier))
    assert second - first == pytest.approx(0.125, abs=bench.exact)


@pytest.mark.parametrize("delay", [0.0, 0.001])
async def test_a_slot_ahead_lies_behind_a_block(build: Build, delay: float) -> None:
    """delay: that the robots.txt of the host asks for."""
    bench = build(lookahead=5.0, lease_seconds=60.0)
    frontier = bench.frontier
    await fill(frontier, PAGES, robots=True)
    await fill(frontier, [("http://b.example/", Kind.PAGE)], robots=True, address="192.0.2.2")
    ends = [Completion(lease, Done(), robots=b"rules", delay=delay) for lease in await claim(frontier)]
    assert await frontier.complete(ends) == [True, True]
    await frontier.block(ADDRESS, 2.0)
    await bench.sleep(0.01)
    leases = await claim(frontier)
    blocked, free = (
        [lease.not_before for lease in leases if (lease.item.address == ADDRESS) is b] for b in (True, False)
    )
    assert min(blocked) - min(free) > 1.0
