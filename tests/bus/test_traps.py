"""Budgets of traps and what pages said: bounded, expiring, and the same for every worker."""

from __future__ import annotations

from redis.asyncio import Redis

from crawler.bus.traps import LIFE, PAGES, PAGES_LIFE, TrapBook
from crawler.records import RunId

RUN = RunId("c", 1)
KEY = b"k" * 16


async def test_what_was_let_through_once_always_is(client: Redis) -> None:
    one, other = TrapBook(client, "t", KEY), TrapBook(client, "t", KEY)
    assert await one.let_through(RUN, "calendar a", [1, 2, -3], 4) == [True, True, True]
    assert await other.let_through(RUN, "calendar a", [4, 5, 1], 4) == [True, False, True]
    assert await one.let_through(RUN, "calendar a", [-3, 4, 6], 4) == [True, True, False]
    assert await one.let_through(RUN, "calendar b", [9], 4) == [True]
    assert await one.let_through(RunId("c", 2), "calendar a", [9], 4) == [True]


async def test_a_full_budget_still_knows_what_it_let_through(client: Redis) -> None:
    """A worker that died before its URLs were queued has them judged by another once more."""
    book = TrapBook(client, "t", KEY)
    assert await book.let_through(RUN, "facets a", [1, 2], 1) == [True, False]
    assert await book.let_through(RUN, "facets a", [1, 3], 1) == [True, False]
    # A campaign that allows more is asked again.
    assert await book.let_through(RUN, "facets a", [3], 2) == [True]


async def test_the_last_pages_of_an_address_are_kept_and_no_more(client: Redis) -> None:
    book = TrapBook(client, "t", KEY)
    for n in range(PAGES + 5):
        before = await book.said(RUN, "127.10.0.1", bytes([n]) * 20)
    assert len(before) == PAGES
    assert before[0] == bytes([PAGES + 3]) * 20
    assert await book.said(RUN, "127.10.0.2", b"x") == []


async def test_everything_expires_and_names_no_host(client: Redis) -> None:
    book = TrapBook(client, "t", KEY)
    await book.said(RUN, "127.10.0.1", b"x")
    await book.let_through(RUN, "calendar secret.example", [1], 1)
    keys = [key async for key in client.scan_iter("t:*")]
    lives = sorted([await client.ttl(key) for key in keys])
    assert 0 < lives[0] <= PAGES_LIFE
    assert PAGES_LIFE < lives[1] <= LIFE
    assert not any(b"secret" in key or b"127.10" in key for key in keys)
