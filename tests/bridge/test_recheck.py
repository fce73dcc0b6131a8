from __future__ import annotations

from collections import Counter
from dataclasses import replace
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from crawler.bridge.answers import Answered
from crawler.bridge.pages import PageJudge
from crawler.bridge.recheck import asked_as
from crawler.bridge.rendering import Rendered
from crawler.frontier.base import Completion
from crawler.records import (
    Candidate,
    DataImage,
    Digests,
    Done,
    Examination,
    Failed,
    FetchFailed,
    Kind,
    Lease,
    PageContent,
    RecheckReport,
    Retry,
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
        self.listed = b"listed"

    async def look_up(self, digests: Digests, size: int) -> Examination:
        return Examination(True, found=image() if digests.sha256 == self.listed else None)

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


async def visited(seen: Seen, fetched: Any, limits: str = "", renderer: Any = None, **item: Any) -> Completion:
    run = replace(served(limits), sandbox=seen, sealer=seen, control=SimpleNamespace(run=None, index="ab"))
    judge = PageJudge(Runs(run), 100, None, renderer)
    due = lease(**{"url": URL, "kind": Kind.RECHECK} | item)
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


@pytest.mark.parametrize(("listed", "told"), [(True, ("image", 1)), (False, ("page", 0))])
async def test_a_drawing_that_is_read_like_a_page_may_be_listed_itself(
    seen: Seen, listed: bool, told: tuple[str, int]
) -> None:
    drawing = b"<svg><image href='/photo.jpg'/></svg>"
    seen.listed = sha256(drawing).digest() if listed else b""
    await visited(seen, body("html", drawing))
    assert [(report.answer, len(report.found)) for report in seen.reports] == [told]


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


SHELL = b"<!DOCTYPE html><div id=app></div><script>show()</script>"


@pytest.mark.parametrize(
    ("content", "limits", "name"),
    [
        (SHELL, "", "page-not-rendered"),
        (SHELL, 'render = "never"', "page"),
        (b"<!DOCTYPE html><p>gone", 'render = "always"', "page"),
    ],
)
async def test_a_page_that_a_crawl_would_have_rendered_says_that_it_was_not(
    seen: Seen, content: bytes, limits: str, name: str
) -> None:
    for depth in (0, 1):
        await visited(seen, body("html", content), limits, depth=depth)
    assert [(report.look, report.answer) for report in seen.reports] == [(False, name), (True, name)]


class Renders:
    """A renderer whose pages show one image and hold another. answer: in its place."""

    def __init__(self, *tally: str, answer: Retry | None = None) -> None:
        self.tally, self.answer, self.asked = tally or ("rendered",), answer, 0

    async def render(self, served: Any, lease: Lease, fetched: Any, content: Any, hold: Any) -> Rendered | Retry:
        self.asked += 1
        candidates = (Candidate(f"{HOST}/by-script.jpg", Kind.IMAGE, "rendered"),)
        shown = PageContent(candidates, (DataImage(0, b"listed"),))
        return self.answer or Rendered(lease._replace(expires=77.0), shown, (), Counter(self.tally))


@pytest.mark.parametrize(
    ("renderer", "name", "found"),
    [
        (Renders(), "page", 1),
        (Renders("render-timeout"), "page-not-rendered", 1),
        (Renders("rendered", "render-refused(kind)", "render-refused(out-of-scope)"), "page", 1),
        (Renders("rendered", "render-refused(busy)"), "page-not-rendered", 1),
        (Renders("rendered", "render-refused(connect-timeout)"), "page-not-rendered", 1),
        (Renders("rendered", "render-cut(time)"), "page-not-rendered", 1),
        (Renders(answer=Retry("render-put-off", 1.0)), "page-not-rendered", 0),
    ],
)
async def test_a_page_made_by_script_is_looked_through_as_it_shows_itself(
    seen: Seen, renderer: Renders, name: str, found: int
) -> None:
    completion = await visited(seen, body("html", SHELL), renderer=renderer, url=PAGE, depth=1)
    assert isinstance(completion.outcome, Done)
    if found:
        assert completion.lease.expires == 77.0
        assert followed(completion) == ([f"{HOST}/by-script.jpg"], 2, PAGE, ())
    assert [(r.url, r.answer, len(r.found)) for r in seen.reports] == [
        (PAGE, name, 0),
        (f"{PAGE}#data-0", "image", 1),
    ][: 1 + found]


async def test_a_page_that_held_an_image_is_rendered_and_one_in_the_place_of_an_image_is_not(seen: Seen) -> None:
    renderer = Renders()
    await visited(seen, body("html", SHELL), renderer=renderer)
    assert [(r.look, r.answer, len(r.found)) for r in seen.reports] == [(False, "page", 1)]
    completion = await visited(seen, body("html", SHELL), renderer=renderer, referrer=PAGE)
    assert followed(completion) == ([PAGE], 1, None, ())
    assert renderer.asked == 1


async def test_an_image_in_the_text_of_a_script_is_looked_at_as_in_a_crawl(seen: Seen) -> None:
    carried = b"<script>show('data:image/gif,listed%20" + b"x" * 40 + b"')</script>"
    await visited(seen, body("html", b"<!DOCTYPE html>" + carried))
    assert [len(report.found) for report in seen.reports] == [1]


PAGE = f"{HOST}/album.html"
SHOWN = PageContent(
    candidates=(
        Candidate(f"{HOST}/new.jpg", Kind.IMAGE, "img"),
        Candidate(f"{HOST}/new.jpg", Kind.IMAGE, "srcset"),
        Candidate(f"{HOST}/next.html", Kind.PAGE, "a"),
    ),
    data_images=(DataImage(0, b"other"), DataImage(1, b"listed")),
)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    async def discover(self: PageJudge, served: Any, lease: Any, fetched: Any) -> PageContent:
        return SHOWN

    monkeypatch.setattr(PageJudge, "_discover", discover)


def followed(completion: Completion) -> tuple[list[str], int, str | None, tuple[str, ...]]:
    """URLs that go on, their depth, referrer and way."""
    assert isinstance(completion.outcome, Done) and completion.outcome.discovered is not None
    found = completion.outcome.discovered
    assert all(candidate.kind is Kind.RECHECK for candidate in found.candidates)
    return [candidate.url for candidate in found.candidates], found.depth, found.referrer, found.via


@pytest.mark.parametrize("fetched", [answer(404, url=URL), body("image", b"other"), body("html", b"<p>gone")])
async def test_what_is_missed_is_looked_for_on_the_page_that_showed_it(seen: Seen, fetched: Any) -> None:
    completion = await visited(seen, fetched, referrer=PAGE)
    assert followed(completion) == ([PAGE], 1, None, ())
    assert [(report.look, report.target) for report in seen.reports] == [(False, URL)]


@pytest.mark.parametrize("fetched", [answer(401, url=URL), answer(403, url=URL), body("image", b"broken")])
async def test_what_is_closed_or_broken_is_looked_for_nowhere(seen: Seen, fetched: Any) -> None:
    completion = await visited(seen, fetched, referrer=PAGE)
    assert not isinstance(completion.outcome, Done) or completion.outcome.discovered is None


async def test_a_page_that_held_an_image_itself_is_the_one_to_look_at(seen: Seen) -> None:
    completion = await visited(seen, body("html", b"<img src=/as-a-file.jpg>"))
    assert followed(completion) == ([f"{HOST}/as-a-file.jpg"], 2, URL, ())


async def test_what_is_there_is_looked_for_nowhere_else(seen: Seen) -> None:
    completion = await visited(seen, body("image", b"listed"), referrer=PAGE)
    assert isinstance(completion.outcome, Done) and completion.outcome.discovered is None


async def test_of_a_page_the_images_that_it_names_go_on_each_once_and_its_links_do_not(seen: Seen, shown: None) -> None:
    completion = await visited(seen, body("html", b"<p>x"), url=PAGE, depth=1)
    assert followed(completion) == ([f"{HOST}/new.jpg"], 2, PAGE, ())
    said = [(report.look, report.target, report.url, report.answer, len(report.found)) for report in seen.reports]
    assert said == [(True, PAGE, PAGE, "page", 0), (True, PAGE, f"{PAGE}#data-1", "image", 1)]
    assert len({report.serial for report in seen.reports}) == 2


async def test_a_page_that_moved_is_reported_under_the_name_that_its_hits_know(seen: Seen, shown: None) -> None:
    completion = await visited(seen, body("html", b"<p>x"), url=f"{HOST}/new.html", depth=1, via=(PAGE,))
    assert followed(completion) == ([f"{HOST}/new.jpg"], 2, f"{HOST}/new.html", (PAGE,))
    assert seen.reports[0].target == PAGE


async def test_an_image_of_the_page_is_told_of_when_it_is_listed(seen: Seen) -> None:
    for content in (b"other", b"listed", b"broken"):
        await visited(seen, body("image", content), depth=2, referrer=PAGE)
    await visited(seen, answer(404, url=URL), depth=2, referrer=PAGE)
    assert [(r.look, r.target, r.url, len(r.found)) for r in seen.reports] == [(True, PAGE, URL, 1)]


async def test_a_redirected_image_of_a_page_keeps_the_page(seen: Seen) -> None:
    fetched = replace(answer(301, url=URL), location=f"{HOST}/b.jpg")
    completion = await visited(seen, fetched, depth=2, referrer=PAGE)
    assert followed(completion) == ([f"{HOST}/b.jpg"], 2, PAGE, (PAGE, URL))


async def test_a_page_without_an_answer_says_why(seen: Seen) -> None:
    completion = await visited(seen, answer(404, url=PAGE), url=PAGE, depth=1)
    assert isinstance(completion.outcome, Failed)
    assert [(r.look, r.target, r.answer, r.found) for r in seen.reports] == [(True, PAGE, "http-404", ())]


def test_only_the_page_is_asked_for_as_a_page() -> None:
    asked = [asked_as(lease(URL, Kind.RECHECK, depth=depth).item) for depth in range(3)]
    assert asked == [Kind.RECHECK, Kind.PAGE, Kind.RECHECK]
