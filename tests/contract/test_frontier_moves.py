"""A host that lies elsewhere now: what waits for it goes to its new place, and nothing is lost or counted twice."""

from __future__ import annotations

from crawler.frontier.base import Completion, Frontier
from crawler.frontier.codec import unpack_discovered
from crawler.records import Done, Kind, Rekind, Retry
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, IMAGE, PAGES, RUN, admission, admit, claim, fill, new_entries, urls_of

NEW = "192.0.2.7"


async def moved_to(frontier: Frontier, address: str = NEW, **judgement: object) -> None:
    await admit(frontier, address=address, **judgement)


async def test_what_waits_is_claimed_at_the_new_address(frontier: Frontier) -> None:
    await fill(frontier, [*PAGES, IMAGE], depth=2, referrer="http://a.example/from")
    assert await frontier.relocate("a.example", ADDRESS) == 4
    assert await claim(frontier) == []
    assert (await frontier.counts(RUN)).waiting == {"disc": 4}
    await moved_to(frontier)
    leases = await claim(frontier)
    assert sorted(urls_of(leases)) == sorted(url for url, _ in [*PAGES, IMAGE])
    assert {(lease.item.address, lease.item.depth, lease.item.referrer) for lease in leases} == {
        (NEW, 2, "http://a.example/from")
    }
    assert await frontier.complete([Completion(lease, Done()) for lease in leases]) == [True] * 4
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.pending, counts.unfinished) == (4, 4, 0, 0)


async def test_other_hosts_of_the_address_stay(frontier: Frontier) -> None:
    await fill(frontier, [*PAGES, ("http://b.a.example/", Kind.PAGE), ("http://a.example:8080/", Kind.PAGE)])
    assert await frontier.relocate("a.example", ADDRESS) == 4
    assert urls_of(await claim(frontier)) == ["http://b.a.example/"]


async def test_what_is_leased_or_delayed_follows_when_it_comes_back(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, [*PAGES, IMAGE])
    leases = {lease.item.url: lease for lease in await claim(frontier)}
    delayed, back, page, image = (leases[url] for url, _ in [*PAGES, IMAGE])
    await frontier.complete([Completion(delayed, Retry("reset", 0.05))])
    assert await frontier.relocate("a.example", ADDRESS) == 0
    rekinded = Completion(image, Rekind(Kind.PAGE))
    assert await frontier.complete([Completion(back, None), Completion(page, Done()), rekinded]) == [True] * 3
    await bench.sleep(0.06)
    assert await claim(frontier) == []
    await moved_to(frontier)
    found = await claim(frontier)
    assert sorted(urls_of(found)) == sorted(lease.item.url for lease in (delayed, back, image))
    assert {(lease.item.address, lease.item.attempts, lease.item.kind) for lease in found} == {(NEW, 0, Kind.PAGE)}
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.fetched, counts.pending) == (4, 1, 3)


async def test_a_host_may_come_back_to_its_old_address(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    await frontier.relocate("a.example", ADDRESS)
    await moved_to(frontier, ADDRESS)
    assert await frontier.relocate("a.example", ADDRESS) == 3
    await moved_to(frontier, ADDRESS)
    assert len(await claim(frontier)) == 3


async def test_robots_is_read_anew_at_the_new_address(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1], robots=True)
    await frontier.relocate("a.example", ADDRESS)
    await moved_to(frontier, robots=True)
    [robots] = await claim(frontier)
    assert (robots.item.kind, robots.item.address) == (Kind.ROBOTS, NEW)
    await frontier.complete([Completion(robots, Done(), b"rules")])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done())])
    counts = await frontier.counts(RUN)
    assert (counts.fetched, counts.unfinished) == (1, 0)


async def test_a_place_out_of_scope_skips_what_moved(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    await frontier.relocate("a.example", ADDRESS)
    await admit(frontier, skip="out-of-scope")
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.skipped, counts.unfinished) == (3, {"out-of-scope": 3}, 0)


async def test_a_second_delivery_queues_nothing_twice(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    await frontier.relocate("a.example", ADDRESS)
    entries = await new_entries(frontier)
    assert all(unpack_discovered(entry.payload).moved for entry in entries)
    for _ in range(2):
        await frontier.admit([admission(entry, address=NEW) for entry in entries])
    assert len(await claim(frontier)) == 3


async def test_names_that_cannot_be_judged_yet_come_again(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES)
    await frontier.relocate("a.example", ADDRESS)
    await admit(frontier, later="a.example", after=0.01)
    await bench.sleep(0.02)
    await moved_to(frontier)
    assert len(await claim(frontier)) == 3
    assert (await frontier.counts(RUN)).discovered == 3


async def test_a_large_queue_moves_with_the_next_looks(frontier: Frontier) -> None:
    await fill(frontier, [(f"http://a.example/{n}", Kind.PAGE) for n in range(1200)])
    assert await frontier.relocate("a.example", ADDRESS) == 1200
    for _ in range(20):
        await moved_to(frontier, concurrency=2000, rate=1e6)
    assert (await frontier.counts(RUN)).waiting == {"queued": 1200}
    assert {lease.item.address for lease in (await frontier.claim(500, 0)).leases} == {NEW}


async def test_the_next_queue_asks_for_robots_while_the_old_request_is_out(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1], robots=True)
    [old] = await claim(frontier)
    await frontier.relocate("a.example", ADDRESS)
    await moved_to(frontier, ADDRESS, robots=True)
    [new] = await claim(frontier)
    assert new.item == old.item
    assert await frontier.complete([Completion(old, Done(), b"old"), Completion(new, Done(), b"new")]) == [True, True]
    [page] = await claim(frontier)
    assert (await frontier.host_facts(page)).robots == b"new"
    assert await frontier.complete([Completion(page, Done())]) == [True]
    assert (await frontier.counts(RUN)).unfinished == 0
