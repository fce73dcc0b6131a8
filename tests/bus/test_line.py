"""The shared line: answers belong to their questions, whatever happens to those who asked, and to the line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import NoScriptError, ResponseError

from crawler.bus import line
from crawler.bus.client import connect
from crawler.bus.line import LineClient
from crawler.bus.server import embedded_server


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_server(tmp_path_factory.mktemp("line")) as server:
        yield server.url


@pytest.fixture
async def client(url: str) -> AsyncIterator[LineClient]:
    connected = await connect(url)
    assert isinstance(connected, LineClient)
    await connected.flushall()
    yield connected
    await connected.aclose()


async def connections(client: LineClient) -> int:
    return len(await client.client_list())


async def test_all_that_is_asked_at_once_shares_one_connection(client: LineClient) -> None:
    before = await connections(client)
    answers = await asyncio.gather(*(client.execute_command("ECHO", f"{n}") for n in range(500)))
    assert answers == [f"{n}".encode() for n in range(500)]
    assert await connections(client) == before


async def test_answers_are_those_of_the_library(client: LineClient, url: str) -> None:
    library = Redis.from_url(url)
    await client.hset("h", mapping={"a": 1, "b": b"\xff"})
    await client.xadd("s", {"d": b"x"})
    for asked in (
        ("HGETALL", "h"),
        ("HGET", "h", "none"),
        ("XRANGE", "s", "-", "+"),
        ("CONFIG GET", "maxmemory-policy"),
        ("SMEMBERS", "none"),
        ("EVAL", "return {1, 'a', false}", 0),
        ("EXISTS", "h"),
        ("SET", "k", 0.25),
        ("GET", "k"),
        ("TIME",),
    ):
        ours, theirs = await client.execute_command(*asked), await library.execute_command(*asked)
        assert type(ours) is type(theirs)
        assert asked == ("TIME",) or ours == theirs
    await library.aclose()


async def test_an_error_belongs_to_its_question_alone(client: LineClient) -> None:
    await client.set("text", "x")
    found = await asyncio.gather(
        client.get("text"),
        client.incr("text"),
        client.evalsha("0" * 40, 0),
        client.get("text"),
        return_exceptions=True,
    )
    assert (found[0], found[3]) == (b"x", b"x")
    assert isinstance(found[1], ResponseError)
    assert isinstance(found[2], NoScriptError)


async def test_who_gives_up_asking_disturbs_nobody(client: LineClient) -> None:
    tasks = [asyncio.create_task(client.execute_command("ECHO", f"{n}")) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [each for each in found if not isinstance(each, BaseException)] == [f"{n}".encode() for n in range(1, 50, 2)]
    assert await client.execute_command("ECHO", "after") == b"after"


async def test_what_blocks_holds_nobody_up(client: LineClient) -> None:
    await client.xgroup_create("s", "g", id="0", mkstream=True)
    blocked = asyncio.create_task(client.xreadgroup("g", "me", {"s": ">"}, block=20_000))
    for _ in range(20):
        assert await asyncio.wait_for(client.ping(), 5)
    await client.xadd("s", {"d": b"x"})
    assert await asyncio.wait_for(blocked, 5)


async def test_a_line_that_the_server_cut_is_replaced_and_what_it_owed_asked_again(client: LineClient) -> None:
    await client.set("k", "v")
    for _ in range(3):
        mine = [each["id"] for each in await client.client_list() if each["cmd"] == "client|list"]
        async with Redis.from_url(f"unix://{client.connection_pool.connection_kwargs['path']}") as other:
            await other.client_kill_filter(_id=mine[0])
        found = await asyncio.gather(*(client.get("k") for _ in range(20)))
        assert found == [b"v"] * 20


async def test_a_server_that_is_gone_is_an_error_of_the_library(tmp_path: Path) -> None:
    with embedded_server(tmp_path) as server:
        connected = await connect(server.url)
        assert await connected.ping()
    with pytest.raises(ConnectionLost):
        await connected.ping()
    await connected.aclose()


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It signs the client in, and then answers nothing; the library's own way, tried after it, fails too."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while command := await reader.readline():
            if command.strip().upper() in (b"HELLO", b"SETINFO"):
                writer.write(b"%0\r\n" if command.strip().upper() == b"HELLO" else b"+OK\r\n")
        writer.close()

    monkeypatch.setattr(line, "PATIENCE", 0.05)
    server = await asyncio.start_unix_server(silent, tmp_path / "s")
    client = LineClient.from_url(f"unix://{tmp_path / 's'}", socket_timeout=0.05, retry=None)
    with pytest.raises((ConnectionLost, line.TooLate)):
        await asyncio.wait_for(client.ping(), 5)
    await client.aclose()
    server.close()
