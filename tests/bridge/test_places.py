"""Where hosts are queued, and that one which moved takes along what waits."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from crawler.bridge.courier import Courier
from crawler.bridge.places import Placed, Places
from crawler.bridge.runs import ServedRun
from crawler.records import FetchFailed, FetchOrder, Rejected
from tests.bridge.parts import HOST, Agreeable, Frontier, Names, Runs, Web, lease, served

NAME = "a.example.nl"
OLD, NEW, FOREIGN = "127.10.0.1", "127.10.0.2", "198.51.100.7"


class Moving:
    """As much of a frontier as moving asks for."""

    def __init__(self) -> None:
        self.moved: list[tuple[str, str]] = []

    async def relocate(self, host: str, politeness: str) -> int:
        self.moved.append((host, politeness))
        return 1


def run_at(*addresses: str) -> ServedRun:
    return served(names=Names({NAME: addresses}))


async def test_what_waits_is_moved_once_and_then_noted() -> None:
    frontier, book = Moving(), Agreeable({NAME: OLD})
    places = Places(frontier, book)
    run = run_at(NEW)
    for _ in range(2):
        assert await places.place(run, NAME, 80, last=True) == Placed(NEW, NEW)
    assert frontier.moved == book.done == [(NAME, OLD)]


async def test_only_addresses_in_scope_are_offered_to_the_book() -> None:
    offered: list[Any] = []

    class Book(Agreeable):
        async def agree(self, host: str, addresses: Any, *, doubted: bool = False) -> Any:
            offered.append(list(addresses))
            return await super().agree(host, addresses, doubted=doubted)

    places = Places(Moving(), Book())
    assert (await places.place(run_at(FOREIGN, NEW, OLD), NAME, 80, last=True)).address == NEW
    assert (await places.place(run_at(FOREIGN), NAME, 80, last=True)).skip == "out-of-scope"
    assert offered == [[NEW, OLD]]


@pytest.mark.parametrize(
    ("reason", "doubts"), [("connect-refused", 1), ("connect-timeout", 1), ("unreachable", 1), ("header-timeout", 0)]
)
async def test_nobody_at_the_address_makes_the_host_doubted_once(reason: str, doubts: int) -> None:
    def fails(order: FetchOrder) -> FetchFailed:
        del order
        return FetchFailed(reason, True)

    web: Any = Web(fails)
    run = served(web=web, names=Names({NAME: (NEW,)}))
    runs: Any = Runs(run)
    book, moving = Agreeable({NAME: OLD}), Moving()
    frontier: Any = Frontier()
    courier = Courier(frontier, runs, Places(moving, book), 1_000)
    for _ in range(3):
        answer = await courier.send(lease(f"{HOST}/x"))
        assert isinstance(answer, FetchFailed)
    assert book.asked == [(NAME, True)] * doubts
    assert moving.moved == [(NAME, OLD)] * doubts


async def test_what_was_queued_at_an_address_after_the_move_follows_as_well() -> None:
    frontier, book = Moving(), Agreeable()
    places = Places(frontier, book)
    await places.doubt(run_at(NEW), NAME, OLD)
    assert frontier.moved == [(NAME, OLD)]


async def test_an_address_that_the_name_still_has_is_waited_for() -> None:
    frontier, book = Moving(), Agreeable()
    places = Places(frontier, book)
    await places.doubt(run_at(NEW, OLD), NAME, OLD)
    assert (frontier.moved, book.asked) == ([], [(NAME, True)])


async def test_a_nameserver_that_is_silent_is_said_once_for_a_run() -> None:
    class Silent(Names):
        async def resolve(self, host: str, *, fresh: bool = False) -> Rejected:
            return Rejected("dns-unreachable")

    places, run = Places(Moving(), Agreeable()), served(names=Silent())
    with capture_logs() as said:
        for _ in range(2):
            assert (await places.place(run, NAME, 80, last=False)).passing
        await places.place(served(names=Names()), NAME, 80, last=False)  # a name that does not exist is its own trouble
    (line,) = said
    assert (line["run"], line["nameservers"]) == (str(run.run), "the system's")
    assert "/etc/resolv.conf" in line["event"]
