"""Bytes of bodies are bounded over all fetches, whoever sends them and however slowly."""

from __future__ import annotations

import asyncio
import zlib

import pytest

from crawler.fetch.budget import ByteBudget
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.records import Fetched, FetchFailed, FetchOrder
from tests.fetch.test_fetcher import QUICK, answers, anything
from tests.hostile.servers.rawserver import Peer, Running, serving

BODY = b"GIF89a" + bytes(2_000_000)
READ = 1_000_000  # one read of a connection and what the parser still holds, generously
PATIENT = FetchLimits(idle=0.3, total=20, min_rate=1_000_000, rate_grace=0.3)


def order(server: Running, number: int = 0, most: int = 33_554_432) -> FetchOrder:
    return FetchOrder(f"http://h{number}.example:{server.port}/", server.address, max_bytes=most)


async def test_bodies_wait_for_memory_and_all_arrive() -> None:
    """Ten bodies of 2 MB within 3 MB: at most those, one body more, and one read each are ever held."""
    budget, most = ByteBudget(3_000_000), 0
    async with Fetcher(permitted=anything, limits=PATIENT) as fetcher, serving(answers(BODY)) as server:

        async def one(number: int) -> int:
            nonlocal most
            with budget.hold() as hold:
                result = await fetcher.fetch(order(server, number), hold)
                most = max(most, budget.used)
                await asyncio.sleep(0.1)  # the sandbox
                assert isinstance(result, Fetched)
                return len(result.body)

        assert await asyncio.gather(*(one(number) for number in range(10))) == [len(BODY)] * 10
    assert 3_000_000 <= most <= 3_000_000 + len(BODY) + 10 * READ / 4
    assert budget.used == 0
    assert not budget.spent


async def test_a_server_has_to_wait_while_the_memory_is_used_up() -> None:
    """Back-pressure is TCP's: what is not read is not taken from the server. And it is no silence of the server's."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30000006\r\n\r\nGIF89a")
        for _ in range(300):
            await peer.send(bytes(100_000))
            sent += 100_000

    budget = ByteBudget(1_000_000)
    async with Fetcher(permitted=anything, limits=PATIENT) as fetcher, serving(script) as server:
        with budget.hold() as other, budget.hold() as mine:
            other.take(1_000_000)
            await other.wait()  # favoured
            task = asyncio.create_task(fetcher.fetch(order(server), mine))
            await asyncio.sleep(1.0)  # three times what a server may be silent
            assert not task.done()
            assert budget.used == 1_000_000
            assert sent < 20_000_000
            other.__exit__(None, None, None)
            result = await task
    assert isinstance(result, Fetched)
    assert len(result.body) == 30_000_006


async def test_one_body_always_goes_on_whatever_the_others_do() -> None:
    """A budget of one byte: the bodies come one after the other."""
    budget = ByteBudget(1)
    async with Fetcher(permitted=anything, limits=PATIENT) as fetcher, serving(answers(BODY)) as server:

        async def one(number: int) -> None:
            with budget.hold() as hold:
                assert isinstance(await fetcher.fetch(order(server, number), hold), Fetched)

        async with asyncio.timeout(10):
            await asyncio.gather(*(one(number) for number in range(6)))


async def test_who_waits_too_long_ends_by_the_deadline_and_leaves_nothing_behind() -> None:
    budget = ByteBudget(1)
    limits = FetchLimits(total=0.4)
    async with Fetcher(permitted=anything, limits=limits) as fetcher, serving(answers(BODY)) as server:
        with budget.hold() as other:
            other.take(1)
            await other.wait()
            with budget.hold() as hold:
                result = await fetcher.fetch(order(server), hold)
            assert isinstance(result, FetchFailed)
            assert (result.reason, result.retry) == ("deadline", True)
            assert budget.used == 1
        with budget.hold() as hold:
            assert isinstance(await fetcher.fetch(order(server), hold), Fetched)
    assert budget.used == 0


async def test_the_favour_passes_on_when_its_holder_is_cancelled() -> None:
    budget = ByteBudget(1)
    first, second, third = budget.hold(), budget.hold(), budget.hold()
    first.take(1)
    await first.wait()
    assert not first.must_wait

    async def waits(hold: object) -> None:
        assert hold in (second, third)
        with second if hold is second else third as mine:
            await mine.wait()

    tasks = [asyncio.create_task(waits(hold)) for hold in (second, third)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    assert not tasks[1].done()
    first.__exit__(None, None, None)
    async with asyncio.timeout(1):
        await tasks[1]


async def test_unpacked_bytes_are_what_counts() -> None:
    body = b"GIF89a" + bytes(range(256)) * 4_000
    packed = zlib.compress(body)
    budget = ByteBudget(10_000_000)
    script = answers(packed, b"Content-Encoding: deflate\r\n")
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(script) as server:
        with budget.hold() as hold:
            result = await fetcher.fetch(order(server), hold)
            assert isinstance(result, Fetched)
            assert budget.used == len(result.body) == len(body)
    assert budget.used == 0


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found"])
async def test_what_failed_or_is_no_image_is_given_back_too(status: bytes) -> None:
    budget = ByteBudget(1)
    async with Fetcher(permitted=anything, limits=QUICK) as fetcher, serving(answers(b"<p>", b"", status)) as server:
        with budget.hold() as hold:
            await fetcher.fetch(order(server, most=2), hold)
    assert (budget.used, budget.spent) == (0, False)
