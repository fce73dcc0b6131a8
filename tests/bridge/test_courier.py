"""The courier: who is asked, with what, and what is held back."""

from __future__ import annotations

import asyncio

import pytest

from crawler.bridge.answers import Answered, Unsent
from crawler.bridge.courier import STOPPED_PAUSE, Courier
from crawler.bridge.rules import pack_rules, pack_unreachable
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.fetch.cookies import Cookie, pack_jar
from crawler.fetch.failures import failure
from crawler.fetch.robots import parse_robots
from crawler.frontier.base import HostFacts
from crawler.records import Failed, Fetched, FetchFailed, FetchOrder, Kind, Skipped
from tests.bridge.parts import ADDRESS, HOST, Frontier, Runs, Web, answer, lease, page, places_in, served

RULES = pack_rules(parse_robots(b"User-agent: vangnet\nDisallow: /no/\nUser-agent: *\nDisallow: /", 200))
YES, NO = lease(f"{HOST}/yes"), lease(f"{HOST}/no/x")


class Bench:
    def __init__(self, limits: str = "", facts: HostFacts | None = None, web: Web | None = None) -> None:
        self.web = web or Web(page)
        self.frontier = Frontier(facts or HostFacts(RULES))
        self.runs = Runs(served(limits, self.web))
        self.courier = Courier(self.frontier, self.runs, places_in(self.frontier), 1_000_000)


async def test_robots_txt_is_obeyed() -> None:
    bench = Bench()
    assert isinstance(await bench.courier.send(YES), Answered)
    assert await bench.courier.send(NO) == Skipped("robots")
    assert bench.frontier.calls["host_facts"] == 1
    assert [order.url for order in bench.web.orders] == [f"{HOST}/yes"]


async def test_an_unreachable_robots_txt_fails_its_host() -> None:
    bench = Bench(facts=HostFacts(pack_unreachable("connect-refused")))
    assert await bench.courier.send(YES) == Failed("connect-refused")
    assert bench.web.orders == []


async def test_without_rules_nothing_is_asked_of_a_host_whose_rules_are_obeyed() -> None:
    bench = Bench(facts=HostFacts(None))
    assert await bench.courier.send(YES) == Unsent()
    assert bench.web.orders == []


@pytest.mark.parametrize(
    ("robots", "disallowed"), [(RULES, True), (pack_unreachable("reset"), True), (b"!rubbish", True), (None, False)]
)
async def test_a_campaign_may_fetch_anyway_and_records_it(robots: bytes | None, disallowed: bool) -> None:
    bench = Bench('robots = "record"\nrobots_basis = "the law"', HostFacts(robots))
    sent = await bench.courier.send(NO)
    assert isinstance(sent, Answered)
    assert sent.disallowed is disallowed
    assert len(bench.web.sent) == 1


async def test_a_host_gets_its_cookies_back() -> None:
    bench = Bench(web=Web(lambda order: answer(200, "sid=1; Path=/", url=order.url)))
    first = await bench.courier.send(YES)
    assert isinstance(first, Answered)
    assert first.session == pack_jar((Cookie("sid", "1"),))
    second = await bench.courier.send(YES._replace(item=YES.item._replace(kind=Kind.IMAGE)))
    assert isinstance(second, Answered)
    assert second.session is None
    assert bench.web.cookies() == [None, "sid=1"]
    assert "session" not in repr(first)


async def test_a_session_from_the_frontier_is_taken_up() -> None:
    bench = Bench(facts=HostFacts(RULES, pack_jar((Cookie("a", "1"), Cookie("b", "2", "/other"), Cookie("c", "3")))))
    await bench.courier.send(YES)
    assert bench.web.cookies() == ["a=1; c=3"]


async def test_a_campaign_may_do_without_sessions() -> None:
    facts = HostFacts(RULES, pack_jar((Cookie("a", "1"),)))
    bench = Bench('session = "none"', facts, Web(lambda order: answer(200, "sid=1", url=order.url)))
    for _ in range(2):
        sent = await bench.courier.send(YES)
        assert isinstance(sent, Answered)
        assert sent.session is None
    assert bench.web.cookies() == [None, None]


async def test_robots_txt_itself_needs_no_facts_and_has_no_session() -> None:
    bench = Bench(web=Web(lambda order: answer(200, "sid=1", url=order.url)))
    sent = await bench.courier.send(lease(f"{HOST}/robots.txt", Kind.ROBOTS))
    assert isinstance(sent, Answered)
    assert (sent.session, bench.frontier.calls["host_facts"]) == (None, 0)


@pytest.mark.parametrize("url", ["http://never.example/", f"{HOST}:8080/"])
async def test_what_left_the_scope_is_skipped(url: str) -> None:
    bench = Bench()
    assert await bench.courier.send(lease(url)) == Skipped("out-of-scope")
    assert bench.frontier.calls["host_facts"] == 0


async def test_failures_come_through_and_a_missed_slot_goes_back() -> None:
    bench = Bench(web=Web(lambda order: failure("reset")))
    assert await bench.courier.send(YES) == failure("reset")
    assert await bench.courier.send(YES._replace(send_by=0.0)) == Unsent()
    assert bench.frontier.calls["reslot"] == 1


@pytest.mark.parametrize(
    ("kind", "target", "park", "blocks"),
    [
        (StopKind.HOST, "example.nl", STOPPED_PAUSE, []),
        (StopKind.PREFIX, "127.10.0.0/16", 0.0, [(ADDRESS, STOPPED_PAUSE)]),
        (StopKind.ALL, "", 0.0, []),
    ],
)
async def test_what_is_stopped_is_given_back_and_waits(
    kind: StopKind, target: str, park: float, blocks: list[tuple[str, float]]
) -> None:
    bench = Bench()
    bench.runs.stops = Stops([Stop(kind, target)])
    assert await bench.courier.send(YES) == Unsent(park)
    assert (bench.frontier.blocks, bench.web.orders) == (blocks, [])


class Slow(Web):
    """Sends, and never gets an answer; or stands connected and never asks its gate."""

    def __init__(self, sends: bool) -> None:
        super().__init__(page)
        self.sends = sends
        self.begun = asyncio.Event()

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched:
        if self.sends:
            await super().fetch(order)
        self.begun.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize(
    ("sends", "rate", "blocks"),
    [(True, 100.0, [(ADDRESS, STOPPED_PAUSE)]), (True, 0.1, [(ADDRESS, 20.0)]), (False, 100.0, [])],
)
async def test_a_request_that_a_stop_ends_has_used_its_slot_once_it_was_sent(
    sends: bool, rate: float, blocks: list[tuple[str, float]]
) -> None:
    limit = f'[[limits.address]]\nprefix = "127.0.0.0/8"\nrequests_per_second = {rate}\nconcurrency = 1'
    web = Slow(sends)
    bench = Bench(limit, web=web)
    sending = asyncio.create_task(bench.courier.send(YES))
    await web.begun.wait()
    bench.courier.abort_stopped()
    bench.runs.stops = Stops([Stop(StopKind.HOST, "example.nl")])
    bench.courier.abort_stopped()
    bench.courier.abort_stopped()
    assert await sending == Unsent(STOPPED_PAUSE)
    assert bench.frontier.blocks == blocks


async def test_a_lost_run_ends_its_urls_and_a_paused_one_does_not() -> None:
    bench = Bench()
    bench.runs.running = False
    assert await bench.courier.send(YES) == Unsent()
    bench.runs.served, bench.runs.known = None, False
    assert await bench.courier.send(YES) == Failed("run-lost")


async def test_images_that_wait_for_a_silent_server_are_counted() -> None:
    class Silent(Web):
        async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
            return await asyncio.get_running_loop().create_future()

    bench = Bench(web=Silent(page))
    image = YES._replace(item=YES.item._replace(kind=Kind.IMAGE))
    waiting = [asyncio.create_task(bench.courier.send(each)) for each in (YES, image, image)]
    await asyncio.sleep(0.01)
    assert (bench.courier.stalled(0.0), bench.courier.stalled(60.0)) == (2, 0)
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert bench.courier.stalled(0.0) == 0
