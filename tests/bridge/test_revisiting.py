"""Which images are asked about, and what has to be the same for that."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.bridge.answers import Answered, concluded
from crawler.bridge.courier import Courier
from crawler.bridge.revisiting import Revisiting
from crawler.fetch.validators import NOTHING
from crawler.frontier.base import Completion
from crawler.records import Done, Failed, Kind, Lease, RunId
from tests.bridge.parts import HOST, Frontier, Runs, Web, answer, lease, page, places_in, served

TAG = '"one"'


class Book:
    """As much of what Redis remembers as is asked for."""

    def __init__(self) -> None:
        self.kept = True
        self.known: dict[bytes, bytes] = {}
        self.asked = 0

    async def recall(self, number: bytes) -> bytes | None:
        self.asked += 1
        return self.known.get(number)

    def remember(self, number: bytes, value: bytes) -> None:
        self.known[number] = value


def night(number: int, url: str = f"{HOST}/a.jpg", kind: Kind = Kind.IMAGE, context: int = 0) -> Lease:
    made = lease(url, kind, context=context)
    return made._replace(item=made.item._replace(run=RunId("c", number)))


class Desk:
    def __init__(self) -> None:
        self.book = Book()
        outside: Any = self.book
        self.revisiting = Revisiting(outside, b"k" * 16)
        self.served = served()

    async def look(self, outcome: Any = None, of: Lease | None = None, ground: bytes = b"", **fields: Any) -> bool:
        """Whether an answer is remembered. ground: what counts from the request on."""
        await self.revisiting.validators(self.served, of or night(1))
        if ground:
            self.served = replace(self.served, sandbox=SimpleNamespace(ground=ground))
        fetched = replace(answer(200), headers=(("ETag", TAG),), **fields)
        done = outcome or Done(None, (), {"images": 1})
        found = self.revisiting.clean_look(self.served, Answered(fetched), Completion(of or night(1), done))
        if found is not None:
            self.revisiting.remember(found)
        return found is not None


async def test_a_clean_image_is_asked_about_in_the_next_run() -> None:
    desk = Desk()
    assert await desk.look()
    assert await desk.revisiting.validators(desk.served, night(2)) == (TAG, None)
    assert await desk.revisiting.validators(desk.served, night(2, f"{HOST}/b.jpg")) == NOTHING
    assert await desk.revisiting.validators(desk.served, night(2, context=1)) == NOTHING
    desk.book.asked = 0
    assert await desk.revisiting.validators(desk.served, night(1)) == NOTHING
    assert await desk.revisiting.validators(desk.served, night(2, kind=Kind.PAGE)) == NOTHING
    assert await desk.revisiting.validators(desk.served, night(2, kind=Kind.RECHECK)) == NOTHING
    assert desk.book.asked == 0


async def test_other_lists_or_rules_are_another_look() -> None:
    desk = Desk()
    assert await desk.look()
    grown: Any = SimpleNamespace(ground=b"another")
    assert await desk.revisiting.validators(replace(desk.served, sandbox=grown), night(2)) == NOTHING
    campaign = desk.served.campaign
    stricter = replace(campaign, match=replace(campaign.match, pdq_distance=10))
    assert await desk.revisiting.validators(replace(desk.served, campaign=stricter), night(2)) == NOTHING


@pytest.mark.parametrize(
    "outcome",
    [
        Done(None, (b"sealed",), {"images": 1, "hits": 1}),
        Done(None, (), {"images": 1, "partial": 1}),
        Done(None, (), {"unchanged": 1}),
        Failed("undecodable(truncated)", (), {"images": 1}),
    ],
)
async def test_what_is_no_clean_look_is_not_remembered(outcome: Any) -> None:
    desk = Desk()
    assert not await desk.look(outcome)
    assert desk.book.known == {}


async def test_what_was_not_seen_whole_is_not_remembered() -> None:
    desk = Desk()
    assert not await desk.look(truncated="reset")
    assert not await desk.look(status=206)
    assert not await desk.look(of=night(1, kind=Kind.PAGE))
    desk.book.kept = False
    assert not await desk.look()


async def test_lists_that_change_on_the_way_leave_nothing_to_remember() -> None:
    desk = Desk()
    assert not await desk.look(ground=b"masked meanwhile")
    assert desk.book.known == {}


async def test_the_courier_asks_with_what_is_known() -> None:
    desk = Desk()
    web = Web(page)
    desk.served = served(web=web)
    assert await desk.look()
    runs: Any = Runs(desk.served)
    runs.get = lambda run: desk.served
    frontier: Any = Frontier()
    courier = Courier(frontier, runs, places_in(frontier), 1_000_000, desk.revisiting)
    sent = await courier.send(night(2))
    assert isinstance(sent, Answered)
    assert sent.conditional
    assert dict(web.sent[0].headers)["If-None-Match"] == TAG
    sent = await courier.send(night(2, f"{HOST}/b.jpg"))
    assert isinstance(sent, Answered)
    assert not sent.conditional
    assert "If-None-Match" not in dict(web.sent[1].headers)


def test_unchanged_is_an_answer_to_who_asked_for_it_only() -> None:
    ended = Completion(night(2), Done(None, (), {"unchanged": 1}))
    assert concluded(ended, Answered(answer(304), conditional=True)).outcome == ended.outcome
    assert concluded(ended, Answered(answer(304))).outcome == Failed("http-304")
