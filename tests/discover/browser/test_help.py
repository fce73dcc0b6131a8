"""HTML that others wrote, served by nginx: the handbook of the GIMP, as Debian packages it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.discover.browser.judge import VIEWS, Judge, judge
from tests.servers.nginx import NGINX, nginx

HELP = Path("/usr/share/gimp/2.0/help")
PAGES = sorted(HELP.glob("en/*.html"))
pytestmark = [
    pytest.mark.skipif(len(PAGES) < 100, reason="no third-party HTML here: apt-get install gimp-help-en"),
    pytest.mark.skipif(NGINX is None, reason="no nginx on this machine: apt-get install nginx-light"),
]


class Bench(NamedTuple):
    judge: Judge
    root: str


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with nginx(HELP, tmp_path_factory.mktemp("nginx") / "own") as root, judge() as one:
        yield Bench(one, root)


def _judged(bench: Bench, files: list[Path]) -> None:
    missed: dict[str, set[str]] = {}
    asked: set[str] = set()
    for number, file in enumerate(files):
        url = f"{bench.root}en/{file.name}"
        images = bench.judge.asked(url, VIEWS[number % len(VIEWS)])
        asked |= images
        missed[file.name] = bench.judge.missed(url, images)
    assert {name: images for name, images in missed.items() if images} == {}
    assert len(asked) >= len(files)


def test_some_pages(bench: Bench) -> None:
    largest = sorted(PAGES, key=lambda file: file.stat().st_size)[-4:]
    _judged(bench, [*PAGES[:: len(PAGES) // 8], *largest])


@pytest.mark.long
def test_every_page(bench: Bench) -> None:
    _judged(bench, PAGES)
