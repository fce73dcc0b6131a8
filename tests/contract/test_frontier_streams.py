"""The frontier's contract: discoveries, admission, results."""

from __future__ import annotations

from collections.abc import Callable

from crawler.frontier.base import Completion, Frontier
from crawler.frontier.figures import RunCounts
from crawler.records import Candidate, Discovered, Done, Failed, Kind, RunId
from tests.contract.conftest import Bench
from tests.contract.steps import (
    PAGES,
    RUN,
    admission,
    admit,
    claim,
    fill,
    new_entries,
    new_results,
)

Build = Callable[..., Bench]


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


async def test_what_waits_for_a_run_on_hold_keeps_no_other_back(frontier: Frontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    found = Discovered((Candidate("http://a.example/new", Kind.PAGE, "a"),), 1)
    await frontier.complete([Completion(lease, Done(found, (b"sealed",)))])
    await frontier.offer(RunId("other", 1), [found])
    assert await frontier.backlog() == 3
    await frontier.hold(RUN, True)
    assert await frontier.backlog() == 1
    await frontier.hold(RUN, False)
    assert await frontier.backlog() == 3
