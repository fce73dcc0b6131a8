"""What only the implementation in Redis can get wrong. The contract itself is tested in tests/contract."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from redis.asyncio import Redis

from crawler.frontier import codec, redis_link
from crawler.frontier.base import Admission, Completion, Find, Judged, Limits
from crawler.frontier.codec import unpack_discovered
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.records import Candidate, Discovered, Done, Kind, Rekind, Retry
from tests.contract.steps import ADDRESS, PAGES, RUN, admission, admit, claim, fill, new_entries, new_results, urls_of

# The steps that the cluster's test takes too.
__all__ = ["RUN", "admit", "claim", "fill"]


async def test_forget_leaves_no_queue_behind(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, PAGES)
    await frontier.forget(RUN)
    assert await claim(frontier) == []
    names = [key async for key in client.scan_iter("t:*:q:*")]
    assert names == []


async def test_nothing_of_what_was_let_go_before_outlives_its_run(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, PAGES, robots=True)
    for _ in range(2):
        ended = [Completion(lease, Done(), robots=b"!reset") for lease in await claim(frontier)]
        await frontier.complete(ended)
    assert await frontier.retire(RUN, [("http://a.example", ADDRESS)])
    lists = ("fact", "queue", "robots", "aging")
    assert [key async for key in client.scan_iter("t:*") if key.decode().endswith(lists)] == []
    # Where a record is damaged, all of them are gone through: one that was let go is none.
    [addresses] = [key async for key in client.scan_iter("t:*:addr")]
    await client.hset(addresses, ADDRESS, "rubbish")
    await fill(frontier, [("http://b.example/", Kind.PAGE)])
    await frontier.reap()
    await frontier.forget(RUN)
    left = {key.decode().rpartition("}:")[2] async for key in client.scan_iter("t:*")}
    assert not {"lim", "qi:c#1", "runs"} & left, left


async def test_a_run_whose_number_is_damaged_gets_it_back_from_a_queue_that_is_left(
    frontier: RedisFrontier, client: Redis
) -> None:
    hosts = [f"http://h{number}.example" for number in range(20)]
    await fill(frontier, [(f"{host}/", Kind.PAGE) for host in hosts])
    while leases := await claim(frontier):
        await frontier.complete([Completion(lease, Done()) for lease in leases])
    assert await frontier.retire(RUN, [(host, ADDRESS) for host in hosts])
    await fill(frontier, [("http://live.example/", Kind.PAGE)])
    [lease] = await claim(frontier)
    [runs] = [key async for key in client.scan_iter("t:*:runs")]
    await client.hset(runs, str(RUN), "rubbish")
    await frontier.reap()
    await frontier.complete([Completion(lease, Done())])
    counts = await frontier.counts(RUN)
    assert (counts.fetched, counts.failed) == (21, {})


@pytest.mark.parametrize("version", [codec.VERSION - 1, codec.VERSION + 1, None])
async def test_a_record_that_cannot_be_read_fails_alone(
    frontier: RedisFrontier, client: Redis, version: int | None
) -> None:
    """version: of a record that is whole, but was written by another program; None: it is rubbish."""
    await fill(frontier, PAGES)
    [key] = [key async for key in client.scan_iter("t:*:q:*:p:*")]
    element = await client.lindex(key, 0)
    assert element[1] == codec.VERSION
    await client.lset(key, 0, b"\0crubbish" if version is None else element[:1] + bytes([version]) + element[2:])
    leases = await claim(frontier)
    assert len(leases) == 2
    assert (await frontier.counts(RUN)).failed == {"corrupt-record": 1}
    [letter] = await frontier.dead_letters(RUN)
    assert (letter.url, letter.kind, letter.reason) == (None, None, "corrupt-record")


@pytest.mark.parametrize("name", ["addr", "queue", "lease:*", "timers", "aging"])
async def test_damaged_bytes_stop_nobody(frontier: RedisFrontier, client: Redis, name: str) -> None:
    """Whatever stands in a record: others are claimed, completed and reaped, and the damage is counted."""
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    for key in [key async for key in client.scan_iter(f"t:*:{name}")] or [f"t:{{p0}}:{name}"]:
        if await client.type(key) == b"hash":
            await client.hset(key, (await client.hkeys(key))[0], "\x01rubbish")
        else:
            await client.zadd(key, {"D": 0.0, "P": 0.0, "L\xc1": 0.0, "rub": 0.0})
    await frontier.complete([Completion(lease, Retry("reset", 0.0))])
    await frontier.reap()
    await fill(frontier, [("http://b.example/1", Kind.PAGE)], address="192.0.2.9")
    leases = await claim(frontier)
    assert "http://b.example/1" in urls_of(leases)
    assert await frontier.complete([Completion(each, Done()) for each in leases]) == [True] * len(leases)
    damage = (await frontier.counts(RUN)).tally.get("corrupt-record", 0)
    assert damage > 0 or name in ("timers", "aging")


@pytest.mark.parametrize("length", [0, 1, 2, 40])
async def test_a_band_of_another_length_than_it_says_gives_what_it_has(
    frontier: RedisFrontier, client: Redis, length: int
) -> None:
    """Of an address that gives streaks, whose first answer is known."""
    await fill(frontier, [(f"http://a.example/{n}", Kind.PAGE) for n in range(4)], concurrency=1)
    [first] = (await frontier.claim(1, 0)).leases
    await frontier.complete([Completion(first, Done(), latency=0.001)])
    for key in [key async for key in client.scan_iter("t:*:queue")]:
        for number, packed in (await client.hgetall(key)).items():
            band = packed[-6:-4] + length.to_bytes(4, "little")
            await client.hset(key, number, packed[:-6] + band)
    found = list((await frontier.claim(9, 0)).leases)
    assert 1 <= len(found) <= max(length, 1)
    assert await frontier.complete([Completion(lease, Done()) for lease in found]) == [True] * len(found)


async def test_seen_numbers_stay_exact_while_the_buckets_split(frontier: RedisFrontier, client: Redis) -> None:
    urls = [(f"http://a.example/{i}", Kind.PAGE) for i in range(3000)]
    await fill(frontier, urls)
    await fill(frontier, urls)
    assert (await frontier.counts(RUN)).discovered == 3000
    names = [key async for key in client.scan_iter("t:*:seen:*") if b"shape" not in key]
    kinds = {await client.object("encoding", key) for key in names}
    assert kinds <= {b"intset", b"listpack"}


async def test_a_second_delivery_keeps_the_judgement_of_the_first(frontier: RedisFrontier) -> None:
    """A killed admitter's entry comes again when the name no longer resolves, or resolves elsewhere."""
    candidate = Candidate("http://a.example/", Kind.PAGE, "seed")
    await frontier.offer(RUN, [Discovered((candidate,))])
    [entry] = await new_entries(frontier)
    found = Discovered((candidate,))
    limits = Limits(100.0, 9)

    def judged(address: str | None, skip: str | None) -> Admission:
        url = Judged(candidate, 7, "a.example", address, address, skip)
        return Admission(entry, found, (url,), lambda _: limits, 10, False)

    await frontier._admissions._reserve([judged(ADDRESS, None)], defaultdict(list))
    await frontier.admit([judged(None, "dns-timeout")])
    await frontier.admit([judged("192.0.2.77", None)])
    [lease] = await claim(frontier)
    assert lease.item.address == ADDRESS
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.skipped, counts.waiting) == (1, {}, {"leased": 1})


async def test_a_second_delivery_puts_off_what_the_first_put_off(frontier: RedisFrontier) -> None:
    """A killed admitter's entry comes again when names answer that did not, and others do not that did."""
    found = Discovered(tuple(Candidate(f"http://{name}.example/", Kind.PAGE, "a") for name in "ab"), 1)
    await frontier.offer(RUN, [found])
    [entry] = await new_entries(frontier)
    await frontier._admissions._reserve([admission(entry, later="a.example")], defaultdict(list))
    await frontier.admit([admission(entry, later="b.example")])
    assert urls_of(await claim(frontier)) == ["http://b.example/"]
    [again] = await new_entries(frontier)
    assert [candidate.url for candidate in unpack_discovered(again.payload).candidates] == ["http://a.example/"]
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (1, {"leased": 1, "disc": 1})


async def test_no_token_comes_twice_even_after_the_server_lost_its_data(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, PAGES[:1])
    [old] = await claim(frontier)
    await client.flushall()
    await fill(frontier, PAGES[:1])
    [new] = await claim(frontier)
    assert new.token > old.token
    assert await frontier.complete([Completion(old, Done())]) == [False]
    assert await frontier.complete([Completion(new, Done())]) == [True]


async def test_what_a_dead_reader_left_goes_to_another(client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    dead, other = (RedisFrontier(client, FrontierSettings("t", 5, name)) for name in ("dead", "other"))
    await fill(dead, PAGES[:1])
    [lease] = await claim(dead)
    found = Discovered((Candidate("http://a.example/new", Kind.PAGE, "a"),), 1)
    await dead.complete([Completion(lease, Done(found, (b"sealed",)))])
    left, reported = await new_entries(dead), await new_results(dead)
    assert (len(left), len(reported)) == (1, 1)
    monkeypatch.setattr(redis_link, "_IDLE_MS", 0)
    assert await new_entries(other) == left
    assert await new_results(other) == reported


async def test_consumers_of_dead_processes_go_once_they_hold_nothing(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, other = (RedisFrontier(client, FrontierSettings("t", 1, name)) for name in ("dead", "other"))
    for name, value in {"_IDLE_MS": 60_000, "_DEAD_MS": 20, "_RECLAIM_EVERY": 0.0}.items():
        monkeypatch.setattr(redis_link, name, value)
    await fill(dead, PAGES[:1])

    async def consumers() -> set[bytes]:
        return {each["name"] for each in await client.xinfo_consumers("t:{p0}:disc", "admit")}

    await dead.offer(RUN, [Discovered((Candidate("http://a.example/new", Kind.PAGE, "a"),), 1)])
    [held] = await new_entries(dead)
    await asyncio.sleep(0.05)
    await new_entries(other)
    assert b"dead" in await consumers()
    await other.admit([admission(held)])
    await asyncio.sleep(0.05)
    await new_entries(other)
    assert b"dead" not in await consumers()


async def test_a_robots_txt_may_move_to_another_port_of_its_name(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES, robots=True)
    [robots] = await claim(frontier)
    await frontier.complete([Completion(robots, Rekind(Kind.ROBOTS, "http://a.example:8080/robots.txt"))])
    [moved] = await claim(frontier)
    assert moved.item.url == "http://a.example:8080/robots.txt"


async def test_a_refused_result_is_counted_once(frontier: RedisFrontier) -> None:
    await fill(frontier, PAGES[:1])
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done(results=(b"x",)))])
    entries = await frontier.results(10, 0.0) or await frontier.results(10, 0.0)
    await frontier.refuse(entries, "refused-results")
    await frontier.refuse(entries, "refused-results")
    assert (await frontier.counts(RUN)).tally == {"refused-results": 1}


async def test_a_large_run_is_forgotten_whole(frontier: RedisFrontier, client: Redis) -> None:
    for first in range(0, 9000, 3000):
        await fill(frontier, [(f"http://h{n}.example/", Kind.PAGE) for n in range(first, first + 3000)])
    await frontier.forget(RUN)
    assert [key async for key in client.scan_iter("t:*:q*") if b":queues" not in key] == []


async def test_an_address_that_was_forgotten_keeps_its_limits(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, PAGES, rate=0.5, concurrency=1)
    for key in [key async for key in client.scan_iter("t:*:addr")]:
        await client.delete(key)
    # Whatever comes next at the address brings its record back.
    await fill(frontier, [(f"http://b.example/{n}", Kind.PAGE) for n in range(2)], rate=0.5, concurrency=1)
    [lease] = await claim(frontier)
    await frontier.complete([Completion(lease, Done())])
    claimed = await frontier.claim(9, 9)
    assert claimed.leases == ()
    assert claimed.next_due is not None
    assert claimed.next_due > 1.5


async def test_a_slow_admitter_of_an_entry_that_is_done_changes_nothing(frontier: RedisFrontier) -> None:
    found = Discovered(tuple(Candidate(f"http://{name}.example/", Kind.PAGE, "a") for name in "ab"), 1)
    await frontier.offer(RUN, [found])
    [entry] = await new_entries(frontier)
    await frontier.admit([admission(entry, later="b.example")])
    await frontier.admit([admission(entry)])
    assert urls_of(await claim(frontier)) == ["http://a.example/"]
    [again] = await new_entries(frontier)
    await frontier.admit([admission(again)])
    assert urls_of(await claim(frontier)) == ["http://b.example/"]
    assert (await frontier.counts(RUN)).pending == 2


async def test_damaged_neighbours_are_not_lost_with_a_find(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, [(f"http://a.example/g/{n}", Kind.PAGE) for n in range(5)])
    await fill(frontier, [("http://a.example/x", Kind.PAGE)], depth=2)
    for key in [key async for key in client.scan_iter("t:*:q:*")]:
        if await client.llen(key) == 1:
            await client.lset(key, 0, "\0\x02rubbish")
    await frontier.boost(Find(RUN, "http://a.example/g/i.jpg", None, (ADDRESS,), ("a.example",), 10))
    assert len(await claim(frontier)) == 5


async def test_a_damaged_entry_is_dropped_alone(frontier: RedisFrontier, client: Redis) -> None:
    await frontier.offer(RUN, [Discovered((Candidate("http://a.example/", Kind.PAGE, "seed"),))])
    [key] = [key async for key in client.scan_iter("t:*:disc")]
    await client.xadd(key, {"run": "nonsense", "d": b"x"})
    await client.xadd(key, {"what": "else"})
    assert len(await new_entries(frontier)) == 1
    assert await frontier.backlog() == 1


async def test_entries_of_one_moment_are_told_apart(frontier: RedisFrontier) -> None:
    """More of them than a small number of a set tells apart: what was admitted once is known, and nothing else is."""
    found = [Discovered((Candidate(f"http://a.example/{n}", Kind.PAGE, "a"),)) for n in range(1005)]
    await frontier.offer(RUN, found)
    entries = await frontier.discoveries(2000) or await frontier.discoveries(2000)
    assert len({entry.number for entry in entries}) == 1005
    await frontier.admit([admission(entry) for entry in entries[:1002]])
    await frontier.admit([admission(entry) for entry in entries])
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (1005, {"queued": 1005})
