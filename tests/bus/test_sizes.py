"""Sizes of images that a browser waits for, told from worker to worker."""

from __future__ import annotations

import asyncio

from crawler.bridge.sizes import AWAITED, PATIENCE, SizeBoard
from crawler.bus.client import Client
from crawler.bus.sizes import LIFE, SizeBook
from crawler.errors import RedisUnavailable
from crawler.records import Kind
from crawler.render.blank import DEFAULT
from tests.bridge.parts import lease
from tests.servers.pictures import encoded, picture

URL = "http://a.example.nl/x.jpg"
AWAITED_IMAGE = lease(URL, Kind.IMAGE, priority=AWAITED)


def book(client: Client, key: bytes = b"key") -> SizeBook:
    return SizeBook(client, "vangnet", key)


async def test_another_worker_hears_of_a_size_and_no_url_stands_in_redis(client: Client) -> None:
    here, there = SizeBoard(book(client)), SizeBoard(book(client))
    waiting = asyncio.create_task(here.size(URL))
    await asyncio.sleep(0)
    await there.told(AWAITED_IMAGE, encoded(picture(1, (33, 44))))
    assert await waiting == (33, 44)
    assert here.knows(URL)
    [key] = await client.keys("vangnet:size:*")
    assert b"example" not in key
    assert 0 < await client.ttl(key) <= LIFE
    assert await book(client, b"another").ask([URL]) == {}


async def test_only_sizes_that_a_browser_waits_for_are_told(client: Client) -> None:
    board = SizeBoard(book(client))
    usual = AWAITED_IMAGE._replace(item=AWAITED_IMAGE.item._replace(priority=1))
    await board.told(usual, encoded(picture(1)))
    await board.told(AWAITED_IMAGE, b"no image")
    assert await client.keys("vangnet:size:*") == []


async def test_a_size_that_does_not_come_is_waited_for_as_long_as_there_is_news(client: Client) -> None:
    board, loop = SizeBoard(book(client)), asyncio.get_running_loop()
    begun = loop.time()
    other = "http://a.example.nl/y.jpg"
    waiting = asyncio.create_task(board.size(URL)), asyncio.create_task(board.size(other))
    await asyncio.sleep(0.5)
    await book(client).tell(other, (5, 6))
    assert await asyncio.gather(*waiting) == [DEFAULT, (5, 6)]
    assert PATIENCE + 0.4 < loop.time() - begun < PATIENCE + 10.0


async def test_without_a_server_another_size_has_to_do(client: Client) -> None:
    class Away(SizeBook):
        async def ask(self, urls: object) -> dict[str, tuple[int, int]]:
            raise RedisUnavailable("away")

        async def tell(self, url: str, size: tuple[int, int]) -> None:
            raise RedisUnavailable("away")

    board = SizeBoard(Away(client, "vangnet", b"key"))
    await board.told(AWAITED_IMAGE, encoded(picture(1)))
    assert await board.size(URL) == DEFAULT
