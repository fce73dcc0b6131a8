"""The record of where a host is queued, on a real server."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from crawler.bus.hosts import Agreed, HostBook

KEY = bytes(16)
FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def book(client: Redis, **sticky: float) -> HostBook:
    return HostBook(client, "t", KEY, **sticky)


async def test_the_first_to_ask_decides(client: Redis) -> None:
    assert await book(client).agree("a.example", [FIRST, SECOND]) == Agreed(FIRST)
    assert await book(client).agree("a.example", [SECOND, FIRST]) == Agreed(FIRST)
    assert await book(client).agree("b.example", [SECOND]) == Agreed(SECOND)


async def test_an_address_stays_for_a_while_though_the_name_answers_otherwise(client: Redis) -> None:
    await book(client).agree("a.example", [FIRST])
    assert await book(client).agree("a.example", [SECOND]) == Agreed(FIRST)


async def test_a_move_is_told_to_everybody_until_it_is_done(client: Redis) -> None:
    await book(client).agree("a.example", [FIRST])
    mine = book(client, sticky=0)
    assert await mine.agree("a.example", [SECOND]) == Agreed(SECOND, FIRST)
    assert await mine.agree("a.example", [SECOND]) == Agreed(SECOND, FIRST)
    assert await book(client).agree("a.example", [SECOND, THIRD]) == Agreed(SECOND, FIRST)
    await mine.moved("a.example", "192.0.2.99")
    assert await mine.agree("a.example", [SECOND]) == Agreed(SECOND, FIRST)
    await mine.moved("a.example", FIRST)
    assert await mine.agree("a.example", [SECOND]) == Agreed(SECOND)


async def test_of_two_who_see_a_move_one_decides(client: Redis) -> None:
    await book(client).agree("a.example", [FIRST])
    # The second finds a record that is fresh.
    answers = await asyncio.gather(
        book(client).agree("a.example", [SECOND], doubted=False),
        book(client).agree("a.example", [THIRD], doubted=False),
    )
    assert answers == [Agreed(FIRST)] * 2
    await client.set(next(iter(await client.keys("t:host:*"))), f"{FIRST} 1 ")
    answers = await asyncio.gather(*(book(client).agree("a.example", [each]) for each in (SECOND, THIRD)))
    assert answers[0] == answers[1]
    assert answers[0].old == FIRST


async def test_a_doubted_address_is_left_sooner(client: Redis) -> None:
    await book(client).agree("a.example", [FIRST])
    assert await book(client).agree("a.example", [SECOND], doubted=True) == Agreed(FIRST)
    assert await book(client, doubted_sticky=0).agree("a.example", [SECOND]) == Agreed(FIRST)
    assert await book(client, doubted_sticky=0).agree("a.example", [SECOND], doubted=True) == Agreed(SECOND, FIRST)


@pytest.mark.parametrize("damaged", [b"", b"\xff rubbish", b"192.0.2.1 x", b"192.0.2.1"])
async def test_a_damaged_record_is_made_anew(client: Redis, damaged: bytes) -> None:
    await book(client).agree("a.example", [FIRST])
    await client.set(next(iter(await client.keys("t:host:*"))), damaged)
    assert await book(client).agree("a.example", [SECOND]) == Agreed(SECOND)
