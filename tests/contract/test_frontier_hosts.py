"""The frontier's contract: robots.txt, sessions, hosts that wait."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from crawler.frontier.base import MAX_CRAWL_DELAY, Completion, Frontier, HostFacts
from crawler.records import Done, Failed, Kind, Rekind, Retry, RunId, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import IMAGE, PAGES, RUN, claim, fill, pages, urls_of

Build = Callable[..., Bench]


async def test_robots_gates_its_origin_on_both_lanes(frontier: Frontier) -> None:
    await fill(frontier, [*PAGES, IMAGE], robots=True)
    [robots] = await claim(frontier)
    assert (robots.item.kind, robots.item.url) == (Kind.ROBOTS, "http://a.example/robots.txt")
    assert (await frontier.host_facts(robots)).robots is None
    assert (await frontier.counts(RUN)).waiting == {"queued": 4, "robots_leased": 1}
    await frontier.complete([Completion(robots, Done(tally={"robots:ok": 1}), robots=b"rules")])
    leases = await claim(frontier)
    assert len(leases) == 4
    assert (await frontier.host_facts(leases[0])).robots == b"rules"
    await frontier.complete([Completion(lease, Skipped("robots")) for lease in leases])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.skipped, counts.unfinished) == (4, 0, {"robots": 4}, 0)
    assert counts.tally == {"robots:ok": 1}


async def test_robots_txt_is_retried_and_gates_meanwhile(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    for _ in range(4):
        [robots] = await claim(frontier)
        assert robots.item.kind is Kind.ROBOTS
        await frontier.complete([Completion(robots, Retry("reset", 0.0))])
    leases = await claim(frontier)
    assert len(leases) == 3
    assert (await frontier.host_facts(leases[0])).robots == b"!reset"
    counts = await frontier.counts(RUN)
    assert (counts.failed, counts.pending, counts.retried) == ({}, 3, {"reset": 3})


async def test_robots_txt_is_asked_for_again_when_it_grew_old(build: Build) -> None:
    bench = build(robots_ttl=0.3)
    frontier = bench.frontier
    await fill(frontier, [*PAGES, IMAGE], robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Done(), robots=b"old")])
    first = await claim(frontier)
    assert len(first) == 4
    await frontier.give_back(first)
    await bench.sleep(0.35)
    [robots] = [*await claim(frontier), *await claim(frontier)]
    assert robots.item.kind is Kind.ROBOTS
    await frontier.complete([Completion(robots, Done(), robots=b"new")])
    second = await claim(frontier)
    assert len(second) == 4
    assert (await frontier.host_facts(second[0])).robots == b"new"
    assert first[0].queue != second[0].queue


async def test_a_moved_robots_txt_is_asked_for_where_it_went(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Rekind(Kind.ROBOTS, "https://www.a.example/robots.txt"))])
    [moved] = await claim(frontier)
    assert (moved.item.url, moved.item.kind) == ("https://www.a.example/robots.txt", Kind.ROBOTS)
    assert moved.item.via == ("http://a.example/robots.txt",)
    await frontier.complete([Completion(moved, Rekind(Kind.ROBOTS, "https://cdn.example/robots.txt"))])
    [moved] = await claim(frontier)
    assert moved.item.via == ("http://a.example/robots.txt", "https://www.a.example/robots.txt")
    await frontier.complete([Completion(moved, Done(), robots=b"rules")])
    assert len(await claim(frontier)) == 3
    assert (await frontier.counts(RUN)).waiting == {"leased": 3}


async def test_a_gate_that_opens_without_rules_says_why(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Failed("internal-ValueError"))])
    [lease, *_] = await claim(frontier)
    assert (await frontier.host_facts(lease)).robots == b"!internal-ValueError"
    assert await frontier.dead_letters(RUN) == []


# ---------------------------------------------------------------- sessions


async def test_a_session_is_that_of_its_queue_until_there_is_another(frontier: Frontier) -> None:
    await fill(frontier, [("http://b.example/", Kind.PAGE)])
    await fill(frontier, PAGES[:1], run=RunId("d", 1))
    others = await claim(frontier)
    await fill(frontier, PAGES)
    first, second, third = await claim(frontier)
    assert await frontier.host_facts(first) == HostFacts(None)
    await frontier.complete([Completion(first, Done(), session=b"one")])
    await frontier.give_back([second])
    [second] = await claim(frontier)
    assert second.queue != first.queue
    assert await frontier.host_facts(second) == HostFacts(None, b"one")
    await frontier.complete([Completion(second, Retry("reset", 0.0), session=b"another")])
    await frontier.give_back([third, *others])
    for lease in await claim(frontier):
        ours = lease.item.run == RUN and lease.item.url.startswith("http://a.example/")
        assert await frontier.host_facts(lease) == HostFacts(None, b"another" if ours else None)
        assert lease.queue not in (first.queue, second.queue)
        assert (lease.queue in {other.queue for other in others}) is not ours


async def test_rules_and_session_do_not_touch_each_other(build: Build) -> None:
    bench = build(robots_ttl=0.2)
    frontier = bench.frontier
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Done(), robots=b"old", session=b"session")])
    lease, *others = await claim(frontier)
    assert await frontier.host_facts(lease) == HostFacts(b"old", b"session")
    await frontier.give_back([lease, *others])
    await bench.sleep(0.25)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Done(), robots=b"new")])
    lease, *_ = await claim(frontier)
    assert await frontier.host_facts(lease) == HostFacts(b"new", b"session")


async def test_a_late_worker_sets_no_session(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES[:1])
    [late] = await claim(frontier)
    await bench.sleep(0.5)
    assert await frontier.reap() == 1
    [lease] = await claim(frontier)
    assert await frontier.complete([Completion(late, Done(), session=b"late", park=60.0)]) == [False]
    assert await frontier.host_facts(lease) == HostFacts(None)
    await frontier.give_back([lease])
    assert len(await claim(frontier)) == 1


# ---------------------------------------------------------------- hosts that wait


async def opened(frontier: Frontier, delay: float) -> None:
    """Have the robots.txt of one host ask for a pause between requests."""
    [robots] = await claim(frontier)
    assert robots.item.kind is Kind.ROBOTS
    await frontier.complete([Completion(robots, Done(), robots=b"rules", delay=delay)])


async def test_a_crawl_delay_lets_out_one_url_at_a_time_on_both_lanes(bench: Bench) -> None:
    await fill(bench.frontier, [*PAGES, IMAGE], robots=True)
    await opened(bench.frontier, 0.4)
    for left in (3, 2):
        await bench.sleep(0.45)
        claimed = await bench.frontier.claim(9, 9)
        assert len(claimed.leases) == 1
        assert (await bench.frontier.counts(RUN)).waiting["queued"] == left
        await bench.frontier.complete([Completion(claimed.leases[0], Done())])
        claimed = await bench.frontier.claim(9, 9)
        assert claimed.leases == ()
        assert claimed.next_due == pytest.approx(0.35, abs=0.15)


async def test_a_crawl_delay_is_kept_by_a_host_that_had_to_wait_for_its_neighbours(bench: Bench) -> None:
    await fill(bench.frontier, pages("a.example", range(9)), robots=True, concurrency=1)
    await opened(bench.frontier, 0.2)
    await fill(bench.frontier, pages("b.example", range(30)), concurrency=1)
    slots = []
    for _ in range(16):
        [lease] = await claim(bench.frontier)
        if lease.item.url.startswith("http://a."):
            slots.append(lease.not_before)
        await bench.frontier.complete([Completion(lease, Done())])
        await bench.sleep(0.05)
    assert len(slots) > 1
    assert all(after - before >= 0.2 - bench.exact for before, after in pairwise(slots))


async def test_the_request_for_robots_txt_counts_for_its_crawl_delay(bench: Bench) -> None:
    await fill(bench.frontier, PAGES, robots=True)
    await opened(bench.frontier, 0.5)
    assert await claim(bench.frontier) == []
    await bench.sleep(0.55)
    assert len(await claim(bench.frontier)) == 1


async def test_robots_txt_is_asked_for_again_no_sooner_than_it_allows(build: Build) -> None:
    bench = build(robots_ttl=0.0)
    await fill(bench.frontier, PAGES, robots=True)
    await opened(bench.frontier, 0.5)
    assert await claim(bench.frontier) == []
    await bench.sleep(0.55)
    [robots] = await claim(bench.frontier) or await claim(bench.frontier)
    assert robots.item.kind is Kind.ROBOTS


async def test_a_host_that_waits_does_not_hinder_its_neighbours(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    await opened(frontier, 30.0)
    neighbours = [(f"http://{host}.example/{n}", Kind.PAGE) for host in "bc" for n in range(3)]
    await fill(frontier, neighbours)
    assert sorted(urls_of(await claim(frontier))) == [url for url, _ in neighbours]
    assert await claim(frontier) == []


async def test_a_host_waits_for_all_runs_but_at_one_address_only(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    await opened(frontier, 30.0)
    await fill(frontier, PAGES, run=RunId("d", 1))
    assert await claim(frontier) == []
    await fill(frontier, PAGES, run=RunId("e", 1), address="192.0.2.2")
    assert {lease.item.run.campaign for lease in await claim(frontier)} == {"e"}


async def test_a_crawl_delay_is_bounded_and_may_be_none(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    await opened(frontier, 1e9)
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due == pytest.approx(MAX_CRAWL_DELAY, abs=1.0)
    await fill(frontier, [("http://b.example/1", Kind.PAGE), ("http://b.example/2", Kind.PAGE)], robots=True)
    await opened(frontier, 0.0)
    assert len(await claim(frontier)) == 2


async def test_another_slot_is_another_pause(bench: Bench) -> None:
    await fill(bench.frontier, PAGES, robots=True, rate=5.0)
    await opened(bench.frontier, 0.5)
    await bench.sleep(0.55)
    [lease] = await claim(bench.frontier)
    # The new slot is 0.25 s after the first, at which the address was asked by nobody.
    assert await bench.frontier.reslot(lease) is not None
    await bench.sleep(0.55)
    assert await claim(bench.frontier) == []
    await bench.sleep(0.3)
    assert len(await claim(bench.frontier)) == 1


async def test_a_parked_host_gives_nothing_for_so_long(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, [*PAGES, IMAGE])
    [lease] = (await frontier.claim(1, 0)).leases
    await frontier.complete([Completion(lease, Retry("http-500", 0.0), park=0.4)])
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due is not None
    await fill(frontier, [("http://b.example/", Kind.PAGE)])
    assert urls_of(await claim(frontier)) == ["http://b.example/"]
    await bench.sleep(0.45)
    assert len(await claim(frontier)) == 4


async def test_a_shorter_wait_does_not_end_a_longer_one(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES)
    await fill(frontier, PAGES, run=RunId("d", 1))
    one, other, *_ = [lease for lease in await claim(frontier) if lease.item.run == RUN]
    await frontier.complete([Completion(one, Done(), park=60.0)])
    await frontier.complete([Completion(other, Retry("reset", 0.0), park=0.001)])
    await bench.sleep(0.02)
    await fill(frontier, [("http://a.example/new", Kind.PAGE)], run=RunId("d", 1))
    assert await claim(frontier) == []
