"""Whatever is damaged of what admission knows: no URL is lost with it, none is asked for twice, and it is counted."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from redis.asyncio import Redis

from crawler.errors import RecordCorrupt
from crawler.frontier.base import Admission, Completion, StreamEntry
from crawler.frontier.redis import RedisFrontier
from crawler.records import Candidate, Discovered, Done, Kind, RunId
from tests.contract.steps import RUN, admission, claim, fill, new_entries, pages, urls_of

HERE, THERE = Candidate("http://a.example/1", Kind.PAGE, "a"), Candidate("http://b.example/2", Kind.PAGE, "a")


async def keys(client: Redis, pattern: str) -> list[bytes]:
    return sorted([key async for key in client.scan_iter(pattern)])


async def corrupt(frontier: RedisFrontier) -> int:
    return (await frontier.counts(RUN)).tally.get("corrupt-record", 0)


async def offered(frontier: RedisFrontier, *candidates: Candidate) -> StreamEntry:
    await frontier.offer(RUN, [Discovered(candidates)])
    [entry] = await new_entries(frontier)
    return entry


async def admit_readable(frontier: RedisFrontier) -> None:
    """As the admitter does it: what cannot be read is counted, and stops nobody."""
    for entry in await new_entries(frontier):
        try:
            judged = admission(entry, per_host=4)
        except RecordCorrupt:
            await frontier.discard([entry], "corrupt-discoveries")
        else:
            await frontier.admit([judged])


async def reserved(frontier: RedisFrontier, judged: Admission) -> list[str]:
    """What the first half of an admission takes, by an admitter that dies after it."""
    [admitted], _, _ = await frontier._admissions._reserve([judged], defaultdict(list))
    return sorted(url.candidate.url for url in admitted)


async def test_no_byte_of_a_marker_hides_what_was_admitted(frontier: RedisFrontier, client: Redis) -> None:
    """A killed admitter's entry comes again, and either copy of its marker is damaged."""
    judged = admission(await offered(frontier, HERE, THERE))
    first = await reserved(frontier, judged)
    assert first == [HERE.url, THERE.url]
    markers = await keys(client, "t:*:mark*")
    whole = {key: await client.get(key) for key in markers}
    damages = 0
    for key, packed in whole.items():
        for offset in range(0, len(packed), 3):
            for value in (packed[offset] ^ 1, packed[offset] ^ 0x80):
                await client.set(key, packed[:offset] + bytes([value]) + packed[offset + 1 :])
                assert await reserved(frontier, judged) == first
                damages += 1
        for damage in (b"", b"\x01rubbish", packed[:-1], packed + b"x"):
            await client.set(key, damage)
            assert await reserved(frontier, judged) == first
        await client.delete(key)
        assert await reserved(frontier, judged) == first
        damages += 5
        assert await client.get(key) == packed
    assert await corrupt(frontier) == damages
    await frontier.admit([judged])
    assert sorted(urls_of(await claim(frontier))) == first
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.waiting) == (2, {"leased": 2})
    assert await keys(client, "t:*:mark[:=]*") == []


async def test_a_marker_of_which_no_copy_is_whole_doubles_nothing(frontier: RedisFrontier, client: Redis) -> None:
    """What was admitted and not queued yet stays without an outcome, which the run's end reports as lost."""
    judged = admission(await offered(frontier, HERE))
    await reserved(frontier, judged)
    for key in await keys(client, "t:*:mark*"):
        await client.set(key, b"\x01rubbish")
    await frontier.admit([judged])
    assert await claim(frontier) == []
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.pending, counts.unfinished) == (1, 1, 0)
    assert counts.tally == {"corrupt-record": 1}


async def test_no_byte_of_its_shape_empties_a_seen_set(frontier: RedisFrontier, client: Redis) -> None:
    urls = pages("a.example", range(700))
    await fill(frontier, urls)
    [key] = await keys(client, "t:*:seen:*:shape")
    packed = await client.get(key)
    damaged = [packed[:at] + bytes([byte ^ 1]) + packed[at + 1 :] for at, byte in enumerate(packed)]
    for value in [*damaged, b"", b"\x01rubbish"]:
        await client.set(key, value)
        await fill(frontier, urls[::100])
    await client.delete(key)
    await fill(frontier, urls)
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.tally) == (700, {"corrupt-record": len(damaged) + 3})
    assert await client.get(key) == packed


async def test_a_seen_number_that_is_damaged_hides_no_other(frontier: RedisFrontier, client: Redis) -> None:
    """It leaves its bucket when that is split; its URL may be asked for once more."""
    urls = pages("a.example", range(200))
    await fill(frontier, urls)
    [bucket] = await keys(client, "t:*:seen:*:0")
    for damage in (b"\x01rubbish", b""):
        await client.srem(bucket, await client.srandmember(bucket))
        await client.sadd(bucket, damage)
    await fill(frontier, pages("a.example", range(200, 1000)))
    counts = await frontier.counts(RUN)
    assert (counts.discovered, counts.tally) == (1000, {"corrupt-record": 2})
    await fill(frontier, urls)
    assert (await frontier.counts(RUN)).discovered == 1002
    numbers = sum([await client.scard(key) for key in await keys(client, "t:*:seen:*:[0-9]*")])
    assert numbers == 1000


async def test_a_run_whose_shape_is_damaged_is_forgotten_whole(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, pages("a.example", range(1500)))
    [key] = await keys(client, "t:*:seen:*:shape")
    await client.set(key, b"\x01rubbish")
    await frontier.forget(RUN)
    assert await keys(client, "t:*:seen:*") == []


async def test_no_byte_of_a_budget_fails_a_script(frontier: RedisFrontier, client: Redis) -> None:
    """Counts of hosts, what was lifted and what is kept for the next night: whatever stands there, crawls go on."""
    await fill(frontier, pages("a.example", range(30)), per_host=4)
    rows = {}
    for key in await keys(client, "t:*:host:*") + await keys(client, "t:*:cover:*"):
        rows |= {(key, name): packed for name, packed in (await client.hgetall(key)).items()}
    kept = {key: await client.lindex(key, 0) for key in await keys(client, "t:*:carry:*")}
    assert kept
    longest = max(map(len, [*rows.values(), *kept.values()]))
    number = 100
    for offset in range(longest):
        for value in (0, 0x90, 255):
            for (key, name), packed in rows.items():
                await client.hset(key, name, packed[:offset] + bytes([value]) + packed[offset + 1 :])
            for key, packed in kept.items():
                await client.delete(key)
                await client.rpush(key, packed[:offset] + bytes([value]) + packed[offset + 1 :])
            number += 1
            await frontier.offer(RUN, [Discovered((Candidate(f"http://a.example/{number}", Kind.PAGE, "a"),))])
            await admit_readable(frontier)
            await frontier.carry_over(RunId(RUN.campaign, number), 4)
            await frontier.coverage(RUN.campaign)
    # Slots are a millisecond apart, so that at times nothing is due.
    async with asyncio.timeout(20):
        while (await frontier.counts(RUN)).waiting.get("queued", 0):
            await frontier.complete([Completion(lease, Done()) for lease in await claim(frontier)])
            await asyncio.sleep(0.01)


async def test_what_a_damaged_piece_named_is_kept_another_night(frontier: RedisFrontier, client: Redis) -> None:
    """Its numbers wait for nothing, so they must not stand in the way of the same URLs."""
    urls = pages("a.example", range(4))
    for one in urls:
        await fill(frontier, [one], per_host=1)
    [kept] = await keys(client, "t:*:carry:*")
    assert await client.llen(kept) == 3
    await client.lset(kept, 0, b"\x01rubbish")
    assert await frontier.carry_over(RunId("c", 2), 1) == 1
    assert [row.waiting for row in await frontier.coverage("c")] == [1]
    await fill(frontier, urls, run=RunId("c", 3), per_host=1)
    assert [row.waiting for row in await frontier.coverage("c")] == [3]


async def test_a_run_is_not_offered_its_own_for_a_damaged_record(frontier: RedisFrontier, client: Redis) -> None:
    """It has seen it, so it would be gone for good."""
    await fill(frontier, pages("a.example", range(3)), per_host=1)
    [cover] = await keys(client, "t:*:cover:*")
    await client.hset(cover, "a.example", b"\x01rubbish")
    assert await frontier.carry_over(RUN, 4) == 0
    assert await frontier.carry_over(RunId("c", 2), 4) == 2


async def test_what_is_kept_after_a_night_began_waits_for_the_next(frontier: RedisFrontier) -> None:
    judged = admission(await offered(frontier, HERE, Candidate("http://a.example/9", Kind.PAGE, "a")), per_host=1)
    await reserved(frontier, judged)
    assert await frontier.carry_over(RunId("c", 2), 1) == 0
    await frontier.admit([judged])
    assert [row.waiting for row in await frontier.coverage("c")] == [1]
    assert await frontier.carry_over(RunId("c", 3), 1) == 1
    assert await frontier.coverage("c") == []
