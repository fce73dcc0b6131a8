"""The frontier's contract: digging where something was found, and the whole at a glance."""

from __future__ import annotations

from collections import Counter
from itertools import count

from crawler.frontier.base import LIFT_CAP, Completion, Find, Frontier
from crawler.frontier.figures import FrontierState, RunCounts
from crawler.frontier.keys import partition_of
from crawler.records import Candidate, Discovered, Done, Kind, Lease, Retry, RunId
from tests.contract.conftest import Bench
from tests.contract.steps import ADDRESS, IMAGE, PAGES, RUN, admission, admit, claim, fill, new_entries, pages, urls_of

PAGE = "http://a.example/gallery/7/show?n=1/2"
FOUND = "http://img.example/store/7/x.jpg"
# Claims visit partitions in any order, so what is compared lies in one.
NEIGHBOURS = [address for n in range(2, 60) if partition_of(address := f"192.0.2.{n}", 5) == partition_of(ADDRESS, 5)]


def find(page: str | None = PAGE, image: str = FOUND, *, run: RunId = RUN, per_host: int = 4) -> Find:
    hosts = tuple(url.split("/")[2] for url in (image, page) if url is not None)
    return Find(run, image, page, (ADDRESS,), tuple(dict.fromkeys(hosts)), per_host)


async def one_by_one(frontier: Frontier, n: int) -> list[Lease]:
    return [lease for _ in range(n) for lease in (await frontier.claim(1, 0)).leases]


# ---------------------------------------------------------------- order


async def test_an_address_with_a_hit_comes_first(frontier: Frontier) -> None:
    for number, address in enumerate([*NEIGHBOURS[:4], ADDRESS, *NEIGHBOURS[4:8]]):
        await fill(frontier, pages(f"{number}.example", range(3)), address=address)
    await frontier.boost(find())
    assert {lease.item.address for lease in await one_by_one(frontier, 3)} == {ADDRESS}
    assert {lease.item.address for lease in await one_by_one(frontier, 24)} == set(NEIGHBOURS[:8])


async def test_a_hit_does_not_outweigh_manners(frontier: Frontier) -> None:
    await fill(frontier, pages("a.example", range(4)), rate=2.0, concurrency=2)
    await fill(frontier, pages("b.example", range(2)), address=NEIGHBOURS[0])
    await frontier.boost(find())
    addresses = [lease.item.address for lease in await one_by_one(frontier, 4)]
    assert addresses == [ADDRESS, NEIGHBOURS[0], NEIGHBOURS[0]]


async def test_a_host_with_a_hit_gets_every_second_turn(frontier: Frontier) -> None:
    for host in "abcdefghi":
        await fill(frontier, pages(f"{host}.example", range(9)), rate=5000.0)
    await frontier.boost(find())
    hosts = [lease.item.url[7] for lease in await claim(frontier, 81)]
    for first in range(6):
        assert hosts[first : first + 12].count("a") == 6
    assert set(hosts[:18]) == set("abcdefghi"), "somebody starves"
    assert Counter(hosts) == dict.fromkeys("abcdefghi", 9)


async def test_hosts_with_hits_do_not_starve_the_others(frontier: Frontier) -> None:
    for host in "abcd":
        await fill(frontier, pages(f"{host}.example", range(12)))
    await frontier.boost(find())
    await frontier.boost(find("http://b.example/1", "http://b.example/2"))
    hosts = [lease.item.url[7] for lease in await claim(frontier, 48)]
    shares = Counter(hosts[:16])
    assert 7 <= shares["a"] + shares["b"] <= 12
    assert min(shares.values()) >= 2


async def test_what_lies_beside_a_hit_or_stood_on_its_page_comes_first(frontier: Frontier) -> None:
    near = ["http://a.example/gallery/7/", "http://a.example/gallery/7/deep/er", "http://a.example/elsewhere"]
    far = ["http://a.example/gallery/8/1", "http://a.example/gallery/7", "http://a.example/"]
    await frontier.offer(RUN, [Discovered(tuple(Candidate(url, Kind.PAGE, "a", 1) for url in far), 1)])
    await frontier.offer(RUN, [Discovered(tuple(Candidate(url, Kind.PAGE, "a", 8) for url in near[:2]), 5)])
    await frontier.offer(RUN, [Discovered((Candidate(near[2], Kind.PAGE, "a", 9),), 6, PAGE)])
    await admit(frontier)
    await frontier.boost(find())
    leases = await claim(frontier)
    assert set(urls_of(leases[:3])) == set(near)
    # The URL itself stays what it was: its depth bounds what may come after it.
    assert sorted((lease.item.priority, lease.item.depth) for lease in leases[:3]) == [(8, 5), (8, 5), (9, 6)]
    await frontier.give_back(leases[:2])
    await frontier.complete([Completion(lease, Retry("reset", 0.0)) for lease in leases[2:3]])
    await frontier.give_back(leases[3:])
    assert set(urls_of(leases[:3])) == set(urls_of((await claim(frontier))[:3]))


async def test_images_beside_a_hit_come_first(frontier: Frontier) -> None:
    urls = [(f"http://img.example/store/{folder}/{n}.jpg", Kind.IMAGE) for folder in (6, 7, 8) for n in range(4)]
    await fill(frontier, urls)
    await frontier.boost(find(page=None))
    leases = await claim(frontier)
    assert {url.split("/")[4] for url in urls_of(leases[:4])} == {"7"}
    assert len(leases) == 12


async def test_what_comes_to_lie_beside_a_hit_comes_first_too(frontier: Frontier) -> None:
    await fill(frontier, pages("a.example", range(3)))
    await fill(frontier, pages("a.example", range(3), "elsewhere/"), depth=6)
    await frontier.boost(find())
    await fill(frontier, pages("a.example", range(3), "gallery/6/"), depth=1)
    await fill(frontier, pages("a.example", range(3), "gallery/7/"), depth=6)
    assert set(urls_of((await claim(frontier))[:3])) == {url for url, _ in pages("a.example", range(3), "gallery/7/")}


async def test_other_runs_keep_their_order_and_robots_txt_its_gate(frontier: Frontier) -> None:
    other = RunId("d", 1)
    await fill(frontier, pages("a.example", range(2)), run=other, robots=True)
    await fill(frontier, pages("a.example", range(2), "gallery/7/"), run=other, depth=3, robots=True)
    await frontier.boost(find())
    await frontier.boost(find("http://a.example/", run=other))
    await frontier.boost(find("http://a.example/gallery/6/x", run=other))
    [robots] = await claim(frontier)
    assert robots.item.kind is Kind.ROBOTS
    await frontier.complete([Completion(robots, Done(), robots=b"rules")])
    assert len(await claim(frontier)) == 4


async def test_a_hit_in_one_run_moves_nothing_in_another(frontier: Frontier) -> None:
    other = RunId("d", 1)
    await fill(frontier, pages("a.example", range(2)), run=other)
    await fill(frontier, pages("a.example", range(2), "gallery/7/"), run=other, depth=3)
    await frontier.boost(find())
    assert [url.count("gallery") for url in urls_of(await claim(frontier))] == [0, 0, 1, 1]


async def test_a_hit_that_came_too_late_changes_no_run(frontier: Frontier) -> None:
    await frontier.boost(find())
    assert await frontier.counts(RUN) == RunCounts()
    await fill(frontier, PAGES)
    await frontier.forget(RUN)
    await frontier.boost(find())
    assert await frontier.counts(RUN) == RunCounts()
    assert await claim(frontier) == []


# ---------------------------------------------------------------- budgets


async def test_a_hit_lifts_the_budgets_of_its_hosts_and_domains(frontier: Frontier) -> None:
    async def more(host: str) -> int:
        """How many of 20 more URLs of a host are admitted."""
        before = (await frontier.counts(RUN)).waiting.get("queued", 0)
        await fill(frontier, pages(host, range(first := next(numbers), first + 20)), per_host=4, per_domain=4)
        return (await frontier.counts(RUN)).waiting["queued"] - before

    numbers = count(0, 100)
    for host in ("a.example", "img.example", "b.example"):
        assert await more(host) == 4
    await frontier.boost(find())
    assert [await more(host) for host in ("a.example", "img.example", "b.example")] == [2, 2, 0]
    await frontier.boost(find("http://a.example/1", "http://a.example/2"))
    assert [await more(host) for host in ("a.example", "img.example")] == [2, 0]
    for _ in range(20):
        await frontier.boost(find())
    assert 4 + 2 + 2 + await more("a.example") == 4 + 4 * LIFT_CAP
    assert await more("a.example") == 0
    await fill(frontier, pages("a.example", range(20)), run=RunId("c", 2), per_host=4)
    assert (await frontier.counts(RunId("c", 2))).waiting == {"queued": 4}


# ---------------------------------------------------------------- at a glance


async def test_an_empty_frontier_says_so(frontier: Frontier) -> None:
    assert await frontier.state() == FrontierState()


async def test_the_state_shows_which_addresses_may_be_asked(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, [*PAGES, IMAGE], rate=0.5)
    await fill(frontier, pages("b.example", range(3)), concurrency=1, address="192.0.2.2")
    await fill(frontier, PAGES, run=RunId("d", 1), rate=0.5)
    assert await frontier.state() == FrontierState(addresses=2, due=2, queues=3)
    assert len(await claim(frontier)) == 2
    assert await frontier.state() == FrontierState(addresses=2, waiting=1, busy=1, queues=3, leases=2)
    await fill(frontier, pages("c.example", range(3)), address="192.0.2.3")
    await frontier.boost(find())
    assert await frontier.state() == FrontierState(addresses=3, due=1, waiting=1, busy=1, hot=1, queues=4, leases=2)


async def test_the_state_shows_who_waits_and_who_is_spared(bench: Bench) -> None:
    frontier = bench.frontier
    await fill(frontier, PAGES)
    await fill(frontier, pages("b.example", range(3)), address="192.0.2.2")
    leases = {lease.item.url: lease for lease in await claim(frontier)}
    ends = [
        Completion(leases.pop(PAGES[0][0]), Retry("reset", 60.0), block=0.001),
        Completion(leases.pop("http://b.example/0"), None, park=60.0),
        Completion(leases.pop("http://b.example/1"), Done(), latency=0.1),
    ]
    assert await frontier.complete(ends) == [True] * 3
    await bench.sleep(0.02)
    await claim(frontier)
    assert await frontier.state() == FrontierState(
        addresses=2, slowed=1, queues=2, leases=len(leases), delayed=1, parked=1
    )


async def test_the_state_counts_what_nobody_acknowledged(frontier: Frontier) -> None:
    await fill(frontier, PAGES)
    first, second, _ = await claim(frontier)
    found = Discovered((Candidate("http://a.example/new", Kind.PAGE, "a"),), 1)
    await frontier.complete([Completion(first, Done(found, (b"one", b"two")))])
    await frontier.complete([Completion(second, Done(found))])
    assert await frontier.state() == FrontierState(addresses=1, queues=1, leases=1, discoveries=2, results=2)
    [entry, _] = await new_entries(frontier)
    await frontier.admit([admission(entry, later="a.example", after=60.0)])
    state = await frontier.state()
    assert (state.discoveries, state.results, state.delayed) == (1, 2, 0)
