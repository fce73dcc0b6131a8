"""Every construct that shows an image, and markup that breaks rules: a browser finds no more there than discovery."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

import pytest

from tests.discover.browser import malformed, pages, resolved
from tests.discover.browser.judge import MORE_VIEWS, VIEWS, Judge, View, judge
from tests.discover.browser.pages import Case
from tests.servers.web import Answer, Reply, Site, Visit, html, receive

ICON = Case("icon", "<head><link rel='shortcut icon' href='/must-icon.png?&amp;x'></head><p>x")
BY_SCRIPT = Case(
    "by-script",
    """<p>x<script>
    const folder = "/made/", number = 7;
    for (const name of ["/must-literal.png", folder + "must-joined" + number + ".png"]) new Image().src = name;
    document.body.style.background = `url(${folder}must-styled.png)`;
    document.write("<img src='/must-written.png'>");
    fetch("/names.json").then(answer => answer.json()).then(names => { new Image().src = names[0]; });
    </script>""",
)
EVERY = (*pages.CASES, *malformed.MARKUP, *resolved.URLS, *resolved.BASES, *resolved.ENCODINGS)

AT_ONCE = 40


class Bench(NamedTuple):
    """asked: name of a case -> the images that the browser asked for there, in any view."""

    judge: Judge
    site: Site
    asked: Mapping[str, set[str]]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    cases = {case.path: case for case in (*EVERY, ICON, BY_SCRIPT)}
    framed = sorted((case for case in EVERY if not case.alone), key=lambda case: not case.responsive)
    responsive = sum(case.responsive for case in framed)

    def answer(visit: Visit) -> Answer | Reply:
        path = visit.path.partition("?")[0]
        case = cases.get(path)
        if case is not None:
            kind = (("Content-Type", case.content_type),) if case.content_type else ()
            return 200, (*kind, *case.headers), case.bytes.replace(b"PORT", str(site.port).encode())
        if path.startswith("/frames/"):
            start, end = map(int, path.split("/")[2:])
            return html("".join(_frame(case) for case in framed[start:end]))
        return _requisite(path)

    with receive(answer) as site, judge() as one:
        asked: dict[str, set[str]] = {case.name: set() for case in EVERY}
        for view in (*VIEWS, *MORE_VIEWS):
            count = len(framed) if view in VIEWS else responsive
            for start in range(0, count, AT_ONCE):
                end = min(start + AT_ONCE, count)
                for name, images in one.asked_in_frames(f"{site.root}/frames/{start}/{end}", view).items():
                    asked[name] |= images
        for case in (case for case in EVERY if case.alone):
            asked[case.name] = set().union(*(one.asked(site.root + case.path, view) for view in VIEWS))
        yield Bench(one, site, asked)


def _frame(case: Case) -> str:
    # One upon the other, for what lies far below is not painted.
    place = "position:absolute;top:0;left:0;width:100vw;height:700px"
    return f"<iframe name={case.name} src={case.path} style='{place}'></iframe>"


def _requisite(path: str) -> Answer:
    """What the pages load."""
    if path in pages.SHEETS:
        return 200, {"Content-Type": "text/css"}, pages.SHEETS[path].encode()
    if path == "/inner.html":
        return 200, {"Content-Type": pages.HTML}, pages.INNER.encode()
    if path == "/names.json":
        return 200, {"Content-Type": "application/json"}, b'["/must-fetched.png"]'
    if path.endswith(".svg"):
        return 200, {"Content-Type": "image/svg+xml"}, pages.SVG.encode()
    if path.endswith(("redirected.png",)):
        return 302, {"Location": "/target-of-it.png"}, b""
    if "nothing" in path or "favicon" in path:
        return 404, {}, b""
    return 200, {"Content-Type": "image/gif"}, pages.PIXEL


@pytest.mark.parametrize("case", EVERY, ids=lambda case: case.name)
def test_case(bench: Bench, case: Case) -> None:
    asked = bench.asked[case.name] - {bench.site.root + case.path}
    missed = bench.judge.missed(bench.site.root + case.path, asked)
    assert not missed, f"{case.name}: {sorted(missed)} of {len(asked)}"
    assert asked
    wanted = set(re.findall(r"must-[a-z0-9]+", case.bytes.decode("utf-8", "replace")))
    got = {name for each in asked for name in re.findall(r"must-[a-z0-9]+", unquote(each))}
    assert wanted <= got, f"{case.name} asks not for {sorted(wanted - got)}"


def test_icons(bench: Bench) -> None:
    """What the browser itself loads for a page is no request of the page: the server tells."""
    url = bench.site.root + ICON.path
    before = len(bench.site.visits)
    bench.judge.asked(url)
    images: set[str] = set()
    deadline = time.monotonic() + 10
    while not images and time.monotonic() < deadline:
        time.sleep(0.02)
        visits = bench.site.visits[before:]
        images = {bench.site.root + each.path for each in visits if each.headers.get("Sec-Fetch-Dest") == "image"}
    assert images == {f"{bench.site.root}/must-icon.png?&x"}
    assert bench.judge.missed(url, images) == set()


def test_what_scripts_make_is_found_where_it_stands_in_the_page(bench: Bench) -> None:
    """And only there: a name that a script puts together, or is given later, takes a browser to know."""
    url = bench.site.root + BY_SCRIPT.path
    asked = bench.judge.asked(url, View())
    assert {each.rpartition("/")[2] for each in asked} == {
        *("must-literal.png", "must-written.png", "must-joined7.png", "must-styled.png", "must-fetched.png"),
    }
    left_out = {each.rpartition("/")[2] for each in bench.judge.missed(url, asked)}
    assert left_out == {"must-joined7.png", "must-styled.png", "must-fetched.png"}
