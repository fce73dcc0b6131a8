"""What only the reference in memory can do: let a minute pass. The contract itself is tested in tests/contract."""

from __future__ import annotations

import asyncio

import pytest

from crawler.frontier.base import HOT_SECONDS, Completion, Find
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Candidate, Discovered, Done
from tests.contract.steps import ADDRESS, PAGES, RUN, admission, claim, fill, pages, urls_of


async def test_entries_that_nobody_acknowledged_are_handed_out_again() -> None:
    now = [0.0]
    frontier = MemoryFrontier(lambda: now[0], abandoned=60.0)
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done(results=(b"one", b"two")))])
    first = await frontier.results(9, 0.0)
    await frontier.ack_results(first[:1])
    now[0] += 59.0
    assert await frontier.results(9, 0.0) == []
    now[0] += 1.0
    assert await frontier.results(9, 0.0) == first[1:]


async def test_the_recorder_wakes_for_the_first_result() -> None:
    frontier = MemoryFrontier()
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    waiting = asyncio.create_task(frontier.results(9, 30.0))
    await asyncio.sleep(0)
    await frontier.complete([Completion(lease, Done(results=(b"sealed",)))])
    assert [entry.payload for entry in await waiting] == [b"sealed"]


async def test_an_entry_that_two_admitters_hold_is_admitted_once() -> None:
    now = [0.0]
    frontier = MemoryFrontier(lambda: now[0], abandoned=1.0)
    await frontier.offer(RUN, [Discovered(tuple(Candidate(url, kind, "seed") for url, kind in PAGES))])
    [slow] = await frontier.discoveries(9)
    now[0] += 1.0
    [quick] = await frontier.discoveries(9)
    await frontier.admit([admission(quick)])
    await frontier.admit([admission(slow, address="192.0.2.77")])
    assert {lease.item.address for lease in await claim(frontier)} == {ADDRESS}
    assert (await frontier.counts(RUN)).waiting == {"leased": 3}


async def test_a_hit_is_forgotten_after_its_time_but_what_it_lifted_stays() -> None:
    now = [0.0]
    frontier = MemoryFrontier(lambda: now[0])
    await fill(frontier, pages("b.example", range(2)), address="192.0.2.2")
    await fill(frontier, pages("a.example", range(2)), per_host=2)
    found = Find(RUN, "http://a.example/7/x.png", "http://a.example/7/", (ADDRESS,), ("a.example",), 2)
    await frontier.boost(found)
    now[0] += HOT_SECONDS - 1
    assert (await frontier.state()).hot == 1
    [lease] = (await frontier.claim(1, 0)).leases
    assert lease.item.address == ADDRESS
    await frontier.give_back([lease])
    now[0] += 1
    assert (await frontier.state()).hot == 0
    assert [lease.item.address for lease in (await frontier.claim(1, 0)).leases] == ["192.0.2.2"]
    await fill(frontier, pages("a.example", range(2), "7/"), per_host=2, depth=5)
    assert [url.count("7/") for url in urls_of(await claim(frontier)) if "//a." in url] == [0, 0, 1]


async def test_a_later_hit_does_not_bring_back_what_an_earlier_one_pointed_at() -> None:
    now = [0.0]
    frontier = MemoryFrontier(lambda: now[0])
    await fill(frontier, pages("a.example", range(1)))
    await frontier.boost(Find(RUN, "http://a.example/6/x.png", None, (), (), 100))
    now[0] += HOT_SECONDS
    await frontier.boost(Find(RUN, "http://a.example/8/x.png", None, (), (), 100))
    for folder in ("6/", "8/"):
        await fill(frontier, pages("a.example", range(1), folder), depth=3)
    assert [url.split("/", 3)[3] for url in urls_of(await claim(frontier))] == ["8/0", "0", "6/0"]


async def test_a_crawl_delay_is_kept_to_the_moment() -> None:
    now = [0.0]
    frontier = MemoryFrontier(lambda: now[0], lookahead=0.0)
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Done(), robots=b"rules", delay=10.0)])
    for moment in (10.0, 20.0, 30.0):
        now[0] = moment - 0.001
        claimed = await frontier.claim(9, 9)
        assert claimed.leases == ()
        assert claimed.next_due == pytest.approx(0.001)
        now[0] = moment
        assert [lease.not_before for lease in await claim(frontier)] == [moment]
