"""The frontier's contract, which every implementation keeps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from crawler.frontier.base import Completion, Frontier, RunCounts
from crawler.records import Candidate, Discovered, Done, Failed, Kind, Rekind, Retry, RunId, Skipped
from tests.contract.conftest import Bench
from tests.contract.steps import (
    ADDRESS,
    PAGES,
    RUN,
    admission,
    admit,
    claim,
    fill,
    new_entries,
    new_results,
    urls_of,
)

Build = Callable[..., Bench]
IMAGE = ("http://a.example/i.png", Kind.IMAGE)

# ---------------------------------------------------------------- leases


async def test_claimed_once_and_completed_once(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    leases = await claim(frontier)
    assert sorted(urls_of(leases)) == [url for url, _ in PAGES]
    assert await claim(frontier) == []
    done = [Completion(lease, Done(tally={"images": 2})) for lease in leases]
    assert await frontier.complete(done) == [True] * 3
    assert await frontier.complete(done) == [False] * 3
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.pending, counts.unfinished) == (3, 3, 0, 0)
    assert counts.tally == {"images": 6}


async def test_a_completion_that_stands_twice_in_a_batch_counts_once(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    assert await frontier.complete([Completion(lease, Done()), Completion(lease, Failed("reset"))]) == [True, False]
    counts = await frontier.counts(RUN)
    assert (counts.fetched, counts.failed) == (1, {})


async def test_a_claim_gives_no_more_per_lane_than_was_asked_for(frontier: Frontier) -> None:
    await fill(frontier, [(f"http://a.example/{kind}{n}", kind) for n in range(6) for kind in (Kind.PAGE, Kind.IMAGE)])
    kinds = [lease.item.kind for lease in (await frontier.claim(2, 3)).leases]
    assert (kinds.count(Kind.PAGE), kinds.count(Kind.IMAGE)) == (2, 3)
    assert {lease.item.kind for lease in (await frontier.claim(0, 9)).leases} == {Kind.IMAGE}
    assert (await frontier.claim(0, 0)).leases == ()


async def test_an_expired_lease_comes_back_and_the_late_worker_is_fenced_off(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES[:1])
    [late] = await claim(frontier)
    assert await frontier.reap() == 0
    await bench.sleep(0.5)
    assert await frontier.reap() == 1
    [again] = await claim(frontier)
    assert again.item.url == late.item.url
    assert again.item.attempts == 1
    assert again.token > late.token
    assert await frontier.complete([Completion(late, Done())]) == [False]
    assert await frontier.complete([Completion(again, Done())]) == [True]
    counts = await frontier.counts(RUN)
    assert (counts.fetched, counts.retried) == (1, {"lease-expired": 1})


async def test_a_url_whose_leases_all_expire_has_failed(build: Build) -> None:
    bench = build(lease_seconds=0.0, send_window=0.0, attempts=2)
    await fill(bench.frontier, [*PAGES[:1], ("http://a.example/2nd", Kind.IMAGE)])
    for _ in range(2):
        assert len(await claim(bench.frontier)) == 2
        await bench.sleep(0.02)
        assert await bench.frontier.reap() == 2
    assert await claim(bench.frontier) == []
    counts = await bench.frontier.counts(RUN)
    assert (counts.failed, counts.retried, counts.unfinished) == ({"lease-expired": 2}, {"lease-expired": 2}, 0)


async def test_robots_txt_is_asked_for_however_often_its_lease_expires(build: Build) -> None:
    bench = build(lease_seconds=0.0, send_window=0.0, attempts=2)
    await fill(bench.frontier, PAGES, robots=True)
    for _ in range(4):
        [robots] = await claim(bench.frontier)
        await bench.sleep(0.02)
        assert await bench.frontier.reap() == 1
    [robots] = await claim(bench.frontier)
    await bench.frontier.complete([Completion(robots, Done(), robots=b"rules")])
    assert len(await claim(bench.frontier)) == 3


async def test_reaping_is_bounded(build: Build) -> None:
    bench = build(lease_seconds=0.0, send_window=0.0)
    await fill(bench.frontier, PAGES)
    await claim(bench.frontier)
    await bench.sleep(0.02)
    assert [await bench.frontier.reap(2), await bench.frontier.reap(2), await bench.frontier.reap(2)] == [2, 1, 0]


async def test_attempts_are_capped_and_the_last_reason_is_kept(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    for attempts in range(4):
        [lease] = await claim(frontier)
        assert lease.item.attempts == attempts
        await frontier.complete([Completion(lease, Retry("reset", 0.0))])
    assert await claim(frontier) == []
    counts = await frontier.counts(RUN)
    assert counts.failed == {"reset": 1}
    assert counts.retried == {"reset": 3}
    assert (counts.pending, counts.unfinished) == (0, 0)
    [letter] = await frontier.dead_letters(RUN)
    assert (letter.url, letter.kind, letter.reason) == (*PAGES[0], "reset")


async def test_a_retry_waits_for_its_time(bench: Bench) -> None:
    await fill(bench.frontier, PAGES[:1])
    [lease] = await claim(bench.frontier)
    await bench.frontier.complete([Completion(lease, Retry("http-503", 0.3))])
    claimed = await bench.frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due == pytest.approx(0.3, abs=0.2)
    assert (await bench.frontier.counts(RUN)).waiting == {"delayed": 1}
    await bench.sleep(0.35)
    assert urls_of(await claim(bench.frontier)) == [PAGES[0][0]]


async def test_a_returned_lease_counts_no_attempt(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    for _ in range(6):
        [lease] = await claim(frontier)
        assert lease.item.attempts == 0
        await frontier.complete([Completion(lease, None)])
    assert (await frontier.counts(RUN)).waiting == {"queued": 1}


async def test_leases_can_be_given_back(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    leases = await claim(frontier)
    assert await frontier.give_back(leases) == [True] * 3
    assert await frontier.give_back(leases) == [False] * 3
    assert set(urls_of(await claim(frontier))) == set(urls_of(leases))


async def test_what_is_given_back_comes_before_its_equals(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    [lease] = await claim(frontier, 1)
    await frontier.give_back([lease])
    assert urls_of(await claim(frontier, 1)) == [lease.item.url]


async def test_rekinded_urls_are_counted_once(frontier: Frontier) -> None:
    await fill(frontier, [("http://a.example/x", Kind.IMAGE)])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Retry("reset", 0.0))])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Rekind(Kind.PAGE))])
    assert (await frontier.claim(0, 5)).leases == ()
    [page] = (await frontier.claim(5, 0)).leases
    assert (page.item.kind, page.item.attempts) == (Kind.PAGE, 1)
    await frontier.complete([Completion(page, Failed("http-404"))])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.failed, counts.unfinished) == (1, {"http-404": 1}, 0)


# ---------------------------------------------------------------- order


async def test_a_host_gives_its_urls_by_priority_then_depth_then_age(frontier: Frontier) -> None:
    order = [(5, 1, "d"), (0, 3, "b"), (5, 1, "e"), (0, 2, "a"), (3, 9, "c"), (9, 0, "f")]
    for priority, depth, name in order:
        candidate = Candidate(f"http://a.example/{name}", Kind.PAGE, "a", priority)
        await frontier.offer(RUN, [Discovered((candidate,), depth)])
    await admit(frontier)
    assert [url[-1] for url in urls_of(await claim(frontier))] == list("abcdef")


async def test_the_hosts_of_an_address_take_turns(frontier: Frontier) -> None:
    await fill(frontier, [(f"http://{host}.example/{n}", Kind.PAGE) for host in "abc" for n in range(3)])
    hosts = [url.split("/")[2] for url in urls_of(await claim(frontier))]
    assert [set(hosts[first : first + 3]) for first in (0, 3, 6)] == [{"a.example", "b.example", "c.example"}] * 3


async def test_neither_lane_starves_the_other(bench: Bench) -> None:
    urls = [(f"http://a.example/{n}{kind}", kind) for n in range(10) for kind in (Kind.PAGE, Kind.IMAGE)]
    await fill(bench.frontier, urls, concurrency=1)
    kinds = []
    for _ in range(8):
        [lease] = await claim(bench.frontier)
        kinds.append(lease.item.kind)
        await bench.frontier.complete([Completion(lease, Done())])
        await bench.sleep(0.003)
    assert kinds.count(Kind.PAGE) == kinds.count(Kind.IMAGE) == 4


# ---------------------------------------------------------------- politeness


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


async def test_another_slot_is_another_lease_time(bench: Bench) -> None:
    await fill(bench.frontier, PAGES[:1], rate=2.0)
    [late] = await claim(bench.frontier)
    assert await bench.frontier.reslot(late) is not None
    await bench.sleep(0.5)
    assert await bench.frontier.reap() == 0
    await bench.sleep(0.65)
    assert await bench.frontier.reap() == 1


# ---------------------------------------------------------------- robots.txt


async def test_robots_gates_its_origin_on_both_lanes(frontier: Frontier) -> None:
    await fill(frontier, [*PAGES, IMAGE], robots=True)
    [robots] = await claim(frontier)
    assert (robots.item.kind, robots.item.url) == (Kind.ROBOTS, "http://a.example/robots.txt")
    assert await frontier.robots_rules(robots) is None
    assert (await frontier.counts(RUN)).waiting == {"queued": 4, "robots_leased": 1}
    await frontier.complete([Completion(robots, Done(tally={"robots:ok": 1}), robots=b"rules")])
    leases = await claim(frontier)
    assert len(leases) == 4
    assert await frontier.robots_rules(leases[0]) == b"rules"
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
    assert await frontier.robots_rules(leases[0]) == b"!reset"
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
    assert await frontier.robots_rules(second[0]) == b"new"
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
    assert await frontier.robots_rules(lease) == b"!internal-ValueError"
    assert await frontier.dead_letters(RUN) == []


# ---------------------------------------------------------------- discoveries and results


async def test_seen_urls_are_counted_once(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    await fill(frontier, [*PAGES, ("http://a.example/new", Kind.IMAGE), ("http://a.example/new", Kind.PAGE)])
    assert (await frontier.counts(RUN)).discovered == 4
    assert len(await claim(frontier)) == 4


async def test_runs_do_not_see_each_other(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    await fill(frontier, PAGES[:1], run=RunId("c", 2))
    runs = [lease.item.run.number for lease in await claim(frontier)]
    assert sorted(runs) == [1, 1, 1, 2]
    assert (await frontier.counts(RunId("c", 2))).waiting == {"leased": 1}
    assert await frontier.counts(RunId("c", 3)) == RunCounts()


async def test_a_second_delivery_of_an_entry_changes_nothing(frontier: Frontier) -> None:
    await frontier.offer(RUN, [Discovered((Candidate("http://a.example/", Kind.PAGE, "seed"),))])
    entries = await new_entries(frontier)
    again = admission(entries[0])
    await frontier.admit([again, again])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done())])
    await frontier.admit([again])
    await frontier.admit([admission(entries[0], skip="dns-timeout")])
    assert await claim(frontier) == []
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.skipped, counts.unfinished) == (1, 1, {}, 0)


async def test_skipped_and_over_budget_urls_are_counted_and_not_queued(frontier: Frontier) -> None:
    await fill(frontier, PAGES, per_host=2)
    await fill(frontier, [("http://b.example/", Kind.PAGE)], skip="out-of-scope")
    assert len(await claim(frontier)) == 2
    counts = await frontier.counts(RUN)
    assert counts.skipped == {"host-budget": 1, "out-of-scope": 1}
    assert counts.discovered == 4


async def test_discoveries_and_results_travel_with_the_completion(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    found = Discovered((Candidate("http://a.example/i.jpg", Kind.IMAGE, "img", 2),), 1, lease.item.url, ("http://x/",))
    await frontier.complete([Completion(lease, Done(found, (b"sealed",)))])
    assert (await frontier.counts(RUN)).waiting == {"disc": 1, "res": 1}
    assert await frontier.backlog() == 2
    await admit(frontier)
    results = await new_results(frontier)
    assert [(entry.payload, entry.run) for entry in results] == [(b"sealed", RUN)]
    await frontier.ack_results(results)
    await frontier.ack_results(results)
    assert await frontier.backlog() == 0
    [image] = await claim(frontier)
    assert image.item.referrer == lease.item.url
    assert (image.item.depth, image.item.priority, image.item.via) == (1, 2, ("http://x/",))
    assert (await frontier.counts(RUN)).waiting == {"leased": 1}


async def test_a_failure_carries_results_and_counters_too(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Failed("truncated", (b"one", b"two"), {"images": 1}))])
    assert sorted(entry.payload for entry in await new_results(frontier)) == [b"one", b"two"]
    counts = await frontier.counts(RUN)
    assert (counts.failed, counts.tally, counts.waiting) == ({"truncated": 1}, {"images": 1}, {"res": 2})


async def test_a_long_list_of_candidates_comes_in_parts(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    found = tuple(Candidate(f"http://a.example/{n}/", Kind.PAGE, "a") for n in range(1200))
    await frontier.complete([Completion(lease, Done(Discovered(found, 1)))])
    assert (await frontier.counts(RUN)).waiting == {"disc": 3}
    await admit(frontier)
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (1201, {"queued": 1200})


async def test_an_entry_is_handed_out_once_while_its_reader_lives(frontier: Frontier) -> None:
    await frontier.offer(RUN, [Discovered((Candidate(url, kind, "seed"),)) for url, kind in PAGES])
    assert len({entry.number for entry in [*await new_entries(frontier, 2), *await new_entries(frontier, 2)]}) == 3
    assert await new_entries(frontier) == []
    assert await frontier.backlog() == 3


async def test_what_cannot_be_read_or_believed_is_counted_and_gone(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done(Discovered((Candidate(*PAGES[1], "a"),)), (b"forged",)))])
    await frontier.discard(await new_entries(frontier), "corrupt-discoveries")
    await frontier.refuse(await new_results(frontier), "unsigned")
    counts = await frontier.counts(RUN)
    assert counts.tally == {"corrupt-discoveries": 1, "unsigned": 1}
    assert (counts.unfinished, await frontier.backlog()) == (0, 0)


# ---------------------------------------------------------------- runs


async def test_a_held_run_hands_out_nothing(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    [out] = await claim(frontier, 1)
    await frontier.hold(RUN, True)
    assert await claim(frontier) == []
    await fill(frontier, [("http://c.example/", Kind.PAGE)])
    await frontier.complete([Completion(out, Retry("reset", 0.0))])
    await fill(frontier, [("http://other.example/", Kind.PAGE)], run=RunId("other", 1))
    assert urls_of(await claim(frontier)) == ["http://other.example/"]
    await frontier.hold(RUN, False)
    assert len(await claim(frontier)) == 4


async def test_the_newest_failures_are_told(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    for lease in await claim(frontier):
        await frontier.complete([Completion(lease, Failed("http-404"))])
    assert {letter.url for letter in await frontier.dead_letters(RUN)} == {url for url, _ in PAGES}
    assert [letter.url for letter in await frontier.dead_letters(RUN, 1)] == [PAGES[2][0]]


async def test_a_forgotten_run_leaves_nothing_and_its_leases_end_without_effect(frontier: Frontier) -> None:
    await fill(frontier, PAGES, robots=True)
    await fill(frontier, [IMAGE, ("http://b.example/i.png", Kind.IMAGE)])
    leases = await claim(frontier)
    await frontier.complete([Completion(leases[0], Retry("reset", 0.0))])
    await frontier.hold(RUN, True)
    await frontier.forget(RUN)
    assert await claim(frontier) == []
    found = Discovered((Candidate("http://a.example/later", Kind.PAGE, "a"),), 1)
    assert await frontier.complete([Completion(leases[1], Done(found, (b"late",)))]) == [True]
    assert await frontier.counts(RUN) == RunCounts()
    assert (await frontier.backlog(), await frontier.dead_letters(RUN)) == (0, [])
    assert await frontier.robots_rules(leases[1]) is None
    await fill(frontier, PAGES)
    assert len(await claim(frontier)) == 3
