"""The frontier's contract: budgets, what comes later, and what waits for another night."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from crawler.frontier.base import CARRY_CAP, CARRY_SHARE, Completion, Frontier
from crawler.frontier.codec import unpack_discovered
from crawler.frontier.figures import Coverage, RunCounts
from crawler.records import Candidate, Discovered, Done, Kind, RunId
from tests.contract.conftest import Bench
from tests.contract.steps import RUN, admission, admit, claim, fill, new_entries, pages, urls_of

# ---------------------------------------------------------------- budgets


async def test_a_domain_has_a_budget_over_its_hosts(frontier: Frontier) -> None:
    budgets = {"per_host": 3, "per_domain": 5, "domain": "example"}
    await fill(frontier, pages("a.example", range(4)), **budgets)
    await fill(frontier, pages("b.example", range(3)), **budgets)
    await fill(frontier, pages("c.test", range(2)), **budgets | {"domain": "test"})
    counts = await frontier.counts(RUN)
    assert counts.discovered == 9
    assert counts.skipped == {"host-budget": 1, "domain-budget": 1}
    hosts = Counter(url.split("/")[2] for url in urls_of(await claim(frontier)))
    assert hosts == {"a.example": 3, "b.example": 2, "c.test": 2}


async def test_links_leave_images_their_share_of_a_budget_whichever_comes_first(frontier: Frontier) -> None:
    images = [(f"http://a.example/{n}.jpg", Kind.IMAGE) for n in range(4)]
    budgets = {"per_host": 8, "reserved": 2, "domain": "example"}
    await fill(frontier, pages("a.example", range(10)), **budgets)
    assert len(await claim(frontier)) == 6
    await fill(frontier, [*pages("a.example", range(10, 12)), *images], **budgets)
    assert urls_of(await claim(frontier)) == [url for url, _ in images[:2]]
    assert (await frontier.counts(RUN)).skipped == {"host-budget": 8}
    await fill(frontier, pages("b.example", range(9)), per_domain=10, **budgets)
    assert (await frontier.counts(RUN)).skipped == {"host-budget": 8, "domain-budget": 9}


async def test_without_a_domain_every_host_stands_for_itself(frontier: Frontier) -> None:
    for host in ("192.0.2.7", "192.0.2.8"):
        await fill(frontier, pages(host, range(3)), per_domain=2)
    assert (await frontier.counts(RUN)).skipped == {"domain-budget": 2}
    assert len(await claim(frontier)) == 4


async def test_skipped_and_seen_urls_use_up_no_budget(frontier: Frontier) -> None:
    budgets = {"per_host": 2, "per_domain": 2, "domain": "example"}
    await fill(frontier, pages("a.example", range(5)), skip="depth", **budgets)
    await fill(frontier, pages("a.example", range(5, 7)), **budgets)
    await fill(frontier, pages("a.example", range(7)), **budgets)
    assert (await frontier.counts(RUN)).skipped == {"depth": 5}


async def test_every_run_has_its_own_budgets(frontier: Frontier) -> None:
    for number in (1, 2):
        await fill(frontier, pages("a.example", range(3)), run=RunId("c", number), per_host=3, per_domain=3)
    assert len(await claim(frontier)) == 6


async def test_a_url_in_another_context_is_another_one(frontier: Frontier) -> None:
    for context in (0, 3):
        await fill(frontier, pages("a.example", range(1)), context=context)
    leases = await claim(frontier)
    assert sorted(lease.item.context for lease in leases) == [0, 3]
    await frontier.give_back(leases)
    assert sorted(lease.item.context for lease in await claim(frontier)) == [0, 3]
    assert (await frontier.counts(RUN)).discovered == 2


# ---------------------------------------------------------------- later

FOUND = Discovered(
    (
        Candidate("http://slow.example/", Kind.PAGE, "a", 3),
        Candidate("http://a.example/", Kind.PAGE, "a"),
        Candidate("http://slow.example/i.png", Kind.IMAGE, "img"),
    ),
    2,
    "http://a.example/",
    ("http://old.example/",),
    1,
)
SLOW = "slow.example"


async def test_what_cannot_be_judged_yet_comes_again_later(bench: Bench) -> None:
    frontier = bench.frontier
    await frontier.offer(RUN, [FOUND])
    [entry] = await new_entries(frontier)
    first = admission(entry, later=SLOW, after=0.3)
    await frontier.admit([first, first])
    assert (await frontier.counts(RUN)).waiting == {"queued": 1, "later": 1}
    assert await frontier.backlog() == 0
    assert await new_entries(frontier) == []
    await bench.sleep(0.35)
    [again] = await new_entries(frontier)
    put_off = replace(FOUND, candidates=FOUND.candidates[::2], tries=2)
    assert (again.run, unpack_discovered(again.payload)) == (RUN, put_off)
    assert (again.partition, again.number) != (entry.partition, entry.number)
    assert (await frontier.counts(RUN)).waiting == {"queued": 1, "disc": 1}
    await frontier.admit([first])
    await frontier.admit([admission(again)])
    await bench.sleep(0.35)
    assert await new_entries(frontier) == []
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (3, {"queued": 3})


async def test_it_may_be_put_off_once_more(bench: Bench) -> None:
    frontier = bench.frontier
    await frontier.offer(RUN, [replace(FOUND, candidates=FOUND.candidates[:1])])
    [entry] = await new_entries(frontier)
    for tries in (2, 3):
        await frontier.admit([admission(entry, later=SLOW)])
        [entry] = await new_entries(frontier)
        assert unpack_discovered(entry.payload).tries == tries
        assert (await frontier.counts(RUN)).discovered == 0
    await frontier.admit([admission(entry)])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (1, {"queued": 1})


# ---------------------------------------------------------------- other nights


async def crawled(bench: Bench, run: RunId) -> set[str]:
    """Fetch all that waits; its URLs."""
    fetched: set[str] = set()
    while leases := await claim(bench.frontier):
        fetched |= set(urls_of(leases))
        await bench.frontier.complete([Completion(lease, Done()) for lease in leases])
        await bench.sleep(0.02)
    assert (await bench.frontier.counts(run)).unfinished == 0
    return fetched


async def offered(frontier: Frontier, run: RunId, per_host: int) -> Counter[str]:
    """What earlier runs left a run, by host, admitted."""
    number = await frontier.carry_over(run, per_host)
    entries = await new_entries(frontier)
    assert {entry.run for entry in entries} <= {run}
    found = [candidate.url for entry in entries for candidate in unpack_discovered(entry.payload).candidates]
    assert len(found) == len(set(found)) == number
    await frontier.admit([admission(entry, per_host=per_host) for entry in entries])
    return Counter(url.split("/")[2] for url in found)


async def test_what_a_budget_left_out_has_its_turn_on_later_nights(bench: Bench) -> None:
    everything = [*pages("a.example", range(30)), *pages("b.example", range(14)), *pages("c.example", range(3))]
    for first in range(0, len(everything), 5):
        await fill(bench.frontier, everything[first : first + 5], per_host=10)
    fetched = [await crawled(bench, RUN)]
    assert len(fetched[0]) == 10 + 10 + 3
    for night in range(2, 30):
        run = RunId("c", night)
        share = await offered(bench.frontier, run, 10)
        assert all(number <= CARRY_SHARE * 10 for number in share.values())
        if not share:
            break
        fetched.append(await crawled(bench, run))
        assert len(fetched[-1]) == share.total()
        await bench.frontier.forget(run)
    assert set().union(*fetched) == {url for url, _ in everything}
    assert sum(map(len, fetched)) == len(everything), "some were asked for twice"
    assert len(fetched) <= 6
    assert await bench.frontier.coverage("c") == []


async def test_what_one_long_page_named_has_its_turn_too(bench: Bench) -> None:
    named = pages("a.example", range(200))
    await fill(bench.frontier, named, per_host=50)
    fetched = await crawled(bench, RUN)
    for night in range(2, 30):
        share = await offered(bench.frontier, RunId("c", night), 50)
        assert share["a.example"] <= CARRY_SHARE * 50
        if not share:
            break
        fetched |= await crawled(bench, RunId("c", night))
    assert fetched == {url for url, _ in named}


async def test_it_comes_as_it_was_found(frontier: Frontier) -> None:
    found = Discovered(
        (Candidate("http://a.example/i.png", Kind.IMAGE, "img", 2),), 4, "http://r.example/", ("http://v/",)
    )
    await fill(frontier, pages("a.example", range(1)), per_host=1)
    await frontier.offer(RUN, [found])
    await admit(frontier, per_host=1)
    assert await frontier.carry_over(RunId("c", 2), 1) == 1
    [entry] = await new_entries(frontier)
    assert (entry.run, unpack_discovered(entry.payload)) == (RunId("c", 2), found)


async def test_the_oldest_come_first(frontier: Frontier) -> None:
    for number in range(12):
        await fill(frontier, pages("a.example", range(number, number + 1)), per_host=4)
    assert await offered(frontier, RunId("c", 2), 4) == {"a.example": 3}
    assert sorted(urls_of(await claim(frontier)))[-3:] == [f"http://a.example/{n}" for n in (4, 5, 6)]


async def test_a_run_is_offered_the_same_once_and_its_own_never(frontier: Frontier) -> None:
    await fill(frontier, pages("a.example", range(12)), per_host=4)
    assert await frontier.carry_over(RUN, 4) == 0
    assert await frontier.carry_over(RunId("other", 2), 4) == 0
    assert await offered(frontier, RunId("c", 2), 4) == {"a.example": 3}
    assert await frontier.carry_over(RunId("c", 2), 4) == 0
    assert await offered(frontier, RunId("c", 3), 4) == {"a.example": 3}


async def test_a_run_that_is_filled_again_is_not_offered_what_it_left_out(frontier: Frontier) -> None:
    """It has seen it, so it would be gone for good."""
    budgets = {"per_host": 4, "per_domain": 2, "domain": "example"}
    await fill(frontier, pages("a.example", range(4)), **budgets)
    assert await frontier.carry_over(RUN, 4) == 0
    assert await offered(frontier, RunId("c", 2), 4) == {"a.example": 2}


async def test_a_small_budget_still_moves_on(frontier: Frontier) -> None:
    await fill(frontier, pages("a.example", range(3)), per_host=1)
    assert [await frontier.carry_over(RunId("c", night), 1) for night in (2, 3, 4)] == [1, 1, 0]


async def test_what_is_left_out_again_is_kept_again_and_once(frontier: Frontier) -> None:
    for night in (1, 2):
        await fill(frontier, pages("a.example", range(10)), run=RunId("c", night), per_host=4)
    assert await frontier.coverage("c") == [Coverage("a.example", 8, 6)]
    assert await frontier.carry_over(RunId("c", 3), 4) == 3
    await admit(frontier, per_host=2)
    assert [row.waiting for row in await frontier.coverage("c")] == [4]


async def test_no_more_is_kept_than_some_nights_can_use(frontier: Frontier) -> None:
    for first in range(0, 40, 4):
        await fill(frontier, pages("a.example", range(first, first + 4)), per_host=2)
    assert (await frontier.counts(RUN)).skipped == {"host-budget": 38}
    [row] = await frontier.coverage("c")
    assert 0 < row.waiting <= CARRY_CAP * 2


async def test_what_a_domain_s_budget_left_out_is_kept_too(frontier: Frontier) -> None:
    budgets = {"per_host": 4, "per_domain": 5, "domain": "example"}
    for host in ("a.example", "b.example"):
        await fill(frontier, pages(host, range(4)), **budgets)
    assert await offered(frontier, RunId("c", 2), 4) == {"b.example": 3}
    await fill(frontier, pages("a.example", range(4)), skip="out-of-scope", run=RunId("d", 1))
    assert await frontier.carry_over(RunId("d", 2), 4) == 0


async def test_coverage_grows_night_by_night_and_begins_anew_after_a_round(bench: Bench) -> None:
    frontier = bench.frontier
    assert await frontier.coverage("c") == []
    await fill(frontier, pages("b.example", range(7)), per_host=4)
    await fill(frontier, pages("a.example", range(5)), per_host=4)
    await fill(frontier, pages("c.example", range(4)), per_host=4)
    assert await frontier.coverage("c") == [Coverage("b.example", 4, 3), Coverage("a.example", 4, 1)]
    assert await frontier.coverage("other") == []
    await fill(frontier, pages("a.example", range(5, 10)), run=RunId("c", 2), per_host=4)
    assert await frontier.coverage("c") == [Coverage("b.example", 4, 3), Coverage("a.example", 8, 2)]
    await frontier.forget(RUN)
    assert await offered(frontier, RunId("c", 3), 4) == {"a.example": 2, "b.example": 3}
    assert await frontier.coverage("c") == []
    await fill(frontier, pages("a.example", range(20, 26)), run=RunId("c", 3), per_host=4)
    assert await frontier.coverage("c") == [Coverage("a.example", 4, 4)]
    assert await frontier.counts(RUN) == RunCounts()
