"""The frontier's contract: several URLs of a queue in one turn.

The reference takes a streak wherever the contract allows one. Redis takes less in a claim that did anything out of the
ordinary at the address: it has a hit, something that waited came back, or a lane has just come to its end there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from crawler.frontier.base import LATE, STREAK, WAITED, Completion, Find, Frontier, Limits
from crawler.records import Done, Failed, FrontierUrl, Kind, Lease, Outcome, Retry, RunId, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, RUN, claim, fill, pages, urls_of
from tests.contract.streaks import AHEAD, LASTING, answered, apart, by_turn, images, sizes

Build = Callable[..., Bench]

# ---------------------------------------------------------------- whether, and how many


@pytest.mark.parametrize("latency", [None, 0.0])
async def test_there_is_none_before_an_answers_latency_is_known(build: Build, latency: float | None) -> None:
    bench = build(**LASTING)
    await answered(bench, latency)
    await fill(bench.frontier, pages("a.example", range(6)))
    one, other = leases = (await bench.frontier.claim(2, 0)).leases
    assert [lease.streak for lease in leases] == [0, 0]
    await bench.frontier.complete([Completion(one, Done(), latency=0.008), Completion(other, Done())])
    assert sizes(await claim(bench.frontier)) == [4]


@pytest.mark.parametrize(
    ("rate", "concurrency", "latency", "n", "spacing"),
    [
        pytest.param(1000.0, 1, 0.021, 4, 1.25 * 0.021, id="latency, one place"),
        pytest.param(1000.0, 2, 0.021, 8, 1.25 * 0.021 / 2, id="latency, two places"),
        pytest.param(1000.0, 3, 0.021, 12, 1.25 * 0.021 / 3, id="latency, three places"),
        pytest.param(60.0, 50, 0.021, 5, 1.25 / 60, id="rate"),
        pytest.param(60.0, 1, 0.001, 5, 1.25 / 60, id="rate, one place"),
        pytest.param(1000.0, 50, 0.021, STREAK, 1.25 / 1000, id="as many as there may be"),
        pytest.param(1000.0, 2, 0.2, 1, 0.0, id="latency beyond the lookahead"),
        pytest.param(10.0, 2, 0.021, 1, 0.0, id="rate beyond the lookahead"),
    ],
)
async def test_slots_are_apart_as_answers_and_rate_allow_and_lie_within_the_lookahead(
    build: Build, rate: float, concurrency: int, latency: float, n: int, spacing: float
) -> None:
    bench = build(**LASTING)
    await answered(bench, latency, rate=rate, concurrency=concurrency)
    await fill(bench.frontier, pages("a.example", range(20)), rate=rate, concurrency=concurrency)
    leases = by_turn(await claim(bench.frontier))[0]
    assert len(leases) == n
    assert n == 1 or {lease.places for lease in leases} == {concurrency}
    for place, lease in enumerate(leases):
        assert lease.not_before - leases[0].not_before == pytest.approx(place * spacing, abs=2e-6)
        assert lease.send_by - lease.not_before == pytest.approx(leases[0].send_by - leases[0].not_before, abs=2e-6)


async def test_an_address_that_is_due_later_gives_less(build: Build) -> None:
    """Half the lookahead is left for the second streak, and one slot for the third."""
    bench = build(**AHEAD)
    await answered(bench, 24.0, rate=10.0, concurrency=3)
    await fill(bench.frontier, pages("a.example", range(20)), rate=10.0, concurrency=3)
    # Ten seconds apart.
    first = await claim(bench.frontier, 4)
    assert sizes(first) == [4]
    await bench.frontier.complete([Completion(lease, Done()) for lease in first])
    second = await claim(bench.frontier)
    assert sizes(second) == [3]
    assert apart(first[3], second[0], 0.125, bench.exact)
    await bench.frontier.complete([Completion(lease, Done()) for lease in second])
    assert sizes(await claim(bench.frontier)) == [1, 1, 1]


async def test_a_claim_gives_no_more_than_it_asked_for(build: Build) -> None:
    bench = build(**LASTING)
    await answered(bench, 0.008)
    await fill(bench.frontier, pages("a.example", range(20)))
    for n in (1, 3):
        leases = list((await bench.frontier.claim(n, 9)).leases)
        assert sizes(leases) == [n]
    await fill(bench.frontier, pages("b.example", range(30)), address="192.0.2.2")
    assert len((await bench.frontier.claim(20, 9)).leases) == 20


async def test_a_streak_is_of_one_queue_lane_and_priority(build: Build) -> None:
    bench = build(**LASTING)
    await answered(bench, 0.008)
    await fill(bench.frontier, pages("a.example", range(3)), depth=1)
    await fill(bench.frontier, pages("a.example", range(10, 14)))
    await fill(bench.frontier, images("a.example", range(5)))
    await fill(bench.frontier, pages("b.example", range(6)))
    await fill(bench.frontier, pages("a.example", range(20, 22)), run=RunId("d", 1))
    leases = [*(await bench.frontier.claim(50, 0)).leases, *(await bench.frontier.claim(0, 50)).leases]
    assert sorted(sizes(leases)) == [2, 3, 4, 5, 6]
    for turn in by_turn(leases):
        assert len({(x.item.run, x.item.url[7], x.item.kind, x.item.depth) for x in turn}) == 1
        assert len({lease.queue for lease in turn}) == 1
        # In the order in which they were admitted.
        assert urls_of(turn) == sorted(urls_of(turn))


@pytest.mark.parametrize(("delay", "n"), [(0.0, 4), (0.05, 1)])
async def test_robots_txt_and_hosts_with_a_crawl_delay_go_one_by_one(build: Build, delay: float, n: int) -> None:
    bench = build(**LASTING)
    await answered(bench, 0.008)
    await fill(bench.frontier, pages("a.example", range(4)), robots=True)
    [gate] = await claim(bench.frontier)
    assert (gate.item.kind, gate.streak) == (Kind.ROBOTS, 0)
    await bench.frontier.complete([Completion(gate, Done(), robots=b"rules", delay=delay)])
    await bench.sleep(0.2)
    assert sizes(await claim(bench.frontier)) == [n]


async def test_an_address_that_is_slowed_down_gives_one_by_one_until_it_has_recovered(build: Build) -> None:
    bench = build(**LASTING)
    await answered(bench, 0.008)
    await fill(bench.frontier, pages("a.example", range(60)))
    [lease] = (await bench.frontier.claim(1, 0)).leases
    await bench.frontier.complete([Completion(lease, Done(), block=0.001)])
    for _ in range(4):
        await bench.sleep(0.02)
        first, *others = await claim(bench.frontier, 8)
        assert {lease.streak for lease in (first, *others)} == {0}
        await bench.frontier.complete([Completion(lease, Skipped("robots"), unsent=True) for lease in others])
        await bench.frontier.complete([Completion(first, Done(), latency=0.008)])
    await bench.sleep(0.02)
    assert sizes(await claim(bench.frontier, 8)) == [8]


# ---------------------------------------------------------------- places


async def test_its_places_are_those_that_were_free(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 1.0, concurrency=5)
    await fill(bench.frontier, pages("a.example", range(40)), concurrency=5)
    leases: list[Lease] = []
    for taken, free in ((2, 5), (2, 3)):
        [turn] = by_turn((await bench.frontier.claim(taken, 0)).leases)
        assert [lease.places for lease in turn] == [free] * taken
        leases += turn
    await bench.frontier.complete([Completion(leases[0], Done())])
    [turn] = by_turn(await claim(bench.frontier))
    assert len(turn) == STREAK
    assert {lease.places for lease in turn} == {2}
    assert turn[1].not_before - turn[0].not_before == pytest.approx(1.25 / 2, abs=2e-6)


async def visited(frontier: Frontier) -> bool:
    """Whether somebody else may send something to the address."""
    item = FrontierUrl("http://c.example/", RUN, Kind.PAGE, ADDRESS)
    lease = await frontier.visit(item, ADDRESS, Limits(1000.0, 100), 60.0)
    return lease is not None and await frontier.give_back([lease]) == [True]


async def test_nobody_else_gets_anything_while_as_many_leases_are_out_as_there_are_places(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.5, concurrency=3)
    await fill(bench.frontier, pages("a.example", range(8)), concurrency=3)
    leases = await claim(bench.frontier)
    assert sizes(leases) == [8]
    await fill(bench.frontier, [*images("a.example", range(6)), *pages("b.example", range(6))], concurrency=3)
    ends: list[Outcome] = [Done(), Done(), Skipped("robots"), Retry("reset", 60.0), Failed("reset")]
    for lease, end in zip(leases, ends, strict=False):
        assert await claim(bench.frontier) == []
        await bench.frontier.complete([Completion(lease, end)])
    assert await claim(bench.frontier) == []
    await bench.frontier.complete([Completion(leases[5], Done())])
    assert await visited(bench.frontier)
    turn = by_turn(await claim(bench.frontier))[0]
    assert len(turn) > 1
    assert {lease.places for lease in turn} == {1}


async def test_where_a_visit_found_no_place_urls_come_one_by_one_for_a_while(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.001, concurrency=1)
    await fill(bench.frontier, pages("a.example", range(8)), concurrency=1)
    [lease] = (await bench.frontier.claim(1, 0)).leases
    assert not await visited(bench.frontier)
    await bench.frontier.complete([Completion(lease, Done(), latency=0.001)])
    await bench.sleep(0.01)
    [lease] = await claim(bench.frontier)
    await bench.sleep(WAITED)
    await bench.frontier.complete([Completion(lease, Done(), latency=0.001)])
    [lease] = await claim(bench.frontier)  # it was due for long
    await bench.frontier.complete([Completion(lease, Done(), latency=0.001)])
    await bench.sleep(0.01)
    assert sizes(await claim(bench.frontier)) == [5]


async def test_where_a_lease_was_given_back_urls_come_one_by_one(build: Build) -> None:
    """Its streak did not fit, for instance because answers are long and not late."""
    bench = build(**AHEAD)
    await answered(bench, 0.001, concurrency=2)
    await fill(bench.frontier, pages("a.example", range(8)), concurrency=2)
    leases = await claim(bench.frontier)
    assert sizes(leases) == [8]
    await bench.frontier.give_back(leases[1:])
    await bench.frontier.complete([Completion(leases[0], Done(), latency=0.001)])
    assert sizes(await claim(bench.frontier)) == [1, 1]


async def test_an_address_that_was_due_for_long_gives_one_by_one(build: Build) -> None:
    """Workers are behind: those that may be asked seldom are not to wait behind those that may be asked often."""
    bench = build(**AHEAD)
    await answered(bench, 0.001, concurrency=2)
    await fill(bench.frontier, pages("a.example", range(8)), concurrency=2)
    await bench.sleep(LATE + 0.1)
    assert sizes((await bench.frontier.claim(1, 0)).leases) == [1]
    assert sizes(await claim(bench.frontier)) == [7]


async def test_pages_come_one_by_one_where_that_is_asked_for(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.001, concurrency=1)
    await answered(bench, 0.001, "second.example", concurrency=1, address="192.0.2.2")
    await fill(bench.frontier, pages("a.example", range(4)), concurrency=1)
    await fill(bench.frontier, images("b.example", range(4)), concurrency=1, address="192.0.2.2")
    leases = (await bench.frontier.claim(9, 9, page_streaks=False)).leases
    assert sorted((len(turn), turn[0].item.kind) for turn in by_turn(leases)) == [(1, Kind.PAGE), (4, Kind.IMAGE)]


# ---------------------------------------------------------------- turns


def hosts_of(turns: Sequence[Sequence[Lease]]) -> list[str]:
    return [turn[0].item.url[7] for turn in turns]


async def test_a_streak_is_one_turn_of_its_host(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.001)
    for host in "abc":
        await fill(bench.frontier, pages(f"{host}.example", range(2 * STREAK)))
    turns = by_turn([lease for _ in range(6) for lease in (await bench.frontier.claim(STREAK, 0)).leases])
    assert len(turns) == 6
    hosts = hosts_of(turns)
    assert sorted(hosts[:3]) == ["a", "b", "c"]
    assert hosts[3:] == hosts[:3]


async def test_lanes_take_turns_by_streaks(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.1, concurrency=2)
    await fill(bench.frontier, [*pages("a.example", range(60)), *images("b.example", range(60))], concurrency=2)
    lanes = []
    for _ in range(6):
        leases = await claim(bench.frontier)
        assert sizes(leases) == [STREAK]
        lanes.append(leases[0].item.kind)
        await bench.frontier.complete([Completion(lease, Done()) for lease in leases])
    assert all(one is not other for one, other in pairwise(lanes))


async def test_a_host_with_a_hit_gets_every_second_turn_not_url(build: Build) -> None:
    bench = build(**AHEAD)
    await answered(bench, 0.1, concurrency=2)
    for host in "abc":
        await fill(bench.frontier, pages(f"{host}.example", range(4 * STREAK)), concurrency=2)
    await bench.frontier.boost(Find(RUN, "http://a.example/x.png", None, (ADDRESS,), ("a.example",), 1000))
    turns: list[list[Lease]] = []
    while len(turns) < 8:
        leases = await claim(bench.frontier)
        turns += by_turn(leases)
        await bench.frontier.complete([Completion(lease, Done()) for lease in leases])
    hosts = hosts_of(turns)[:8]
    hot, others = (hosts[::2], hosts[1::2]) if hosts[0] == "a" else (hosts[1::2], hosts[::2])
    assert hot == ["a"] * 4
    assert others in (["b", "c"] * 2, ["c", "b"] * 2)
