"""What a sweep makes of answers and of silence: names are beginnings, and nothing there is no failure."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crawler.bridge.answers import Answered
from crawler.bridge.pages import PageJudge
from crawler.bridge.rules import pack_unreachable
from crawler.bridge.runs import ServedRun
from crawler.bridge.swept import with_names
from crawler.fetch.failures import failure
from crawler.frontier.base import Completion
from crawler.records import Candidate, Done, Failed, Kind, Lease, Rejected, Retry, Skipped, TlsFacts
from tests.bridge.parts import ADDRESS, Names, Runs, answer, lease, served

ROOT = f"http://{ADDRESS}:8080"


class Reverse(Names):
    """A resolver whose addresses have names."""

    async def reverse(self, address: str) -> tuple[str, ...] | Rejected:
        self.asked.append(address)
        return ("web1.hoster.example", "_bad", "a.example.nl") if address == ADDRESS else Rejected("dns-nxdomain")


def swept(names: Names | None = None) -> ServedRun:
    run = served(names=names or Reverse())
    seeds = replace(run.campaign.seeds, sweep=("127.10.0.0/24",), sweep_ports=(80, 443, 8080))
    return replace(run, campaign=replace(run.campaign, seeds=seeds))


def robots(url: str = f"{ROOT}/robots.txt", via: tuple[str, ...] = ()) -> Lease:
    return lease(url, Kind.ROBOTS, via=via)


async def ended(judge: PageJudge, of: Lease, reason: str) -> Completion:
    return (await judge.unanswered(of, failure(reason))).completion


def found(completion: Completion) -> dict[str, str]:
    assert isinstance(completion.outcome, Done)
    discovered = completion.outcome.discovered
    return {} if discovered is None else {each.url: each.source for each in discovered.candidates}


async def test_names_come_with_the_first_answer_of_a_port() -> None:
    judge = PageJudge(Runs(swept()), 100)
    tls = TlsFacts("TLSv1.3", "ab", ("a.example.nl", "*.b.example", "127.10.0.9", "bad name", "b.example"), False)
    fetched = answer(404, url=f"https://{ADDRESS}/robots.txt", tls=tls)
    completion = (await judge.answered(robots(f"https://{ADDRESS}/robots.txt"), Answered(fetched))).completion
    assert found(completion) == {
        "https://a.example.nl/": "certificate",
        "https://b.example/": "certificate",
        "https://web1.hoster.example/": "reverse",
    } | ({} if "_bad" not in str(completion) else {"https://_bad/": "reverse"})
    assert isinstance(completion.outcome, Done)
    assert completion.outcome.discovered is not None
    assert completion.outcome.discovered.depth == 0
    assert completion.robots is not None


async def test_names_are_taken_where_the_robots_txt_moved_to_what_cannot_be_asked() -> None:
    tls = TlsFacts("TLSv1.3", "ab", ("b.example",), False)
    asked = robots(f"https://{ADDRESS}/robots.txt")
    fetched = answer(301, url=asked.item.url, location="http://gone.example.nl/robots.txt", tls=tls)
    refused = Completion(asked, Retry("robots-unsent", 1.0), pack_unreachable("robots-unsent"))
    completion = await with_names(swept(), asked, fetched, refused)
    assert set(found(completion)) >= {"https://b.example/", "https://web1.hoster.example/"}
    assert isinstance(completion.outcome, Done)
    assert completion.outcome.tally == {"swept:robots-unsent": 1, "swept:open": 1}
    assert completion.robots == pack_unreachable("robots-unsent")


@pytest.mark.parametrize("reason", ["connect-refused", "connect-timeout", "unreachable"])
async def test_where_nothing_listens_is_asked_once_and_counted_apart(reason: str) -> None:
    names = Reverse()
    judge = PageJudge(Runs(swept(names)), 100)
    completion = await ended(judge, robots(), reason)
    assert completion.outcome == Done(tally={f"swept:{reason}": 1})
    assert completion.robots == pack_unreachable(reason)
    assert names.asked == []
    own = lease(f"{ROOT}/", Kind.SWEEP)
    assert (await judge.unanswered(own, Failed(reason))).completion.outcome == Skipped(f"no-service({reason})")


async def test_an_open_port_that_speaks_no_http_still_has_names() -> None:
    judge = PageJudge(Runs(swept()), 100)
    completion = await ended(judge, robots(f"https://{ADDRESS}/robots.txt"), "tls")
    assert set(found(completion)) >= {"https://web1.hoster.example/", "https://a.example.nl/"}
    plain = await ended(judge, robots(), "malformed-http")
    assert found(plain)[f"https://{ADDRESS}:8080/"] == "sweep"
    said = (await judge.answered(robots(), Answered(answer(400, url=f"{ROOT}/robots.txt")))).completion
    assert found(said)[f"https://{ADDRESS}:8080/"] == "sweep"


async def test_what_lies_with_us_is_tried_again() -> None:
    judge = PageJudge(Runs(swept()), 100)
    assert isinstance((await ended(judge, robots(), "local-resources")).outcome, Retry)
    own = lease(f"{ROOT}/", Kind.SWEEP)
    assert isinstance((await ended(judge, own, "local-resources")).outcome, Retry)


async def test_an_address_beside_the_sweep_is_as_ever() -> None:
    judge = PageJudge(Runs(swept()), 100)
    for url in (f"http://{ADDRESS}:81/robots.txt", "http://127.10.1.1/robots.txt", "http://a.example.nl/robots.txt"):
        assert isinstance((await ended(judge, robots(url), "connect-refused")).outcome, Retry)


async def test_a_root_without_a_page_is_no_failure_and_a_redirect_leads_to_a_page() -> None:
    judge = PageJudge(Runs(swept()), 100)
    own = lease(f"{ROOT}/", Kind.SWEEP)
    for status, reason in ((404, "http-404"), (401, "closed"), (403, "http-403")):
        completion = (await judge.answered(own, Answered(answer(status, url=own.item.url)))).completion
        assert completion.outcome == Skipped(f"no-page({reason})")
    moved = answer(301, url=own.item.url, location="https://www.a.example/")
    completion = (await judge.answered(own, Answered(moved))).completion
    assert isinstance(completion.outcome, Done)
    assert completion.outcome.discovered is not None
    assert completion.outcome.discovered.candidates == (Candidate("https://www.a.example/", Kind.PAGE, "redirect", 2),)
