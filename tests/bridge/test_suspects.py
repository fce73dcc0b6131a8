"""Suspects: asked for last, within budgets; images and what people meant are above suspicion."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from crawler.bridge.answers import Answered
from crawler.bridge.pages import PageJudge
from crawler.bridge.suspects import LAST, LEAST, REPEAT, suspicion, within_budgets
from crawler.errors import RedisUnavailable
from crawler.frontier.base import Judged
from crawler.records import Candidate, Done, Kind, RunId
from tests.bridge.parts import HOST, Runs, answer, lease, served

DATED = f"{HOST}/agenda/2031/05/"
TEXT = b"<!doctype html><title>x</title><p>Altijd dezelfde woorden staan op deze bladzijde van de club, nummer %d</p>"


@dataclass
class Book:
    """Traps in memory. away: Redis does not answer."""

    through: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    pages: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    away: bool = False

    async def let_through(self, run: RunId, signature: str, numbers: list[int], budget: int) -> list[bool]:
        known = self.through[signature]
        for number in numbers:
            if number not in known and len(known) < budget:
                known.append(number)
        return [number in known for number in numbers]

    async def said(self, run: RunId, address: str, sketch: bytes) -> list[bytes]:
        if self.away:
            raise RedisUnavailable("away")
        before = list(self.pages[address])
        self.pages[address].append(sketch)
        return before


def judged(url: str, number: int, source: str = "a", kind: Kind = Kind.PAGE) -> Judged:
    return Judged(Candidate(url, kind, source, 5), number, "a.example.nl", "127.10.0.1", "127.10.0.1")


async def test_what_is_suspected_comes_last_and_ends_at_its_budget() -> None:
    book = Book()
    urls = tuple(judged(f"{HOST}/agenda/{2000 + n}/05/", n) for n in range(LEAST + 7))
    kept = await within_budgets(served(), book, urls)
    assert [url.skip for url in kept] == [None] * LEAST + ["trap(calendar)"] * 7
    assert {url.candidate.priority for url in kept} == {LAST}
    assert kept[-1].address is None
    # Once more, as a second delivery would: what was let through is so again.
    assert [url.skip for url in await within_budgets(served(), book, urls)] == [url.skip for url in kept]


async def test_kinds_and_hosts_have_budgets_of_their_own_but_repeats_go_by_address() -> None:
    book = Book()
    await within_budgets(served(), book, (judged(DATED, 1), judged(f"{HOST}/w?color=a&size=b", 2)))
    await within_budgets(served(), book, (judged(f"{HOST}/x", 3, REPEAT), judged(f"{HOST}/map.xml", 4, "a", Kind.FEED)))
    assert set(book.through) == {
        "calendar a.example.nl",
        "facets a.example.nl",
        "repeat 127.10.0.1",
        "feeds a.example.nl",
    }


async def test_images_seeds_and_plain_links_pass_as_they_are() -> None:
    book = Book()
    urls = (
        judged(f"{HOST}/agenda/2031/05/x.jpg", 1, "img", Kind.IMAGE),
        judged(DATED, 2, "seed"),
        judged(DATED, 3, "redirect"),
        judged(f"{HOST}/x", 4),
    )
    assert await within_budgets(served(), book, urls) == urls
    assert book.through == {}
    (feed,) = await within_budgets(served(), book, (judged(f"{HOST}/map.xml", 5, "sitemap", Kind.FEED),))
    assert feed.candidate.priority == 5
    assert suspicion(Candidate(DATED, Kind.PAGE, REPEAT)) == "calendar"


async def page(judge: PageJudge, n: int, links: bytes = b'<a href="/y">y</a><img src="/i.jpg">') -> Done:
    answered = Answered(answer(body=TEXT % n + links, kind="html", url=f"{HOST}/{n}"))
    outcome = (await judge.answered(lease(f"{HOST}/{n}"), answered)).completion.outcome
    assert isinstance(outcome, Done)
    return outcome


def sources(outcome: Done) -> dict[str, str]:
    assert outcome.discovered is not None
    return {candidate.url.removeprefix(HOST): candidate.source for candidate in outcome.discovered.candidates}


async def test_the_third_page_that_says_the_same_has_lesser_links_and_its_images_as_ever() -> None:
    judge = PageJudge(Runs(served()), 100, Book())
    assert [sources(await page(judge, n)) for n in range(2)] == [{"/i.jpg": "img", "/y": "a"}] * 2
    third = await page(judge, 2)
    assert sources(third) == {"/i.jpg": "img", "/y": REPEAT}
    assert third.tally["repeated-pages"] == 1
    other = await page(judge, 3, b'<a href="/y">y</a><img src="/other.jpg">')
    assert sources(other)["/y"] == "a"


async def test_a_page_that_says_it_is_missing_repeats_at_once() -> None:
    judge = PageJudge(Runs(served()), 100, Book())
    lost = await page(judge, 1, b'<h1>404 - niet gevonden</h1><a href="/y">y</a>')
    assert (sources(lost), lost.tally["soft-404"]) == ({"/y": REPEAT}, 1)


async def test_without_redis_a_page_is_taken_as_new() -> None:
    judge = PageJudge(Runs(served()), 100, Book(away=True))
    for n in range(4):
        assert sources(await page(judge, n))["/y"] == "a"
