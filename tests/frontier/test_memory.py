"""What only the reference in memory can do: let a minute pass. The contract itself is tested in tests/contract."""

from __future__ import annotations

import asyncio

from crawler.frontier.base import Completion
from crawler.frontier.memory import MemoryFrontier
from crawler.records import Candidate, Discovered, Done
from tests.contract.steps import ADDRESS, PAGES, RUN, admission, claim, fill


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
