"""The lab's pages: what a browser asks for there is among what discovery names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest

from crawler.lab.plan import Plan, site_names
from crawler.lab.process import Lab
from crawler.lab.web import Reply
from tests.discover.browser.judge import VIEWS, Judge, judge

# Sites with markup of their own kind; the others repeat what these show, or refuse whoever comes.
SOME = ("beeldbank", "ontwerp", "rommel", "vreemd", "winkel")
MOST_BYTES = 1_000_000


class Bench(NamedTuple):
    judge: Judge
    plan: Plan


def _bench(sites: Sequence[str]) -> Iterator[Bench]:
    with Lab(sites) as lab:
        names = {name: answer.addresses[0] for name, answer in lab.plan.names.items() if answer.addresses}
        for name, answer in lab.plan.names.items():
            if answer.cname in names:
                names[name] = names[answer.cname]
        with judge(names) as one:
            yield Bench(one, lab.plan)


@pytest.fixture(scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    yield from _bench(site_names() if request.config.getoption("--long") else SOME)


def _pages(plan: Plan) -> list[str]:
    """The pages that answer anybody at once; nobody has to be let in, and nothing goes wrong."""
    found = []
    for (name, target), route in plan.routes.items():
        plain = isinstance(route, Reply) and isinstance(route.body, bytes) and 0 < len(route.body) < MOST_BYTES
        if plain and route.status == 200 and not route.fault and not route.delay and "html" in route.content_type:
            found.append(f"http://{name}:{plan.port}{target}")
    return found


def test_lab(bench: Bench) -> None:
    missed: dict[str, set[str]] = {}
    asked = 0
    for url in _pages(bench.plan):
        images = set().union(*(bench.judge.asked(url, view) for view in VIEWS))
        asked += len(images)
        missed[url] = bench.judge.missed(url, images)
    assert {url: images for url, images in missed.items() if images} == {}
    assert asked >= 30
