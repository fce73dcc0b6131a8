"""An entry's end: once, with nothing left behind, and with nobody waiting for what is damaged."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from hashlib import sha1
from typing import Any

from redis.asyncio import Redis

from crawler.frontier.base import Admission, Completion, Find, StreamEntry
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.frontier.redis_link import _Script, _script
from crawler.records import Candidate, Discovered, Done, Kind, RunId
from tests.contract.steps import ADDRESS, RUN, admission, claim, fill, new_entries, pages

OTHER = "192.0.2.9"


async def offered(frontier: RedisFrontier, *urls: str) -> list[StreamEntry]:
    await frontier.offer(RUN, [Discovered(tuple(Candidate(url, Kind.PAGE, "a") for url in urls))])
    return await new_entries(frontier)


def judged(entry: StreamEntry) -> Admission:
    """Hosts a.example and b.example lie at different addresses."""
    one = admission(entry)
    places = {"a.example": ADDRESS, "b.example": OTHER}
    urls = (replace(url, address=places[url.host], politeness=places[url.host]) for url in one.urls)
    return replace(one, urls=tuple(urls))


async def damage(client: Redis, pattern: str, change: Any) -> int:
    """Change every field of the hashes that match; how many there were."""
    changed = 0
    for key in [key async for key in client.scan_iter(pattern)]:
        for name, value in (await client.hgetall(key)).items():
            await client.hset(key, name, change(value))
            changed += 1
    return changed


async def all_of(frontier: RedisFrontier) -> Counter[str]:
    """How often each URL is claimed."""
    found: Counter[str] = Counter()
    for _ in range(20):
        leases = await claim(frontier)
        found.update(lease.item.url for lease in leases if lease.item.run == RUN)
        await frontier.complete([Completion(lease, Done()) for lease in leases])
        await asyncio.sleep(0.005)
    return found


async def test_an_entry_leaves_no_marker_and_is_known_for_an_hour(frontier: RedisFrontier, client: Redis) -> None:
    urls = [f"http://a.example/{n}" for n in range(3)]
    for _ in range(2):  # the second time there is nothing to queue
        await frontier.admit([admission(entry) for entry in await offered(frontier, *urls)])
        assert [key async for key in client.scan_iter("t:*:mark*")] == []
    lives = [await client.ttl(key) async for key in client.scan_iter("t:*:done:*")]
    assert lives
    assert all(0 < life <= 3600 for life in lives)


async def test_one_partition_takes_two_scripts_for_an_admission(client: Redis) -> None:
    frontier = RedisFrontier(client, FrontierSettings("t", 1, "one"))
    entries = await offered(frontier, "http://a.example/1")
    run, scripts = frontier._link.run, []

    async def noted(script: str, partition: int, *arguments: Any) -> Any:
        scripts.append(script)
        return await run(script, partition, *arguments)

    frontier._link.run = noted  # type: ignore[method-assign]
    await frontier.admit([admission(entry) for entry in entries])
    assert scripts == ["reserve", "enqueue"]


async def test_what_is_damaged_of_a_find_stops_no_admission(frontier: RedisFrontier, client: Redis) -> None:
    await fill(frontier, pages("a.example", range(3), "x/"))
    await fill(frontier, pages("b.example", range(3)), address=OTHER)
    await frontier.boost(Find(RUN, "http://a.example/x/i", "http://a.example/x/1", (ADDRESS,), ("a.example",), 8))
    assert await damage(client, "t:*:dig", lambda value: value[:1] + bytes([value[1] ^ 0x80]) + value[2:])
    new = ["http://b.example/new", "http://a.example/new"]
    await frontier.admit([judged(entry) for entry in await offered(frontier, *new)])
    assert (await frontier.counts(RUN)).waiting.get("disc", 0) == 0
    found = await all_of(frontier)
    assert [found[url] for url in new] == [1, 1]


async def test_limits_of_another_run_that_are_damaged_lose_and_double_nothing(
    frontier: RedisFrontier, client: Redis
) -> None:
    await fill(frontier, pages("a.example", range(2)))
    await fill(frontier, pages("b.example", range(2)), run=RunId("d", 1), address=OTHER)
    assert await damage(client, "t:*:lim", lambda value: value[:-1])
    new = ["http://a.example/new", "http://b.example/new", "http://a.example/later"]
    for urls in (new[:2], new[2:]):
        await frontier.admit([judged(entry) for entry in await offered(frontier, *urls)])
    found = await all_of(frontier)
    assert [found[url] for url in new] == [1, 1, 1]


async def test_what_an_admission_breaks_off_for_holds_up_no_other_entry(client: Redis) -> None:
    """Whatever that is, which no test can know. What is missing has failed, and nothing is queued twice."""
    frontier = RedisFrontier(client, FrontierSettings("t", 1, "one"))
    await fill(frontier, pages("a.example", range(2)))
    text = _script("enqueue").text.replace(
        "local function enqueue(run, groups)",
        "local function enqueue(run, groups)\nif #groups == 2 then redis.call('EXISTS', P) error('broken') end",
    )
    frontier._link._scripts["enqueue"] = _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
    broken, whole = ["http://a.example/x", "http://b.example/x"], ["http://a.example/y"]
    entries = [*await offered(frontier, *broken), *await offered(frontier, *whole)]
    for _ in range(2):
        await frontier.admit([judged(entry) for entry in entries])
    assert (await frontier.counts(RUN)).waiting.get("disc", 0) == 0
    await frontier.reap()
    found = await all_of(frontier)
    assert (found["http://a.example/y"], found["http://a.example/x"], found["http://b.example/x"]) == (1, 0, 0)
    counts = await frontier.counts(RUN)
    assert (counts.failed, counts.waiting) == ({"corrupt-record": 2}, {})
