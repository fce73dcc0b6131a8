"""Hits are told to the frontier: once for each place and minute, and never in the way of the work."""

from __future__ import annotations

import asyncio

import pytest

from crawler.bridge import digging
from crawler.bridge.digging import PAUSE, Digger
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Completion, Find, Frontier
from crawler.records import Done, Failed, Kind, Outcome, Retry, Skipped
from tests.bridge import parts
from tests.bridge.parts import ADDRESS, HOST, RUN, Names, Runs, lease, served

HIT = Done(results=(b"sealed",), tally={"images": 1, "hits": 1})
OTHER = "127.10.0.2"
PAGE = "http://www.example.nl/album/7?page=2"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Bench:
    def __init__(self, zone: dict[str, tuple[str, ...]] | None = None, frontier: Frontier | None = None) -> None:
        self.frontier = frontier or parts.Frontier()
        self.clock = Clock()
        self.names = Names(zone or {})
        self.runs = Runs(served(names=self.names))
        self.digger = Digger(self.frontier, self.runs, self.clock)

    async def finds(self, *completions: Completion) -> list[Find]:
        before = len(self.frontier.finds)
        for completion in completions:
            self.digger.accepted(completion)
        await self.digger.drain()
        return self.frontier.finds[before:]


def image(url: str = f"{HOST}/img/1.jpg", outcome: Outcome | None = HIT, referrer: str | None = PAGE) -> Completion:
    return Completion(lease(url, Kind.IMAGE, referrer=referrer), outcome)


async def test_a_hit_says_where_it_was() -> None:
    bench = Bench({"www.example.nl": (OTHER, "198.51.100.1")})
    assert await bench.finds(image()) == [
        Find(RUN, f"{HOST}/img/1.jpg", PAGE, (ADDRESS, OTHER), ("example.nl",), urls_per_host=30)
    ]


async def test_an_image_in_its_page_lies_where_the_page_does() -> None:
    outcome = Done(tally={"pages": 1, "data-images": 2, "hits": 1})
    bench = Bench()
    [find] = await bench.finds(Completion(lease(f"{HOST}/p", referrer=PAGE), outcome))
    assert (find.image_url, find.page_url, find.addresses) == (f"{HOST}/p", f"{HOST}/p", (ADDRESS,))
    assert bench.names.asked == []


async def test_hosts_without_a_page_a_name_or_an_address() -> None:
    bench = Bench()
    [alone] = await bench.finds(image(f"http://{ADDRESS}/1.jpg", referrer=None))
    assert (alone.page_url, alone.addresses, alone.domains) == (None, (ADDRESS,), (ADDRESS,))
    [unresolved] = await bench.finds(image())
    assert (unresolved.addresses, unresolved.domains) == ((ADDRESS,), ("example.nl",))


@pytest.mark.parametrize(
    "outcome", [None, Done(tally={"images": 1}), Retry("x", 1.0), Skipped("robots"), Failed("undecodable(x)")]
)
async def test_what_is_no_hit_is_not_told(outcome: Outcome | None) -> None:
    assert await Bench().finds(image(outcome=outcome)) == []


async def test_an_undecodable_hit_is_one() -> None:
    assert len(await Bench().finds(image(outcome=Failed("undecodable(x)", tally={"hits": 1})))) == 1


async def test_a_place_is_told_once_a_minute() -> None:
    bench = Bench()
    assert len(await bench.finds(image(), image(f"{HOST}/img/2.jpg"), image(f"{HOST}/img/2.jpg?x=/y/"))) == 1
    assert len(await bench.finds(image(f"{HOST}/img/deeper/2.jpg"), image(referrer=f"{HOST}/other"))) == 2
    bench.clock.now = PAUSE
    assert len(await bench.finds(image(), image())) == 1


async def test_a_run_that_is_gone_is_dug_no_more() -> None:
    bench = Bench()
    bench.runs.served = None
    assert await bench.finds(image()) == []


class Broken(parts.Frontier):
    async def boost(self, find: Find) -> None:
        raise RedisUnavailable("no server")


async def test_a_server_that_does_not_answer_is_no_reason_to_stop() -> None:
    assert await Bench(frontier=Broken()).finds(image()) == []


class Slow(parts.Frontier):
    def __init__(self) -> None:
        super().__init__()
        self.released = asyncio.Event()

    async def boost(self, find: Find) -> None:
        await self.released.wait()
        await super().boost(find)


async def test_only_so_many_are_told_at_a_time_and_only_so_many_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    frontier = Slow()
    bench = Bench(frontier=frontier)
    for n in range(100):
        bench.digger.accepted(image(f"{HOST}/{n}/1.jpg"))
    frontier.released.set()
    assert 1 < len(await bench.finds()) < 100
    monkeypatch.setattr(digging, "_REMEMBERED", 3)
    for n in range(200, 210):
        assert len(await bench.finds(image(f"{HOST}/{n}/1.jpg"))) == 1
    assert len(bench.digger._dug) == 3
