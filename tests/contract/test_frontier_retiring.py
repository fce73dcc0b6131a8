"""The frontier's contract: what is let go of before its run is over, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.frontier.base import Completion, Frontier
from crawler.records import Done, Kind, Retry, RunId, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, RUN, claim, fill

HOSTS = [("http://a.example", ADDRESS), ("http://b.example", ADDRESS), ("http://nowhere.example", ADDRESS)]
A, B = ("http://a.example/1", Kind.PAGE), ("http://b.example/1", Kind.PAGE)


async def queues(frontier: Frontier) -> int:
    return (await frontier.state()).queues


async def asked(frontier: Frontier, outcome: Any = None, **more: Any) -> None:
    """Everything is asked for, robots.txt first."""
    for _ in range(2):
        leases = await claim(frontier)
        ended = outcome or Skipped("robots-unreachable")
        await frontier.complete(
            [
                Completion(lease, Done(), robots=b"!reset")
                if lease.item.kind is Kind.ROBOTS
                else Completion(lease, ended, **more)
                for lease in leases
            ]
        )


async def test_hosts_that_were_asked_are_let_go_and_begin_anew(frontier: Frontier) -> None:
    await fill(frontier, [A, B], robots=True)
    await asked(frontier)
    assert await queues(frontier) == 2
    assert await frontier.retire(RUN, HOSTS)
    assert await frontier.retire(RUN, HOSTS)
    assert await frontier.retire(RunId("none", 1), HOSTS)
    assert await queues(frontier) == 0
    await fill(frontier, [A, ("http://a.example/2", Kind.PAGE)], robots=True)
    [robots] = await claim(frontier)
    assert (robots.item.kind, robots.item.url) == (Kind.ROBOTS, "http://a.example/robots.txt")
    assert (await frontier.host_facts(robots)).robots is None
    await frontier.complete([Completion(robots, Done(), robots=b"rules")])
    [page] = await claim(frontier)
    assert (await frontier.host_facts(page)).robots == b"rules"
    await frontier.complete([Completion(page, Done())])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.skipped, counts.unfinished) == (
        3, 1, {"robots-unreachable": 2}, 0,
    )  # fmt: skip
    await frontier.hold(RUN, True)
    await frontier.hold(RUN, False)
    await frontier.forget(RUN)
    assert (await queues(frontier), (await frontier.counts(RUN)).discovered) == (0, 0)


async def test_what_is_going_on_stays(frontier: Frontier) -> None:
    await fill(frontier, [A, B], robots=True)
    await frontier.retire(RUN, HOSTS)  # they wait
    leases = await claim(frontier)
    await frontier.retire(RUN, HOSTS)  # they are leased
    assert await queues(frontier) == 2
    await frontier.complete([Completion(lease, Done(), robots=b"rules") for lease in leases])
    one, other = await claim(frontier)
    await frontier.complete([Completion(one, Done())])
    await frontier.retire(RUN, HOSTS)
    assert await queues(frontier) == 2
    await frontier.complete([Completion(other, Retry("reset", 60.0))])
    assert not await frontier.retire(RUN, HOSTS)
    assert await queues(frontier) == 2


@pytest.mark.parametrize("more", [{"session": b"cookie"}, {"park": 60.0}])
async def test_what_is_known_of_a_host_beside_its_rules_stays(frontier: Frontier, more: dict[str, Any]) -> None:
    await fill(frontier, [A], robots=True)
    await asked(frontier, Done(), **more)
    assert await frontier.retire(RUN, HOSTS)
    assert await queues(frontier) == 1


async def test_the_pace_of_an_address_goes_on(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, [A], rate=1.0)
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done())])
    await fill(frontier, [B], run=RunId("d", 1), rate=1000.0)
    assert await frontier.retire(RUN, HOSTS)
    # What the run allows there still counts, as long as it is not forgotten.
    assert await claim(frontier) == []
    await bench.sleep(1.3)
    assert len(await claim(frontier)) == 1
