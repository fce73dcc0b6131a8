"""The frontier's contract on a real server, with one partition and with five."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

import pytest

from crawler.frontier.base import Admission, Completion, Judged, Limits
from crawler.frontier.redis import RedisFrontier
from crawler.records import Candidate, Discovered, Done, Failed, Kind, Lease, Rekind, Retry, RunId, Skipped

RUN = RunId("c", 1)


async def fill(
    frontier: RedisFrontier,
    urls: list[tuple[str, Kind]],
    *,
    address: str = "192.0.2.1",
    rate: float = 1000.0,
    concurrency: int = 100,
    robots: bool = False,
    skip: str | None = None,
    per_host: int = 1000,
) -> None:
    """Offer URLs and admit whatever waits, as an admitter would."""
    await frontier.offer(RUN, [Discovered(tuple(Candidate(url, kind, "seed") for url, kind in urls))])
    await admit(frontier, address, rate, concurrency, robots, skip, per_host)


async def admit(
    frontier: RedisFrontier,
    address: str = "192.0.2.1",
    rate: float = 1000.0,
    concurrency: int = 100,
    robots: bool = False,
    skip: str | None = None,
    per_host: int = 1000,
) -> None:
    from crawler.frontier.codec import unpack_discovered

    for _ in range(3):
        for entry in await frontier.discoveries(100):
            found = unpack_discovered(entry.payload)
            judged = tuple(
                Judged(c, hash(c.url) % 2**62, c.url.split("/")[2], address, address, skip) for c in found.candidates
            )
            limits = Limits(rate, concurrency)
            await frontier.admit([Admission(entry, found, judged, lambda _, limits=limits: limits, per_host, robots)])


async def claim(frontier: RedisFrontier, n: int = 50) -> list[Lease]:
    return list((await frontier.claim(n, n)).leases)


PAGES = [(f"http://a.example/{i}", Kind.PAGE) for i in range(3)]


async def test_claimed_once_and_completed_once(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    leases = await claim(frontier)
    assert sorted(lease.item.url for lease in leases) == [url for url, _ in PAGES]
    assert await claim(frontier) == []
    done = [Completion(lease, Done(tally={"images": 2})) for lease in leases]
    assert await frontier.complete(done) == [True] * 3
    assert await frontier.complete(done) == [False] * 3
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.pending, counts.unfinished) == (3, 3, 0, 0)
    assert counts.tally == {"images": 6}


async def test_seen_urls_are_counted_once(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    await fill(frontier, [*PAGES, ("http://a.example/new", Kind.IMAGE)])
    assert (await frontier.counts(RUN)).discovered == 4
    assert len(await claim(frontier)) == 4


async def test_a_second_delivery_of_an_entry_changes_nothing(frontier: RedisFrontier) -> None:
    await frontier.offer(RUN, [Discovered((Candidate("http://a.example/", Kind.PAGE, "seed"),))])
    entries = await frontier.discoveries(10) or await frontier.discoveries(10)
    judged = (Judged(Candidate("http://a.example/", Kind.PAGE, "seed"), 7, "a.example", "192.0.2.1", "192.0.2.1"),)
    admission = Admission(entries[0], Discovered(()), judged, lambda _: Limits(100, 9), 10, False)
    await frontier.admit([admission])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done())])
    await frontier.admit([admission])
    assert await claim(frontier) == []
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.unfinished) == (1, 1, 0)


async def test_discoveries_and_results_travel_with_the_completion(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    found = Discovered((Candidate("http://a.example/i.jpg", Kind.IMAGE, "img", 2),), 1, lease.item.url, ("http://x/",))
    await frontier.complete([Completion(lease, Done(found, (b"sealed",)))])
    assert (await frontier.counts(RUN)).unfinished == 2
    await admit(frontier)
    results = await frontier.results(10, 0.01) or await frontier.results(10, 0.01)
    assert [entry.payload for entry in results] == [b"sealed"]
    await frontier.ack_results(results)
    await frontier.ack_results(results)
    [image] = await claim(frontier)
    assert image.item.referrer == lease.item.url
    assert (image.item.depth, image.item.priority, image.item.via) == (1, 2, ("http://x/",))
    assert (await frontier.counts(RUN)).waiting == {"leased": 1}


async def test_an_expired_lease_comes_back_and_the_late_worker_is_fenced_off(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES[:1])
    [late] = await claim(frontier)
    await asyncio.sleep(0.5)
    assert await frontier.reap() == 1
    [again] = await claim(frontier)
    assert again.item.url == late.item.url
    assert again.item.attempts == 1
    assert await frontier.complete([Completion(late, Done())]) == [False]
    assert await frontier.complete([Completion(again, Done())]) == [True]
    assert (await frontier.counts(RUN)).fetched == 1


async def test_attempts_are_capped_and_the_last_reason_is_kept(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES[:1])
    for _ in range(4):
        [lease] = await claim(frontier)
        await frontier.complete([Completion(lease, Retry("reset", 0.0))])
    assert await claim(frontier) == []
    counts = await frontier.counts(RUN)
    assert counts.failed == {"reset": 1}
    assert counts.retried == {"reset": 3}
    assert (counts.pending, counts.unfinished) == (0, 0)
    [letter] = await frontier.dead_letters(RUN)
    assert (letter.url, letter.reason) == (PAGES[0][0], "reset")


async def test_a_returned_lease_counts_no_attempt(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES[:1])
    for _ in range(6):
        [lease] = await claim(frontier)
        assert lease.item.attempts == 0
        await frontier.complete([Completion(lease, None)])


async def test_rekinded_urls_are_counted_once(frontier: RedisFrontier) -> None:
    await fill(frontier, [("http://a.example/x", Kind.IMAGE)])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Rekind(Kind.PAGE))])
    [page] = (await frontier.claim(5, 0)).leases
    assert page.item.kind is Kind.PAGE
    await frontier.complete([Completion(page, Failed("http-404"))])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.failed, counts.unfinished) == (1, {"http-404": 1}, 0)


async def test_robots_gates_its_origin_on_both_lanes(frontier: RedisFrontier) -> None:
    await fill(frontier, [*PAGES, ("http://a.example/i.png", Kind.IMAGE)], robots=True)
    [robots] = await claim(frontier)
    assert (robots.item.kind, robots.item.url) == (Kind.ROBOTS, "http://a.example/robots.txt")
    assert (await frontier.counts(RUN)).unfinished == 5
    await frontier.complete([Completion(robots, Done(), robots=b"rules")])
    leases = await claim(frontier)
    assert len(leases) == 4
    assert await frontier.robots_rules(leases[0]) == b"rules"
    await frontier.complete([Completion(lease, Skipped("robots")) for lease in leases])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.skipped, counts.unfinished) == (4, 0, {"robots": 4}, 0)


async def test_skipped_and_over_budget_urls_are_counted_and_not_queued(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, per_host=2)
    await fill(frontier, [("http://b.example/", Kind.PAGE)], skip="out-of-scope")
    assert len(await claim(frontier)) == 2
    counts = await frontier.counts(RUN)
    assert counts.skipped == {"host-budget": 1, "out-of-scope": 1}
    assert counts.discovered == 4


async def test_concurrency_and_rate_hold_over_lanes_and_hosts(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, rate=100.0, concurrency=2)
    await fill(frontier, [("http://b.example/1.jpg", Kind.IMAGE)], rate=100.0, concurrency=2)
    first = await claim(frontier)
    assert len(first) == 2
    assert first[1].not_before - first[0].not_before == pytest.approx(1.25 / 100, abs=0.002)
    assert await claim(frontier) == []
    await frontier.complete([Completion(first[0], Done())])
    assert len(await claim(frontier)) == 1


async def test_a_blocked_address_waits(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    [lease] = (await frontier.claim(1, 0)).leases
    await frontier.complete([Completion(lease, Retry("http-429", 0.0), block=30.0)])
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due == pytest.approx(30.0, abs=1.0) or claimed.next_due <= 0.1


async def test_a_held_run_hands_out_nothing(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    await frontier.hold(RUN, True)
    assert await claim(frontier) == []
    await fill(frontier, [("http://c.example/", Kind.PAGE)])
    assert await claim(frontier) == []
    await frontier.hold(RUN, False)
    assert len(await claim(frontier)) == 4


async def test_forget_leaves_no_queue_behind(frontier: RedisFrontier, client) -> None:  # type: ignore[no-untyped-def]
    await fill(frontier, PAGES)
    await frontier.forget(RUN)
    assert await claim(frontier) == []
    names = [key async for key in client.scan_iter("t:*:q:*")]
    assert names == []


async def test_a_corrupt_record_fails_alone(frontier: RedisFrontier, client) -> None:  # type: ignore[no-untyped-def]
    await fill(frontier, PAGES)
    [key] = [key async for key in client.scan_iter("t:*:q:*:p:*")]
    await client.lset(key, 0, b"\0\x63rubbish")
    leases = await claim(frontier)
    assert len(leases) == 2
    assert (await frontier.counts(RUN)).failed == {"corrupt-record": 1}
    assert replace((await frontier.dead_letters(RUN))[0], kind=None).reason == "corrupt-record"


async def test_seen_numbers_stay_exact_while_the_buckets_split(frontier: RedisFrontier, client) -> None:  # type: ignore[no-untyped-def]
    urls = [(f"http://a.example/{i}", Kind.PAGE) for i in range(3000)]
    await fill(frontier, urls, per_host=10_000)
    await fill(frontier, urls, per_host=10_000)
    assert (await frontier.counts(RUN)).discovered == 3000
    kinds = {await client.object("encoding", key) async for key in client.scan_iter("t:*:seen:*") if b"meta" not in key}
    assert kinds <= {b"intset", b"listpack"}


async def test_a_second_delivery_keeps_the_judgement_of_the_first(frontier: RedisFrontier) -> None:
    """A killed admitter's entry comes again when the name no longer resolves, or resolves elsewhere."""
    candidate = Candidate("http://a.example/", Kind.PAGE, "seed")
    await frontier.offer(RUN, [Discovered((candidate,))])
    [entry] = await frontier.discoveries(10) or await frontier.discoveries(10)
    found = Discovered((candidate,))
    limits = Limits(100.0, 9)

    def judged(address: str | None, skip: str | None) -> Admission:
        url = Judged(candidate, 7, "a.example", address, address, skip)
        return Admission(entry, found, (url,), lambda _: limits, 10, False)

    await frontier._admissions._reserve([judged("192.0.2.1", None)], defaultdict(list))
    await frontier.admit([judged(None, "dns-timeout")])
    await frontier.admit([judged("192.0.2.77", None)])
    [lease] = await claim(frontier)
    assert lease.item.address == "192.0.2.1"
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.skipped, counts.waiting) == (1, {}, {"leased": 1})


async def test_no_token_comes_twice_even_after_the_server_lost_its_data(frontier: RedisFrontier, client) -> None:  # type: ignore[no-untyped-def]
    await fill(frontier, PAGES[:1])
    [old] = await claim(frontier)
    await client.flushall()
    await fill(frontier, PAGES[:1])
    [new] = await claim(frontier)
    assert new.token > old.token
    assert await frontier.complete([Completion(old, Done())]) == [False]
    assert await frontier.complete([Completion(new, Done())]) == [True]


async def test_a_shorter_block_does_not_end_a_longer_one(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    one, other, _ = await claim(frontier)
    await frontier.complete([Completion(one, Retry("http-429", 0.0), block=60.0)])
    await frontier.complete([Completion(other, Retry("http-429", 0.0), block=0.001)])
    await asyncio.sleep(0.02)
    assert await claim(frontier) == []


async def test_neither_lane_starves_the_other(frontier: RedisFrontier) -> None:
    urls = [(f"http://a.example/{n}", kind) for n in range(10) for kind in (Kind.PAGE, Kind.IMAGE)]
    urls = [(f"{url}{kind}", kind) for url, kind in urls]
    await fill(frontier, urls, concurrency=1)
    kinds = []
    for _ in range(8):
        [lease] = await claim(frontier)
        kinds.append(lease.item.kind)
        await frontier.complete([Completion(lease, Done())])
        await asyncio.sleep(0.003)
    assert set(kinds) == {Kind.PAGE, Kind.IMAGE}


async def test_the_strictest_campaign_holds_and_leaves_with_its_run(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, rate=1000.0, concurrency=50)
    await frontier.offer(RunId("slow", 1), [Discovered((Candidate("http://b.example/", Kind.PAGE, "seed"),))])
    await admit(frontier, rate=1000.0, concurrency=1)
    [lease] = await claim(frontier)
    assert await claim(frontier) == []
    await frontier.complete([Completion(lease, Done())])
    await frontier.forget(RunId("slow", 1))
    await asyncio.sleep(0.01)
    assert len(await claim(frontier)) >= 2


async def test_a_late_request_takes_another_slot(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, rate=2.0, concurrency=3)
    [late] = await claim(frontier)
    again = await frontier.reslot(late)
    assert again is not None
    assert again.token == late.token
    assert again.not_before - late.not_before == pytest.approx(0.625, abs=0.1)
    await frontier.complete([Completion(late, Done())])
    assert await frontier.reslot(late) is None


async def test_a_moved_robots_txt_is_asked_for_where_it_went(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Rekind(Kind.ROBOTS, "https://www.a.example/robots.txt"))])
    [moved] = await claim(frontier)
    assert (moved.item.url, moved.item.kind) == ("https://www.a.example/robots.txt", Kind.ROBOTS)
    assert moved.item.via == ("http://a.example/robots.txt",)
    await frontier.complete([Completion(moved, Done(), robots=b"rules")])
    assert len(await claim(frontier)) == 3
    assert (await frontier.counts(RUN)).waiting == {"leased": 3}


async def test_a_gate_that_opens_without_rules_says_why(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Failed("internal-ValueError"))])
    [lease, *_] = await claim(frontier)
    assert await frontier.robots_rules(lease) == b"!internal-ValueError"


async def test_an_address_can_be_blocked_from_outside(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    await frontier.block("192.0.2.1", 60.0)
    await frontier.block("192.0.2.1", 0.001)
    await asyncio.sleep(0.02)
    assert await claim(frontier) == []


async def test_leases_can_be_given_back(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES)
    leases = await claim(frontier)
    assert await frontier.give_back(leases) == [True] * 3
    assert await frontier.give_back(leases) == [False] * 3
    assert {lease.item.url for lease in await claim(frontier)} == {lease.item.url for lease in leases}
