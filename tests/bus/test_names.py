"""Answers of the DNS that workers share, on a real server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from crawler.bus import names
from crawler.bus.names import MOST_BYTES, SharedDnsCache
from crawler.bus.together import Together
from crawler.errors import RedisUnavailable
from crawler.fetch.dnscache import Resolved
from crawler.records import Rejected

KEY = bytes(16)
HOST = "geheim.example.nl"
FOUND = Resolved(("192.0.2.1", "2001:db8::1"), ("alias.geheim.example",), 90.0)


def cache(client: Redis, nameservers: tuple[str, ...] = (), now: float = 1000.0) -> SharedDnsCache:
    return SharedDnsCache(client, "t", KEY, nameservers, now=lambda: now)


@pytest.mark.parametrize("answer", [FOUND, Rejected("dns-nxdomain"), Rejected("dns-no-address")])
async def test_what_one_worker_asked_the_others_know(client: Redis, answer: Resolved | Rejected) -> None:
    assert await cache(client).get(HOST) is None
    await cache(client).put(HOST, answer, 90.0)
    assert await cache(client).get(HOST) == answer
    assert await cache(client).get("other.example.nl") is None


async def test_other_nameservers_have_other_answers(client: Redis) -> None:
    await cache(client, ("192.0.2.53:53",)).put(HOST, FOUND, 90.0)
    assert await cache(client).get(HOST) is None
    assert await cache(client, ("192.0.2.53:53",)).get(HOST) == FOUND


@pytest.mark.parametrize("reason", ["dns-timeout", "dns-servfail", "dns-refused", "dns-unreachable"])
async def test_trouble_stays_with_whoever_met_it(client: Redis, reason: str) -> None:
    mine = cache(client)
    await mine.put(HOST, Rejected(reason), 30.0)
    assert await mine.get(HOST) == Rejected(reason)
    assert await cache(client).get(HOST) is None


async def test_no_name_stands_in_the_server_and_everything_expires(client: Redis) -> None:
    await cache(client).put(HOST, FOUND, 90.0)
    (key,) = await client.keys("*")
    stored = await client.get(key)
    for text in (b"geheim", b"example", b"alias", b"192.0.2.1"):
        assert text not in key + stored
    assert 80_000 < await client.pttl(key) <= 90_000


async def test_an_answer_is_known_for_the_rest_of_its_time_only(client: Redis) -> None:
    await cache(client).put(HOST, FOUND, 90.0)
    assert await cache(client, now=1089.0).get(HOST) == FOUND
    assert await cache(client, now=1090.0).get(HOST) is None


async def test_a_slot_that_another_name_took_is_a_miss(client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "SLOTS", 1)
    await cache(client).put(HOST, FOUND, 90.0)
    await cache(client).put("other.example", FOUND, 90.0)
    assert await cache(client).get(HOST) is None
    assert await cache(client).get("other.example") == FOUND
    assert len(await client.keys("*")) == 1


async def test_a_long_answer_is_not_shared(client: Redis) -> None:
    chain = tuple(f"{number}{'x' * 40}.example" for number in range(16))
    assert len("".join(chain)) > MOST_BYTES
    await cache(client).put(HOST, Resolved(("192.0.2.1",), chain, 90.0), 90.0)
    assert await client.keys("*") == []


@pytest.mark.parametrize("damaged", [b"", b"short", bytes(200)])
async def test_what_is_damaged_is_a_miss(client: Redis, damaged: bytes) -> None:
    await cache(client).put(HOST, FOUND, 90.0)
    (key,) = await client.keys("*")
    await client.set(key, damaged)
    assert await cache(client).get(HOST) is None


async def test_a_server_that_is_away_is_a_miss(tmp_path: Path) -> None:
    away = Redis(unix_socket_path=str(tmp_path / "none"), retry=Retry(NoBackoff(), 0))
    mine = cache(away)
    assert await mine.get(HOST) is None
    await mine.put(HOST, FOUND, 90.0)
    assert await mine.get(HOST) == FOUND
    await away.aclose()


async def test_what_is_asked_at_once_is_asked_together() -> None:
    asked: list[int] = []

    async def double(numbers: object) -> list[int]:
        assert isinstance(numbers, list)
        asked.append(len(numbers))
        await asyncio.sleep(0)
        return [2 * number for number in numbers]

    together = Together(double)
    assert await asyncio.gather(*(together.ask(number) for number in range(600))) == [2 * n for n in range(600)]
    assert asked == [256, 256, 88]
    assert await together.ask(7) == 14


async def test_a_command_that_fails_fails_for_all_who_asked_in_it() -> None:
    async def fails(numbers: object) -> list[int]:
        raise RedisUnavailable("away")

    together = Together(fails)
    ended = await asyncio.gather(*(together.ask(number) for number in range(3)), return_exceptions=True)
    assert [type(error) for error in ended] == [RedisUnavailable] * 3
    leaves = asyncio.create_task(together.ask(1))
    await asyncio.sleep(0)
    leaves.cancel()
    with pytest.raises(RedisUnavailable):
        await together.ask(2)
