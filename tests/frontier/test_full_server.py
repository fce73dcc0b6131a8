"""A server that is full refuses a script as a whole, before its first write: so nothing is taken and put nowhere.

Redis judges its memory when a script starts, and lets one that has written go on to its end (scriptVerifyOOM).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from redis.asyncio import Redis

from crawler.errors import RedisUnavailable
from crawler.frontier.base import Completion, Find
from crawler.frontier.redis import RedisFrontier
from crawler.frontier.redis_link import RedisLink
from crawler.records import Candidate, Discovered, Done, Failed, Kind, Lease, Rekind, Retry, RunId
from tests.contract.steps import ADDRESS, RUN, admission, claim, new_entries, new_results, pages

LEFT_OUT = 2
SEEDS = [*pages("a.example", range(8 + LEFT_OUT)), *pages("b.example", range(8))]
FOUND = Discovered((Candidate("http://c.example/", Kind.IMAGE, "img"),), 1)
NEXT = RunId(RUN.campaign, 2)
T = TypeVar("T")


async def everything(client: Redis) -> dict[bytes, Any]:
    """All that the frontier has on the server, but who reads its streams."""
    found = {}
    async for key in client.scan_iter("t:*"):
        is_stream = await client.type(key) == b"stream"
        found[key] = await (client.xrange(key) if is_stream else client.dump(key))
    return found


@pytest.fixture
def refusals(client: Redis, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """By script, how often it was refused: the server is full whenever one is called the first time with something."""
    refused: dict[str, int] = {}
    tried: set[Any] = set()
    run = RedisLink.run

    async def run_full(link: RedisLink, script: str, partition: int, *arguments: Any) -> Any:
        call = (script, partition, arguments)
        if call in tried:
            return await run(link, script, partition, *arguments)
        tried.add(call)
        before = await everything(client)
        await client.config_set("maxmemory", 1)
        try:
            return await run(link, script, partition, *arguments)
        except RedisUnavailable:
            refused[script] = refused.get(script, 0) + 1
            await client.config_set("maxmemory", 0)
            assert await everything(client) == before, script
            raise
        finally:
            await client.config_set("maxmemory", 0)

    monkeypatch.setattr(RedisLink, "run", run_full)
    return refused


async def insisted(step: Callable[[], Awaitable[T]]) -> T:
    """What a step answers, tried again whenever the server refuses."""
    while True:
        try:
            return await step()
        except RedisUnavailable as error:
            assert "maxmemory" in str(error)


async def admitted(frontier: RedisFrontier, run: RunId = RUN) -> None:
    for entry in await insisted(lambda: new_entries(frontier)):
        judged = admission(entry, per_host=8, robots=run == RUN)
        await insisted(lambda judged=judged: frontier.admit([judged]))


async def claimed(frontier: RedisFrontier) -> list[Lease]:
    return await insisted(lambda: claim(frontier))


async def test_what_a_full_server_refuses_is_refused_whole(
    frontier: RedisFrontier, client: Redis, refusals: dict[str, int]
) -> None:
    seeds = Discovered(tuple(Candidate(url, kind, "seed") for url, kind in SEEDS))
    await insisted(lambda: frontier.offer(RUN, [seeds]))
    await admitted(frontier)
    robots = [Completion(lease, Done(), robots=b"rules", latency=0.1) for lease in await claimed(frontier)]
    assert await insisted(lambda: frontier.complete(robots)) == [True, True]
    leases = await claimed(frontier)
    assert len(leases) == len(SEEDS) - LEFT_OUT
    first, second, third, fourth, *others = leases
    ends = [
        Completion(first, Done(FOUND, (b"sealed",), {"images": 1}), latency=0.1),
        Completion(second, Failed("http-404"), block=0.01, park=0.01),
        Completion(third, Retry("reset", 0.0)),
        Completion(fourth, Rekind(Kind.IMAGE)),
        *(Completion(lease, Done(), latency=0.1) for lease in others),
    ]
    assert all(await insisted(lambda: frontier.complete(ends)))
    await insisted(lambda: frontier.boost(Find(RUN, "http://a.example/i", None, (ADDRESS,), ("a.example",), 8)))
    await admitted(frontier)
    found = await insisted(lambda: new_results(frontier))
    assert [entry.payload for entry in found] == [b"sealed"]
    await insisted(lambda: frontier.ack_results(found))
    while (await frontier.counts(RUN)).unfinished:
        again = [Completion(lease, Done(), robots=b"rules") for lease in await claimed(frontier)]
        assert all(await insisted(lambda again=again: frontier.complete(again)))
    counts = await frontier.counts(RUN)
    outcomes = counts.fetched, counts.failed, counts.skipped, counts.pending
    assert outcomes == (len(SEEDS) - LEFT_OUT, {"http-404": 1}, {"host-budget": LEFT_OUT}, 0)
    assert counts.tally.get("corrupt-record", 0) == 0
    assert await insisted(lambda: frontier.carry_over(NEXT, 8)) == LEFT_OUT
    assert {"offer", "reserve", "carry", "enqueue", "complete"} <= refusals.keys()
    # And every key of a partition stands under its prefix, which is a hash tag.
    assert [key async for key in client.scan_iter() if not key.startswith(b"t:{p")] == []
