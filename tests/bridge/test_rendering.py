"""What becomes of a page that wants a browser: rendered, put off, or taken as it came, and always counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from crawler.bridge import rendering
from crawler.bridge.answers import Answered
from crawler.bridge.door import LookDoor, PageDoor
from crawler.bridge.pages import PageJudge
from crawler.bridge.rendering import PUT_OFF, Rendered, Renderer, RenderSettings
from crawler.discover.page import discover
from crawler.records import Done, Examination, Fetched, Kind, Lease, Retry
from crawler.render.blank import blank
from crawler.render.page import Bounds, Opened, Shown
from tests.bridge.parts import HOST, Frontier, Runs, answer, lease, served

SHELL = b'<!DOCTYPE html><a href="/static">s</a><div id="app"></div><script src="/app.js"></script>'
DOM = b'<!DOCTYPE html><html><body><a href="/static">s</a><a href="/later">l</a><img src="/big.jpg"></body></html>'


class Browsers:
    """A pool whose pages show what it is told."""

    def __init__(self, show: Callable[[Opened], Shown], turns: int = 1) -> None:
        self.show = show
        self.turns = asyncio.Semaphore(turns)
        self.opened: list[Opened] = []
        self.doors: list[PageDoor] = []

    async def render(self, opened: Opened, door: PageDoor) -> Shown:
        assert self.turns.locked()
        self.opened.append(opened)
        self.doors.append(door)
        return self.show(opened)


class Slots(Frontier):
    async def reslot(self, held: Lease, ahead: float = 0.0) -> Lease | None:
        self.calls["reslot"] += 1
        return held._replace(expires=asyncio.get_running_loop().time() + 90.0)


class Bench:
    def __init__(self, pool: Any, limits: str = 'render = "auto"', most: int = 100) -> None:
        self.frontier = Slots()
        self.served = served(limits)
        self.runs = Runs(self.served)
        settings = RenderSettings(1, Path("/dev/shm"), Bounds(seconds=5.0), most)
        outside: Any = SimpleNamespace()
        self.renderer = Renderer(self.frontier, self.runs, outside, outside, settings)
        self.renderer._pool = pool

    async def render(self, body: bytes = SHELL, held: Lease | None = None) -> Rendered | Retry:
        fetched = page(body)
        held = held or lease(f"{HOST}/page")
        return await self.renderer.render(self.served, held, fetched, discover(body, None, held.item.url), None)


def page(body: bytes) -> Fetched:
    return answer(200, url=f"{HOST}/page", body=body, kind="html")


def shows(opened: Opened) -> Shown:
    return Shown(DOM, images={"/big.jpg": None, f"{HOST}/lazy.jpg": None}, links={"/gone": None, "/logout": None})


def urls(rendered: Rendered | Retry) -> dict[str, str]:
    assert isinstance(rendered, Rendered)
    return {each.url.removeprefix(HOST): each.source for each in rendered.content.candidates}


async def test_what_a_page_shows_comes_on_top_of_what_it_says() -> None:
    pool = Browsers(shows)
    rendered = await Bench(pool).render()
    assert urls(rendered).items() >= {
        ("/static", "a"), ("/later", "a"), ("/gone", "rendered"), ("/lazy.jpg", "rendered"), ("/big.jpg", "rendered"),
    }  # fmt: skip
    assert "/logout" not in urls(rendered)
    assert isinstance(rendered, Rendered)
    assert rendered.tally == {"rendered": 1, "render-images": 2}
    assert pool.opened[0].identity == "Vangnet/1.0 (test)"
    assert not pool.turns.locked()


async def test_images_that_only_a_script_of_the_page_would_show_are_looked_at_and_blanked() -> None:
    pool = Browsers(shows)
    image = b"GIF89a" + bytes(range(33, 90))
    carried = b'show("data:image/gif,%s")' % quote(image, safe="!*'()~").encode()
    rendered = await Bench(pool).render(SHELL + b"<img src=data:image/png,x><script>" + carried + b"</script>")
    assert isinstance(rendered, Rendered)
    assert [(each.number, each.body) for each in rendered.content.data_images] == [(0, b"x"), (1, image)]
    assert b"GIF89a" not in pool.opened[0].body


async def test_images_that_a_script_put_together_are_looked_at_and_blank_ones_are_not() -> None:
    made = {b"made one": None, blank((320, 200)): None, b"x": None}
    rendered = await Bench(Browsers(lambda opened: Shown(DOM, made=made))).render(SHELL + b"<img src=data:image/png,x>")
    assert isinstance(rendered, Rendered)
    assert [(each.number, each.body) for each in rendered.content.data_images] == [(0, b"x"), (1, b"made one")]


async def test_images_that_parts_held_for_a_visit_are_among_those_of_its_page() -> None:
    pool = Browsers(lambda opened: Shown(DOM))
    pool.show = lambda opened: pool.doors[-1].seen.bodies.update({b"in a part": None}) or Shown(DOM)
    rendered = await Bench(pool).render(held=lease(f"{HOST}/page", Kind.RECHECK))
    assert isinstance(rendered, Rendered)
    assert isinstance(pool.doors[0], LookDoor)
    assert [each.body for each in rendered.content.data_images] == [b"in a part"]
    await Bench(pool).render()
    assert not isinstance(pool.doors[1], LookDoor)


async def test_files_that_only_a_script_shows_are_candidates_where_files_are_looked_up() -> None:
    dom = b'<!DOCTYPE html><video src="/film.mp4"></video>'
    for limits, wanted in (("digest_only = true", True), ("", False)):
        rendered = await Bench(Browsers(lambda opened: Shown(dom)), f'render = "auto"\n{limits}').render()
        assert ("/film.mp4" in urls(rendered)) is wanted


@pytest.mark.parametrize("problem", ["render-timeout", "render-crash", "render-memory"])
async def test_what_fails_is_counted_and_what_is_known_is_used(problem: str) -> None:
    rendered = await Bench(Browsers(lambda opened: replace(shows(opened), dom=None, problem=problem))).render()
    assert {"/static", "/big.jpg", "/lazy.jpg"} <= urls(rendered).keys()
    assert isinstance(rendered, Rendered)
    assert rendered.tally == {problem: 1, "render-images": 2}


async def test_no_more_candidates_than_a_page_may_name() -> None:
    rendered = await Bench(Browsers(shows), most=2).render()
    assert isinstance(rendered, Rendered)
    assert len(rendered.content.candidates) == 2
    assert rendered.content.rejected["cut"] >= 2


async def test_pages_that_need_no_browser_get_none() -> None:
    pool = Browsers(shows)
    for limits, body in (('render = "never"', SHELL), ('render = "auto"', b"<p>text"), ('render = "always"', b"<p>x")):
        rendered = await Bench(pool, limits).render(body)
        assert isinstance(rendered, Rendered)
        assert rendered.tally == {}
    assert pool.opened == []


async def test_where_there_is_no_browser_it_is_said_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(rendering, "unavailable", lambda directory: asked.append(directory) or "none here")
    bench = Bench(None)
    for _ in range(2):
        rendered = await bench.render()
        assert isinstance(rendered, Rendered)
        assert rendered.tally == {"render-unavailable": 1}
        assert "/static" in urls(rendered)
    assert len(asked) == 1


async def test_whoever_waits_for_a_browser_keeps_the_lease_and_is_put_off_when_the_worker_ends() -> None:
    pool = Browsers(shows)
    bench = Bench(pool)
    await pool.turns.acquire()
    soon = lease(f"{HOST}/page")._replace(expires=asyncio.get_running_loop().time() + 1.0)
    waiting = asyncio.create_task(bench.render(held=soon))
    await asyncio.sleep(0.05)
    assert bench.frontier.calls["reslot"] == 1
    bench.renderer.stop()
    assert await waiting == PUT_OFF
    pool.turns.release()
    assert not pool.turns.locked()
    # Attempts are not without end: a page that was put off twice is taken as it came.
    tired = await bench.render(held=lease(f"{HOST}/page", attempts=2))
    assert isinstance(tired, Rendered)
    assert tired.tally == {"render-put-off": 1}


async def test_a_paused_run_begins_no_rendering() -> None:
    bench = Bench(Browsers(shows))
    bench.runs.running = False
    assert await bench.render() == PUT_OFF


async def test_a_page_completes_with_its_renewed_lease_and_all_that_was_found() -> None:
    """The judge, with a sandbox that matches nothing."""

    class Clean:
        async def examine(self, body: bytes) -> Examination:
            return Examination(True)

    bench = Bench(Browsers(shows))
    bench.served = replace(bench.served, sandbox=Clean())
    bench.runs.served = bench.served
    judge = PageJudge(bench.runs, 100, None, bench.renderer)
    soon = lease(f"{HOST}/page")._replace(expires=asyncio.get_running_loop().time() + 1.0)
    outcome = await judge.answered(soon, Answered(page(SHELL)))
    assert outcome.completion.lease.expires > soon.expires
    assert outcome.completion.lease.token == soon.token
    assert isinstance(outcome.completion.outcome, Done)
    assert outcome.completion.outcome.tally["rendered"] == 1
    found = outcome.completion.outcome.discovered
    assert found is not None
    assert {f"{HOST}/big.jpg", f"{HOST}/static"} <= {each.url for each in found.candidates}
    # So are the roots that a sweep finds, and what else is read for links is not.
    for kind, rendered in ((Kind.SWEEP, 1), (Kind.FEED, 0)):
        other = await judge.answered(lease(f"{HOST}/page", kind), Answered(page(SHELL)))
        assert isinstance(other.completion.outcome, Done)
        assert other.completion.outcome.tally.get("rendered", 0) == rendered
