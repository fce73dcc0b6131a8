"""Manners towards hosts that ask for them, as the hosts see it: pauses, trouble, refusals; digging where it pays."""

from __future__ import annotations

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.flow.conftest import new_root
from tests.flow.test_crawl import sha256
from tests.servers.pictures import encoded, picture
from tests.servers.vangnet import Vangnet
from tests.servers.warm import warm_command
from tests.servers.web import Reply, Site, Visit, receive, text

WINDOW = 0.1
"""A request leaves at most so many seconds after its slot."""
STRETCH = 1 + WINDOW
SEEN, OTHER = encoded(picture(1)), encoded(picture(2))
NOTHING: Reply = 404, (), b""


def links(*paths: str) -> str:
    return "".join(f'<a href="{path}">x</a>' for path in paths)


def robots(*lines: str) -> Reply:
    return 200, (("Content-Type", "text/plain"),), "\n".join(["User-agent: *", *lines]).encode()


def slow(visit: Visit) -> Reply:
    if visit.path == "/robots.txt":
        return robots("Crawl-delay: 0.8", "Disallow: /no/")
    return text(links(*(f"/{n}" for n in range(4)), "/no/x") if visit.path == "/" else "an end")


def closed(visit: Visit) -> Reply:
    if visit.path == "/robots.txt":
        return robots("Disallow: /no/")
    return text(links(*(f"/no/{n}" for n in range(60)), "/yes") if visit.path == "/" else "an end")


def troubled(status: int, *headers: tuple[str, str]) -> Callable[[Visit], Reply]:
    asked: list[Visit] = []

    def answer(visit: Visit) -> Reply:
        if visit.path == "/5" and not asked:
            asked.append(visit)
            return status, headers, b""
        if visit.path == "/robots.txt":
            return NOTHING
        return text(links(*(f"/{n}" for n in range(20))) if visit.path == "/" else "an end")

    return answer


def album(visit: Visit) -> Reply:
    if visit.path == "/robots.txt":
        return NOTHING
    if visit.path == "/":
        return text(links("/album/") + "".join(f'<img src="/others/{n}.jpg">' for n in range(60)))
    if visit.path == "/album/":
        shown = "".join(f'<img src="/album/{n}.jpg">' for n in range(10))
        return text(f'<img src="data:image/jpeg;base64,{b64encode(SEEN).decode()}">{shown}')
    return 200, (("Content-Type", "image/jpeg"),), OTHER


SITES = {
    "slow": (slow, 200, 8),
    "closed": (closed, 2, 1),
    "429": (troubled(429), 40, 1),
    "503": (troubled(503, ("Retry-After", "2")), 40, 1),
    "album": (album, 20, 1),
}
"""What each answers, how many requests a second it allows, and how many at once."""


@dataclass(frozen=True)
class Crawled:
    summary: dict[str, Any]
    houses: dict[str, Site]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory, kernels: Path) -> Iterator[Crawled]:
    """One crawl of all sites, each at an address of its own, by two workers."""
    vangnet = Vangnet(new_root(tmp_path_factory.mktemp("manners"), kernels))
    vangnet.hash_list(sha256(SEEN))
    with ExitStack() as stack:
        houses, limits = {}, ""
        for number, (name, (answer, rate, concurrency)) in enumerate(SITES.items()):
            house = houses[name] = stack.enter_context(receive(answer, f"127.0.0.{number + 2}"))
            limits += f'[[limits.address]]\nprefix = "{house.address}/32"\n'
            limits += f"requests_per_second = {rate}.0\nconcurrency = {concurrency}\n"
        file = vangnet.campaign(*(house.root + "/" for house in houses.values()), limits=limits)
        yield Crawled(vangnet.json("crawl", file, "--workers", 2), houses)


def gaps(visits: list[Visit]) -> list[float]:
    return [after.at - before.at for before, after in pairwise(visits)]


def test_every_url_is_accounted_for(crawled: Crawled) -> None:
    assert crawled.summary["urls"] == {
        "discovered": 5 + 2 + 21 + 21 + 72 + 61,
        "fetched": 5 + 2 + 21 + 21 + 72,
        "failed": {},
        "skipped": {"robots": 61},
        "pending": 0,
    }
    assert crawled.summary["hits"] == 1


def test_a_host_that_asks_for_pauses_gets_them(crawled: Crawled) -> None:
    visits = crawled.houses["slow"].visits
    assert len(visits) == 6
    assert min(gaps(visits)) >= 0.8 - WINDOW
    assert visits[-1].at - visits[0].at >= 5 * 0.8 - WINDOW


def test_what_robots_txt_forbids_takes_nobodys_turn(crawled: Crawled) -> None:
    visits = crawled.houses["closed"].visits
    assert [visit.path for visit in visits] == ["/robots.txt", "/", "/yes"]
    assert visits[-1].at - visits[0].at < 60 * STRETCH / 2 / 2


@pytest.mark.parametrize(("name", "pause"), [("429", 1.0), ("503", 2.0)])
def test_an_address_in_trouble_is_left_alone_for_a_while(crawled: Crawled, name: str, pause: float) -> None:
    visits = crawled.houses[name].visits
    trouble = [visit.path for visit in visits].index("/5")
    assert gaps(visits)[trouble] >= pause


def test_a_crawl_digs_where_it_found_something(crawled: Crawled) -> None:
    order = [visit.path for visit in crawled.houses["album"].visits]
    # Without the hit, the album's pictures would come last: they lie deeper than all others.
    assert max(order.index(f"/album/{n}.jpg") for n in range(10)) < 30


def test_a_campaign_that_records_goes_its_own_pace_and_says_what_was_disallowed(tmp_path: Path, kernels: Path) -> None:
    vangnet, told = Vangnet(new_root(tmp_path, kernels), program=warm_command()), threading.Event()
    vangnet.hash_list(sha256(SEEN))

    def host(visit: Visit) -> Reply:
        if visit.path == "/0":
            told.wait(60)
        return slow(visit)

    with receive(host) as house:
        file = vangnet.campaign(house.root + "/", limits='robots = "record"\nrobots_basis = "the law"')
        with vangnet.start("crawl", file, "--json") as crawl:
            deadline = time.monotonic() + 60
            while not house.visits or vangnet.json("campaign", "status", "test")["counters"].get("pages", 0) < 5:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert vangnet.json("campaign", "status", "test")["counters"]["robots:disallowed"] == 1
            told.set()
            out, err = crawl.communicate(timeout=60)
    assert crawl.returncode == 0, err
    urls = json.loads(out)["urls"]
    assert (urls["fetched"], urls["skipped"]) == (6, {})
    assert house.visits[-1].at - house.visits[0].at < 5 * 0.8
