"""The frontier's contract, which every implementation keeps: leases, order, runs. The other files go on with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from crawler.frontier.base import Completion, Frontier, HostFacts
from crawler.frontier.figures import RunCounts
from crawler.records import Candidate, Discovered, Done, Failed, Kind, Rekind, Retry, RunId
from tests.contract.conftest import Bench
from tests.contract.steps import (
    IMAGE,
    PAGES,
    RUN,
    admit,
    claim,
    fill,
    pages,
    urls_of,
)

Build = Callable[..., Bench]

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


@pytest.mark.parametrize("count", [3, 140])
@pytest.mark.parametrize("kind", [Kind.PAGE, Kind.IMAGE])
async def test_the_hosts_of_an_address_take_turns(frontier: Frontier, count: int, kind: Kind) -> None:
    """Also where there are too many of them to stand in the address's own record."""
    names = {f"h{n}.example" for n in range(count)}
    await fill(frontier, [(f"http://{host}/{n}", kind) for host in sorted(names) for n in range(3)], rate=100_000.0)
    hosts: list[str] = []
    while leases := await claim(frontier, 50):
        hosts += [url.split("/")[2] for url in urls_of(leases)]
        await frontier.complete([Completion(lease, Done()) for lease in leases])
    assert [set(hosts[first : first + count]) for first in range(0, 3 * count, count)] == [names] * 3


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


async def test_neither_lane_starves_the_other_at_addresses_that_are_due_in_turn(bench: Bench) -> None:
    """Lanes that took turns for all addresses together would keep step with the addresses."""
    for host, address in (("a", "192.0.2.1"), ("b", "192.0.2.2")):
        urls = [(f"http://{host}.example/{n}{kind}", kind) for n in range(10) for kind in (Kind.PAGE, Kind.IMAGE)]
        await fill(bench.frontier, urls, concurrency=1, address=address)
    kinds: dict[str, list[Kind]] = {"192.0.2.1": [], "192.0.2.2": []}
    held = list((await bench.frontier.claim(1, 1)).leases)
    for _ in range(16):
        lease = held.pop(0)
        kinds[lease.item.address].append(lease.item.kind)
        await bench.frontier.complete([Completion(lease, Done())])
        await bench.sleep(0.003)
        held += (await bench.frontier.claim(1, 1)).leases
    for seen in kinds.values():
        assert min(seen.count(Kind.PAGE), seen.count(Kind.IMAGE)) >= len(seen) // 2 - 1 > 1, kinds


async def test_addresses_of_one_lane_and_of_both_do_not_starve_each_other(frontier: Frontier) -> None:
    """All of them are always due, and there is room for one page at a time."""
    for n in range(4):
        await fill(frontier, pages(f"h{n}.example", range(20)), address=f"192.0.2.{n}", rate=100_000.0)
    for n in range(2):
        await fill(frontier, [(f"http://h{n}.example/i", Kind.IMAGE)], address=f"192.0.2.{n}", rate=100_000.0)
    asked = set()
    for _ in range(24):
        [lease] = (await frontier.claim(1, 0)).leases
        asked.add(lease.item.address)
        await frontier.complete([Completion(lease, Done())])
    assert len(asked) == 4


async def test_pages_do_not_wait_for_a_lane_of_images_that_has_no_room(bench: Bench) -> None:
    """All addresses are always due; half of them have images as well."""
    frontier = bench.frontier
    for n in range(20):
        kinds = [Kind.PAGE] + [Kind.IMAGE] * (n % 2)
        urls = [(f"http://h{n}.example/{m}{kind}", kind) for m in range(20) for kind in kinds]
        await fill(frontier, urls, address=f"192.0.2.{n}", rate=100_000.0, concurrency=1)
    asked = Counter[bool]()
    for _ in range(20):
        leases = (await frontier.claim(5, 1, page_streaks=False)).leases
        asked.update(int(lease.item.address.split(".")[3]) % 2 > 0 for lease in leases if lease.item.kind is Kind.PAGE)
        await frontier.complete([Completion(lease, Done()) for lease in leases])
        await bench.sleep(0.003)
    assert asked[True] > asked[False] / 4, asked


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


async def test_failures_stand_in_the_order_of_their_time_wherever_they_were(bench: Bench) -> None:
    urls = [f"http://{n}.example/" for n in range(8)]
    for n, url in enumerate(urls):
        await fill(bench.frontier, [(url, Kind.PAGE)], address=f"192.0.2.{n}")
    leases = {lease.item.url: lease for lease in await claim(bench.frontier)}
    for url in urls:
        await bench.frontier.complete([Completion(leases[url], Failed("http-404"))])
        await bench.sleep(0.003)
    assert [letter.url for letter in await bench.frontier.dead_letters(RUN, 5)] == urls[3:]


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
    assert await frontier.host_facts(leases[1]) == HostFacts(None)
    await fill(frontier, PAGES)
    assert len(await claim(frontier)) == 3
