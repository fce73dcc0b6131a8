"""What becomes of answers on the page lane, robots.txt first of all."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.bridge import robotsfile
from crawler.bridge.answers import Answered, Unsent
from crawler.bridge.courier import Courier
from crawler.bridge.errands import Errands
from crawler.bridge.pages import PageJudge
from crawler.bridge.rules import pack_unreachable, unpack_rules
from crawler.fetch.budget import ByteBudget
from crawler.fetch.failures import failure
from crawler.fetch.robots import RobotsRules
from crawler.frontier.base import Completion
from crawler.records import Digests, Done, Examination, Fetched, FetchFailed, FetchOrder, Kind, Rekind, Retry
from tests.bridge.parts import ADDRESS, HOST, Names, Runs, Web, answer, lease, places_in, served
from tests.bridge.test_errands import Slots
from tests.store.factories import image

ROBOTS = lease(f"{HOST}/robots.txt", Kind.ROBOTS)
DELAY = b"User-agent: *\nDisallow: /no/\nCrawl-delay: 7\nSitemap: /map.xml"


async def judged(fetched: Fetched, limits: str = "", **answered: object) -> Completion:
    judge = PageJudge(Runs(served(limits, names=Names({"a.example.nl": (ADDRESS,)}))), 100)
    return (await judge.answered(ROBOTS, Answered(fetched, **answered))).completion


async def test_robots_txt_brings_rules_delay_and_sitemaps() -> None:
    ended = await judged(answer(url=ROBOTS.item.url, body=DELAY))
    assert isinstance(ended.outcome, Done)
    assert ended.outcome.discovered is not None
    assert [candidate.url for candidate in ended.outcome.discovered.candidates] == [f"{HOST}/map.xml"]
    assert ended.robots is not None
    rules = unpack_rules(ended.robots)
    assert isinstance(rules, RobotsRules)
    assert not rules.allows(f"{HOST}/no/x", "Vangnet")
    assert (ended.delay, ended.latency, ended.block) == (7.0, 0.25, 0.0)


async def test_a_campaign_that_only_records_keeps_its_own_pace() -> None:
    ended = await judged(answer(url=ROBOTS.item.url, body=DELAY), 'robots = "record"\nrobots_basis = "the law"')
    assert (ended.delay, ended.robots is not None) == (0.0, True)


@pytest.mark.parametrize(("status", "block"), [(500, 0.0), (503, 1.0), (429, 1.0)])
async def test_a_robots_txt_that_cannot_be_had_now_is_asked_for_again(status: int, block: float) -> None:
    ended = await judged(answer(status, url=ROBOTS.item.url))
    assert isinstance(ended.outcome, Retry)
    assert ended.robots == pack_unreachable(f"robots-http-{status}")
    assert (ended.block, ended.latency) == (block, 0.25)


async def test_a_robots_txt_that_moved_is_followed_on_its_address() -> None:
    assert (await judged(answer(301, location=f"{HOST}/r.txt"))).outcome == Rekind(Kind.ROBOTS, f"{HOST}/r.txt")
    elsewhere = await judged(answer(301, location="http://b.example.nl/robots.txt"))
    assert elsewhere.outcome == Done(tally={"robots:redirect-elsewhere": 1})
    assert elsewhere.latency == 0.25


THERE = "http://b.example.nl"
ZONE = {"a.example.nl": (ADDRESS,), "b.example.nl": ("127.10.0.2",), "d.example.nl": ("10.0.0.1",)}


async def moved(to: str, web: Web, *, full: int = 0, **item: Any) -> tuple[Completion, Slots]:
    """The end of a robots.txt that moved. web: what answers where it went to.  full: visits that find no place."""
    run, frontier = served(web=web, names=Names(dict(ZONE))), Slots(full=full)
    runs, places = Runs(run), places_in(frontier)
    errands = Errands(frontier, Courier(frontier, runs, places, 1_000_000), places)
    judge = PageJudge(runs, 100, errands=errands)
    robots = lease(f"{HOST}/robots.txt", Kind.ROBOTS, **item)
    return (await judge.answered(robots, Answered(answer(301, url=robots.item.url, location=to)))).completion, frontier


async def test_a_robots_txt_at_another_address_holds_for_the_host_that_sent_there() -> None:
    web = Web(lambda order: answer(url=order.url, body=DELAY))
    ended, frontier = await moved(f"{THERE}/robots.txt", web)
    assert [(order.url, order.address) for order in web.sent] == [(f"{THERE}/robots.txt", "127.10.0.2")]
    assert [politeness for _, politeness, _ in frontier.visits] == ["127.10.0.2"]
    assert [completion.lease.queue for completion in frontier.ended] == ["visit"]
    assert isinstance(ended.outcome, Done)
    assert ended.outcome.discovered is not None
    assert [candidate.url for candidate in ended.outcome.discovered.candidates] == [f"{THERE}/map.xml"]
    assert ended.robots is not None
    rules = unpack_rules(ended.robots)
    assert isinstance(rules, RobotsRules)
    assert not rules.allows(f"{HOST}/no/x", "Vangnet")
    assert (ended.delay, ended.latency) == (7.0, 0.25)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(404, None), (503, "robots-http-503"), (429, "robots-http-429"), (0, "reset"), (301, None)],
)
async def test_what_else_is_said_there_means_what_it_would_mean_here(status: int, reason: str | None) -> None:
    def says(order: FetchOrder) -> Fetched | FetchFailed:
        return answer(status, url=order.url, location=f"{THERE}/on") if status else failure("reset")

    web = Web(says)
    ended, _ = await moved(f"{THERE}/robots.txt", web)
    assert ended.block == 0.0  # which is the other address's
    if reason is None:
        assert isinstance(ended.outcome, Done)
        rules = unpack_rules(ended.robots or b"")
        assert isinstance(rules, RobotsRules) and rules.allows(f"{HOST}/no/x", "Vangnet")
    else:
        assert (ended.outcome, ended.robots) == (Retry(reason, 1.0), pack_unreachable(reason))
    assert len(web.sent) == (5 if status == 301 else 1)


async def test_a_robots_txt_out_of_scope_is_none_and_one_without_a_slot_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    web = Web(lambda order: answer(url=order.url, body=DELAY))
    ended, _ = await moved("http://d.example.nl/robots.txt", web)
    assert ended.outcome == Done(tally={"robots:redirect-elsewhere": 1})
    ended, _ = await moved("http://nobody.example.nl/robots.txt", web)
    assert (ended.outcome, ended.robots) == (Retry("dns-nxdomain", 1.0), pack_unreachable("dns-nxdomain"))
    monkeypatch.setattr(robotsfile, "_ELSEWHERE", 0.05)
    ended, _ = await moved(f"{THERE}/robots.txt", web, full=1_000)
    assert (ended.outcome, ended.robots) == (Retry("robots-unsent", 1.0), pack_unreachable("robots-unsent"))
    monkeypatch.setattr(robotsfile, "_LONGEST", robotsfile._TO_COMPLETE + 0.02)
    ended, _ = await moved(f"{THERE}/robots.txt", web, full=1_000)
    assert ended.outcome == Retry("deadline", 1.0)
    assert web.sent == []


async def test_a_page_tells_its_latency_and_its_session_too() -> None:
    judge = PageJudge(Runs(served()), 100)
    body = b'<a href="/y">y</a>'
    page = Answered(answer(body=body, kind="html"), b"jar", disallowed=True)
    ended = (await judge.answered(lease(), page)).completion
    assert isinstance(ended.outcome, Done)
    assert ended.outcome.tally["robots:disallowed"] == 1
    assert (ended.session, ended.latency) == (b"jar", 0.25)


async def test_no_answer() -> None:
    judge = PageJudge(Runs(served()), 100)
    assert (await judge.unanswered(ROBOTS, failure("reset"))).completion.robots == pack_unreachable("reset")
    assert (await judge.unanswered(lease(), failure("reset"))).completion.robots is None
    assert (await judge.unanswered(ROBOTS, Unsent(1.0))).completion == Completion(ROBOTS, None, park=1.0)


async def test_images_in_a_page_are_paid_for_beside_the_page() -> None:
    seen: list[int] = []
    memory = ByteBudget(10_000)

    async def examine(body: bytes) -> Examination:
        seen.append(memory.used)
        return Examination(True)

    outside: Any = SimpleNamespace(examine=examine)
    judge = PageJudge(Runs(replace(served(), sandbox=outside)), 100)
    shown = f'<img src="data:image/png;base64,{b64encode(bytes(3_000)).decode()}">'
    fetched = answer(200, body=shown.encode(), kind="html")
    with memory.hold() as hold:
        ended = (await judge.answered(lease(), Answered(fetched), hold)).completion
    assert isinstance(ended.outcome, Done)
    assert ended.outcome.tally["data-images"] == 1
    assert seen == [3_000]
    assert memory.used == 0


async def test_a_drawing_that_is_read_like_a_page_may_be_listed_itself() -> None:
    """And what it shows is found all the same; a page's own digests are nobody's business."""
    asked: list[tuple[bytes, int]] = []

    async def look_up(digests: Digests, size: int) -> Examination:
        asked.append((digests.sha256, size))
        return Examination(True, found=image())

    outside: Any = SimpleNamespace(look_up=look_up, seal=lambda report: b"sealed", run=None, index="ab")
    run = replace(served(), sandbox=outside, sealer=outside, control=outside)
    drawing, page = b"<svg><image href='/photo.jpg'/></svg>", b"<p><svg><image href='/photo.jpg'/></svg>"
    for body in (drawing, page):
        ended = await PageJudge(Runs(run), 100).answered(lease(), Answered(answer(body=body, kind="html")))
        outcome = ended.completion.outcome
        assert isinstance(outcome, Done) and outcome.discovered is not None
        assert [each.url for each in outcome.discovered.candidates] == [f"{HOST}/photo.jpg"]
        assert (outcome.results, outcome.tally.get("hits")) == (((b"sealed",), 1) if body is drawing else ((), None))
    assert asked == [(sha256(drawing).digest(), len(drawing))]
