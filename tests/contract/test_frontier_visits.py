"""The frontier's contract: single requests at an address beside what is queued there, as pages made by script need."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from crawler.frontier.base import Completion, Frontier, Limits
from crawler.frontier.figures import RunCounts
from crawler.records import Done, Failed, FrontierUrl, Kind, Lease, Retry
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, PAGES, RUN, claim, fill

ITEM = FrontierUrl("http://b.example/data.json", RUN, Kind.PAGE, ADDRESS, referrer="http://a.example/")
LIMITS = Limits(1000.0, 100)


async def visit(frontier: Frontier, limits: Limits = LIMITS, within: float = 5.0) -> Lease | None:
    return await frontier.visit(ITEM, ADDRESS, limits, within)


async def test_a_visit_takes_a_slot_and_a_place_of_the_address(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES, rate=2.0, concurrency=2)
    [lease] = await claim(frontier)
    visited = await visit(frontier)
    assert visited is not None
    assert visited.item == ITEM
    assert visited.not_before - lease.not_before == pytest.approx(0.625, abs=0.1)
    await bench.sleep(0.2)
    assert await visit(frontier) is None  # both places are taken
    assert await claim(frontier) == []
    assert await frontier.complete([Completion(visited, Done())]) == [True]
    third = await visit(frontier)
    assert third is not None
    assert third.not_before - visited.not_before == pytest.approx(0.625, abs=0.1)


async def test_a_visit_is_no_url_of_the_run(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    before = await frontier.counts(RUN)
    visited = await visit(frontier)
    assert visited is not None
    assert await frontier.counts(RUN) == before
    outcome = Failed("http-404", (b"result",), {"images": 1})
    assert await frontier.complete([Completion(visited, outcome, park=5.0, session=b"s")]) == [True]
    assert await frontier.complete([Completion(visited, outcome)]) == [False]
    assert await frontier.counts(RUN) == before
    assert len(await claim(frontier)) == len(PAGES)


async def test_at_an_address_that_nobody_knows_a_visit_is_as_slow_as_a_stranger(frontier: Frontier) -> None:
    first = await visit(frontier)
    assert first is not None
    assert await visit(frontier) is None
    await frontier.complete([Completion(first, Done())])
    second = await visit(frontier)
    assert second is not None
    assert second.not_before - first.not_before == pytest.approx(1.25, abs=0.1)
    assert await frontier.counts(RUN) == RunCounts()


async def test_the_visitors_own_limits_hold_where_they_are_stricter(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=1000.0, concurrency=50)
    first = await visit(frontier, Limits(2.0, 1))
    assert first is not None
    assert await visit(frontier, Limits(2.0, 1)) is None
    second = await visit(frontier)
    assert second is not None
    assert second.not_before - first.not_before == pytest.approx(0.625, abs=0.1)


@pytest.mark.parametrize("outcome", [None, Retry("late", 0.0)])
async def test_what_was_not_sent_leaves_its_slot(frontier: Frontier, outcome: Retry | None) -> None:
    await fill(frontier, PAGES, rate=1.0, concurrency=5)
    first = await visit(frontier)
    assert first is not None
    await frontier.complete([Completion(first, outcome, unsent=True)])
    [lease] = await claim(frontier)
    assert lease.not_before - first.not_before == pytest.approx(0.0, abs=0.2)


async def test_a_slot_too_far_away_is_none(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=1.0, concurrency=5)
    await frontier.block(ADDRESS, 60.0)
    assert await visit(frontier, within=5.0) is None
    assert await visit(frontier, within=90.0) is not None


async def test_a_visit_whose_worker_died_frees_its_place(build: Callable[..., Bench]) -> None:
    bench = build(lease_seconds=0.05)
    await fill(bench.frontier, PAGES, concurrency=1)
    visited = await visit(bench.frontier)
    assert visited is not None
    assert await claim(bench.frontier) == []
    await bench.sleep(0.5)
    assert await bench.frontier.reap() == 1
    [lease] = await claim(bench.frontier)
    assert await bench.frontier.complete([Completion(visited, Done())]) == [False]
    await bench.frontier.complete([Completion(lease, Done())])
    assert (await bench.frontier.counts(RUN)).fetched == 1


async def test_a_block_and_another_slot_hold_as_for_any_lease(frontier: Frontier) -> None:
    await fill(frontier, PAGES, rate=4.0, concurrency=5)
    visited = await visit(frontier)
    assert visited is not None
    again = await frontier.reslot(visited)
    assert again is not None
    assert again._replace(not_before=0, send_by=0, expires=0) == visited._replace(not_before=0, send_by=0, expires=0)
    assert again.not_before - visited.not_before == pytest.approx(0.3125, abs=0.1)
    await frontier.complete([Completion(again, Failed("http-503"), block=60.0)])
    assert await claim(frontier) == []
    assert await visit(frontier) is None
