"""What may be asked for outside the scope: named pages and their robots.txt, where the DNS says that they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crawler.bridge.courier import Courier
from crawler.bridge.pages import of_pointer
from crawler.bridge.places import Placed, Places
from crawler.bridge.pointers import READABLE, Pointers
from crawler.bridge.runs import ServedRun
from crawler.campaign import parse_campaign
from crawler.errors import CampaignInvalid
from crawler.frontier.base import Completion, HostFacts
from crawler.records import Done, Failed, FetchFailed, FetchOrder, Kind, Outcome, Retry, Skipped
from crawler.scope import CachedScope
from tests.bridge.parts import FILE, Agreeable, Frontier, Names, NoTable, Runs, Web, lease, page, places_in, served

HOST = "forum.example"
THREAD, ROBOTS = f"http://{HOST}/thread", f"http://{HOST}/robots.txt"
ABROAD, HERE = "93.184.216.34", "127.10.0.1"


class Guarded(Web):
    """A fetcher that keeps its guard."""

    def __init__(self, permitted: Callable[[str], bool]) -> None:
        super().__init__(page)
        self.permitted = permitted


def pointing(*addresses: str, zone: Names | None = None) -> tuple[Pointers, Guarded]:
    made: list[Guarded] = []

    def fetcher(permitted: Callable[[str], bool]) -> Any:
        made.append(Guarded(permitted))
        return made[0]

    names: Any = zone or Names({HOST: addresses})
    return Pointers(served(pointers=THREAD).campaign, names, fetcher), made[0]


@pytest.mark.parametrize(
    ("url", "kind", "has"),
    [
        (THREAD, Kind.PAGE, True),
        (THREAD, Kind.IMAGE, False),
        (THREAD, Kind.SHEET, False),
        (f"{THREAD}?page=2", Kind.PAGE, False),
        (f"https://{HOST}/thread", Kind.PAGE, False),
        (ROBOTS, Kind.ROBOTS, True),
        (f"https://{HOST}/robots.txt", Kind.ROBOTS, True),
        (ROBOTS, Kind.PAGE, False),
        (f"{ROBOTS}?x", Kind.ROBOTS, False),
        (f"http://{HOST}/thread", Kind.ROBOTS, False),
        ("http://other.example/robots.txt", Kind.ROBOTS, False),
    ],
)
async def test_only_named_pages_and_their_robots_txt_are_asked_for(url: str, kind: Kind, has: bool) -> None:
    pointers, web = pointing(ABROAD)
    assert pointers.has(url, kind) is has
    answered = await pointers.fetch(FetchOrder(url, ABROAD), kind)
    assert bool(web.sent) is has
    assert has or answered.reason == "blocked-scope"


@pytest.mark.parametrize(
    ("address", "admitted"),
    [(ABROAD, True), ("2606:2800::1", True), ("127.99.0.1", True), ("10.0.0.1", False), ("169.254.169.254", False)],
)
def test_only_public_addresses_are_theirs(address: str, admitted: bool) -> None:
    assert pointing()[0].admits(address) is admitted


async def test_the_guard_opens_what_the_dns_says_and_nothing_else() -> None:
    zone = Names({HOST: (ABROAD, "10.0.0.1")})
    pointers, web = pointing(zone=zone)
    assert not web.permitted(ABROAD)
    await pointers.fetch(FetchOrder(THREAD, ABROAD), Kind.PAGE)
    assert [web.permitted(each) for each in (ABROAD, "10.0.0.1", "93.184.216.35")] == [True, False, False]
    for address in ("10.0.0.1", "93.184.216.35"):
        refused = await pointers.fetch(FetchOrder(THREAD, address), Kind.PAGE)
        assert isinstance(refused, FetchFailed)
        assert refused.reason == "address-changed"
    zone.zone[HOST] = ("93.184.216.35",)
    await pointers.fetch(FetchOrder(THREAD, ABROAD), Kind.PAGE)
    assert not web.permitted(ABROAD)
    assert len(web.sent) == 1


def run_at(*addresses: str, limits: str = "", abroad: Web | None = None) -> ServedRun:
    run = served(limits, names=Names({HOST: addresses}), pointers=THREAD, abroad=abroad)
    campaign = replace(run.campaign, scope=replace(run.campaign.scope, prefixes=("127.10.0.0/16",)))
    return replace(run, campaign=campaign, scope=CachedScope(campaign, NoTable()))


async def test_a_host_of_theirs_is_placed_outside_for_them_only() -> None:
    places = places_in(Frontier())
    assert await places.place(run_at(ABROAD), HOST, 80, last=True) == Placed(skip="out-of-scope", pointer=ABROAD)
    assert await places.place(run_at(ABROAD, HERE), HOST, 80, last=True) == Placed(HERE, HERE)
    assert await places.place(run_at("10.0.0.1"), HOST, 80, last=True) == Placed(skip="out-of-scope")
    other = await places.place(replace(run_at(), resolver=Names({"x.example": (ABROAD,)})), "x.example", 80, last=True)
    assert other == Placed(skip="out-of-scope")


async def test_an_address_that_others_agreed_on_counts_there_while_the_dns_has_it() -> None:
    class Book(Agreeable):
        async def agree(self, host: str, addresses: Any, *, doubted: bool = False) -> Any:
            return replace(await super().agree(host, addresses), address="93.184.216.99")

    placed = await Places(Frontier(), Book()).place(run_at(ABROAD), HOST, 80, last=True)
    assert placed.pointer == ABROAD


async def test_robots_txt_holds_there_whatever_the_campaign_says_of_its_own_ground() -> None:
    web, abroad = Web(page), Web(page)
    run = run_at(ABROAD, limits='robots = "record"\nrobots_basis = "the law"', abroad=abroad)
    frontier, runs = Frontier(facts=HostFacts(b"!robots-http-503")), Runs(replace(run, fetcher=web))
    courier = Courier(frontier, runs, places_in(frontier), 1_000)
    assert await courier.send(at(THREAD)) == Failed("robots-http-503")
    assert web.orders == abroad.orders == []


def at(url: str, kind: Kind = Kind.PAGE) -> Any:
    given = lease(url, kind)
    return given._replace(item=given.item._replace(address=ABROAD))


async def test_a_page_there_is_asked_for_by_the_fetcher_of_its_own_and_images_are_not_read() -> None:
    web, abroad = Web(page), Web(page)
    run = replace(run_at(ABROAD, abroad=abroad), fetcher=web)
    courier = Courier(Frontier(), Runs(run), places_in(Frontier()), 1_000)
    await courier.send(at(THREAD))
    await courier.send(at(f"http://{HOST}/picture.jpg", Kind.IMAGE))
    assert [order.accept_bodies for order in abroad.sent] == [READABLE]
    assert [order.url for order in web.sent] == [f"http://{HOST}/picture.jpg"]  # whose guard refuses it


@pytest.mark.parametrize(
    ("outcome", "tally"),
    [
        (Done(tally={"pages": 1, "truncated": 0, "links": 3}), {"pointer:pages": 1, "pointer:links": 3}),
        (Failed("http-404"), {"pointer:failed": 1}),
        (Skipped("robots"), {"pointer:skipped": 1}),
    ],
)
def test_they_have_counters_of_their_own(outcome: Done | Failed | Skipped, tally: dict[str, int]) -> None:
    ended = of_pointer(Completion(lease(), outcome)).outcome
    assert ended == replace(outcome, tally=tally)


@pytest.mark.parametrize("outcome", [None, Retry("reset", 1.0)])
def test_what_is_not_over_is_not_counted(outcome: Outcome | None) -> None:
    completion = Completion(lease(), outcome)
    assert of_pointer(completion) is completion


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://[ff02::1]/", "multicast"),
        ("http://a.never.example/", "exclude_domains"),
        ("http://forum.example:81/", "port 81"),
    ],
)
def test_a_pointer_that_can_never_be_read_is_an_error(url: str, why: str) -> None:
    file = FILE.format(limits="").replace("[seeds]", f'pointers = "pages"\n[seeds]\npointers = ["{url}"]')
    with pytest.raises(CampaignInvalid, match=r"seeds\.pointers\[0\]") as error:
        parse_campaign(file, "c.toml", lab=True)
    assert why in str(error.value)
