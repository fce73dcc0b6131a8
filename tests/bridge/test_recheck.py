from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.bridge.answers import Answered
from crawler.bridge.pages import PageJudge
from crawler.frontier.base import Completion
from crawler.records import (
    DataImage,
    Digests,
    Done,
    Examination,
    Failed,
    FetchFailed,
    Kind,
    PageContent,
    RecheckReport,
    Skipped,
)
from tests.bridge.parts import HOST, Runs, answer, lease, served
from tests.store.factories import image

URL = f"{HOST}/a.jpg"


class Seen:
    """A sandbox that finds a listed image in whatever has `listed` in it, and a sealer that keeps what it is given."""

    def __init__(self) -> None:
        self.reports: list[RecheckReport] = []
        self.looked = 0
        self.index, self.number = "ab", 7

    async def look_up(self, digests: Digests, size: int) -> Examination:
        return Examination(True, found=image() if digests.sha256 == b"listed" else None)

    async def examine(self, body: bytes) -> Examination:
        self.looked += 1
        if body == b"broken":
            return Examination(False, "truncated")
        return Examination(True, found=image() if b"listed" in body else None)

    def seal(self, report: RecheckReport) -> bytes:
        self.reports.append(report)
        return b"sealed"


@pytest.fixture
def seen() -> Seen:
    return Seen()


async def visited(seen: Seen, fetched: Any, **item: Any) -> Completion:
    run = replace(served(), sandbox=seen, sealer=seen, control=SimpleNamespace(run=None, index="ab"))
    judge = PageJudge(Runs(run), 100)
    due = lease(URL, Kind.RECHECK, **item)
    if isinstance(fetched, FetchFailed | Skipped):
        return (await judge.unanswered(due, fetched)).completion
    return (await judge.answered(due, Answered(fetched))).completion


def body(kind: str, content: bytes, status: int = 200, **more: Any) -> Any:
    return replace(answer(status, url=URL), kind=kind, body=content, **more)


@pytest.mark.parametrize(
    ("content", "name", "found"), [(b"listed", "image", 1), (b"other", "image", 0), (b"broken", "undecodable", 0)]
)
async def test_an_image_is_looked_at_and_only_what_is_listed_is_told(
    seen: Seen, content: bytes, name: str, found: int
) -> None:
    completion = await visited(seen, body("image", content))
    assert isinstance(completion.outcome, Done) and completion.outcome.results == (b"sealed",)
    assert "hits" not in completion.outcome.tally
    (report,) = seen.reports
    assert (report.answer, len(report.found), report.target, report.url) == (name, found, URL, URL)
    assert report.index == "ab+7"


@pytest.mark.parametrize(("sha256", "found"), [(b"listed", 1), (b"other", 0)])
async def test_a_file_that_nobody_looks_into_is_looked_up(seen: Seen, sha256: bytes, found: int) -> None:
    digests = Digests(b"m" * 16, b"1" * 20, sha256)
    await visited(seen, body("video", b"", digests=digests, digested_bytes=9))
    assert [(report.answer, len(report.found)) for report in seen.reports] == [("image", found)]


@pytest.mark.parametrize(("status", "name"), [(404, "http-404"), (403, "http-403"), (401, "closed"), (503, "http-503")])
async def test_a_status_is_an_answer_and_is_not_tried_again(seen: Seen, status: int, name: str) -> None:
    completion = await visited(seen, answer(status, url=URL))
    assert isinstance(completion.outcome, Failed) and completion.outcome.results == (b"sealed",)
    assert [report.answer for report in seen.reports] == [name]
    assert (completion.block > 0) == (status == 503)


@pytest.mark.parametrize(
    ("sent", "name"), [(FetchFailed("connect-refused", True), "connect-refused"), (Skipped("robots"), "robots")]
)
async def test_silence_is_an_answer_too(seen: Seen, sent: Any, name: str) -> None:
    completion = await visited(seen, sent)
    assert isinstance(completion.outcome, Failed)
    assert [report.answer for report in seen.reports] == [name]


async def test_a_redirect_goes_on_through_the_frontier_under_its_first_name(seen: Seen) -> None:
    there = f"{HOST}/b.jpg"
    completion = await visited(seen, replace(answer(301, url=URL), location=there))
    assert isinstance(completion.outcome, Done) and completion.outcome.discovered is not None
    (candidate,) = completion.outcome.discovered.candidates
    assert (candidate.url, candidate.kind, seen.reports) == (there, Kind.RECHECK, [])
    await visited(seen, body("image", b"listed"), via=(f"{HOST}/first.jpg",))
    assert (seen.reports[0].target, seen.reports[0].url) == (f"{HOST}/first.jpg", URL)


async def test_of_a_page_only_its_embedded_images_are_looked_at(seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    content = PageContent(data_images=(DataImage(0, b"other"), DataImage(1, b"listed")))

    async def discover(self: PageJudge, served: Any, lease: Any, fetched: Any) -> PageContent:
        return content

    monkeypatch.setattr(PageJudge, "_discover", discover)
    completion = await visited(seen, body("html", b"<p>x"))
    assert isinstance(completion.outcome, Done) and completion.outcome.discovered is None
    assert (seen.reports[0].answer, len(seen.reports[0].found), seen.looked) == ("page", 1, 2)
