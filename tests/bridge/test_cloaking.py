"""A second look: who is asked once more under another name, when, and which answer counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from crawler.bridge.answers import Answered, Sent, concluded
from crawler.bridge.cloaking import PLACEHOLDER_BYTES, looks_refused, shows_more
from crawler.bridge.courier import Courier
from crawler.bridge.rules import pack_rules
from crawler.errors import RedisUnavailable
from crawler.fetch.failures import failure
from crawler.fetch.robots import parse_robots
from crawler.frontier.base import Completion, HostFacts
from crawler.records import Done, Fetched, FetchFailed, FetchOrder, Kind, Lease
from tests.bridge.parts import HOST, Frontier, Runs, Web, answer, lease, places_in, served

FIRST, SECOND = "Vangnet/1.0 (test)", "Mozilla/5.0 (X11) Tweede/2.0"
PICTURE = answer(body=bytes(9_000), kind="image")
PIXEL = answer(body=b"GIF89a", kind="image")
PAGE = answer(body=b"<p>", kind="html")
NEITHER = pack_rules(parse_robots(b"", 404))


@pytest.mark.parametrize(
    ("kind", "fetched", "expected"),
    [
        (Kind.IMAGE, answer(403), True),
        (Kind.PAGE, answer(404), True),
        (Kind.IMAGE, answer(401), False),
        (Kind.IMAGE, answer(500), False),
        (Kind.ROBOTS, answer(404), False),
        (Kind.SHEET, answer(403), False),
        (Kind.IMAGE, PICTURE, False),
        (Kind.IMAGE, PIXEL, True),
        (Kind.IMAGE, replace(PIXEL, body=bytes(PLACEHOLDER_BYTES)), True),
        (Kind.IMAGE, replace(PIXEL, body=bytes(PLACEHOLDER_BYTES + 1)), False),
        (Kind.IMAGE, PAGE, True),
        (Kind.IMAGE, answer(), True),
        (Kind.IMAGE, answer(302, location=f"{HOST}/y"), False),
        (Kind.PAGE, PAGE, False),
        (Kind.PAGE, answer(), False),
    ],
)
def test_what_looks_refused(kind: Kind, fetched: Fetched, expected: bool) -> None:
    assert looks_refused(kind, fetched) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (answer(403), PICTURE, True),
        (answer(403), answer(403, body=b"other"), False),
        (answer(403), answer(404), False),
        (answer(404), answer(302, location=f"{HOST}/login"), False),
        (answer(404), answer(401), False),
        (PIXEL, PICTURE, True),
        (PIXEL, PIXEL, False),
        (PAGE, PICTURE, True),
        (PAGE, replace(PAGE, body=b"<p>the time of day"), False),
        (PICTURE, answer(403), False),
    ],
)
def test_what_shows_more(first: Fetched, second: Fetched, expected: bool) -> None:
    assert shows_more(first, second) is expected


class TwoFaces(Web):
    """Answers by the name that asks."""

    def __init__(self, first: Fetched, second: Fetched | FetchFailed) -> None:
        super().__init__(lambda order: first if named(order) == FIRST else second)

    async def fetch(self, order: FetchOrder, hold: object = None) -> Fetched | FetchFailed:
        return await super().fetch(order)

    @property
    def names(self) -> list[str]:
        return [named(order) for order in self.sent]


def named(order: FetchOrder) -> str:
    return dict(order.headers)["User-Agent"]


class Slots(Frontier):
    """Gives leases other slots. change: what becomes of a lease; None: it is not held any more."""

    def __init__(self, change: Callable[[Lease], Lease | None], rules: bytes = NEITHER) -> None:
        super().__init__(HostFacts(rules))
        self.change = change

    async def reslot(self, lease: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        return self.change(lease)


def soon(lease: Lease) -> Lease:
    """Another slot, long before the lease ends."""
    return lease._replace(send_by=lease.expires / 2)


async def send(web: TwoFaces, frontier: Frontier, limits: str = "", name: str = SECOND, **item: Any) -> Sent:
    run = served(limits, web)
    identity = replace(run.campaign.identity, second_user_agent=name)
    run = replace(run, campaign=replace(run.campaign, identity=identity))
    runs: Any = Runs(run)
    doubled: Any = frontier
    return await Courier(doubled, runs, places_in(doubled), 1_000_000).send(lease(kind=Kind.IMAGE, **item))


async def test_what_browsers_see_counts_and_is_tallied() -> None:
    web, frontier = TwoFaces(answer(403), PICTURE), Slots(soon)
    sent = await send(web, frontier, referrer=f"{HOST}/p")
    assert isinstance(sent, Answered)
    assert (sent.fetched.body, sent.cloaked) == (PICTURE.body, True)
    assert (web.names, frontier.calls["reslot"]) == ([FIRST, SECOND], 1)
    first, second = (dict(order.headers) for order in web.sent)
    assert first | {"User-Agent": SECOND} == second
    ended = concluded(Completion(lease(), Done(tally={"images": 1})), sent)
    assert ended.outcome == Done(tally={"images": 1, "cloaked?": 1})


async def test_who_says_the_same_to_everybody_is_no_suspect() -> None:
    for second in (answer(403), failure("reset")):
        web = TwoFaces(answer(403), second)
        sent = await send(web, Slots(soon))
        assert isinstance(sent, Answered)
        assert (sent.fetched.status, sent.cloaked, len(web.sent)) == (403, False, 2)


async def test_without_a_second_name_nothing_is_asked_twice() -> None:
    web = TwoFaces(answer(403), PICTURE)
    sent = await send(web, Slots(soon), name="")
    assert isinstance(sent, Answered)
    assert (sent.fetched.status, web.names) == (403, [FIRST])


async def test_robots_txt_is_obeyed_under_both_names() -> None:
    rules = pack_rules(parse_robots(b"User-agent: tweede\nDisallow: /\n", 200))
    web = TwoFaces(answer(403), PICTURE)
    await send(web, Slots(soon, rules))
    assert web.names == [FIRST]
    await send(web, Slots(soon, rules), 'robots = "record"\nrobots_basis = "the law"')
    assert web.names == [FIRST, FIRST, SECOND]


def unavailable(lease: Lease) -> Lease:
    raise RedisUnavailable("gone")


@pytest.mark.parametrize("change", [lambda _: None, unavailable, lambda given: given._replace(send_by=given.expires)])
async def test_without_a_slot_in_time_the_first_answer_stands(change: Callable[[Lease], Lease | None]) -> None:
    web = TwoFaces(answer(403), PICTURE)
    sent = await send(web, Slots(change))
    assert isinstance(sent, Answered)
    assert (sent.fetched.status, web.names) == (403, [FIRST])
