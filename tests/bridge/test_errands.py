"""Requests of a page's script: each in a slot, in scope, as its host permits, and no more than one at a time."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from crawler.bridge import errands
from crawler.bridge.courier import Courier
from crawler.bridge.door import LookDoor, Means, PageDoor
from crawler.bridge.errands import Errands, Tenure
from crawler.bridge.partcache import PartCache
from crawler.bridge.rules import pack_rules
from crawler.bridge.sizes import AWAITED, SizeBoard
from crawler.bus.stops import Stop, StopKind, Stops
from crawler.fetch.robots import parse_robots
from crawler.frontier.base import HostFacts, Limits
from crawler.records import Discovered, Fetched, FetchFailed, FetchOrder, FrontierUrl, Kind, Lease, Rejected, RunId
from crawler.render.blank import DEFAULT
from crawler.render.page import For, Part
from tests.bridge.leaping import leaping
from tests.bridge.parts import ADDRESS, HOST, Frontier, Names, Runs, Web, answer, lease, places_in, served

OTHER, BESIDE = "http://b.example.nl", "http://c.example.nl"
ZONE = {
    "b.example.nl": ("127.10.0.2",),
    "c.example.nl": (ADDRESS,),
    "d.example.nl": ("10.0.0.1",),
    "10.0.0.1": ("10.0.0.1",),
}
ROBOTS = b"User-agent: *\nDisallow: /no/\n"


@dataclass
class Slots(Frontier):
    """A frontier that gives slots, and notes for what. full: visits that find no place.  window: seconds of the slots
    that leases get anew, from now; None: they keep theirs, in which there is always time."""

    visits: list[tuple[FrontierUrl, str, Limits]] = field(default_factory=list)
    offered: list[Discovered] = field(default_factory=list)
    full: int = 0
    out: int = 0
    most: int = 0
    window: float | None = None

    async def reslot(self, held: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        if self.window is None:
            return held
        now = asyncio.get_running_loop().time()
        return held._replace(not_before=now, send_by=now + self.window, expires=now + 90.0)

    async def visit(self, item: FrontierUrl, politeness: str, limits: Limits, within: float) -> Lease | None:
        self.visits.append((item, politeness, limits))
        if len(self.visits) <= self.full:
            return None
        return Lease(item, 3, 100 + len(self.visits), "visit", 0.0, 1e12, 1e12)

    async def offer(self, run: RunId, discovered: Any) -> None:
        self.offered += discovered


class Sizes:
    """A size book in which every image is 30 by 20."""

    async def ask(self, urls: Any) -> dict[str, tuple[int, int]]:
        return dict.fromkeys(urls, (30, 20))


def site(order: FetchOrder) -> Fetched:
    path = "/" + order.url.split("/", 3)[3]
    bodies = {"/robots.txt": ROBOTS, "/x.js": b"let a = 1", "/api": b"{}"}
    if path in bodies:
        return answer(200, url=order.url, body=bodies[path])
    if path == "/moved":
        return answer(302, url=order.url, location=f"{OTHER}/api")
    if path == "/circle":
        return answer(302, url=order.url, location=order.url)
    if path == "/away":
        return answer(302, url=order.url, location="http://d.example.nl/secret")
    return answer(503 if path == "/busy" else 404, url=order.url)


class Bench:
    def __init__(
        self,
        limits: str = "",
        rules: bytes = ROBOTS,
        web: Callable[[FetchOrder], Fetched | FetchFailed] = site,
        full: int = 0,
        most: int = 100,
    ) -> None:
        self.web = Web(web)
        self.frontier = Slots(HostFacts(pack_rules(parse_robots(rules, 200))), full=full)
        self.served = served(limits, self.web, Names(dict(ZONE)))
        self.runs = Runs(self.served)
        places = places_in(self.frontier)
        courier = Courier(self.frontier, self.runs, places, 1_000_000)
        self.errands = Errands(self.frontier, courier, places)
        self.tenure = Tenure(lease(f"{HOST}/page"), asyncio.get_running_loop().time() + 30.0)
        sizes = SizeBoard(Sizes())
        means = Means(self.frontier, self.errands, sizes, PartCache(1_000_000))
        self.door = PageDoor(means, self.served, self.tenure, most)

    async def get(self, url: str, what: For = For.DATA) -> Part | Rejected:
        return await self.door.part(url, what)

    @property
    def asked(self) -> list[str]:
        return [order.url for order in self.web.sent]


async def test_at_the_pages_own_host_each_request_takes_a_slot_of_its_lease() -> None:
    bench = Bench()
    for _ in range(2):
        part = await bench.get(f"{HOST}/api")
        assert isinstance(part, Part)
        assert part.body == b"{}"
    assert bench.frontier.calls["reslot"] == 2
    assert bench.frontier.visits == []
    headers = dict(bench.web.sent[0].headers)
    assert (headers["Accept"], headers["Referer"]) == ("*/*", f"{HOST}/page")
    assert "Origin" not in headers
    assert headers["User-Agent"] == "Vangnet/1.0 (test)"
    assert headers["From"] == "lab@lab.example"
    assert bench.web.sent[0].address == ADDRESS


def beside(bench: Bench, serves: float) -> list[Tenure]:
    """Two pages that one claim took in a row, for one place."""
    inner = bench.web.fetch

    async def fetch(order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        bench.frontier.out += 1
        bench.frontier.most = max(bench.frontier.most, bench.frontier.out)
        await asyncio.sleep(serves)
        bench.frontier.out -= 1
        return await inner(order, hold)

    bench.web.fetch = fetch
    bench.frontier.window = 0.1
    ends = asyncio.get_running_loop().time() + 30.0
    return [Tenure(lease(f"{HOST}/{n}", token=n)._replace(streak=7, places=1), ends) for n in (7, 8)]


@leaping
async def test_pages_of_one_streak_share_its_places_and_their_parts_get_through() -> None:
    """A page has no place between its requests, so neither waits for the other; who misses a slot takes another."""
    bench = Bench()
    tenures = beside(bench, serves=0.15)
    parts = [bench.errands.get(bench.served, tenure, f"{HOST}/api", Kind.PART) for tenure in tenures for _ in range(2)]
    got = await asyncio.gather(*parts)
    assert all(isinstance(each, Fetched) for each in got)
    assert (bench.frontier.most, len(bench.asked)) == (1, 4)
    assert bench.frontier.calls["reslot"] > 4


@leaping
async def test_a_part_takes_no_slots_without_end_while_another_page_has_the_place() -> None:
    bench = Bench()
    one, other = beside(bench, serves=60.0)
    first = asyncio.create_task(bench.errands.get(bench.served, one, f"{HOST}/api", Kind.PART))
    await asyncio.sleep(0.01)
    assert await bench.errands.get(bench.served, other, f"{HOST}/api", Kind.PART) == Rejected("render-unsent")
    assert bench.frontier.calls["reslot"] == 1 + errands._SLOTS
    assert isinstance(await first, Fetched)


async def test_requests_of_a_page_at_one_address_never_overlap() -> None:
    bench = Bench()
    at_once, most, inner = 0, 0, bench.web.fetch

    async def fetch(order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return await inner(order, hold)

    bench.web.fetch = fetch
    await asyncio.gather(*(bench.get(f"{HOST}/{n}") for n in range(4)), bench.get(f"{BESIDE}/api"))
    assert most == 1


async def test_elsewhere_the_frontier_gives_a_visit_after_the_hosts_robots_txt() -> None:
    bench = Bench(full=1)
    for _ in range(2):
        assert isinstance(await bench.get(f"{OTHER}/api"), Part)
    assert bench.asked == [f"{OTHER}/robots.txt", f"{OTHER}/api", f"{OTHER}/api"]
    assert {order.address for order in bench.web.sent} == {"127.10.0.2"}
    assert dict(bench.web.sent[1].headers)["Origin"] == HOST
    assert {key for _, key, _ in bench.frontier.visits} == {"127.10.0.2"}
    assert bench.frontier.visits[0][2] == Limits(100.0, 2)
    # One more than requests, since the first found no place; every one that was given has ended.
    assert len(bench.frontier.visits) == 4
    assert [done.lease.token for done in bench.frontier.ended] == [102, 103, 104]
    assert {done.latency for done in bench.frontier.ended} == {0.25}
    assert not any(done.unsent for done in bench.frontier.ended)
    assert bench.frontier.calls["reslot"] == 0


async def test_another_host_at_the_same_address_has_its_own_rules_and_the_pages_slots() -> None:
    bench = Bench()
    assert isinstance(await bench.get(f"{BESIDE}/api"), Part)
    assert await bench.get(f"{BESIDE}/no/x") == Rejected("robots")
    assert bench.asked == [f"{BESIDE}/robots.txt", f"{BESIDE}/api"]
    assert bench.frontier.visits == []
    assert bench.frontier.calls["reslot"] == 3


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"{HOST}/no/x", "robots"),
        (f"{OTHER}/no/x", "robots"),
        ("http://d.example.nl/x", "out-of-scope"),
        ("http://10.0.0.1/x", "out-of-scope"),
        ("http://never.example/x", "out-of-scope"),
        (f"{HOST}:8080/x", "out-of-scope"),
        ("http://nowhere.example.nl/", "dns-nxdomain"),
        (f"{HOST}/account/logout", "render-acts"),
        ("ftp://a.example.nl/", "scheme"),
        (f"{HOST}/circle", "render-redirects"),
        (f"{HOST}/away", "out-of-scope"),
    ],
)
async def test_what_may_not_be_asked_for_is_not(url: str, reason: str) -> None:
    bench = Bench()
    assert await bench.get(url) == Rejected(reason)
    assert all(order.url.startswith((HOST, OTHER)) for order in bench.web.sent)
    assert not any("/no/" in order.url or "logout" in order.url for order in bench.web.sent)


async def test_parts_at_once_ask_for_one_robots_txt() -> None:
    bench = Bench()
    inner = bench.web.fetch

    async def slow(order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        await asyncio.sleep(0.01)
        return await inner(order, hold)

    bench.web.fetch = slow
    parts = await asyncio.gather(*(bench.get(f"{OTHER}/api?{n}") for n in range(5)))
    assert all(isinstance(part, Part | Rejected) for part in parts)
    assert sorted(bench.asked) == [*(f"{OTHER}/api?{n}" for n in range(5)), f"{OTHER}/robots.txt"]
    assert bench.asked[0] == f"{OTHER}/robots.txt"


@pytest.mark.parametrize(
    ("place", "asked", "allowed"),
    [
        ("/robots", 2, False),
        (f"{BESIDE}/robots", 2, False),
        ("http://d.example.nl/robots", 1, True),  # out of the scope
        ("/robots.txt?again", 6, True),
    ],
)
async def test_a_robots_txt_that_moved_is_followed_in_the_scope(place: str, asked: int, *, allowed: bool) -> None:
    def moves(order: FetchOrder) -> Fetched:
        if order.url.startswith(f"{OTHER}/robots.txt"):
            return answer(301, url=order.url, location=place + "x" * len(order.url) if "again" in place else place)
        return answer(200, url=order.url, body=ROBOTS) if order.url.endswith("/robots") else site(order)

    bench = Bench(web=moves)
    found = await bench.get(f"{OTHER}/no/api")
    assert found == Rejected("robots") or allowed
    assert len([url for url in bench.asked if "/no/" not in url]) == asked
    assert any("/no/" in url for url in bench.asked) is allowed


async def test_rules_of_other_hosts_are_kept_within_bounds_of_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit, asked in ((10_000, 2), (60, 4)):
        bench = Bench()
        monkeypatch.setattr(errands, "MAX_BYTES", limit)
        for url in (f"{OTHER}/api", f"{BESIDE}/api") * 2:
            assert isinstance(await bench.get(url), Part)
        assert sum(url.endswith("/robots.txt") for url in bench.asked) == asked
        assert bench.errands._bytes == sum(len(packed) for _, packed in bench.errands._robots.values())


async def test_who_waited_for_a_robots_txt_asks_for_it_when_the_first_broke_off() -> None:
    bench = Bench()
    inner, asked = bench.web.fetch, asyncio.Event()

    async def stuck(order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        if not asked.is_set():
            asked.set()
            await asyncio.sleep(60)
        return await inner(order, hold)

    bench.web.fetch = stuck
    first, second = (asyncio.ensure_future(bench.get(f"{OTHER}/api")) for _ in range(2))
    await asked.wait()
    first.cancel()
    assert isinstance(await second, Part)
    assert bench.asked == [f"{OTHER}/robots.txt", f"{OTHER}/api"]


async def test_each_hop_of_a_redirect_is_a_request_of_the_page() -> None:
    bench = Bench(most=3)
    assert isinstance(await bench.get(f"{HOST}/moved"), Part)
    assert await bench.get(f"{HOST}/moved") == Rejected("render-parts")
    assert [url for url in bench.asked if "robots" not in url] == [f"{HOST}/moved", f"{OTHER}/api", f"{HOST}/moved"]


async def test_a_redirect_is_judged_anew_where_it_leads() -> None:
    bench = Bench()
    assert isinstance(await bench.get(f"{HOST}/moved"), Part)
    assert bench.asked == [f"{HOST}/moved", f"{OTHER}/robots.txt", f"{OTHER}/api"]


@pytest.mark.parametrize("url", [f"{HOST}/api", f"{OTHER}/api"])
async def test_a_host_with_a_crawl_delay_is_asked_for_no_parts(url: str) -> None:
    delayed = b"User-agent: *\nCrawl-delay: 5\n"

    def slow(order: FetchOrder) -> Fetched:
        return answer(200, url=order.url, body=delayed)

    bench = Bench(rules=delayed, web=slow)
    assert await bench.get(url) == Rejected("render-crawl-delay")
    assert all(order.url.endswith("/robots.txt") for order in bench.web.sent)


async def test_an_address_in_trouble_is_left_alone() -> None:
    bench = Bench()
    part = await bench.get(f"{HOST}/busy")
    assert isinstance(part, Part)
    assert part.status == 503
    [(address, seconds)] = bench.frontier.blocks
    assert address == ADDRESS
    assert seconds >= 1.0
    assert await bench.get(f"{HOST}/api") == Rejected("render-rests")
    assert isinstance(await bench.get(f"{OTHER}/api"), Part)


async def test_a_stop_holds_for_parts_and_a_visit_that_was_not_sent_gives_its_slot_back() -> None:
    bench = Bench()
    assert isinstance(await bench.get(f"{OTHER}/api"), Part)
    bench.runs.stops = Stops((Stop(StopKind.HOST, "b.example.nl"),))
    assert await bench.get(f"{OTHER}/x") == Rejected("render-unsent")
    assert bench.frontier.ended[-1].unsent
    assert len(bench.web.sent) == 2


async def test_a_visit_that_is_broken_off_does_not_give_its_slot_back() -> None:
    """It may have been sent; a slot that is used twice is one request too many."""
    bench = Bench()
    assert isinstance(await bench.get(f"{OTHER}/api"), Part)
    under_way = asyncio.Event()

    async def hangs(*_: object, **__: object) -> Fetched:
        under_way.set()
        await asyncio.sleep(60.0)
        raise AssertionError

    bench.web.fetch = hangs
    asking = asyncio.ensure_future(bench.get(f"{OTHER}/poll"))
    await asyncio.wait_for(under_way.wait(), 5.0)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    assert not bench.frontier.ended[-1].unsent
    assert len(bench.frontier.ended) == len(bench.frontier.visits)


async def test_when_the_time_is_over_nothing_is_asked_for() -> None:
    bench = Bench()
    bench.tenure.ends = 0.0
    assert await bench.get(f"{HOST}/api") == Rejected("render-no-slot")
    assert await bench.get(f"{OTHER}/api") == Rejected("render-busy")
    assert bench.web.sent == []


async def test_scripts_are_asked_for_once_for_all_pages() -> None:
    bench = Bench()
    for _ in range(3):
        assert isinstance(await bench.get(f"{HOST}/x.js", For.SCRIPT), Part)
    assert bench.asked == [f"{HOST}/x.js"]
    for _ in range(2):
        await bench.get(f"{HOST}/gone.js", For.SCRIPT)
    assert bench.asked.count(f"{HOST}/gone.js") == 2


async def test_an_image_goes_to_the_frontier_ahead_of_others_and_its_size_comes_back() -> None:
    bench = Bench()
    assert await bench.door.image("/big.jpg") == (30, 20)
    assert await bench.door.image("/big.jpg") == (30, 20)
    [found] = bench.frontier.offered  # known by now
    assert (found.referrer, found.depth) == (f"{HOST}/page", 1)
    [candidate] = found.candidates
    assert (candidate.url, candidate.kind) == (f"{HOST}/big.jpg", Kind.IMAGE)
    assert (candidate.source, candidate.priority) == ("rendered", AWAITED)
    assert await bench.door.image(f"{HOST}/logout") == Rejected("render-acts")
    assert bench.web.sent == []


async def test_a_lost_lease_asks_for_nothing() -> None:
    bench = Bench()

    async def lost(held: Lease) -> Lease | None:
        return None

    bench.frontier.reslot = lost
    assert await bench.get(f"{HOST}/api") == Rejected("render-lease-lost")
    assert not await bench.tenure.lasts(bench.frontier, 1e15)
    assert bench.web.sent == []


async def test_a_page_keeps_its_lease_alive_while_it_waits() -> None:
    bench = Bench()
    bench.tenure.lease = bench.tenure.lease._replace(expires=asyncio.get_running_loop().time() + 5.0)
    assert await bench.tenure.lasts(bench.frontier, 30.0)
    assert bench.frontier.calls["reslot"] == 1


async def test_of_a_page_that_is_looked_through_again_no_image_becomes_a_url_or_a_hit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = b"GIF89a" + bytes(range(33, 90))
    text = b"show('data:image/gif;base64,%s')" % b64encode(photo)

    def carries(order: FetchOrder) -> Fetched:
        path = order.url.rpartition("/")[2]
        if path in ("photo", "other"):
            return answer(200, url=order.url, body=photo if path == "photo" else b"GIF89a", kind="image")
        return answer(200, url=order.url, body=ROBOTS if path == "robots.txt" else text)

    bench = Bench(web=carries)
    door = LookDoor(
        Means(bench.frontier, bench.errands, SizeBoard(Sizes()), PartCache(1_000)), bench.served, bench.tenure, 9
    )
    assert await door.image(f"{HOST}/a.jpg") == DEFAULT
    assert await door.image(f"{HOST}/logout") == Rejected("render-acts")
    for path in ("photo", "x.js", "y.js"):
        part = await door.part(f"{HOST}/{path}", For.DATA)
        assert isinstance(part, Part)
        assert photo not in part.body
        assert b64encode(photo) not in part.body
    assert (list(door.seen.bodies), door.seen.results) == ([photo], [])
    monkeypatch.setattr("crawler.bridge.door._KEPT", len(photo))
    assert isinstance(await door.part(f"{HOST}/other", For.DATA), Part)
    assert (list(door.seen.bodies), door.seen.tally["render-cut(images)"]) == ([photo], 1)
    assert bench.frontier.offered == []
